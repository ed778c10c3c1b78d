/*
 * map_own: how a copy on write is made when it is due. The library could do it with page_alloc,
 * map, a copy through a second mapping, unmap and page_free; in one call there is no second
 * mapping, the page needs no clearing, and no moment without a page at the address.
 */
#include <string.h>

#include "kernel/call.h"
#include "kernel/expose.h"
#include "kernel/inherit.h"
#include "kernel/map_place.h"
#include "kernel/quota.h"

/* 0, or why a copy of the page that entry maps can't be made. */
static long check_copy(pte_t entry, bool own)
{
    if (own && page_of(pte_ppn(entry))->pins)
        return -AEGIS_E_PINNED;
    if (!(entry & PTE_R))
        return -AEGIS_E_RIGHTS;
    if (!page_find_free())
        return -AEGIS_E_NO_PAGE;
    return quota_allows(this_hart->env->number, AEGIS_QUOTA_PAGES, 1) ? 0 : -AEGIS_E_QUOTA;
}

static struct aegis_page *copy_of(struct aegis_page *page)
{
    struct aegis_page *copy = page_find_free();

    page_take_unclear(copy, this_hart->env->number);
    memcpy(page_memory(copy), page_memory(page), PAGE_SIZE);
    return copy;
}

long call_map_own(uint64_t va, uint32_t prot)
{
    const struct env *self = this_hart->env;
    uint64_t bits = map_bits(prot);
    long error = place_check_range(va, 1);

    if (!error && !bits)
        error = -AEGIS_E_INVALID;
    if (error)
        return error;
    pte_t *entry = map_leaf(self, va);
    if (!entry || !(*entry & PTE_V))
        return -AEGIS_E_ADDRESS;
    struct aegis_page *page = page_of(pte_ppn(*entry)), *table = map_table_of(entry);
    bool own = page->owner == self->number;
    if (own && !inherit_is_awaited(page)) {
        inherit_unbind(page);
        *entry = (*entry & ~(uint64_t)PTE_LEAF) | bits | PTE_OWN;
        map_flush(self, va);
        return (long)page_ppn(page);
    }
    error = check_copy(*entry, own);
    if (error)
        return error;
    struct aegis_page *copy = copy_of(page);
    map_remove(table, entry);
    map_insert(table, entry, copy, bits);
    map_flush(self, va);
    if (own) /* which others may map still: then it stays the caller's */
        inherit_free(page);
    return (long)page_ppn(copy);
}
