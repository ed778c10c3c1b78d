/* Every PTE of every environment, and what they add up to at the pages that they map. */
#include "kernel/check/internal.h"

#include <string.h>

#include "kernel/env.h"
#include "kernel/map.h"
#include "kernel/map_window.h"

typedef uint64_t __attribute__((may_alias)) word;

#define RESERVED (~0UL << 54) /* Svnapot, Svpbmt and reserved bits: the kernel sets none */

/* What a valid leaf of a table of a level maps: one page, or those of a megapage. */
static void check_leaf(const struct env *env, const struct aegis_page *table, size_t slot,
                       pte_t entry)
{
    uint64_t ppn = pte_ppn(entry), count = table->level ? AEGIS_MEGAPAGE : 1;

    HOLDS(table_entry, !(entry & RESERVED) && page_valid(ppn) && page_valid(ppn + count - 1),
          "0x%lx in page %lu of %u", entry, page_index(table), env->number);
    HOLDS(table_entry, (entry & (PTE_U | PTE_G)) == PTE_U && (entry & (PTE_R | PTE_W)) != PTE_W,
          "0x%lx in page %lu of %u", entry, page_index(table), env->number);
    HOLDS(table_entry, ppn % count == 0, "0x%lx of %u is no megapage's", entry, env->number);
    HOLDS(page_links, map_is_linked(page_of(ppn), table, slot),
          "page %lu doesn't know slot %lu of table %lu", page_index(page_of(ppn)), slot,
          page_index(table));
    shadow_of(page_of(ppn))->links++;
    for (uint64_t i = 0; i < count; i++) {
        const struct aegis_page *page = page_of(ppn + i);
        HOLDS(table_entry, page_is_memory(page), "0x%lx in page %lu of %u maps a page in state %u",
              entry, page_index(table), env->number, page->state);
        HOLDS(table_bound, !(entry & PTE_OWN) || !(page->level & AEGIS_PAGE_BOUND),
              "0x%lx of %u maps page %lu", entry, env->number, page_index(page));
        HOLDS(table_own, !(entry & PTE_OWN) || page->owner == env->number,
              "0x%lx of %u maps a page of %u", entry, env->number, page->owner);
        shadow_of(page)->refs++;
    }
}

/* The table that an entry names, of a level, for addresses from va on; a window's has no links. */
static const struct aegis_page *check_table(const struct env *env, pte_t entry, unsigned int level,
                                            uint64_t va, bool window)
{
    HOLDS(table_entry, page_valid(pte_ppn(entry)) && !(entry & RESERVED),
          "0x%lx of %u names a table", entry, env->number);
    const struct aegis_page *table = page_of(pte_ppn(entry));
    check_role(table, ROLE_TABLE, AEGIS_PAGE_PTABLE, env->number);
    HOLDS(table_region, table->level == level && table->region == (window ? 0 : va >> PAGE_SHIFT),
          "table %lu of %u says level %u, page %u; it is 0x%lx's", page_index(table), env->number,
          table->level, table->region, va);
    if (window)
        return table;
    HOLDS(page_role, table->links < page_count, "table %lu has no page of links",
          page_index(table));
    check_role(&pages[table->links], ROLE_LINKS, AEGIS_PAGE_PTABLE, env->number);
    return table;
}

/* The next entry from i on that isn't 0, or PTES; most tables are nearly empty. */
static inline size_t next_entry(const pte_t *entries, size_t i)
{
    for (; i < PTES; i++) {
        if (entries[i])
            break;
        if (i % 8 == 0)
            while (i < PTES - 8 &&
                   !(entries[i] | entries[i + 1] | entries[i + 2] | entries[i + 3] |
                     entries[i + 4] | entries[i + 5] | entries[i + 6] | entries[i + 7]))
                i += 8;
        if (entries[i])
            break;
    }
    return i;
}

static void check_level(const struct env *env, const struct aegis_page *table, uint64_t va)
{
    const pte_t *entries = page_memory(table);
    unsigned int shift = PAGE_SHIFT + 9 * table->level;

    for (size_t i = next_entry(entries, 0); i < PTES; i = next_entry(entries, i + 1)) {
        HOLDS(table_entry, entries[i] & PTE_V, "0x%lx of %u is not valid, and not 0", entries[i],
              env->number);
        uint64_t at = va + ((uint64_t)i << shift);
        if (entries[i] & PTE_LEAF)
            check_leaf(env, table, i, entries[i]);
        else if (table->level > 0)
            check_level(env, check_table(env, entries[i], 0, at, false), at);
        else
            HOLDS(table_entry, false, "0x%lx of %u names a table below the last", entries[i],
                  env->number);
    }
}

