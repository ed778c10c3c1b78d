/*
 * Virtual memory: pages by their physical numbers, mappings, regions, the heap.
 *
 * What is mapped where is the hardware's page table, which a program reads in the window of its own
 * PTEs; regions say what addresses mean, so that a fault can be told apart: memory that isn't there
 * yet, a page shared since a fork, protection that somebody asked for, or an error (docs/exos.md,
 * Memory). All of it is made from page_alloc, table_insert, map, protect, unmap and page_free; a
 * program may use those beside it, outside of any region. Results are >= 0 or a negated enum
 * aegis_error.
 *
 *   0x0010080000  the stack, growing down, VM_STACK_LIMIT at most, filled when it is touched
 *   exos.upper    the heap, behind the image, growing up, likewise
 *   0x1000000000  VM_BASE: regions, lowest address first, an unmapped page behind each
 *   0x3e00000000  VM_SHARED_BASE: what several programs map at one address (vm_shared_alloc)
 *   0x3f00000000  VM_END: what vm itself notes
 */
#ifndef EXOS_VM_VM_H
#define EXOS_VM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"
#include "libos/upcall/upcall.h"

#define VM_BASE        0x1000000000UL
#define VM_SHARED_BASE 0x3e00000000UL
#define VM_END         0x3f00000000UL

#define VM_READ_WRITE  (AEGIS_PROT_READ | AEGIS_PROT_WRITE)
#define VM_STACK_LIMIT (8UL << 20) /* bytes that the first stack may have */

/* Bytes to whole pages, rounded up. */
static inline uint64_t vm_pages(uint64_t bytes)
{
    return bytes / AEGIS_PAGE_SIZE + (bytes % AEGIS_PAGE_SIZE != 0);
}

/*
 * Map page ppn at va in env (0: this one), donating the page tables that are missing, two pages
 * each. Errors: aegis_map's, NO_PAGE, QUOTA.
 */
int64_t vm_map(uint32_t env, uint64_t va, uint64_t ppn, uint32_t prot,
               const struct aegis_cap *capability);

/*
 * New memory: pages pages with protection prot, at an address that the library chooses. The bytes
 * are zero, and the pages there at once (mmap's come when they are touched): for rings, for
 * devices, and for whoever needs their numbers. The region is the library's until vm_free. Returns
 * NULL and sets errno (ENOMEM, EINVAL) on failure.
 */
void *vm_alloc(size_t pages, uint32_t prot);

/*
 * The same, readable and writable, in pages that are consecutive in physical memory too, as the
 * kernel wants a handler's maps. ENOMEM also if there is enough memory, but in pieces.
 */
void *vm_alloc_run(size_t pages);

/* Memory for a stack, pages pages that come when they are touched; a fault below it is reported as
 * the stack's overflow. NULL and errno on failure. */
void *vm_alloc_stack(size_t pages);

/* Addresses without memory, to map pages into by hand; vm_free gives them back once nothing is
 * mapped. */
void *vm_reserve(size_t pages);

/* Map somebody else's page, shown by its capability, in a region of its own. NULL and errno on
 * failure. */
void *vm_attach(const struct aegis_cap *capability, uint32_t prot);

/*
 * Undo vm_alloc, vm_alloc_run, vm_alloc_stack, vm_reserve or vm_attach, whose result `region` is;
 * NULL does nothing. Pages of one's own are freed. Returns 0, or PINNED while a device or the
 * kernel uses a page (then nothing has changed), or INVALID for an address that is no region's
 * beginning.
 */
int64_t vm_free(void *region);

/* The physical page of one's own at an address in any region, or a negated error (INVALID: there is
 * none). */
int64_t vm_page_at(const void *address);

/*
 * Make sure that the kernel can read (or write) length bytes at address in a call: they are read,
 * or written with what they hold, so that memory comes that isn't there yet, and faults go to their
 * handlers. Returns 0, or ADDRESS where nobody resolves the fault. The calls' stubs do this for
 * what arguments point to, and for frames, filters, images and disks' buffers that stand in
 * structures; memory that the kernel keeps (rings, upcall pages) is vm_alloc's.
 */
