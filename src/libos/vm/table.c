#include "libos/vm/table.h"

#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/fault.h"
#include "libos/vm/internal.h"

#define LEVEL_0 (1UL << 21) /* bytes that a page table of level 0 serves */

static bool is_present(uint64_t va)
{
    return vm_is_shown(va) && vm_pte((void *)va) & AEGIS_PTE_VALID;
}

/*
 * What was taken by force is not to be looked up any more: the page may be this program's again,
 * for something else. So the vector is read first.
 */
int64_t vm_table_refill(const struct vm_region *r, uint64_t va)
{
    const struct vm_table *table = r->table;
    uint64_t ppn;

    vm_mend();
    if (table->lookup(table->state, va, &ppn))
        return ppn == VM_PAGE_LOST ? -AEGIS_E_DEVICE : vm_map(0, va, ppn, r->prot, NULL);
    int64_t status = vm_fill_zero(r, va);
    if (status < 0)
        return status;
    ppn = AEGIS_PTE_PPN(vm_pte((void *)va));
    status = table->insert(table->state, va, ppn);
    if (status == 0)
        return 0;
    aegis_unmap(0, va, 1);
    aegis_page_free(ppn);
    return status;
}

void vm_table_drop(const struct vm_region *r, uint64_t start, uint64_t end)
{
    const struct vm_table *table = r->table;
    uint64_t va = start, ppn;

    vm_mend();
    for (; table->walk(table->state, &va, &ppn) && va < end; va += AEGIS_PAGE_SIZE) {
        if (is_present(va))
            aegis_unmap(0, va, 1);
        table->remove(table->state, va);
        if (ppn != VM_PAGE_LOST)
            aegis_page_free(ppn);
    }
}

static void forget_in(const struct vm_region *r, uint64_t taken)
{
    const struct vm_table *table = r->table;
    uint64_t va = r->start, ppn;

    for (; table->walk(table->state, &va, &ppn) && va < r->end; va += AEGIS_PAGE_SIZE)
        if (ppn == taken)
            table->insert(table->state, va, VM_PAGE_LOST);
}

void vm_tables_forget(uint64_t ppn)
{
    for (const struct vm_region *r = vm_find_next(0); r; r = vm_find_next(r->end))
        if (r->table)
            forget_in(r, ppn);
}

/* The page table of level 0 that serves va, and its links, if nothing is mapped in it any more. */
static void give_table(uint64_t va)
{
    uint64_t pte = vm_pte((const void *)AEGIS_WINDOW_PTE(va));
    if (!(pte & AEGIS_PTE_VALID))
        return;
    uint64_t table = AEGIS_PTE_PPN(pte);
    uint64_t links = aegis_info()->first_ppn + aegis_page(table)->links;
    if (aegis_table_remove(0, va, 0) == 0) {
        aegis_page_free(table);
        aegis_page_free(links);
    }
}

size_t vm_flush(void *start, size_t pages)
{
    uint64_t va = (uint64_t)start, end = va + pages * AEGIS_PAGE_SIZE;
    size_t forgotten = 0;

    if (end < va || end > AEGIS_EXPOSED_BASE || vm_window_open() < 0)
        return 0;
    exos_hold();
    while (va < end) {
        uint64_t behind = (va / LEVEL_0 + 1) * LEVEL_0, stop = behind < end ? behind : end;
        uint64_t served = va;
        for (; (va = vm_next_present(va, stop)) < stop; va += AEGIS_PAGE_SIZE)
            if (vm_find(va)->table)
                forgotten += aegis_unmap(0, va, 1) == 0;
        if (vm_is_shown(served))
            give_table(served);
        va = stop;
    }
    exos_release();
    return forgotten;
}
