#include <string.h>

#include "libos/net/net.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define HEADER_PAGES 1
#define SLOTS_A_PAGE (AEGIS_PAGE_SIZE / AEGIS_SLOT_SIZE)

/* What one sender may have in a ring for each slot that is free: three quarters of an empty one. */
#define LOOP_SHARE 3

#define BUSY_LIMIT 2000000000UL /* ns to wait for somebody else's binding */

int64_t net_bind(const struct aegis_net_binding *request)
{
    uint64_t deadline = time_after(BUSY_LIMIT);
    int64_t status;
    while ((status = aegis_net_bind(request)) == -AEGIS_E_BUSY && time_now() < deadline)
        aegis_yield(0); /* its turn comes while it can run */
    return status;
}

int64_t net_open(struct net *net, uint32_t binding, uint64_t slots)
{
    if (slots < SLOTS_A_PAGE || slots > AEGIS_RING_SLOTS || (slots & (slots - 1)) ||
        binding >= aegis_info()->binding_count)
        return -AEGIS_E_RANGE;
    const volatile struct aegis_binding_info *info = aegis_binding(binding);
    uint8_t *memory = vm_alloc(HEADER_PAGES + slots / SLOTS_A_PAGE, VM_READ_WRITE);
    if (!memory)
        return -AEGIS_E_NO_PAGE;
    ((struct aegis_ring *)memory)->share = LOOP_SHARE;
    int64_t status = aegis_net_ring(binding, (struct aegis_ring *)memory, slots);
    if (status < 0) {
        vm_free(memory);
        return status;
    }
    *net = (struct net){.ring = (struct aegis_ring *)memory,
                        .slots = memory + HEADER_PAGES * AEGIS_PAGE_SIZE,
                        .mask = slots - 1,
                        .binding = binding,
                        .netif = info->netif,
                        .generation = info->generation};
    return 0;
}

int64_t net_open_next(struct net *net, uint64_t slots)
{
    for (uint32_t b = 0; b < aegis_info()->binding_count; b++) {
        const volatile struct aegis_binding_info *info = aegis_binding(b);
        if (info->owner == exos.env && info->slots == 0 && info->parent != b)
            return net_open(net, b, slots) ?: 1;
    }
    return 0;
}

bool net_alive(const struct net *net)
{
    const volatile struct aegis_binding_info *info = aegis_binding(net->binding);
    return info->owner == exos.env && info->generation == net->generation;
}

void net_close(struct net *net)
{
    if (net_alive(net))
        aegis_net_unbind(net->binding);
    vm_free(net->ring);
    memset(net, 0, sizeof *net);
}

struct aegis_predicate net_when_bindings(uint64_t seen)
{
    return AEGIS_WHEN(aegis_env(exos.env)->bindings, NE, seen);
}

bool net_wait_binding(uint64_t *seen, uint64_t deadline)
{
    struct aegis_predicate changed = net_when_bindings(*seen);
    bool happened = aegis_wait(&changed, 1, deadline) == 0;
    *seen = aegis_env(exos.env)->bindings;
    return happened;
}
