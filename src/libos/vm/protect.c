/* Changing what pages allow, and what regions mean. */
#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/internal.h"
#include "libos/vm/pager.h"
#include "libos/vm/table.h"

#define ANY_PROT (AEGIS_PROT_READ | AEGIS_PROT_WRITE | AEGIS_PROT_EXEC)

/*
 * What a PTE can say: one that allows nothing can't be, so what may not be accessed at all may be
 * executed (docs/limits.md). Where a copy may be due W waits for the fault that asks.
 */
static uint32_t hardware(const struct vm_region *r, uint32_t prot)
{
    if (r->flags & VM_MAY_COW)
        prot &= ~(uint32_t)AEGIS_PROT_WRITE;
    return prot ? prot : AEGIS_PROT_EXEC;
}

/* Protects what is there of [start, end), all of it in r. */
static int64_t protect_present(const struct vm_region *r, uint64_t start, uint64_t end,
                               uint32_t prot)
{
    for (uint64_t va = start; (va = vm_next_present(va, end)) < end;) {
        uint64_t n = 1;
        while (n < AEGIS_MAP_MAX && va + n * AEGIS_PAGE_SIZE < end &&
               vm_pte((void *)(va + n * AEGIS_PAGE_SIZE)) & AEGIS_PTE_VALID)
            n++;
        int64_t status = aegis_protect(0, va, n, hardware(r, prot));
        if (status < 0)
            return status;
        va += n * AEGIS_PAGE_SIZE;
    }
    return 0;
}

/* Runs change on each region in [start, end), cut to fit; holds meanwhile. */
static int64_t change(uint64_t start, uint64_t end,
                      int64_t (*one)(struct vm_region *r, const void *what), const void *what)
{
    exos_hold();
    int64_t status = vm_covered(start, end) ? vm_window_open() : -AEGIS_E_INVALID;
    if (status == 0)
        status = vm_index_need(2);
    struct vm_region *r = status == 0 ? vm_cut(start, end) : NULL;
    for (; r && r->start < end && status == 0; r = vm_behind(r))
        status = one(r, what);
    vm_join(start, end);
    vm_forget_short_ways();
    exos_release();
    return status;
}

static int64_t protect_one(struct vm_region *r, const void *what)
{
    uint32_t prot = *(const uint32_t *)what;
    int64_t status = protect_present(r, r->start, r->end, prot);
    if (status < 0)
        return status;
    r->prot = (uint8_t)prot;
    r->flags &= (uint8_t)~VM_MIXED;
    return 0;
}

EXOS_HOT struct vm_plain vm_plain;
EXOS_HOT struct vm_quick vm_quick;

/* Where all pages are there r->prot, which is for pages that come, is left as it is until somebody
 * needs it exact. */
static bool protect_plainly(uint64_t va, uint64_t pages, uint32_t prot)
{
    struct vm_region *r = vm_find(va);

    /* Of a region that allows nothing the PTEs say something else; those of one with a table of its
     * own come and go. */
    if (r->kind == VM_NOWHERE || r->prot == 0 || r->table || r->flags & VM_MAY_COW)
        return false;
    r->flags |= VM_MIXED;
    vm_plain = (struct vm_plain){.start = r->start, .size = r->end - r->start};
    return vm_protect_fast(va, pages, prot);
}

