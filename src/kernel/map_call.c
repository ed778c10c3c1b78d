/*
 * The calls on page tables and mappings. Each checks everything, then acts: what is checked of one
 * mapping and what is done to it stand side by side, for calls that take one, a run or a batch.
 */
#include <string.h>

#include "kernel/call.h"
#include "kernel/cap.h"
#include "kernel/env.h"
#include "kernel/map.h"
#include "kernel/map_window.h"
#include "kernel/user.h"

/* env_target, without the call for the most frequent answer. */
static inline long target(uint32_t number, struct env **env)
{
    *env = this_hart->env;
    return number == 0 ? 0 : env_target(number, env);
}

/* A range of whole pages in the part of the address space that is the application's to map. */
static inline long check_range(uint64_t va, uint64_t count)
{
    if (va % PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    if (va >= AEGIS_EXPOSED_BASE || count - 1 >= AEGIS_MAP_MAX ||
        count > (AEGIS_EXPOSED_BASE - va) / PAGE_SIZE)
        return -AEGIS_E_RANGE;
    return 0;
}

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

long call_table_insert(uint32_t number, uint64_t va, uint32_t level, uint64_t table, uint64_t links)
{
    struct env *env;
    long error = env_target(number, &env);

    if (!error && (level > 1 || (va >= AEGIS_EXPOSED_BASE && !in_window(va))))
        error = -AEGIS_E_RANGE;
    if (!error)
        error = check_tables(va, table, links);
    if (error)
        return error;
    pte_t *entry = map_entry(env, va, level + 1, NULL);
    if (!entry)
        return -AEGIS_E_NO_TABLE;
    if ((*entry & PTE_V) && !(in_window(va) && *entry == window_without(level)))
        return -AEGIS_E_IN_USE;

    if (env != this_hart->env)
        page_move(page_of(table), env->number);
    if (in_window(va)) {
        map_forget_leaf(env); /* it may be the table that all windows share, which stood here */
        window_insert_table(env, entry, page_of(table), level, va);
        return 0;
    }
    if (env != this_hart->env)
        page_move(page_of(links), env->number);
    map_insert_table(entry, page_of(table), page_of(links), level, va);
    window_show(env, va, level, page_of(table));
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

/* Whether the caller may map the page into env with the PTE bits: by ownership, or by a capability.
 */
static inline long check_page(const struct env *env, const struct aegis_page *page, uint64_t bits,
                              uaddr_t cap)
{
    uint32_t self = this_hart->env->number;

    if (page->owner != self && page->owner != env->number) {
        if (!cap)
            return -AEGIS_E_OWNER;
        /* AEGIS_RIGHT_* of pages are AEGIS_PROT_*, and those the PTE's bits one lower. */
        long error = cap_check_user(cap, AEGIS_KIND_PAGE, page_ppn(page), (bits & PTE_LEAF) >> 1);
        if (error)
            return error;
    }
    if (env_infos[page->owner].state == AEGIS_ENV_ENDING) /* it is being taken back */
        return -AEGIS_E_STATE;
    return page_is_memory(page) ? 0 : -AEGIS_E_STATE;
}

/* A megapage is mapped by ownership alone: all its pages are the caller's, or all are env's. */
static long check_megapage(const struct env *env, uint64_t ppn)
{
    const struct aegis_page *page = page_of(ppn);

    if (!page_valid(ppn + AEGIS_MEGAPAGE - 1))
        return -AEGIS_E_RANGE;
    if (page->owner != this_hart->env->number && page->owner != env->number)
        return -AEGIS_E_OWNER;
    for (size_t i = 0; i < AEGIS_MEGAPAGE; i++) {
        if (page[i].owner != page->owner)
            return -AEGIS_E_OWNER;
        if (!page_is_memory(&page[i]))
            return -AEGIS_E_STATE;
    }
    return env_infos[page->owner].state == AEGIS_ENV_ENDING ? -AEGIS_E_STATE : 0;
}

/* A mapping that a call is about to make or to change. */
struct place {
    pte_t *entry;
    unsigned int level;
};

static long check_insert(const struct env *env, const struct aegis_map_op *op, struct place *place)
{
    bool mega = op->prot & AEGIS_MAP_MEGA;
    uint64_t bits = map_bits(op->prot & ~(uint32_t)AEGIS_MAP_MEGA);
    long error = check_range(op->va, mega ? AEGIS_MEGAPAGE : 1);

    if (error)
        return error;
    if (!bits)
        return -AEGIS_E_INVALID;
    if (!page_valid(op->ppn))
        return -AEGIS_E_RANGE;
    if (mega && (op->va % MEGAPAGE_SIZE || op->ppn % AEGIS_MEGAPAGE))
        return -AEGIS_E_ALIGNMENT;
    error = mega ? check_megapage(env, op->ppn)
                 : check_page(env, page_of(op->ppn), bits, (uaddr_t)op->capability);
    if (error)
        return error;
    place->level = mega;
    place->entry = mega ? map_entry(env, op->va, 1, NULL) : map_leaf(env, op->va);
    if (!place->entry) /* a megapage is in the way, or nothing is there */
        return !mega && map_entry(env, op->va, 1, NULL) &&
                       (*map_entry(env, op->va, 1, NULL) & PTE_V)
                   ? -AEGIS_E_IN_USE
                   : -AEGIS_E_NO_TABLE;
    return *place->entry & PTE_V ? -AEGIS_E_IN_USE : 0;
}

static void insert(const struct aegis_map_op *op, const struct place *place)
{
    map_insert(map_table_of(place->entry), place->entry, page_of(op->ppn),
               map_bits(op->prot & ~(uint32_t)AEGIS_MAP_MEGA));
}

/* map in general: another's space or page, megapages, and all that is wrong. */
static __attribute__((noinline)) long map(uint32_t number, uint64_t va, uint64_t ppn, uint32_t prot,
                                          uaddr_t cap)
{
    struct aegis_map_op op = {
        .va = va, .ppn = ppn, .prot = prot, .capability = (const struct aegis_cap *)cap};
    struct env *env;
    struct place place;
    long error = target(number, &env);

    if (!error)
        error = check_insert(env, &op, &place);
    if (error)
        return error;
    insert(&op, &place);
    return 0;
}

/*
 * What pagers do all the time, a page of one's own into one's own space, is decided here; the rest
 * is left to map, which begins anew.
 */
long call_map(uint32_t number, uint64_t va, uint64_t ppn, uint32_t prot, uaddr_t cap)
{
    const struct env *env = this_hart->env;
    uint64_t bits = map_bits(prot);

    if (number || !bits || va % PAGE_SIZE || va >= AEGIS_EXPOSED_BASE || !page_valid(ppn))
        return map(number, va, ppn, prot, cap);
    struct aegis_page *page = page_of(ppn);
    pte_t *entry = map_leaf(env, va);
    if (page->owner != env->number || page->state != AEGIS_PAGE_DATA || !entry || *entry)
        return map(number, va, ppn, prot, cap);
    map_insert(map_table_of(entry), entry, page, bits);
    return 0;
}

/*
 * Where the mapping of va is: in its level-0 table, or a megapage's, if one begins at va and left
 * pages from there on hold all of it. Returns 0, or negated NO_TABLE, ALIGNMENT.
 */
static inline long find(const struct env *env, uint64_t va, uint64_t left, struct place *place)
{
    place->level = 0;
    place->entry = map_leaf(env, va);
    if (place->entry)
        return 0;
    place->level = 1;
    place->entry = map_entry(env, va, 1, NULL);
    if (!place->entry || !(*place->entry & PTE_V))
        return -AEGIS_E_NO_TABLE;
    return va % MEGAPAGE_SIZE || left < AEGIS_MEGAPAGE ? -AEGIS_E_ALIGNMENT : 0;
}

/* Pages from va on, at most left, that one table maps, or one megapage if it begins at va. */
static inline uint64_t run_at(uint64_t va, uint64_t left)
{
    uint64_t end = PTES - pte_index(va, 0);

    return left < end ? left : end;
}

/*
 * Whether mappings may get bits. What ownership of the page gives, PTE_OWN shows; a page of the
 * caller's in another's space is looked up; beyond that only what the entry has already: the
 * capability that it was made with isn't shown again.
 */
static long check_rights(const pte_t *entries, uint64_t count, uint64_t bits)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!(bits & PTE_LEAF & ~entries[i]) || (entries[i] & PTE_OWN))
            continue;
        if (page_of(pte_ppn(entries[i]))->owner != this_hart->env->number)
            return -AEGIS_E_RIGHTS;
    }
    return 0;
}

