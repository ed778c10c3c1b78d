/* The calls on page tables, and those on one mapping or a run of them. */
#include <string.h>

#include "kernel/call.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/map_place.h"
#include "kernel/map_window.h"
#include "kernel/quota.h"
#include "kernel/user.h"

static bool in_window(uint64_t va)
{
    return va >= AEGIS_WINDOW_BASE && va < AEGIS_USER_END;
}

/* The pages that table_insert is given; in the window there are no links. */
static long check_tables(uint64_t va, uint64_t table, uint64_t links)
{
    uint32_t self = this_hart->env->number;
    long error = page_check_donation(table, self);

    if (error)
        return error;
    if (in_window(va))
        return links == AEGIS_NO_PAGE ? 0 : -AEGIS_E_RANGE;
    error = page_check_donation(links, self);
    return error ? error : table == links ? -AEGIS_E_STATE : 0;
}

/* Whether the kernel can take count free pages for env: then they need not be cleared twice. */
static long check_any(const struct env *env, uint64_t count)
{
    if (info->free_pages < count)
        return -AEGIS_E_NO_PAGE;
    return quota_allows(env->number, AEGIS_QUOTA_PAGES, count) ? 0 : -AEGIS_E_QUOTA;
}

/* A donated page, as page_check_donation has checked it, from now on env's. */
static struct aegis_page *take_donation(const struct env *env, uint64_t ppn)
{
    struct aegis_page *page = page_of(ppn);

    if (env != this_hart->env)
        page_move(page, env->number);
    return page;
}

/* The same of a page that the kernel finds; *clear says whether it holds zeros. */
static struct aegis_page *take_any(const struct env *env, struct aegis_page *page, bool *clear)
{
    *clear = page_take_unclear(page, env->number);
    return page;
}

long call_table_insert(uint32_t number, uint64_t va, uint32_t level, uint64_t table, uint64_t links)
{
    struct env *env;
    long error = env_target(number, &env);

    if (!error && (level > 1 || (va >= AEGIS_EXPOSED_BASE && !in_window(va))))
        error = -AEGIS_E_RANGE;
    bool any = table == AEGIS_ANY && links == AEGIS_ANY;
    if (!error && !any)
        error = check_tables(va, table, links);
    if (error)
        return error;
    pte_t *entry = map_entry(env, va, level + 1, NULL);
    if (!entry)
        return -AEGIS_E_NO_TABLE;
    if ((*entry & PTE_V) && !(in_window(va) && *entry == window_without(level)))
        return -AEGIS_E_IN_USE;

    if (any)
        error = check_any(env, in_window(va) ? 1 : 2);
    if (error)
        return error;

    bool clear = false, unused;
    struct aegis_page *taken =
        any ? take_any(env, page_find_clear(), &clear) : take_donation(env, table);
    if (in_window(va)) {
        map_forget_leaf(env); /* it may be the table that all windows share, which stood here */
        window_insert_table(env, entry, taken, level, va);
        return 0;
    }
    struct aegis_page *behind =
        any ? take_any(env, page_find_free(), &unused) : take_donation(env, links);
    map_insert_table(entry, taken, behind, level, va, clear);
    window_show(env, va, level, taken);
    return 0;
}

static bool is_empty(const pte_t *table)
{
    pte_t any = 0;

    for (size_t i = 0; i < PTES; i++)
        any |= table[i];
    return any == 0;
}