/* Entries of a table of the window show what entries of above name, or zeroes; above is NULL for
 * none. */
static void check_shown(const struct env *env, const pte_t *table, const pte_t *above, size_t count)
{
    pte_t zeroes = *(const pte_t *)ppn_to_virt(pte_ppn(window_without(0)));
    pte_t bits = zeroes & ((1 << PTE_PPN_SHIFT) - 1);

    HOLDS(table_window, !(bits & (PTE_W | PTE_X)), "zeroes are shown with 0x%lx", bits);
    for (size_t i = 0; i < PTES; i++) {
        bool is_table = above && i < count && (above[i] & (PTE_V | PTE_LEAF)) == PTE_V;
        pte_t wanted = is_table ? pte_make(pte_ppn(above[i]), bits) : zeroes;
        HOLDS(table_window, table[i] == wanted, "%u's entry %lu is 0x%lx, not 0x%lx", env->number,
              i, table[i], wanted);
    }
}

static void check_window(const struct env *env)
{
    pte_t entry = env->root[WINDOW_INDEX];

    if (!entry)
        return;
    const pte_t *gibs = page_memory(check_table(env, entry, 1, AEGIS_WINDOW_BASE, true));
    for (size_t g = 0; g < PTES; g++) {
        if (gibs[g] == window_without(0))
            continue;
        HOLDS(table_window, (gibs[g] & (PTE_V | PTE_LEAF)) == PTE_V, "%u's GiB %lu is 0x%lx",
              env->number, g, gibs[g]);
        const pte_t *table = page_memory(check_table(env, gibs[g], 0, 0, true));
        const pte_t *above = NULL;
        if (g == WINDOW_INDEX)
            above = env->root;
        else if (g < EXPOSED_INDEX && env->root[g])
            above = ppn_to_virt(pte_ppn(env->root[g]));
        check_shown(env, table, above, g == WINDOW_INDEX ? EXPOSED_INDEX : PTES);
    }
}

static void check_root(const struct env *env)
{
    const pte_t *root = env->root;
    const struct aegis_page *page = page_of(virt_to_phys(root) >> PAGE_SHIFT);

    check_role(page, ROLE_TABLE, AEGIS_PAGE_PTABLE, env->number);
    HOLDS(table_root, !memcmp(root + PTES / 2, kernel_root + PTES / 2, PAGE_SIZE / 2),
          "%u's kernel half differs", env->number);
    HOLDS(table_root, root[EXPOSED_INDEX] == kernel_root[EXPOSED_INDEX], "%u's exposed pages",
          env->number);
    for (uint64_t i = 0; i < EXPOSED_INDEX; i++)
        if (root[i]) {
            HOLDS(table_entry, (root[i] & PTE_V) && !(root[i] & PTE_LEAF), "0x%lx in %u's root",
                  root[i], env->number);
            check_level(env, check_table(env, root[i], 1, i << 30, false), i << 30);
        }
    check_window(env);
}

static void check_exposed(const pte_t *table, unsigned int level)
{
    for (size_t i = 0; i < PTES; i++) {
        if (!(table[i] & PTE_V))
            continue;
        if (table[i] & PTE_LEAF)
            HOLDS(exposed_read_only, !(table[i] & (PTE_W | PTE_X)), "0x%lx", table[i]);
        else
            check_exposed(ppn_to_virt(pte_ppn(table[i])), level - 1);
    }
}

void check_tables(void)
{
    for (uint32_t n = 1; n < ENV_COUNT; n++)
        if (env_table[n])
            check_root(env_table[n]);
    check_exposed(ppn_to_virt(pte_ppn(kernel_root[EXPOSED_INDEX])), 1);
}

/* The list of reverse links has as many members as the walk found PTEs, each of which it holds. */
static void check_links(const struct aegis_page *page)
{
    uint32_t wanted = shadow_of(page)->links, count = map_count_links(page, wanted + 1);

    HOLDS(page_links, count == wanted, "page %lu has %u links, and %u PTEs name it",
          page_index(page), count, wanted);
    HOLDS(table_inherit, map_is_in_order(page), "page %lu", page_index(page));
}

