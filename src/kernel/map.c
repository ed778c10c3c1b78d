#include "kernel/map.h"

#include <string.h>

#include "kernel/env.h"
#include "kernel/map_list.h"
#include "kernel/wake.h"

bool map_is_linked(const struct aegis_page *page, const struct aegis_page *table, size_t slot)
{
    uint32_t location = (uint32_t)(table - pages) << SLOT_BITS | (uint32_t)slot;
    const struct link *link = link_of(location);
    uint32_t after = link->next == NO_PAGE ? page->links : link->next; /* in a ring */

    return page->links != NO_PAGE && link_of(after)->previous == location &&
           (page->links == location || link_of(link->previous)->next == location);
}

bool map_is_in_order(const struct aegis_page *page)
{
    bool others = false;

    for (uint32_t at = page->links; at != NO_PAGE; at = link_of(at)->next) {
        bool is_heir = *pte_of(at) & PTE_INHERIT;
        if (is_heir && (others || table_at(at)->level))
            return false;
        others |= !is_heir;
    }
    return true;
}

bool map_is_linking(const struct aegis_page *table, const struct leaf_cache *leaf)
{
    return leaf->links == links_of(table) && leaf->location == location_of(table, leaf->table);
}

uint32_t map_count_links(const struct aegis_page *page, uint32_t most)
{
    uint32_t count = 0;

    for (uint32_t at = page->links; at != NO_PAGE && count < most; at = link_of(at)->next)
        count++;
    return count;
}

/* The first address that the entry at a location maps. */
static uint64_t va_of(uint32_t location)
{
    const struct aegis_page *table = table_at(location);
    uint64_t slot = location & (PTES - 1);

    return (uint64_t)table->region << PAGE_SHIFT | slot << (PAGE_SHIFT + SLOT_BITS * table->level);
}

/*
 * The entries that all roots have in common, of kernel_root, which is fixed when the first is made:
 * of 256, a few. The exposed pages are apart, among those of the application.
 */
static struct {
    size_t count;
    uint16_t at[PTES / 2 + 1];
} common;

static void find_common(void)
{
    common.at[common.count++] = EXPOSED_INDEX;
    for (size_t i = PTES / 2; i < PTES; i++)
        if (kernel_root[i])
            common.at[common.count++] = (uint16_t)i;
}

void map_init_root(struct aegis_page *page, bool clear)
{
    pte_t *root = page_memory(page);

    if (!clear)
        memset(root, 0, PAGE_SIZE);
    if (!common.count)
        find_common();
    for (size_t i = 0; i < common.count; i++)
        root[common.at[i]] = kernel_root[common.at[i]];
    page->state = AEGIS_PAGE_PTABLE;
}

void map_clear_root(pte_t *root)
{
    for (size_t i = 0; i < common.count; i++)
        root[common.at[i]] = 0;
}

void map_insert_table(pte_t *entry, struct aegis_page *table, struct aegis_page *links,
                      unsigned int level, uint64_t va, bool clear)
{
    unsigned int shift = SLOT_BITS * (level + 1); /* of the region, in pages */

    if (!clear)
        memset(page_memory(table), 0, PAGE_SIZE);
    table->state = AEGIS_PAGE_PTABLE;
    table->level = (uint8_t)level;
    table->region = (uint32_t)(va >> PAGE_SHIFT >> shift << shift);
    links->state = AEGIS_PAGE_PTABLE;
    links->level = 0; /* whatever memory it was */
    table->links = (uint32_t)(links - pages);
    *entry = pte_make(page_ppn(table), PTE_V);
}

pte_t *map_entry(const struct env *env, uint64_t va, unsigned int level, struct aegis_page **table)
{
    pte_t *entries = env->root;

    for (unsigned int l = ROOT_LEVEL; l > level; l--) {
        pte_t entry = entries[pte_index(va, l)];
        if (!(entry & PTE_V) || (entry & PTE_LEAF))
            return NULL;
        entries = ppn_to_virt(pte_ppn(entry));
    }
    if (table)
        *table = map_table_of(entries);
    return &entries[pte_index(va, level)];
}

