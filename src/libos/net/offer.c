/* Ports of several programs: who has one lets others bind inside of its own binding. */
#include <errno.h>

#include "libos/net/ipv6.h"
#include "libos/net/service.h"
#include "libos/net/service_internal.h"
#include "libos/start/start.h"

bool net_lease_is_outermost(const struct net_lease *lease)
{
    const struct net *net = lease->net.ring ? &lease->net : &lease->loop;
    uint64_t parent = AEGIS_CAP_INDEX(lease->parents[net == &lease->loop].name);

    return net->ring && net_alive(net) && aegis_binding(net->binding)->parent == parent;
}

static bool is_inside(uint32_t binding)
{
    for (uint32_t b = 0; b < aegis_info()->binding_count; b++) {
        const volatile struct aegis_binding_info *info = aegis_binding(b);
        if (info->owner && info->parent == binding && b != binding)
            return true;
    }
    return false;
}

bool net_lease_has_others(const struct net_lease *lease)
{
    net_sweep();
    return (lease->net.ring && is_inside(lease->net.binding)) ||
           (lease->loop.ring && is_inside(lease->loop.binding));
}

void net_lease_offer(const struct net_lease *lease, uint16_t port, struct net_offer *offer)
{
    const struct net *nets[2] = {&lease->net, &lease->loop};

    offer->port.protocol = lease->protocol;
    if (!lease->peer_port)
        offer->port.family = lease->family;
    offer->port.number = port;
    offer->port.parent = lease->parents[0];
    if (lease->parents[1].name)
        offer->loop = lease->parents[1];
    for (int i = 0; i < 2; i++) {
        if (!nets[i]->ring || !net_alive(nets[i]) ||
            (offer->inside[i].name &&
             aegis_binding(nets[i]->binding)->parent != AEGIS_CAP_INDEX(lease->parents[i].name)))
            continue;
        aegis_cap_mint(AEGIS_KIND_BINDING, nets[i]->binding, AEGIS_RIGHT_DELEGATE,
                       &offer->inside[i]);
    }
    if (lease->loop.ring)
        offer->has_loop = 1;
}

static int set_apart(const struct net_lease *lease, struct net_apart *apart, uint16_t port,
                     const struct net_ipv6 *peer, uint16_t peer_port, bool is_loop)
{
    const struct net *around = is_loop ? &lease->loop : &lease->net;
    struct aegis_cap parent;
    struct net_lease narrow = {.port = port,
                               .count = 1,
                               .protocol = lease->protocol,
                               .family = net_ipv6_is_mapped(peer) ? NET_IPV4 : NET_IPV6,
                               .peer_port = peer_port,
                               .peer = *peer};

    if (!around->ring || !net_alive(around) ||
        aegis_cap_mint(AEGIS_KIND_BINDING, around->binding, AEGIS_RIGHT_DELEGATE, &parent) < 0) {
        errno = ENETDOWN;
        return -1;
    }
    if (net_bind_inside(&narrow, &parent, is_loop, 0))
        return -1;
    *apart = (struct net_apart){is_loop ? narrow.loop : narrow.net, is_loop, true};
    return 0;
}

int net_lease_set_apart(const struct net_lease *lease, struct net_apart *apart,
                        const struct net_ipv6 *peer, uint16_t peer_port, bool is_loop,
                        struct net_offer *offer)
{
    const struct aegis_cap none = {0};

    if (!apart->is_there && set_apart(lease, apart, offer->port.number, peer, peer_port, is_loop))
        return -1;
    offer->inside[!apart->is_loop] = none;
    if (aegis_cap_mint(AEGIS_KIND_BINDING, apart->net.binding, AEGIS_RIGHT_DELEGATE,
                       &offer->inside[apart->is_loop]) < 0)
        offer->inside[apart->is_loop] = none;
    return 0;
}

void net_apart_end(struct net_apart *apart)
{
    if (apart->is_there)
        net_give_up(&apart->net);
    *apart = (struct net_apart){0};
}

int net_lease_hold(const struct net_port *port, uint32_t env)
{
    const struct aegis_cap *cap = &port->parent;
    uint64_t words[GATE_WORDS] = {NETD_JOIN, cap->name, cap->generation, cap->mac, env};

    return net_service() ? net_ask(words) : -1;
}

void net_lease_drop(const struct net_port *port)
{
    if (net_service())
        net_give_back(&port->parent);
}

/* Inside of what the holder has, or beside it, if that has gone. */
static int bind(struct net_lease *lease, const struct net_offer *offer, bool is_loop,
                uint64_t slots)
{
    if (offer->inside[is_loop].name &&
        net_bind_inside(lease, &offer->inside[is_loop], is_loop, slots) == 0)
        return 0;
    return net_bind_inside(lease, &lease->parents[is_loop], is_loop, slots);
}

int net_lease_join(struct net_lease *lease, const struct net_offer *offer,
                   const struct net_ipv6 *peer, uint16_t peer_port, uint64_t slots, bool device,
                   bool loop)
{
    const struct net_port *port = &offer->port;
    uint8_t peers = net_ipv6_is_mapped(peer) ? NET_IPV4 : NET_IPV6;

    if (net_lease_hold(port, exos.env))
        return -1;
    *lease = (struct net_lease){.port = port->number,
                                .count = 1,
                                .protocol = port->protocol,
                                .family = peer_port ? peers : port->family,
                                .peer_port = peer_port,
                                .peer = *peer,
                                .parents = {port->parent, offer->loop},
                                .binding = (uint32_t)AEGIS_CAP_INDEX(port->parent.name)};
    int status = device ? bind(lease, offer, false, slots) : 0;
    if (!status && loop)
        status = bind(lease, offer, true, slots);
    if (!status)
        return 0;
    int error = errno;
    net_lease_end(lease);
    errno = error;
    return -1;
}
