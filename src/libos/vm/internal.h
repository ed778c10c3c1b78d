/* What the files of vm/ and start/ share; not for programs. */
#ifndef EXOS_VM_INTERNAL_H
#define EXOS_VM_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "libos/start/calls.h"
#include "libos/vm/vm.h"

/*
 * vm's notes, behind VM_END:
 *
 *   0x3f00000000  the index of regions, once there are many (index.c)
 *   0x3f00100000  nodes of regions, likewise
 *   0x3f01000000  a bit for each page of the address space (lost.c), once pages were asked for
 *   0x3f01800000  end
 */
#define VM_INDEX     VM_END
#define VM_NODES     (VM_END + 0x100000)
#define VM_NODES_END (VM_END + 0x1000000)
#define VM_BITS      (VM_END + 0x1000000)
#define VM_NOTES_END (VM_END + 0x1800000)

/* The heap begins at upper, a multiple of the page size. Called once, before any malloc. */
void vm_heap_init(uint64_t upper);

/* Regions for image, heap and stack, and the handlers of page faults. Called once, on the first
 * stack. */
void vm_init(uint64_t upper);

/* The highest run of so many free pages that lies below a page number: its first page, or
 * AEGIS_ANY. Somebody else may take one of them at any time. */
uint64_t vm_find_run(uint64_t below, size_t pages);

/* index.c */

extern struct vm_region vm_nowhere; /* of kind VM_NOWHERE */
extern struct vm_region *vm_last;   /* found last, or vm_nowhere */
extern struct vm_region vm_heap, vm_first_stack;

struct vm_region *vm_search(uint64_t address);

/* vm_region_at, for the library. */
static inline struct vm_region *vm_find(uint64_t address)
{
    struct vm_region *r = vm_last;
    return address - r->start < r->end - r->start ? r : vm_search(address);
}

/* The first region that ends above address, or NULL. */
struct vm_region *vm_find_next(uint64_t address);

/* The region with n before it, or NULL: for who holds, and goes through all. */
struct vm_region *vm_region_number(size_t n);

/* Map a cleared page at va, of vm's notes. */
int64_t vm_note_page(uint64_t va);

/* Those that change regions: caller holds (exos_hold). */

/* Make sure that count more regions can be made. 0, or NO_PAGE, QUOTA. */
int64_t vm_index_need(size_t count);

/* A new region, a copy of *model, which overlaps none. vm_index_need was asked. */
struct vm_region *vm_insert(const struct vm_region *model);
void vm_remove(struct vm_region *region);

/*
 * Cut regions at start and end, so that each lies inside of [start, end) or outside. Returns the
 * first inside, NULL if none is. Takes two of what vm_index_need was asked for.
 */
struct vm_region *vm_cut(uint64_t start, uint64_t end);

/* The region behind region if that begins where this one ends, else NULL. */
struct vm_region *vm_behind(const struct vm_region *region);

/* Make one of neighbours with the same meaning, in [start, end] and at its edges. */
void vm_join(uint64_t start, uint64_t end);

/* Whether regions cover all of [start, end). */
bool vm_covered(uint64_t start, uint64_t end);

/*
 * The lowest free addresses in [from, VM_SHARED_BASE) for bytes bytes and an unmapped page behind
 * them; 0: none.
 */
uint64_t vm_find_gap(uint64_t bytes);

/* page.c */

/* Make the window of one's own PTEs, or a gibibyte of addresses seen in it, now or once it is made.
 * 0, or NO_PAGE, QUOTA. */
int64_t vm_window_open(void);
bool vm_window_is_open(void);
int64_t vm_window_show(uint64_t va);
bool vm_is_shown(uint64_t va);

/* Donate the page tables that env (0: this program) lacks for va. 0, also if none is missing, or
 * NO_PAGE, QUOTA, and table_insert's errors. */
int64_t vm_tables(uint32_t env, uint64_t va);

/* A fork's child begins without a window. */
void vm_window_forget(void);

/*
 * What the short ways know of the region that they were last of use for. plain: its PTEs alone say
 * what pages allow (VM_MIXED); quick: it has a handler, and no copies are due. size 0: of none.
 * Whoever changes a region forgets them when it is done.
 */
extern struct vm_plain {
    uint64_t start, size;
} vm_plain;
extern struct vm_quick {
    uint64_t start, size;
    vm_handler handler;
    void *context;
} vm_quick;

static inline void vm_forget_short_ways(void)
{
    __asm__ volatile("" ::: "memory");
    vm_plain.size = 0;
    vm_quick.size = 0;
}

/*
 * vm_protect where all pages are there, as they are where protection is what a program lives by (a
 * collector's barrier, a checkpoint): the PTEs alone change. Returns whether it was possible; if
 * not, nothing has changed.
 */
static inline bool vm_protect_fast(uint64_t va, uint64_t pages, uint32_t prot)
{
    uint64_t offset = va - vm_plain.start, size = vm_plain.size;
    return offset <= size && pages - 1 < AEGIS_MAP_MAX &&
           pages <= (size - offset) / AEGIS_PAGE_SIZE &&
           aegis_protect_bare(0, va, pages, prot) == 0;
}

/* The rest of vm_protect. */
int64_t vm_protect_slowly(uint64_t va, uint64_t pages, uint32_t prot);

/* Cut regions in [start, end) so that the prot of each is what its pages have: before pages go,
 * which come back with what the region says. 0, or NO_PAGE, QUOTA. */
int64_t vm_make_exact(uint64_t start, uint64_t end);

/* protect.c: set and clear flags of the regions that cover [start, end). */
int64_t vm_set_flags(uint64_t start, uint64_t end, uint8_t set, uint8_t clear);

/* start/calls.S: what a call's arguments point to, the values being its a0 to a4 and one more word.
 * Whether all of it is there now. */
bool vm_touch_arguments(uint64_t number, const uint64_t *values);

/* release.c: unmap and free what is mapped in [start, end). PINNED: nothing has changed. */
int64_t vm_release(uint64_t start, uint64_t end);

/* pager.c: once. */
void vm_pager_init(void);

/* lost.c: that pages of [start, end) have gone by themselves; that pages may be taken from now on.
 */
void vm_note_given(uint64_t start, uint64_t end);
int64_t vm_begin_tracking(void);
void vm_lost_forked(void);

/* lost.c: read the repossession vector, and have the program's own tables forget what is gone. */
void vm_mend(void);

/* table.c: a page was taken by force; the pages of [start, end) in a region with a table go. */
void vm_tables_forget(uint64_t ppn);
void vm_table_drop(const struct vm_region *r, uint64_t start, uint64_t end);

/* fault.c */
bool vm_fault(struct upcall_light *registers);

/* A cleared page of one's own with r->prot at va, where nothing is mapped. 0 or a negated error. */
int64_t vm_fill_zero(const struct vm_region *r, uint64_t va);

/* The same of page ppn, which is taken for it. */
int64_t vm_fill_with(uint64_t va, uint64_t ppn);

/* Where the shared memory of one program begins, so that it rarely meets another's. */
#define VM_SHARED_PLACES 256
#define VM_SHARED_PLACE  ((VM_END - VM_SHARED_BASE) / VM_SHARED_PLACES)

/* malloc's half of an overcommit check: heap pages that were promised and aren't there. */
extern uint64_t vm_heap_filled;

#endif