pte_t *map_walk(const struct env *env, uint64_t va)
{
    pte_t entry = env->root[pte_index(va, 2)];
    struct env *caches = (struct env *)env; /* they are no part of what env is */
    struct leaf_cache *leaf = &caches->leaf;

    if ((entry & (PTE_V | PTE_LEAF)) != PTE_V)
        return NULL;
    entry = ((const pte_t *)ppn_to_virt(pte_ppn(entry)))[pte_index(va, 1)];
    if ((entry & (PTE_V | PTE_LEAF)) != PTE_V)
        return NULL;
    const struct aegis_page *table = page_of(pte_ppn(entry));
    if (va >= AEGIS_WINDOW_BASE) /* what it shows may change: user_look doesn't ask where va is */
        return &((pte_t *)ppn_to_virt(pte_ppn(entry)))[pte_index(va, 0)];
    if (leaf->region != UINT64_MAX && leaf->region != caches->former[0].region) {
        caches->former[1] = caches->former[0];
        caches->former[0] = *leaf;
    }
    leaf->region = va >> REGION_SHIFT;
    leaf->table = ppn_to_virt(pte_ppn(entry));
    leaf->links = table->links == NO_PAGE ? NULL : links_of(table);
    leaf->location = location_of(table, leaf->table);
    return &leaf->table[pte_index(va, 0)];
}

#define MEGAPAGE_COST 32 /* mappings whose removal takes as long as counting a megapage's pages */
#define KEPT          8  /* mappings that are looked at and kept in the time of a removal */

struct walk map_walk_on;

/* Those with PTE_INHERIT go to the front, so that whoever looks for one need not look far. */
static inline void link(struct aegis_page *page, uint32_t location, bool front)
{
    uint32_t first = page->links;

    if (first == NO_PAGE) {
        *link_of(location) = (struct link){.next = NO_PAGE, .previous = location};
        page->links = location;
        return;
    }
    uint32_t last = link_of(first)->previous;
    *link_of(location) = (struct link){.next = front ? first : NO_PAGE, .previous = last};
    link_of(first)->previous = location;
    if (front)
        page->links = location;
    else
        link_of(last)->next = location;
}

static inline void unlink(struct aegis_page *page, uint32_t location, struct link link)
{
    if (page->links == location)
        page->links = link.next;
    else
        link_of(link.previous)->next = link.next;
    uint32_t after = link.next == NO_PAGE ? page->links : link.next;
    if (after != NO_PAGE)
        link_of(after)->previous = link.previous;
}

void map_insert(struct aegis_page *table, pte_t *entry, struct aegis_page *page, uint64_t bits)
{
    uint32_t location = location_of(table, entry);

    if (__builtin_expect(page == map_walk_on.page || page == map_walk_on.list, 0))
        map_walk_on.page = NULL;
    link(page, location, bits & PTE_INHERIT);
    page->refs++;
    if (page->owner == table->owner && !(page->level & AEGIS_PAGE_BOUND))
        bits |= PTE_OWN;
    *entry = pte_make(page_ppn(page), bits);
    if (table->level == 0)
        return;
    env_table[table->owner]->has_megapages = true;
    for (size_t i = 1; i < AEGIS_MEGAPAGE; i++)
        page[i].refs++;
}

/* Takes the mapping at a location off the list of page; link is its own. */
static inline void leave_list(struct aegis_page *page, uint32_t location, struct link link)
{
    page->refs--;
    if (__builtin_expect(location == map_walk_on.at, 0))
        map_walk_on.at = link.next;
    if (link.previous == location) /* it is alone there */
        page->links = NO_PAGE;
    else
        unlink(page, location, link);
}

void map_remove(struct aegis_page *table, pte_t *entry)
{
    struct aegis_page *page = page_of(pte_ppn(*entry));
    uint32_t location = location_of(table, entry);

    if (__builtin_expect(env_table[table->owner]->wake.count, 0))
        wake_lose(env_table[table->owner], page, table->level);
    leave_list(page, location, *link_of(location));
    *entry = 0;
    if (table->level == 0)
        return;
    for (size_t i = 1; i < AEGIS_MEGAPAGE; i++)
        page[i].refs--;
}

void map_remove_run(const struct env *env, struct aegis_page *table, pte_t *entry, uint64_t va,
                    uint64_t count)
{
    const struct link *links = links_of(table);
    uint32_t first = (uint32_t)(table - pages) << SLOT_BITS;
    size_t slot = pte_index(va, 0);

    for (uint64_t i = 0; i < count; i++, slot++) {
        leave_list(page_of(pte_ppn(entry[i])), first | (uint32_t)slot, links[slot]);
        entry[i] = 0;
        map_flush(env, va + i * PAGE_SIZE);
    }
}

