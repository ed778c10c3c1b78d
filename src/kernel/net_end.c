#include "kernel/net_end.h"

#include <string.h>

#include "kernel/arena.h"
#include "kernel/call.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/handler.h"
#include "kernel/loop.h"
#include "kernel/net_bind.h"
#include "kernel/net_give.h"
#include "kernel/netif.h"
#include "kernel/quota.h"
#include "kernel/ring.h"
#include "kernel/slice.h"

static void note_unsettled(void)
{
    slice_chores.net_end_unsettled = false;
    for (uint32_t n = 0; n < netif_total(); n++)
        slice_chores.net_end_unsettled |= netifs[n].unsettled;
}

/* Begins the next classifier that has to be built anew, in turn; false if there is none. */
static bool begin_next(void)
{
    static uint32_t last;

    for (uint32_t i = 1; i <= netif_total(); i++) {
        struct netif *netif = &netifs[(last + i) % netif_total()];
        if (!netif->unsettled)
            continue;
        last = (uint32_t)(netif - netifs);
        netif->begun++;
        classify_begin(netif);
        return true;
    }
    return false;
}

/* A classifier is in use, or doesn't fit. What was undone while it was built it may have still. */
static void finish(struct netif *netif, bool is_done)
{
    if (is_done) {
        netif->unsettled = false;
        for (uint32_t i = 0; i < info->binding_count; i++) {
            if (!netif_is_zombie(i) || netif_row(i)->netif != netif - netifs)
                continue;
            netif_set_zombie(i, classify_has(i));
            netif->unsettled |= classify_has(i);
        }
    } else {
        /* What is bound has room, unless the trie has become longer without a member; nothing more
         * can be done until the next change. What is about to be bound may be what is too much. */
        netif->unsettled = netif->unsettled && net_bind_joins();
    }
    if (is_done || !netif->unsettled)
        netif->finished = netif->begun;
    note_unsettled();
}

bool net_end_settle(void)
{
    struct netif *netif = classify_building();

    if (!netif)
        return begin_next();
    if (net_bind_joins() && !net_bind_still_may())
        return slice_chores.net_end_unsettled;
    enum classify_state state = classify_step();
    if (state == CLASSIFY_MORE)
        return true;
    finish(netif, state == CLASSIFY_DONE);
    if (net_bind_joins())
        net_bind_built(state);
    return slice_chores.net_end_unsettled;
}

/* Whether classifiers are in use, or can't be made, that were begun after env's last binding, or
 * the last that it undid, was gone. */
static bool is_settled(const struct env *env)
{
    for (uint32_t n = 0; n < netif_total(); n++)
        if (netifs[n].unsettled && netifs[n].finished < env->settled_by[n])
            return false;
    return true;
}

static void settle_for(struct env *env, uint32_t index)
{
    uint32_t n = netif_row(index)->netif;

    env->settled_by[n] = netifs[n].begun + 1;
}

/* A step for env's sake; whether nothing is left to be done. */
static bool step_for(const struct env *env)
{
    if (!is_settled(env))
        net_end_settle();
    return is_settled(env);
}

/* The first binding directly inside index with those of the flags in mask that are said;
 * binding_count: there is none. */
static uint32_t find_child(uint32_t index, uint32_t mask, uint32_t flags)
{
    uint32_t i = 0;

    while (i < info->binding_count && !(netif_row(i)->owner && netif_row(i)->parent == index &&
                                        i != index && (netif_row(i)->flags & mask) == flags))
        i++;
    return i;
}

/* What to undo before index, if not index: who shares it has nothing without it. */
static uint32_t find_victim(uint32_t index)
{
    uint32_t sharer = find_child(index, AEGIS_BIND_SHARE, AEGIS_BIND_SHARE);

    return sharer < info->binding_count ? sharer : index;
}

