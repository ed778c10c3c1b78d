/* Pages and page tables; and the table of all. */
#include "kernel/check/mutate.h"

#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/map.h"
#include "kernel/map_list.h"
#include "kernel/map_window.h"

struct aegis_page *mutate_mapped_page(void)
{
    for (uint64_t i = 0; i < page_count; i++)
        if (pages[i].state == AEGIS_PAGE_DATA && pages[i].refs && !pages[i].pins)
            return &pages[i];
    return NULL;
}

/* Where a page is mapped that its owner maps, too, and mapped first. */
static pte_t *others_mapping(void)
{
    for (uint64_t i = 0; i < page_count; i++) {
        const struct aegis_page *page = &pages[i];
        if (page->state != AEGIS_PAGE_DATA || page->refs < 2 || page->links == NO_PAGE)
            continue;
        uint32_t last = link_of(page->links)->previous;
        if (table_at(page->links)->owner == page->owner && table_at(last)->owner != page->owner)
            return pte_of(last);
    }
    return NULL;
}

bool break_page_free(void)
{
    info->free_pages++;
    return true;
}

bool break_page_owned(void)
{
    env_infos[FIRST_ENV].pages++;
    return true;
}

bool break_page_refs(void)
{
    struct aegis_page *page = mutate_mapped_page();

    if (page)
        page->refs++;
    return page;
}

bool break_page_links(void)
{
    struct aegis_page *page = mutate_mapped_page();

    if (page)
        page->links = NO_PAGE;
    return page;
}

bool break_page_pins(void)
{
    struct aegis_page *page = mutate_mapped_page();

    if (page)
        page_pin(page);
    return page;
}

bool break_page_last(void)
{
    struct aegis_page *page = mutate_mapped_page();

    if (page)
        page->last++;
    return page;
}

bool break_page_role(void)
{
    struct aegis_page *page = mutate_mapped_page();

    if (page)
        page->state = AEGIS_PAGE_RING;
    return page;
}

bool break_page_generation(void)
{
    for (uint64_t i = 0; i < page_count; i++)
        if (pages[i].generation) {
            check_all();
            pages[i].generation--;
            return true;
        }
    return false;
}

bool break_table_entry(void)
{
    pte_t *entry = map_entry(env_table[FIRST_ENV], AEGIS_PROGRAM_BASE, 0, NULL);

    if (entry)
        *entry |= 1UL << 60;
    return entry;
}

bool break_table_own(void)
{
    pte_t *entry = others_mapping();

    if (entry)
        *entry |= PTE_OWN;
    return entry;
}

/* Marks the last on a list whose first has no mark. */
bool break_table_inherit(void)
{
    pte_t *entry = others_mapping();

    if (entry)
        *entry |= PTE_INHERIT;
    return entry;
}

/* Binds the owner of a page that it may write to. */
bool break_table_bound(void)
{
    for (uint64_t i = 0; i < page_count; i++)
        if (pages[i].state == AEGIS_PAGE_DATA && pages[i].links != NO_PAGE &&
            *pte_of(pages[i].links) & PTE_OWN) {
            pages[i].level = AEGIS_PAGE_BOUND;
            return true;
        }
    return false;
}

bool break_table_region(void)
{
    pte_t *entry = map_entry(env_table[FIRST_ENV], AEGIS_PROGRAM_BASE, 0, NULL);

    if (entry)
        map_table_of(entry)->region++;
    return entry;
}

/* Makes a table that is shown writable. */
bool break_table_window(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && env_table[n]->root[WINDOW_INDEX]) {
            const struct env *env = env_table[n];
            pte_t *entry = map_entry(env, AEGIS_WINDOW_PTE(AEGIS_PROGRAM_BASE), 1, NULL);
            if (!entry || *entry == window_without(0))
                continue;
            *map_leaf(env, AEGIS_WINDOW_PTE(AEGIS_PROGRAM_BASE)) |= PTE_W;
            return true;
        }
    return false;
}

bool break_table_leaf(void)
{
    env_table[FIRST_ENV]->leaf = (struct leaf_cache){
        .region = 0, .table = ppn_to_virt(virt_to_phys(env_table[FIRST_ENV]->root) >> PAGE_SHIFT)};
    return true;
}

bool break_table_root(void)
{
    env_table[FIRST_ENV]->root[PTES - 100] ^= PTE_A;
    return true;
}

bool break_exposed_read_only(void)
{
    *map_entry(env_table[FIRST_ENV], AEGIS_EXPOSED_BASE, 0, NULL) |= PTE_W;
    return true;
}

bool mutate(enum invariant invariant)
{
    static bool (*const ways[INVARIANT_COUNT])(void) = {
#define AEGIS_INVARIANT(name, sentence) [INVARIANT_##name] = break_##name,
#include "kernel/check/invariants.def"
#undef AEGIS_INVARIANT
    };

    return env_table[FIRST_ENV] && ways[invariant]();
}
