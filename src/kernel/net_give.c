#include "kernel/net_give.h"

#include "kernel/call.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/handler.h"
#include "kernel/netif.h"
#include "kernel/ring.h"

/* The new owner begins with a bare binding: ring and handler are the one's before. */
static void move(uint32_t index, uint32_t owner, uint32_t binder)
{
    struct aegis_binding_info *i = netif_row(index);
    struct binding *binding = netif_binding_state(index);

    ring_release(binding);
    i->slots = 0;
    if (binding->handler)
        handler_unbind(binding->handler);
    env_infos[i->owner].bindings++;
    env_infos[owner].bindings++;
    i->owner = owner;
    i->binder = binder;
    netif_note_egress(index);
}

long call_net_give(uint32_t index, uint32_t env)
{
    const struct aegis_binding_info *i = netif_binding(index);
    uint32_t self = this_hart->env->number;
    struct env *target;

    if (!i || i->parent != index)
        return -AEGIS_E_RANGE;
    long error = env_target(env, &target);
    if (error)
        return error;
    if (i->owner != self && i->binder != self)
        return -AEGIS_E_OWNER;
    if (i->owner != target->number)
        move(index, target->number, target->number == self ? FIRST_ENV : self);
    return 0;
}

void net_give_end_env(uint32_t env)
{
    for (uint32_t n = 0; n < netif_rows; n++) {
        struct aegis_binding_info *i = netif_row(n);
        if (!i->owner || i->parent != n)
            continue;
        if (i->binder == env)
            i->binder = FIRST_ENV;
        if (i->owner == env)
            move(n, i->binder, FIRST_ENV);
    }
}