void net_end_unbind(uint32_t index)
{
    struct aegis_binding_info *i = netif_row(index);
    struct binding *binding = netif_binding_state(index);

    for (uint32_t child = 0; child < info->binding_count; child++)
        if (netif_row(child)->parent == index && netif_row(child)->owner)
            netif_row(child)->parent = i->parent;
    classify_begin_again_without(index);
    ring_release(binding);
    if (binding->handler)
        handler_unbind(binding->handler);
    quota_subtract_bytes(i->owner, netif_bytes(index));
    codegen_forget(&binding->egress_code);
    netif_note_egress(index);
    arena_free(binding->images);
    env_infos[i->owner].bindings++;
    quota_subtract(i->owner, AEGIS_QUOTA_BINDINGS, 1);
    binding->unbound = true;
    i->owner = 0;
    i->slots = 0;
    i->generation++;
    if (i->flags & BIND_COPIES)
        netifs[i->netif].tap_count--;
    netif_set_zombie(index, true);
    netifs[i->netif].unsettled = slice_chores.net_end_unsettled = true;
}

static long check_unbind(uint32_t index, uint32_t self)
{
    const struct aegis_binding_info *i = netif_binding(index);

    if (!i)
        return -AEGIS_E_RANGE;
    if (i->owner != self && i->binder != self)
        return -AEGIS_E_OWNER;
    if (i->parent == index || find_child(index, AEGIS_BIND_SHARE, 0) < info->binding_count)
        return -AEGIS_E_IN_USE;
    return 0;
}

/* AEGIS_NO_BINDING: goes on with what the caller has undone. Asked for by others, that does no
 * harm.
 */
long call_net_unbind(uint32_t index)
{
    struct env *self = this_hart->env;

    if (index != AEGIS_NO_BINDING) {
        long error = check_unbind(index, self->number);
        if (error)
            return error;
        uint32_t victim = find_victim(index);
        settle_for(self, victim);
        net_end_unbind(victim);
        if (victim != index) {
            call_restart(AEGIS_CALL_net_unbind, index, 0, 0);
            return 0;
        }
    } else {
        net_end_settle();
    }
    if (!is_settled(self))
        call_restart(AEGIS_CALL_net_unbind, AEGIS_NO_BINDING, 0, 0);
    return 0;
}

bool net_end_sever(uint32_t index)
{
    uint32_t child = find_child(index, 0, 0);

    if (child == info->binding_count)
        return step_for(this_hart->env);
    child = find_victim(child);
    settle_for(this_hart->env, child);
    net_end_unbind(child);
    return false;
}

bool net_end_sever_env(uint32_t env)
{
    for (uint32_t i = 0; i < info->binding_count; i++) {
        const struct aegis_binding_info *b = netif_row(i);
        if (b->owner != env || b->binder == env || b->parent == i)
            continue;
        /* Whoever else has something inside it got it from env's capabilities. */
        uint32_t child = find_child(i, 0, 0);
        uint32_t victim = find_victim(child < info->binding_count ? child : i);
        settle_for(this_hart->env, victim);
        net_end_unbind(victim);
        return false;
    }
    return step_for(this_hart->env);
}

bool net_end_env(uint32_t env)
{
    struct env *ending = env_table[env];
    uint32_t victim = info->binding_count;

    net_bind_end_env(env);
    loop_forget(env);
    net_give_end_env(env);
    for (uint32_t i = 0; i < netif_rows; i++) {
        struct aegis_binding_info *b = netif_row(i);
        if (!b->owner)
            continue;
        if (b->binder == env)
            b->binder = 0; /* its number may be somebody else's soon */
        if (b->owner == env && b->parent != i)
            victim = i;
    }
    if (victim == info->binding_count)
        return step_for(ending);
    victim = find_victim(victim);
    settle_for(ending, victim);
    net_end_unbind(victim);
    return false;
}

bool net_end_take(uint32_t env, uint32_t *index)
{
    /* Who is a parent: marked in a pass of its own, so that the table is looked at twice, and not
     * once for each binding. */
    static uint64_t parents[NETIF_BINDINGS_MAX / 64];

    memset(parents, 0, sizeof(parents));
    for (uint32_t i = 0; i < info->binding_count; i++)
        if (netif_row(i)->owner && netif_row(i)->parent != i)
            parents[netif_row(i)->parent / 64] |= 1UL << netif_row(i)->parent % 64;
    for (uint32_t i = info->binding_count; i-- > 0;) {
        if (netif_row(i)->owner != env || netif_row(i)->parent == i ||
            (parents[i / 64] >> i % 64 & 1))
            continue;
        net_end_unbind(i);
        *index = i;
        return true;
    }
    return false;
}
