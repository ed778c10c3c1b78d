/*
 * The list of a page's mappings, by location: the page index of a PTE's table << 9 | its slot,
 * which is what struct aegis_page.links and struct link hold.
 */
#ifndef AEGIS_KERNEL_MAP_LIST_H
#define AEGIS_KERNEL_MAP_LIST_H

#include "kernel/map.h"

#define SLOT_BITS 9

static inline struct aegis_page *table_at(uint32_t location)
{
    return &pages[location >> SLOT_BITS];
}

/* The reverse links of a table's entries. */
static inline struct link *links_of(const struct aegis_page *table)
{
    return page_memory_at(table->links);
}

static inline struct link *link_of(uint32_t location)
{
    return &links_of(table_at(location))[location & (PTES - 1)];
}

static inline pte_t *pte_of(uint32_t location)
{
    pte_t *table = page_memory_at(location >> SLOT_BITS);

    return &table[location & (PTES - 1)];
}

static inline uint32_t location_of(const struct aegis_page *table, const pte_t *entry)
{
    return (uint32_t)(table - pages) << SLOT_BITS | ((uintptr_t)entry / sizeof(pte_t) & (PTES - 1));
}

#endif