size_t map_remove_table(const struct aegis_page *table)
{
    pte_t *entries = page_memory(table);
    const struct link *links = links_of(table);
    uint32_t first = (uint32_t)(table - pages) << SLOT_BITS;
    size_t count = 0;

    for (size_t group = 0; group < PTES; group += MAP_GROUP)
        for (size_t i = map_is_empty(entries + group) ? MAP_GROUP : 0; i < MAP_GROUP; i++) {
            size_t slot = group + i;
            if (!entries[slot])
                continue;
            leave_list(page_of(pte_ppn(entries[slot])), first | (uint32_t)slot, links[slot]);
            entries[slot] = 0;
            count++;
        }
    return count;
}

void map_remove_at(uint32_t location)
{
    struct aegis_page *table = table_at(location);

    map_remove(table, pte_of(location));
    map_flush(env_table[table->owner], va_of(location));
}

/* Whether the walk that goes on leaves the mapping at a location of one of its lists. */
static bool is_kept(uint32_t location, bool megapages, uint32_t keep)
{
    if (table_at(location)->owner == keep || (megapages && table_at(location)->level == 0))
        return true;
    return keep && map_walk_on.page->level & AEGIS_PAGE_INHERITED &&
           *pte_of(location) & PTE_INHERIT;
}

/*
 * Goes through a page's list from at on, or through the megapages on that of the page that such a
 * megapage begins with.
 */
static bool remove_listed(const struct aegis_page *list, bool megapages, uint32_t keep,
                          size_t *most)
{
    uint32_t at = map_walk_on.list == list && map_walk_on.page ? map_walk_on.at : list->links, next;

    for (size_t looked = 1; at != NO_PAGE; at = next) {
        bool stays = (keep || megapages) && is_kept(at, megapages, keep);
        if (*most == 0) {
            map_walk_on.list = list;
            map_walk_on.at = at;
            return false;
        }
        size_t cost = stays ? looked++ % KEPT == 0 : table_at(at)->level ? MEGAPAGE_COST : 1;
        *most -= cost < *most ? cost : *most;
        next = link_of(at)->next;
        if (!stays)
            map_remove_at(at);
    }
    return true;
}

bool map_remove_foreign(struct aegis_page *page, uint32_t keep, size_t *most)
{
    uint64_t head = page_ppn(page) & ~(uint64_t)(AEGIS_MEGAPAGE - 1);

    if (!page_is_memory(page)) /* nothing maps it, and a table's links are no list of mappings */
        return true;
    if (map_walk_on.page != page || map_walk_on.env != keep)
        map_walk_on = (struct walk){.page = page, .list = page, .env = keep, .at = page->links};
    if (map_walk_on.list == page && !remove_listed(page, false, keep, most))
        return false;
    /* If a megapage maps the page, the one that it begins with is memory, too. */
    bool is_done = page->refs == 0 || !page_valid(head) || !page_is_memory(page_of(head));
    if (!is_done)
        is_done = remove_listed(page_of(head), true, keep, most);
    if (is_done)
        map_walk_on.page = NULL;
    return is_done;
}

void map_remove_all(struct aegis_page *page)
{
    size_t most = SIZE_MAX;

    if (page->refs)
        map_remove_foreign(page, 0, &most);
}

bool map_mend_fault(const struct env *env, uint64_t va, uint64_t cause)
{
    uint64_t need = cause == CAUSE_STORE_PAGE_FAULT   ? PTE_W
                    : cause == CAUSE_FETCH_PAGE_FAULT ? PTE_X
                                                      : PTE_R;
    pte_t *entry;

    if (va >= AEGIS_USER_END)
        return false;
    entry = map_entry(env, va, 1, NULL);
    if (entry && (*entry & (PTE_V | PTE_LEAF)) == PTE_V)
        entry = map_leaf(env, va);
    if (!entry || (*entry & (PTE_V | PTE_U | need)) != (PTE_V | PTE_U | need))
        return false;
    *entry |= need == PTE_W ? PTE_A | PTE_D : PTE_A;
    map_flush(env, va);
    return true;
}