long call_table_remove(uint32_t number, uint64_t va, uint32_t level)
{
    struct env *env;
    long error = env_target(number, &env);

    if (!error && (level > 1 || (va >= AEGIS_EXPOSED_BASE && !in_window(va))))
        error = -AEGIS_E_RANGE;
    if (error)
        return error;
    pte_t *entry = map_entry(env, va, level + 1, NULL);
    if (!entry || (*entry & (PTE_V | PTE_LEAF)) != PTE_V)
        return -AEGIS_E_NO_TABLE;
    if (in_window(va) && *entry == window_without(level))
        return -AEGIS_E_NO_TABLE;
    struct aegis_page *table = page_of(pte_ppn(*entry));
    bool empty =
        in_window(va) ? window_is_empty(page_memory(table), level) : is_empty(page_memory(table));
    if (!empty)
        return -AEGIS_E_STATE;

    if (in_window(va)) {
        *entry = window_without(level);
    } else {
        *entry = 0;
        window_show(env, va, level, NULL);
        pages[table->links].state = AEGIS_PAGE_DATA;
        memset(page_memory_at(table->links), 0, PAGE_SIZE); /* it may have come uncleared */
        table->links = NO_PAGE;
    }
    map_forget_leaf(env);
    table->state = AEGIS_PAGE_DATA;
    table->level = 0;
    table->region = 0;
    /* Entries above leaves may be cached apart from any address (section 4.2.1): of the whole
     * space. */
    sfence_asid(env->asid);
    return 0;
}

/* map in general: another's space or page, megapages, and all that is wrong. */
static __attribute__((noinline)) long map(uint32_t number, uint64_t va, uint64_t ppn, uint32_t prot,
                                          uaddr_t cap)
{
    struct aegis_map_op op = {
        .va = va, .ppn = ppn, .prot = prot, .capability = (const struct aegis_cap *)cap};
    struct env *env;
    struct place place;
    long error = place_target(number, &env);

    if (!error)
        error = place_check_insert(env, &op, &place);
    if (error)
        return error;
    place_insert(&op, &place);
    return 0;
}

/*
 * What pagers do all the time, a page of one's own, mapped nowhere, into one's own space, is
 * decided here, and done, in the region that was last worked in; the rest is left to map, which
 * begins anew.
 */
long call_map(uint32_t number, uint64_t va, uint64_t ppn, uint32_t prot, uaddr_t cap)
{
    const struct env *env = this_hart->env;
    uint64_t bits = map_bits(prot);

    if (number || !bits || va % PAGE_SIZE || va >= AEGIS_EXPOSED_BASE || !page_valid(ppn))
        return map(number, va, ppn, prot, cap);
    struct aegis_page *page = page_of(ppn);
    size_t slot = pte_index(va, 0);
    unsigned int kind = page->state | page->level << 8; /* one load */
    if (page->owner != env->number || kind != AEGIS_PAGE_DATA || page->links != NO_PAGE ||
        !map_is_at_hand(env, va) || env->leaf.table[slot] || map_is_walked())
        return map(number, va, ppn, prot, cap);
    /* map_insert, of the first mapping of a page. */
    uint32_t location = env->leaf.location | (uint32_t)slot;
    env->leaf.links[slot] = (struct link){.next = NO_PAGE, .previous = location};
    page->links = location;
    page->refs++;
    env->leaf.table[slot] = pte_make(ppn, bits | PTE_OWN);
    return 0;
}

/* Pages from va on, at most left, that one table maps, or one megapage if it begins at va. */
static inline uint64_t run_at(uint64_t va, uint64_t left)
{
    uint64_t end = PTES - pte_index(va, 0);

    return left < end ? left : end;
}

/* All count mappings from va on exist, and may get bits (0: none). */
static inline long check_run(const struct env *env, uint64_t va, uint64_t count, uint64_t bits)
{
    for (uint64_t n; count; va += n * PAGE_SIZE, count -= n) {
        struct place place;
        pte_t all = ~(pte_t)0;
        long error = place_find(env, va, count, &place);
        if (error)
            return error;
        n = run_at(va, count);
        uint64_t entries = place.level ? 1 : n;
        for (uint64_t i = 0; i < entries; i++)
            all &= place.entry[i];
        if (!(all & PTE_V))
            return -AEGIS_E_ADDRESS;
        if ((bits & PTE_LEAF & ~all) && !(all & PTE_OWN)) {
            error = place_check_rights(place.entry, entries, bits);
            if (error)
                return error;
        }
    }
    return 0;
}