int64_t vm_touch(const void *address, size_t length, bool write);

/* What addresses mean. */
enum vm_kind {
    VM_NOWHERE,  /* no region */
    VM_IMAGE,    /* the program's own: there from the beginning */
    VM_ZERO,     /* zeros until it is touched: the heap, anonymous memory */
    VM_STACK,    /* likewise; below it is the guard */
    VM_RESIDENT, /* mapped by hand or at once; what is absent is an error */
    VM_FOREIGN,  /* somebody else's page */
    VM_RESERVED, /* nothing, until a handler or the program maps something */
};

/* What a fork's child gets of a region. */
enum vm_inherit {
    VM_COPY,    /* a copy, made when one of the two writes */
    VM_SHARE,   /* the same pages */
    VM_FRESH,   /* pages of its own at once, with anything in them: the exception stacks */
    VM_NOTHING, /* nothing: rings, frames, pages that the kernel has pinned */
};

/* struct vm_region.flags */
#define VM_MAY_COW     0x01 /* since a fork: a page without W may be a copy that is due */
#define VM_DISCARDABLE 0x02 /* the pager may drop its pages: then they are zero */
#define VM_LOCKED      0x04 /* the pager leaves it alone */
#define VM_MIXED       0x08 /* pages that are there may have another prot */

struct vm_region;

/*
 * An application's handler of the faults in a region: access is the AEGIS_PROT_* that was missing
 * at address. Returns true to have the instruction again (or at registers->frame->pc), false to
 * decline: then it is as if there were no handler. It runs as a light upcall
 * (libos/upcall/upcall.h): floating point and errno are not for it, and it must not wait; the pages
 * of other regions may fault in it.
 */
typedef bool (*vm_handler)(void *context, uint64_t address, uint32_t access,
                           struct upcall_light *registers);

/*
 * One region, as it may be read at any time; who changes it is the library. prot is what pages get
 * that come; a page that is there has what its PTE says, unless VM_MAY_COW is set: then the PTE's W
 * may be missing where prot has it, and prot is exact.
 */
struct vm_region {
    uint64_t start, end; /* multiples of the page size */
    uint8_t kind;        /* enum vm_kind */
    uint8_t prot;        /* AEGIS_PROT_*; 0: none */
    uint8_t inherit;     /* enum vm_inherit */
    uint8_t flags;
    uint32_t allocation; /* what vm_free frees together has one number; 0: nothing */
    vm_handler handler;  /* or NULL */
    void *context;       /* for the handler */
    const struct vm_pager *pager;
    const struct vm_table *table;
};

/* The region that holds an address; one of kind VM_NOWHERE if none does. Never NULL. */
const struct vm_region *vm_region_at(uint64_t address);

/* The first region that ends above address, or NULL: for (r = vm_region_next(0); r; r =
 * vm_region_next(r->end)). */
const struct vm_region *vm_region_next(uint64_t address);

/*
 * Say what addresses mean into which pages are mapped by hand, or by another: pages pages from
 * start on. Returns 0, or ALIGNMENT, RANGE, IN_USE (they overlap a region), NO_PAGE. vm_free undoes
 * it.
 */
int64_t vm_declare(uint64_t start, size_t pages, enum vm_kind kind, uint32_t prot,
                   enum vm_inherit inherit);

/*
 * Memory to share with children at its own address, where a fork keeps it shared: pages pages of
 * zeros, readable and writable, in [VM_SHARED_BASE, VM_END). vm_shared_adopt is the child's half:
 * pages that its parent has mapped for it there. vm_free undoes both. NULL and errno, or a negated
 * error, on failure.
 */
#define VM_SHARED_MOST 4096 /* pages of one */
void *vm_shared_alloc(size_t pages);
int64_t vm_shared_adopt(void *address, size_t pages);

