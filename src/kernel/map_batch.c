/* Several changes of one environment's mappings in one call. */
#include "kernel/call.h"
#include "kernel/map_place.h"
#include "kernel/user.h"

/* One change of a batch: a megapage is one mapping. */
static long check_change(const struct env *env, const struct aegis_map_op *op, struct place *place)
{
    uint64_t bits = op->change == AEGIS_MAP_PROTECT ? map_bits(op->prot) : 0;
    long error;

    if (op->change == AEGIS_MAP_INSERT)
        return place_check_insert(env, op, place);
    if (op->change > AEGIS_MAP_CLEAN || (op->change == AEGIS_MAP_PROTECT && !bits))
        return -AEGIS_E_INVALID;
    error = place_check_range(op->va, 1);
    if (!error)
        error = place_find(env, op->va, AEGIS_MEGAPAGE, place);
    if (!error && !(*place->entry & PTE_V))
        error = -AEGIS_E_ADDRESS;
    return error ? error : place_check_rights(place->entry, 1, bits);
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
        place_insert(op, place);
        return;
    case AEGIS_MAP_REMOVE:
        place_remove(env, place, op->va, 1);
        return;
    case AEGIS_MAP_PROTECT:
        place_protect(env, place, op->va, 1, map_bits(op->prot));
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
    long error = place_target(number, &env);

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