/* protect in general: another's space, several tables, megapages, and all that is wrong. */
static __attribute__((noinline)) long protect(uint32_t number, uint64_t va, uint64_t count,
                                              uint64_t bits)
{
    struct env *env;
    struct place place;
    long error = place_target(number, &env);

    if (!error)
        error = place_check_range(va, count);
    if (!error && !bits)
        error = -AEGIS_E_INVALID;
    if (!error)
        error = check_run(env, va, count, bits);
    if (error)
        return error;
    for (uint64_t n; count; va += n * PAGE_SIZE, count -= n) {
        place_find(env, va, count, &place);
        n = run_at(va, count);
        place_protect(env, &place, va, n, bits);
    }
    return 0;
}

/* Whether mappings, and-ed, exist and are of the environment's own pages, so that they may get any
 * bits. */
static inline bool are_own(pte_t all)
{
    return (all & (PTE_V | PTE_OWN)) == (PTE_V | PTE_OWN);
}

/* protect of several pages in one table. */
static __attribute__((noinline)) long protect_table(pte_t *entry, uint64_t va, uint64_t count,
                                                    uint64_t bits)
{
    uint64_t asid = this_hart->env->asid;
    pte_t all = ~(pte_t)0, *end = entry + count;

    for (const pte_t *e = entry; e < end; e++)
        all &= *e;
    if (!are_own(all))
        return protect(0, va, count, bits);
    for (; entry < end; entry++, va += PAGE_SIZE) {
        *entry = (*entry & ~(uint64_t)PTE_LEAF) | bits;
        sfence_page(va, asid);
    }
    return 0;
}

/*
 * Garbage collectors and the like call it often, for pages of their own in one table, or for one:
 * those cases are decided here and above, with one look at the table. Whatever is not so simple, or
 * wrong, is left to protect, which begins anew: nothing has been changed yet.
 */
long call_protect(uint32_t number, uint64_t va, uint64_t count, uint32_t prot)
{
    const struct env *env = this_hart->env;
    uint64_t bits = map_bits(prot);

    if (number || !bits || va % PAGE_SIZE || va >= AEGIS_EXPOSED_BASE)
        return protect(number, va, count, bits);
    size_t slot = pte_index(va, 0);
    if (!map_is_at_hand(env, va) || (count != 1 && count - 1 >= PTES - slot))
        return protect(number, va, count, bits);
    pte_t *entry = &env->leaf.table[slot];
    if (count != 1)
        return protect_table(entry, va, count, bits);
    if (!are_own(*entry))
        return protect(number, va, count, bits);
    *entry = (*entry & ~(uint64_t)PTE_LEAF) | bits;
    sfence_page(va, env->asid);
    return 0;
}

/* unmap in general. */
static __attribute__((noinline)) long unmap(uint32_t number, uint64_t va, uint64_t count)
{
    struct env *env;
    struct place place;
    long error = place_target(number, &env);

    if (!error)
        error = place_check_range(va, count);
    if (!error)
        error = check_run(env, va, count, 0);
    if (error)
        return error;
    for (uint64_t n; count; va += n * PAGE_SIZE, count -= n) {
        place_find(env, va, count, &place);
        n = run_at(va, count);
        place_remove(env, &place, va, n);
    }
    return 0;
}

/* A page in one's own space that is mapped nowhere else is decided here; the rest is left to unmap.
 */
long call_unmap(uint32_t number, uint64_t va, uint64_t count)
{
    const struct env *env = this_hart->env;

    if (number || count != 1 || va % PAGE_SIZE || va >= AEGIS_EXPOSED_BASE)
        return unmap(number, va, count);
    size_t slot = pte_index(va, 0);
    if (!map_is_at_hand(env, va) || !env->leaf.table[slot] || map_is_walked())
        return unmap(number, va, count);
    struct link link = env->leaf.links[slot];
    if (link.next != NO_PAGE || link.previous != (env->leaf.location | (uint32_t)slot))
        return unmap(number, va, count);
    /* map_remove, of the last mapping of a page. */
    struct aegis_page *page = page_of(pte_ppn(env->leaf.table[slot]));
    page->links = NO_PAGE;
    page->refs--;
    env->leaf.table[slot] = 0;
    sfence_page(va, env->asid);
    return 0;
}
