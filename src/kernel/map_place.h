/*
 * Where a call makes or changes a mapping: what is checked of one and what is done to it, for calls
 * that take one, a run (map_call.c) or a batch (map_batch.c). Each checks everything, then acts.
 */
#ifndef AEGIS_KERNEL_MAP_PLACE_H
#define AEGIS_KERNEL_MAP_PLACE_H

#include "kernel/env.h"
#include "kernel/inherit.h"
#include "kernel/map.h"

/* A mapping that a call is about to make or to change. */
struct place {
    pte_t *entry;
    unsigned int level;
};

/* env_target, without the call for the most frequent answer. */
static inline long place_target(uint32_t number, struct env **env)
{
    *env = this_hart->env;
    return number == 0 ? 0 : env_target(number, env);
}

/* A range of whole pages in the part of the address space that is the application's to map. */
static inline long place_check_range(uint64_t va, uint64_t count)
{
    if (va % PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    if (va >= AEGIS_EXPOSED_BASE || count - 1 >= AEGIS_MAP_MAX ||
        count > (AEGIS_EXPOSED_BASE - va) / PAGE_SIZE)
        return -AEGIS_E_RANGE;
    return 0;
}

/*
 * Where the mapping of va is: in its level-0 table, or a megapage's, if one begins at va and left
 * pages from there on hold all of it. Returns 0, or negated NO_TABLE, ALIGNMENT.
 */
static inline long place_find(const struct env *env, uint64_t va, uint64_t left,
                              struct place *place)
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

/*
 * Whether op inserts a mapping into env that the caller may make; fills place. Returns 0, or
 * negated ALIGNMENT, RANGE, INVALID, OWNER, STATE, NO_TABLE, IN_USE or what a capability is refused
 * with.
 */
long place_check_insert(const struct env *env, const struct aegis_map_op *op, struct place *place);

/* Inserts it. */
void place_insert(const struct aegis_map_op *op, const struct place *place);

/*
 * Whether count mappings may get bits (0: none). What ownership of the page gives, PTE_OWN shows; a
 * page of the caller's in another's space is looked up; beyond that only what the entry has
 * already: the capability that it was made with isn't shown again. Returns 0, or negated RIGHTS.
 */
long place_check_rights(const pte_t *entries, uint64_t count, uint64_t bits);

/* Give bits to, or remove, count mappings from va on, or a megapage's, and flush them. */
static inline void place_protect(const struct env *env, const struct place *place, uint64_t va,
                                 uint64_t count, uint64_t bits)
{
    pte_t *entry = place->entry, *end = entry + (place->level ? 1 : count);

    for (; entry < end; entry++, va += PAGE_SIZE) {
        if (bits & PTE_W & ~*entry)
            inherit_unbind(page_of(pte_ppn(*entry)));
        *entry = (*entry & ~(uint64_t)PTE_LEAF) | bits;
        map_flush(env, va);
    }
}

void place_remove(const struct env *env, const struct place *place, uint64_t va, uint64_t count);

#endif
