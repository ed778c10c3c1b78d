/* Ports: taking them of netd, and giving them back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/filter.h"
#include "libos/net/ipv6.h"
#include "libos/net/service.h"
#include "libos/net/service_internal.h"

static int64_t note_binding(struct net *net, uint32_t binding)
{
    *net = (struct net){.binding = binding, .generation = aegis_binding(binding)->generation};
    return 0;
}

int net_bind_inside(struct net_lease *lease, const struct aegis_cap *parent, bool is_loop,
                    uint64_t slots)
{
    struct net *net = is_loop ? &lease->loop : &lease->net;
    struct net_filter received, sent;
    struct net_port_range ports = {.protocol = lease->protocol,
                                   .family = lease->family,
                                   .identifier = net_ipv6_identifier(net_here.mac),
                                   .address = __builtin_bswap32(net_here.address),
                                   .low = lease->port,
                                   .high = (uint16_t)(lease->port + lease->count - 1),
                                   .peer_port = lease->peer_port,
                                   .peer = lease->peer,
                                   .is_loop = is_loop};
    struct aegis_net_binding request = {.parent = *parent};

    if (!is_loop)
        memcpy(ports.mac, net_here.mac, sizeof ports.mac);
    net_filter_received(&received, &ports);
    net_filter_sent(&sent, &ports);
    request.ingress = received.words;
    request.ingress_size = received.size;
    request.egress = sent.words;
    request.egress_size = sent.size;
    int64_t binding = net_bind(&request);
    int64_t status = binding < 0 ? binding
                     : slots     ? net_open(net, (uint32_t)binding, slots)
                                 : note_binding(net, (uint32_t)binding);
    if (status == 0)
        return 0;
    if (binding >= 0)
        aegis_net_unbind((uint32_t)binding);
    errno = status == -AEGIS_E_NO_PAGE ? ENOMEM : ENOBUFS;
    return -1;
}

/* Whether netd still has a binding that it gave a capability for: not if it has ended since. */
static bool is_netds(const struct aegis_cap *parent)
{
    return aegis_binding((uint32_t)AEGIS_CAP_INDEX(parent->name))->generation == parent->generation;
}

void net_give_back(const struct aegis_cap *parent)
{
    uint64_t words[GATE_WORDS] = {NETD_LEAVE, AEGIS_CAP_INDEX(parent->name)};

    if (is_netds(parent))
        net_ask(words);
}

/* For orders about a lease. */
static int ask_of(const struct net_lease *lease, uint64_t words[GATE_WORDS])
{
    if (is_netds(&lease->parents[0]))
        return net_ask(words);
    errno = ENETDOWN;
    return -1;
}

static int take(struct net_lease *lease, uint8_t protocol, uint8_t family, uint16_t port,
                uint16_t count, uint64_t slots)
{
    uint64_t words[GATE_WORDS] = {NETD_TAKE, (count - 1UL) << NETD_MORE_BIT |
                                                 (uint64_t)family << 24 | (uint64_t)protocol << 16 |
                                                 port};

    struct aegis_cap page;

    if (!net_service() || (net_here.is_leased && !net_look(&page)) || net_ask(words))
        return -1;
    struct aegis_cap parent = {words[2], words[3], words[4]};
    *lease = (struct net_lease){.port = (uint16_t)words[1],
                                .count = count,
                                .protocol = protocol,
                                .family = family & NET_FAMILIES,
                                .binding = (uint32_t)AEGIS_CAP_INDEX(parent.name),
                                .parents = {parent}};
    if (net_bind_inside(lease, &parent, false, slots) == 0)
        return 0;
    int error = errno;
    net_give_back(&lease->parents[0]);
    errno = error;
    return -1;
}

int net_lease_family(struct net_lease *lease, uint8_t protocol, uint8_t family, uint16_t port,
                     uint64_t slots)
{
    return take(lease, protocol, family, port, 1, slots);
}

int net_lease_block(struct net_lease *lease, uint8_t protocol, uint8_t family, uint16_t count,
                    uint64_t slots)
{
    return take(lease, protocol, family, 0, count, slots);
}

int net_lease_loop(struct net_lease *lease, uint64_t slots)
{
    uint64_t words[GATE_WORDS] = {NETD_LOOP, lease->binding};

    if (ask_of(lease, words))
        return -1;
    lease->parents[1] = (struct aegis_cap){words[2], words[3], words[4]};
    return net_bind_inside(lease, &lease->parents[1], true, slots);
}

int net_find_local(uint8_t protocol, uint16_t port)
{
    uint64_t words[GATE_WORDS] = {NETD_FIND, (uint64_t)protocol << 16 | port};

    return net_service() ? net_ask(words) : -1;
}

/* Rings of bindings in which others' lie, so that they can't be undone yet. */
static struct left {
    struct left *next;
    struct net net;
} * left;

/* One that goes may have been inside of another. */
void net_sweep(void)
{
    for (struct left **at = &left, *l; (l = *at);) {
        if (net_alive(&l->net) && aegis_net_unbind(l->net.binding) < 0) {
            at = &l->next;
            continue;
        }
        net_close(&l->net);
        *at = l->next;
        free(l);
        at = &left;
    }
}

/* One that can't be undone stays and is filled by what nobody reads. */
void net_give_up(struct net *net)
{
    struct left *l;

    if (!net_alive(net) || aegis_net_unbind(net->binding) != -AEGIS_E_IN_USE) {
        net_close(net);
    } else if ((l = malloc(sizeof *l))) {
        *l = (struct left){left, *net};
        left = l;
    }
    *net = (struct net){0};
}

void net_lease_end(struct net_lease *lease)
{
    if (lease->loop.ring)
        net_give_up(&lease->loop);
    if (lease->net.ring)
        net_give_up(&lease->net);
    net_give_back(&lease->parents[0]);
    net_sweep();
}

int net_lease_linger(const struct net_lease *lease, const struct net_linger *c)
{
    enum net_linger_own own = net_ipv6_is_loopback(&c->own)     ? NET_LINGER_LOOP
                              : net_ipv6_is_link_local(&c->own) ? NET_LINGER_LINK
                                                                : NET_LINGER_GLOBAL;
    uint32_t address = net_ipv6_is_mapped(&c->own) ? __builtin_bswap32(c->own.words[3]) : 0;
    uint64_t words[GATE_WORDS] = {
        NETD_LINGER, (uint64_t)c->seconds << 40 | (uint64_t)c->state << 32 | lease->binding,
        (uint64_t)c->own_next << 32 | c->peer_next,
        (uint64_t)address << 32 | (uint64_t)(uint8_t)(c->own_port - lease->port) << 24 |
            (uint64_t)own << 16 | c->peer_port};

    memcpy(&words[4], &c->peer, sizeof c->peer);
    return ask_of(lease, words);
}