/* All count mappings from va on exist, and may get bits (0: none). */
static inline long check_run(const struct env *env, uint64_t va, uint64_t count, uint64_t bits)
{
    for (uint64_t n; count; va += n * PAGE_SIZE, count -= n) {
        struct place place;
        pte_t all = ~(pte_t)0;
        long error = find(env, va, count, &place);
        if (error)
            return error;
        n = run_at(va, count);
        uint64_t entries = place.level ? 1 : n;
        for (uint64_t i = 0; i < entries; i++)
            all &= place.entry[i];
        if (!(all & PTE_V))
            return -AEGIS_E_ADDRESS;
        if ((bits & PTE_LEAF & ~all) && !(all & PTE_OWN)) {
            error = check_rights(place.entry, entries, bits);
            if (error)
                return error;
        }
    }
    return 0;
}

static inline void protect_run(const struct env *env, const struct place *place, uint64_t va,
                               uint64_t count, uint64_t bits)
{
    pte_t *entry = place->entry, *end = entry + (place->level ? 1 : count);

    for (; entry < end; entry++, va += PAGE_SIZE) {
        *entry = (*entry & ~(uint64_t)PTE_LEAF) | bits;
        map_flush(env, va);
    }
}

static void remove_run(const struct env *env, const struct place *place, uint64_t va,
                       uint64_t count)
{
    struct aegis_page *table = map_table_of(place->entry);

    for (uint64_t i = 0; i < (place->level ? 1 : count); i++) {
        map_remove(table, &place->entry[i]);
        map_flush(env, va + i * PAGE_SIZE);
    }
}

