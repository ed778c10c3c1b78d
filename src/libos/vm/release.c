/* Taking memory out of the address space. */
#include "libos/start/start.h"
#include "libos/vm/internal.h"

#define RUN 64 /* pages that are unmapped by one call */

static bool is_pinned(uint64_t start, uint64_t end)
{
    for (uint64_t va = start; (va = vm_next_present(va, end)) < end; va += AEGIS_PAGE_SIZE) {
        const volatile struct aegis_page *page = aegis_page(AEGIS_PTE_PPN(vm_pte((void *)va)));
        if (page->owner == exos.env && page->pins)
            return true;
    }
    return false;
}

/* Notes the pages of the run of present ones that begins at va; returns how many. */
static size_t gather(uint64_t va, uint64_t end, uint64_t ppns[RUN])
{
    size_t n = 0;
    for (; n < RUN && va < end; n++, va += AEGIS_PAGE_SIZE) {
        uint64_t pte = vm_pte((void *)va);
        if (!(pte & AEGIS_PTE_VALID))
            break;
        ppns[n] = AEGIS_PTE_PPN(pte);
    }
    return n;
}

/*
 * A page of one's own that others map as well stays: page_free refuses, or, where they hold it by
 * inheritance, passes it on. One that was taken by force meanwhile is gone already: what is left of
 * the run is unmapped a page at a time.
 */
int64_t vm_release(uint64_t start, uint64_t end)
{
    uint64_t ppns[RUN];
    int64_t status = vm_window_open();

    if (status < 0)
        return status;
    if (is_pinned(start, end))
        return -AEGIS_E_PINNED;
    for (const struct vm_region *r = vm_find_next(start); r && r->start < end;
         r = vm_find_next(r->end))
        if (r->table)
            vm_table_drop(r, r->start > start ? r->start : start, r->end < end ? r->end : end);
    for (uint64_t va = start; (va = vm_next_present(va, end)) < end;) {
        size_t n = gather(va, end, ppns);
        if (aegis_unmap(0, va, n) < 0)
            for (size_t i = 0; i < n; i++)
                aegis_unmap(0, va + i * AEGIS_PAGE_SIZE, 1);
        for (size_t i = 0; i < n; i++)
            if (aegis_page(ppns[i])->owner == exos.env)
                aegis_page_free(ppns[i]);
        va += n * AEGIS_PAGE_SIZE;
    }
    vm_note_given(start, end);
    return 0;
}
