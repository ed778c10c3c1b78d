/*
 * What lwIP's core of IPv6 asks of its neighbour discovery and its ICMPv6, in their place: both are
 * netd's (libos/net/ipv6.h). lwIP is given whole TCP segments alone, so it never has a reason for
 * ICMPv6.
 */
#include "libos/net/lwip/internal.h"
#include "lwip/icmp6.h"
#include "lwip/nd6.h"

u16_t nd6_get_destination_mtu(const ip6_addr_t *destination, struct netif *netif)
{
    u16_t path = net_lwip_path(destination);
    return path ? path : netif->mtu;
}

struct netif *nd6_find_route(const ip6_addr_t *destination)
{
    return net_lwip_route6(destination);
}

/* An interface is up, or down: nobody is asked for a router here. */
void nd6_restart_netif(struct netif *netif)
{
    (void)netif;
}

/* It goes: there is nothing of its in any table. */
void nd6_cleanup_netif(struct netif *netif)
{
    (void)netif;
}

static void never(void)
{
    LWIP_ASSERT("lwIP has a reason for ICMPv6", false);
}

void icmp6_input(struct pbuf *p, struct netif *netif)
{
    (void)p, (void)netif;
    never();
}

void icmp6_dest_unreach(struct pbuf *p, enum icmp6_dur_code code)
{
    (void)p, (void)code;
    never();
}

void icmp6_param_problem(struct pbuf *p, enum icmp6_pp_code code, const void *pointer)
{
    (void)p, (void)code, (void)pointer;
    never();
}
