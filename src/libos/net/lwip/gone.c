/* What this process has let go of, for others to go on with (move.h). */
#include <string.h>

#include "libos/net/headers.h"
#include "libos/net/lwip/internal.h"
#include "libos/net/segment.h"

struct net_lwip_gone *net_lwip_gone;

bool net_lwip_is_gone(const uint8_t *ip, const uint8_t *tcp)
{
    uint16_t from = net_get16(tcp + UDP_SOURCE), to = net_get16(tcp + UDP_DESTINATION);
    struct net_ipv6 source = net_ipv6_mapped(0);

    if (*ip >> 4 == 6)
        memcpy(&source, ip + IPV6_SOURCE - ETH_SIZE, sizeof source);
    else
        memcpy(&source.words[3], ip + IPV4_SOURCE - ETH_SIZE, sizeof source.words[3]);
    for (const struct net_lwip_gone *g = net_lwip_gone; g; g = g->next)
        if (g->local_port == to &&
            (!g->remote_port || (g->remote_port == from && net_ipv6_equal(&g->remote, &source))) &&
            !net_lwip_has(to, &source, from))
            return true;
    return false;
}

void net_lwip_let_go(struct net_lwip_gone *gone)
{
    gone->next = net_lwip_gone;
    gone->is_listed = true;
    net_lwip_gone = gone;
    for (struct opened *o = net_lwip_ports; o; o = o->next)
        if (o->is_block && net_lease_has(&o->lease, gone->local_port))
            o->retired |= 1UL << (gone->local_port - o->lease.port);
}

bool net_lwip_has_gone(uint16_t port)
{
    const struct net_lwip_gone *g = net_lwip_gone;

    while (g && (g->local_port != port || !g->remote_port))
        g = g->next;
    return g != NULL;
}

void net_lwip_come_back(struct net_lwip_gone *gone)
{
    struct net_lwip_gone **at = &net_lwip_gone;

    while (*at && *at != gone)
        at = &(*at)->next;
    if (*at)
        *at = gone->next;
    gone->is_listed = false;
}
