#include "kernel/map_window.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/map.h"

/* A is set beforehand, and W never: the hardware has nothing to write there. */
#define SHOWN (PTE_V | PTE_R | PTE_U | PTE_A)

static pte_t zeroes; /* shows a page of zeroes */
static pte_t absent; /* leads to a table of those */

void window_init(void)
{
    void *page = boot_alloc(1, 1);
    pte_t *table = boot_alloc(1, 1);

    memset(page, 0, PAGE_SIZE);
    zeroes = pte_make(virt_to_phys(page) >> PAGE_SHIFT, SHOWN);
    absent = pte_make(virt_to_phys(table) >> PAGE_SHIFT, PTE_V);
    for (size_t i = 0; i < PTES; i++)
        table[i] = zeroes;
}

static pte_t shown(pte_t table)
{
    return (table & (PTE_V | PTE_LEAF)) == PTE_V ? pte_make(pte_ppn(table), SHOWN) : zeroes;
}

void window_insert_table(const struct env *env, pte_t *entry, struct aegis_page *table,
                         unsigned int level, uint64_t va)
{
    pte_t *entries = page_memory(table);
    size_t gib = pte_index(va, 1);
    const pte_t *level1 = NULL;

    table->state = AEGIS_PAGE_PTABLE;
    table->level = (uint8_t)level;
    for (size_t i = 0; i < PTES; i++)
        entries[i] = level == 1 ? absent : zeroes;
    if (level == 0 && gib < EXPOSED_INDEX && (env->root[gib] & PTE_V))
        level1 = ppn_to_virt(pte_ppn(env->root[gib]));
    for (size_t i = 0; level1 && i < PTES; i++)
        entries[i] = shown(level1[i]);
    for (size_t i = 0; level == 0 && gib == WINDOW_INDEX && i < EXPOSED_INDEX; i++)
        entries[i] = shown(env->root[i]);
    *entry = pte_make(page_ppn(table), PTE_V);
    /* Translations through the table that stood here may be cached, at any address of it. */
    sfence_asid(env->asid);
}

bool window_is_empty(const pte_t *table, unsigned int level)
{
    if (level == 0) /* what it shows is not its own */
        return true;
    for (size_t i = 0; i < PTES; i++)
        if (table[i] != absent)
            return false;
    return true;
}

pte_t window_without(unsigned int level)
{
    return level == 0 ? absent : 0;
}

void window_show(const struct env *env, uint64_t va, unsigned int level,
                 const struct aegis_page *table)
{
    /* A table of level 0 is shown where the PTEs of its region are; one of level 1 a window
     * further. */
    uint64_t at = AEGIS_WINDOW_PTE(va);

    if (level == 1)
        at = AEGIS_WINDOW_PTE(at);
    pte_t *above = map_entry(env, at, 1, NULL), *entry;
    if (!above || *above == absent)
        return;
    entry = map_leaf(env, at);
    *entry = table ? pte_make(page_ppn(table), SHOWN) : zeroes;
    map_flush(env, at & ~(uint64_t)(PAGE_SIZE - 1));
}