/* protect in general: another's space, several tables, megapages, and all that is wrong. */
static __attribute__((noinline)) long protect(uint32_t number, uint64_t va, uint64_t count,
                                              uint64_t bits)
{
    struct env *env;
    struct place place;
    long error = target(number, &env);

    if (!error)
        error = check_range(va, count);
    if (!error && !bits)
        error = -AEGIS_E_INVALID;
    if (!error)
        error = check_run(env, va, count, bits);
    if (error)
        return error;
    for (uint64_t n; count; va += n * PAGE_SIZE, count -= n) {
        find(env, va, count, &place);
        n = run_at(va, count);
        protect_run(env, &place, va, n, bits);
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
    pte_t *entry = map_leaf(env, va);
    if (!entry || (count != 1 && count - 1 >= PTES - pte_index(va, 0)))
        return protect(number, va, count, bits);
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
    long error = target(number, &env);

    if (!error)
        error = check_range(va, count);
    if (!error)
        error = check_run(env, va, count, 0);
    if (error)
        return error;
    for (uint64_t n; count; va += n * PAGE_SIZE, count -= n) {
        find(env, va, count, &place);
        n = run_at(va, count);
        remove_run(env, &place, va, n);
    }
    return 0;
}

/* One page of one's own space is decided here; the rest is left to unmap. */
long call_unmap(uint32_t number, uint64_t va, uint64_t count)
{
    const struct env *env = this_hart->env;

    if (number || count != 1 || va % PAGE_SIZE || va >= AEGIS_EXPOSED_BASE)
        return unmap(number, va, count);
    pte_t *entry = map_leaf(env, va);
    if (!entry || !*entry)
        return unmap(number, va, count);
    map_remove(map_table_of(entry), entry);
    sfence_page(va, env->asid);
    return 0;
}

/* One change of a batch: a megapage is one mapping. */
static long check_change(const struct env *env, const struct aegis_map_op *op, struct place *place)
{
    uint64_t bits = op->change == AEGIS_MAP_PROTECT ? map_bits(op->prot) : 0;
    long error;

    if (op->change == AEGIS_MAP_INSERT)
        return check_insert(env, op, place);
    if (op->change > AEGIS_MAP_CLEAN || (op->change == AEGIS_MAP_PROTECT && !bits))
        return -AEGIS_E_INVALID;
    error = check_range(op->va, 1);
    if (!error)
        error = find(env, op->va, AEGIS_MEGAPAGE, place);
    if (!error && !(*place->entry & PTE_V))
        error = -AEGIS_E_ADDRESS;
    return error ? error : check_rights(place->entry, 1, bits);
}

/* Whether a change touches each page of a megapage: what check_insert looks at, map_insert counts.
 */
static bool is_long(const struct aegis_map_op *op, const struct place *place)
{
    return op->change == AEGIS_MAP_INSERT ? (op->prot & AEGIS_MAP_MEGA) != 0
                                          : op->change == AEGIS_MAP_REMOVE && place->level != 0;
}

static void change(const struct env *env, const struct aegis_map_op *op, const struct place *place)
{
    switch ((enum aegis_map_change)op->change) {
    case AEGIS_MAP_INSERT:
        insert(op, place);
        return;
    case AEGIS_MAP_REMOVE:
        remove_run(env, place, op->va, 1);
        return;
    case AEGIS_MAP_PROTECT:
        protect_run(env, place, op->va, 1, map_bits(op->prot));
        return;
    case AEGIS_MAP_CLEAN:
        *place->entry &= ~(uint64_t)(PTE_A | PTE_D);
        map_flush(env, op->va);
        return;
    }
}

long call_map_batch(uint32_t number, uaddr_t address, uint64_t count)
{
    struct aegis_map_op ops[AEGIS_MAP_OPS_MAX];
    struct place places[AEGIS_MAP_OPS_MAX];
    unsigned int megas = 0;
    struct env *env;
    long error = target(number, &env);

    if (!error && count > AEGIS_MAP_OPS_MAX)
        error = -AEGIS_E_RANGE;
    if (!error && !user_read(ops, address, count * sizeof(*ops)))
        error = -AEGIS_E_ADDRESS;
    for (uint64_t i = 0; !error && i < count; i++) {
        /* In rising order no change can undo what another was checked against. */
        if (i > 0 && ops[i].va <= ops[i - 1].va)
            error = -AEGIS_E_INVALID;
        else
            error = check_change(env, &ops[i], &places[i]);
        /* Some 5,000 instructions each, with interrupts off. */
        if (!error && is_long(&ops[i], &places[i]) && ++megas > AEGIS_MAP_MEGAS_MAX)
            error = -AEGIS_E_RANGE;
    }
    if (error)
        return error;
    for (uint64_t i = 0; i < count; i++)
        change(env, &ops[i], &places[i]);
    return 0;
}