static void check_counts(const struct aegis_page *page, const struct shadow *shadow)
{
    HOLDS(page_refs, page->refs == shadow->refs, "page %lu says %u, and %u PTEs map it",
          page_index(page), page->refs, shadow->refs);
    HOLDS(page_pins, page->pins == shadow->pins, "page %lu says %u, and %u are there",
          page_index(page), page->pins, shadow->pins);
    if (page_is_memory(page))
        check_links(page);
    unsigned int level = page_is_memory(page)
                             ? page->level & ~(AEGIS_PAGE_INHERITED | AEGIS_PAGE_BOUND)
                             : page->level;
    if (page->state != AEGIS_PAGE_PTABLE)
        HOLDS(table_region, level == 0 && page->region == 0, "page %lu: level %u, page %u",
              page_index(page), level, page->region);
}

/* The tables of the window of an environment that ends wait to be released like other pages. */
static bool is_waiting(const struct aegis_page *page)
{
    return page->state == AEGIS_PAGE_PTABLE && page->owner < ENV_COUNT && env_table[page->owner] &&
           env_table[page->owner]->unbound;
}

static void check_state(const struct aegis_page *page, const struct shadow *shadow)
{
    static const uint8_t roles[] = {
        [AEGIS_PAGE_ENV] = 1 << ROLE_ENV,   [AEGIS_PAGE_PTABLE] = 1 << ROLE_TABLE | 1 << ROLE_LINKS,
        [AEGIS_PAGE_RING] = 1 << ROLE_RING, [AEGIS_PAGE_WINDOW] = 1 << ROLE_WINDOW,
        [AEGIS_PAGE_DATA] = 1 << ROLE_NONE, [AEGIS_PAGE_FREE] = 1 << ROLE_NONE};

    HOLDS(page_role,
          (roles[page->state] >> shadow->role & 1) || (!shadow->role && is_waiting(page)),
          "page %lu in state %u serves as %u", page_index(page), page->state, shadow->role);
    if (page->state == AEGIS_PAGE_FREE)
        HOLDS(page_free, shadow->lists == 1 && page->owner == 0, "page %lu is on %u lists, of %u",
              page_index(page), shadow->lists, page->owner);
    else
        HOLDS(page_owned, shadow->lists == 1 && page->owner, "page %lu is on %u lists, of %u",
              page_index(page), shadow->lists, page->owner);
}

/* Pages that are free, or the kernel's, as nearly all are: seen at a glance. */
static inline bool is_idle(const struct aegis_page *page, const struct shadow *shadow)
{
    const word *words = (const word *)page; /* owner, state, pins; then refs, region */
    uint64_t listed = ((struct shadow){.lists = 1}).words[1];

    if (words[1] || shadow->words[0] || page->generation < shadow->generation)
        return false;
    return words[0] == (uint64_t)AEGIS_PAGE_FREE << 32
               ? shadow->words[1] == listed
               : words[0] == (uint64_t)AEGIS_PAGE_KERNEL << 32 && !shadow->words[1];
}

static void check_page(const struct aegis_page *page, struct shadow *shadow)
{
    if (is_idle(page, shadow)) {
        shadow->generation = page->generation;
        return;
    }
    HOLDS(page_generation, page->generation >= shadow->generation, "that of page %lu fell to %lu",
          page_index(page), page->generation);
    shadow->generation = page->generation;
    if (page->state == AEGIS_PAGE_KERNEL || page->state == AEGIS_PAGE_CODE) {
        HOLDS(page_owned, shadow->lists == 0 && page->owner == 0,
              "page %lu of the kernel's is %u's", page_index(page), page->owner);
        return;
    }
    HOLDS(page_role, page->state <= AEGIS_PAGE_WINDOW, "page %lu is in state %u", page_index(page),
          page->state);
    check_state(page, shadow);
    check_counts(page, shadow);
    if (page->owner)
        HOLDS(page_last, page->last == env_infos[page->owner].serial,
              "page %lu holds bytes of serial %u, and its owner is %u", page_index(page),
              page->last, env_infos[page->owner].serial);
}

void check_pages(void)
{
    for (uint64_t i = 0; i < page_count; i++)
        check_page(&pages[i], &shadows[i]);
}
