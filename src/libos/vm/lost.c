/*
 * Which pages are gone that nobody gave away. A PTE that was taken and one that never was both read
 * zero, so there is a bit for each page that was filled: absent and filled is lost.
 *
 * Invariant, but for the moments between a mapping's change and the bit's: the bit of a page in a
 * region that is filled on demand is set if something was filled in there and not given since.
 */
#include <string.h>

#include "libos/start/start.h"
#include "libos/vm/fault.h"
#include "libos/vm/internal.h"
#include "libos/vm/pager.h"

#define BLOCK_SIZE (1UL << 23) /* addresses that a block of bits is for */
#define WORDS      (BLOCK_SIZE / AEGIS_PAGE_SIZE / 64)
#define IN_PAGE    (AEGIS_PAGE_SIZE / sizeof(struct block))
#define FIRST      12 /* blocks in the image: stack, heap, and memory in some more places */
#define BLOCKS_MAX (FIRST + (VM_NOTES_END - VM_BITS) / AEGIS_PAGE_SIZE * IN_PAGE)

struct block {
    uint64_t base;
    uint64_t bits[WORDS];
};
struct blocks {
    struct block block[IN_PAGE];
    uint8_t rest[AEGIS_PAGE_SIZE - IN_PAGE * sizeof(struct block)];
};
_Static_assert(sizeof(struct blocks) == AEGIS_PAGE_SIZE, "a page");

/* More are among vm's notes. */
static struct block first[FIRST];
static EXOS_HOT size_t count;

static bool is_asked; /* pages were asked for: some may have been taken */
static vm_lost_handler lost_handler;

static struct block *block_number(size_t i)
{
    size_t behind = i - FIRST;
    return i < FIRST ? &first[i]
                     : &((struct blocks *)VM_BITS)[behind / IN_PAGE].block[behind % IN_PAGE];
}

/* The one found last is looked at first; an upcall may come between and find another. */
static struct block *block_of(uint64_t va)
{
    static EXOS_HOT struct block *volatile last; /* NULL: none was */
    struct block *b = last;
    uint64_t base = va & ~(BLOCK_SIZE - 1);

    if (b && b->base == base)
        return b;
    for (size_t i = 0; i < count; i++)
        if ((b = block_number(i))->base == base)
            return last = b;
    return NULL;
}

static int64_t need_bits(uint64_t va)
{
    if (block_of(va))
        return 0;
    if (count == BLOCKS_MAX)
        return -AEGIS_E_NO_PAGE;
    int64_t status = count >= FIRST && (count - FIRST) % IN_PAGE == 0
                         ? vm_note_page((uint64_t)block_number(count))
                         : 0;
    if (status < 0)
        return status;
    struct block *b = block_number(count);
    *b = (struct block){.base = va & ~(BLOCK_SIZE - 1)};
    __atomic_store_n(&count, count + 1, __ATOMIC_RELEASE);
    return 0;
}

static uint64_t *word_of(struct block *b, uint64_t va)
{
    return &b->bits[(va - b->base) / AEGIS_PAGE_SIZE / 64];
}

static uint64_t bit_of(uint64_t va)
{
    return 1UL << va / AEGIS_PAGE_SIZE % 64;
}

/* The bits of a word are changed by upcalls, too, which come between any two instructions. */
static void set(uint64_t va)
{
    __atomic_fetch_or(word_of(block_of(va), va), bit_of(va), __ATOMIC_RELAXED);
}

static void clear(uint64_t va)
{
    __atomic_fetch_and(word_of(block_of(va), va), ~bit_of(va), __ATOMIC_RELAXED);
}

static bool is_set(uint64_t va)
{
    struct block *b = block_of(va);
    return b && *word_of(b, va) & bit_of(va);
}

int64_t vm_note_coming(uint64_t va)
{
    struct block *b = block_of(va);
    if (!b) {
        int64_t status = need_bits(va);
        if (status < 0)
            return status;
        b = block_of(va);
    }
    __atomic_fetch_or(word_of(b, va), bit_of(va), __ATOMIC_RELAXED);
    return 0;
}