/*
 * The parent's half: map pages pages from start on for a child that doesn't run yet, at the same
 * address; its tables are donated. They may be one's own or have come this way. Who has them last
 * owns them. Returns 0 or a negated error: OWNER if some page isn't there or not to be handed on,
 * else aegis_map_share's and aegis_table_insert's; what was mapped goes with the child.
 */
int64_t vm_share(uint32_t env, const void *start, size_t pages);

/*
 * map_share, for a child that lacks tables for va, too: they come as the kernel takes them. At most
 * so many pages as one table covers from va on. Returns what map_share does, or table_insert's
 * errors.
 */
int64_t vm_hand_on(uint32_t env, uint64_t va, uint64_t count, enum aegis_share how, uint64_t from);

/* The tables of both levels for va, for a child that has none there yet. 0, or table_insert's
 * errors. */
int64_t vm_first_tables(uint32_t env, uint64_t va);

/* The same of the table for va alone, where those above it may be there. */
int64_t vm_next_tables(uint32_t env, uint64_t va);

/* Change what a fork's child gets of the regions in a range of whole pages. As vm_declare; INVALID:
 * a hole. */
int64_t vm_inherit(void *start, size_t pages, enum vm_inherit inherit);

/*
 * Make handler the one for faults in a range of whole pages, with its context; NULL: none. Memory
 * that isn't there yet still comes by itself in regions of kind VM_ZERO. Returns 0, or ALIGNMENT,
 * INVALID (a hole), NO_PAGE.
 */
int64_t vm_set_handler(void *start, size_t pages, vm_handler handler, void *context);

/*
 * A handler for a page of somebody else's (vm_attach), which goes when its owner ends: from then on
 * there are zeros.
 */
bool vm_zero_when_gone(void *context, uint64_t address, uint32_t access,
                       struct upcall_light *registers);

/*
 * Protect whole pages: mprotect's work, without its names and errno. prot 0 takes all access away.
 * Returns 0, or ALIGNMENT, INVALID (prot, or a hole), NO_PAGE, or RIGHTS: a page of another's.
 */
int64_t vm_protect(void *start, size_t pages, uint32_t prot);

/* One's own PTE of an address, with A and D bits; 0 if nothing is mapped. The first look makes the
 * window, which costs some pages. */
static inline uint64_t vm_pte(const void *address)
{
    return *(const volatile uint64_t *)AEGIS_WINDOW_PTE(address);
}

/* Whether a page was written to, or touched at all, since it came or vm_clean. */
static inline bool vm_dirty(const void *address)
{
    return vm_pte(address) & AEGIS_PTE_DIRTY;
}
static inline bool vm_referenced(const void *address)
{
    return vm_pte(address) & AEGIS_PTE_ACCESSED;
}

/* Clear the A and D bits of the pages that are there, of pages pages from start on. Returns 0 or a
 * negated error. */
int64_t vm_clean(void *start, size_t pages);

/* The first address >= from and < end at which something is mapped, by whole page tables where they
 * are missing; end if nothing is. */
uint64_t vm_next_present(uint64_t from, uint64_t end);

/*
 * Before a fork: makes the prot of regions exact and marks those that are copied VM_MAY_COW.
 * Returns 0, or NO_PAGE, QUOTA.
 */
int64_t vm_before_fork(void);

/*
 * Why an access at address wasn't resolved: how a handler set by upcall_set chooses a signal's
 * number and code. *error becomes the kernel's error of NO_MEMORY, else 0.
 */
enum vm_reason {
    VM_UNMAPPED,  /* SIGSEGV, SEGV_MAPERR */
    VM_FORBIDDEN, /* SIGSEGV, SEGV_ACCERR */
    VM_OVERFLOW,  /* SIGSEGV, of a stack */
    VM_LOST,      /* SIGBUS, BUS_ADRERR: the page was taken by force */
    VM_NO_MEMORY, /* SIGBUS, BUS_ADRERR: no page is left for it */
};
enum vm_reason vm_why(uint64_t address, int64_t *error);

#endif