int64_t vm_protect_slowly(uint64_t va, uint64_t pages, uint32_t prot)
{
    if (va % AEGIS_PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    if (prot & ~(uint32_t)ANY_PROT || pages > AEGIS_USER_END / AEGIS_PAGE_SIZE ||
        va >= AEGIS_USER_END)
        return -AEGIS_E_INVALID;
    if (pages == 0 || protect_plainly(va, pages, prot))
        return 0;
    if (prot & AEGIS_PROT_WRITE)
        prot |= AEGIS_PROT_READ;
    return change(va, va + pages * AEGIS_PAGE_SIZE, protect_one, &prot);
}

int64_t vm_protect(void *start, size_t pages, uint32_t prot)
{
    uint64_t va = (uint64_t)start;
    return __builtin_expect(vm_protect_fast(va, pages, prot), true)
               ? 0
               : vm_protect_slowly(va, pages, prot);
}

struct handling {
    vm_handler handler;
    void *context;
};

/* The handler goes first and comes last, so that a fault in between has none rather than the wrong
 * context. */
static int64_t handle_one(struct vm_region *r, const void *what)
{
    const struct handling *new = what;
    *(volatile vm_handler *)&r->handler = NULL;
    *(void *volatile *)&r->context = new->context;
    *(volatile vm_handler *)&r->handler = new->handler;
    return 0;
}

int64_t vm_set_handler(void *start, size_t pages, vm_handler handler, void *context)
{
    struct handling what = {handler, context};
    uint64_t va = (uint64_t)start;

    if (va % AEGIS_PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    if (pages > AEGIS_USER_END / AEGIS_PAGE_SIZE || va >= AEGIS_USER_END)
        return -AEGIS_E_INVALID;
    return change(va, va + pages * AEGIS_PAGE_SIZE, handle_one, &what);
}

static int64_t inherit_one(struct vm_region *r, const void *what)
{
    r->inherit = *(const uint8_t *)what;
    return 0;
}

int64_t vm_inherit(void *start, size_t pages, enum vm_inherit inherit)
{
    uint64_t va = (uint64_t)start;
    uint8_t what = (uint8_t)inherit;

    if (va % AEGIS_PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    if (pages > AEGIS_USER_END / AEGIS_PAGE_SIZE || va >= AEGIS_USER_END)
        return -AEGIS_E_INVALID;
    return change(va, va + pages * AEGIS_PAGE_SIZE, inherit_one, &what);
}

static int64_t page_one(struct vm_region *r, const void *what)
{
    if (r->kind != VM_ZERO || r->table)
        return -AEGIS_E_INVALID;
    r->pager = what;
    return 0;
}

int64_t vm_set_pager(void *start, size_t pages, const struct vm_pager *pager)
{
    uint64_t va = (uint64_t)start;

    if (va % AEGIS_PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    if (pages > AEGIS_USER_END / AEGIS_PAGE_SIZE || va >= AEGIS_USER_END)
        return -AEGIS_E_INVALID;
    return change(va, va + pages * AEGIS_PAGE_SIZE, page_one, pager);
}

/* Only before anything is there: what is, no table knows. */
static int64_t table_one(struct vm_region *r, const void *what)
{
    if (r->kind != VM_ZERO || r->pager || r->table || vm_next_present(r->start, r->end) < r->end)
        return -AEGIS_E_INVALID;
    r->inherit = VM_NOTHING;
    r->table = what;
    return 0;
}

int64_t vm_set_table(void *start, size_t pages, const struct vm_table *table)
{
    uint64_t va = (uint64_t)start;

    if (va % AEGIS_PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    if (pages > AEGIS_USER_END / AEGIS_PAGE_SIZE || va >= AEGIS_USER_END)
        return -AEGIS_E_INVALID;
    return change(va, va + pages * AEGIS_PAGE_SIZE, table_one, table);
}

struct flagging {
    uint8_t set, clear;
};

static int64_t flag_one(struct vm_region *r, const void *what)
{
    const struct flagging *new = what;
    r->flags = (uint8_t)((r->flags & ~new->clear) | new->set);
    return 0;
}

int64_t vm_set_flags(uint64_t start, uint64_t end, uint8_t set, uint8_t clear)
{
    struct flagging what = {set, clear};
    return change(start, end, flag_one, &what);
}

#define CLEANED AEGIS_MAP_OPS_MAX

int64_t vm_clean(void *start, size_t pages)
{
    struct aegis_map_op ops[CLEANED];
    uint64_t va = (uint64_t)start, end = va + pages * AEGIS_PAGE_SIZE;

    if (va % AEGIS_PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    if (end < va || end > AEGIS_EXPOSED_BASE)
        return -AEGIS_E_RANGE;
    int64_t opened = vm_window_open();
    if (opened < 0)
        return opened;
    while (va < end) {
        size_t n = 0;
        for (; n < CLEANED && (va = vm_next_present(va, end)) < end; va += AEGIS_PAGE_SIZE)
            if (vm_pte((void *)va) & (AEGIS_PTE_ACCESSED | AEGIS_PTE_DIRTY))
                ops[n++] = (struct aegis_map_op){.va = va, .change = AEGIS_MAP_CLEAN};
        int64_t status = n ? aegis_map_batch(0, ops, n) : 0;
        if (status < 0)
            return status;
    }
    return 0;
}

/*
 * Makes the protection of r's pages its own, cutting it where they differ; W is left out of account
 * where a copy may be due. Returns where it came to: the end of r.
 */
static uint64_t make_exact(struct vm_region *r, int64_t *status)
{
    uint64_t start = r->start, end = r->end;
    r->flags &= (uint8_t)~VM_MIXED;
    for (uint64_t va = start; *status == 0 && (va = vm_next_present(va, end)) < end;) {
        uint32_t prot = AEGIS_PTE_PROT(vm_pte((void *)va));
        uint64_t first = va;
        do
            va += AEGIS_PAGE_SIZE;
        while (va < end && vm_pte((void *)va) & AEGIS_PTE_VALID &&
               AEGIS_PTE_PROT(vm_pte((void *)va)) == prot);
        if (prot == vm_find(first)->prot)
            continue;
        *status = vm_index_need(2);
        if (*status == 0)
            vm_cut(first, va)->prot = (uint8_t)prot;
    }
    return end;
}

int64_t vm_make_exact(uint64_t start, uint64_t end)
{
    int64_t status = vm_window_open();
    exos_hold();
    for (struct vm_region *r = vm_find_next(start); r && r->start < end && status == 0;
         r = vm_find_next(r->end))
        if (r->flags & VM_MIXED)
            r = vm_find(make_exact(r, &status) - 1);
    vm_forget_short_ways();
    exos_release();
    return status;
}

/* What fork needs: regions whose prot is exact, and the mark on those that are copied. When there
 * is no page for cutting them some are cut finer than they were, which changes nothing. */
int64_t vm_before_fork(void)
{
    int64_t status = vm_window_open();
    exos_hold();
    struct vm_region *r;
    for (size_t n = 0; status == 0 && (r = vm_region_number(n)); n++) {
        if (r->inherit == VM_COPY)
            EXOS_SET(r->flags, r->flags | VM_MAY_COW);
        if (r->flags & VM_MIXED)
            make_exact(r, &status);
    }
    vm_forget_short_ways();
    exos_release();
    return status;
}