void vm_note_not_come(uint64_t va)
{
    clear(va);
}

void vm_note_given(uint64_t start, uint64_t end)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t base = block_number(i)->base, behind = base + BLOCK_SIZE;
        uint64_t va = start > base ? start : base;
        for (; va < end && va < behind; va += AEGIS_PAGE_SIZE)
            clear(va);
    }
}

bool vm_is_lost(uint64_t va)
{
    if (!is_set(va))
        return false;
    if (!lost_handler || !lost_handler(va))
        return true;
    clear(va);
    return false;
}

vm_lost_handler vm_set_lost(vm_lost_handler handler)
{
    vm_lost_handler before = lost_handler;
    lost_handler = handler;
    return before;
}

static bool is_filled_on_demand(const struct vm_region *r)
{
    return (r->kind == VM_ZERO || r->kind == VM_STACK) && !r->table;
}

/*
 * In the upcall that asks first: what was there from the beginning, of the stack, is noted, too. It
 * takes no pages, which would have to be given back as well, unless a program has memory in more
 * than twelve places.
 */
int64_t vm_begin_tracking(void)
{
    if (is_asked)
        return 0;
    is_asked = true;
    upcall_repossessed(NULL, 0); /* binds the vector */
    for (const struct vm_region *r = vm_window_is_open() ? vm_find_next(0) : NULL; r;
         r = vm_find_next(r->end)) {
        if (!is_filled_on_demand(r))
            continue;
        for (uint64_t va = r->start; (va = vm_next_present(va, r->end)) < r->end;
             va += AEGIS_PAGE_SIZE) {
            int64_t status = need_bits(va);
            if (status < 0)
                return status;
            set(va);
        }
    }
    return 0;
}

/* Absent pages of a block whose bit is set. */
static size_t look(const struct block *b, uint64_t *addresses, size_t most, size_t found)
{
    for (size_t w = 0; w < WORDS; w++)
        for (uint64_t left = b->bits[w]; left; left &= left - 1) {
            uint64_t va = b->base + (w * 64 + (uint64_t)__builtin_ctzl(left)) * AEGIS_PAGE_SIZE;
            if (is_filled_on_demand(vm_find(va)) && !(vm_pte((void *)va) & AEGIS_PTE_VALID) &&
                found++ < most)
                addresses[found - 1] = va;
        }
    return found;
}

static EXOS_HOT uint64_t seen; /* of the repossession vector */

/* The child's vector begins anew; what it doesn't inherit is not lost. */
void vm_lost_forked(void)
{
    seen = 0;
    if (count == 0) /* nothing was ever noted */
        return;
    for (const struct vm_region *r = vm_find_next(0); r; r = vm_find_next(r->end))
        if (r->inherit == VM_NOTHING)
            vm_note_given(r->start, r->end);
}

void vm_mend(void)
{
    struct aegis_repossessed taken[16];

    for (uint64_t n; is_asked && (n = upcall_repossessed_since(&seen, taken, 16)) > 0;)
        for (uint64_t i = 0; i < n; i++)
            if (taken[i].kind == AEGIS_KIND_PAGE)
                vm_tables_forget(taken[i].index);
}

size_t vm_lost(uint64_t *addresses, size_t most)
{
    size_t found = 0;

    vm_mend();
    for (size_t i = 0; i < count; i++)
        found = look(block_number(i), addresses, most, found);
    for (const struct vm_region *r = vm_find_next(0); r; r = vm_find_next(r->end))
        if (r->kind == VM_RESIDENT && r->start != VM_END)
            for (uint64_t va = r->start; va < r->end; va += AEGIS_PAGE_SIZE)
                if (!(vm_pte((void *)va) & AEGIS_PTE_VALID) && found++ < most)
                    addresses[found - 1] = va;
    return found;
}
