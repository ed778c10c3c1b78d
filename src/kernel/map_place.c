#include "kernel/map_place.h"

#include "kernel/cap.h"
#include "kernel/user.h"

#define MAP_FLAGS (AEGIS_MAP_MEGA | AEGIS_MAP_INHERIT) /* beside the protection */

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
    if (bits & PTE_W && inherit_binds(page, 0))
        return -AEGIS_E_RIGHTS;
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
        if (page[i].level & AEGIS_PAGE_BOUND) /* one PTE is all that allows or refuses them */
            return -AEGIS_E_RIGHTS;
    }
    return env_infos[page->owner].state == AEGIS_ENV_ENDING ? -AEGIS_E_STATE : 0;
}

long place_check_insert(const struct env *env, const struct aegis_map_op *op, struct place *place)
{
    bool mega = op->prot & AEGIS_MAP_MEGA, inherit = op->prot & AEGIS_MAP_INHERIT;
    uint64_t bits = map_bits(op->prot & ~(uint32_t)MAP_FLAGS);
    long error = place_check_range(op->va, mega ? AEGIS_MEGAPAGE : 1);

    if (error)
        return error;
    if (!bits || (mega && inherit))
        return -AEGIS_E_INVALID;
    if (!page_valid(op->ppn))
        return -AEGIS_E_RANGE;
    if (mega && (op->va % MEGAPAGE_SIZE || op->ppn % AEGIS_MEGAPAGE))
        return -AEGIS_E_ALIGNMENT;
    error = mega ? check_megapage(env, op->ppn)
                 : check_page(env, page_of(op->ppn), bits, (uaddr_t)op->capability);
    if (!error && inherit && page_of(op->ppn)->owner != this_hart->env->number)
        error = -AEGIS_E_OWNER;
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

void place_insert(const struct aegis_map_op *op, const struct place *place)
{
    struct aegis_page *page = page_of(op->ppn);

    if (page->refs == 0)
        inherit_unbind(page);
    map_insert(map_table_of(place->entry), place->entry, page,
               map_bits(op->prot & ~(uint32_t)MAP_FLAGS) |
                   (op->prot & AEGIS_MAP_INHERIT ? PTE_INHERIT : 0));
}

long place_check_rights(const pte_t *entries, uint64_t count, uint64_t bits)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!(bits & PTE_LEAF & ~entries[i]) || (entries[i] & PTE_OWN))
            continue;
        const struct aegis_page *page = page_of(pte_ppn(entries[i]));
        if (page->owner != this_hart->env->number)
            return -AEGIS_E_RIGHTS;
        if (bits & PTE_W & ~entries[i] && inherit_binds(page, 1))
            return -AEGIS_E_RIGHTS;
    }
    return 0;
}

void place_remove(const struct env *env, const struct place *place, uint64_t va, uint64_t count)
{
    struct aegis_page *table = map_table_of(place->entry);

    if (place->level == 0 && env->wake.count == 0) {
        map_remove_run(env, table, place->entry, va, count);
        return;
    }
    for (uint64_t i = 0; i < (place->level ? 1 : count); i++) {
        map_remove(table, &place->entry[i]);
        map_flush(env, va + i * PAGE_SIZE);
    }
}
