/*
 * What this machine is in IPv6: a page of netd's that its handler fills from what routers and
 * neighbours say (apps/netd/handlers/discovery.h), and that every application reads. Compiled as
 * BPF too, so it stands alone.
 *
 * Neighbours are kept as those of IPv4 are (libos/net/neighbour.h): only a place that is wanted
 * takes an answer. So are routers: an advertisement counts while one was asked for, or if it comes
 * from the router that is known already, by both its addresses.
 */
#ifndef EXOS_NET_IPV6_PAGE_H
#define EXOS_NET_IPV6_PAGE_H

#include "libos/net/neighbour.h"

#define NET_IPV6_NEIGHBOURS 64
#define NET_IPV6_NEVER      (~0ULL)       /* of an address: somebody else has it */
#define NET_IPV6_DAD_NS     1000000000ULL /* RFC 4861, 10: for an objection to an address */
#define NET_IPV6_FOREVER    0xffffffffU   /* of times in seconds */

/* As on the wire; all zeros: none. */
struct net_ipv6 {
    unsigned int words[4];
};

struct net_neighbour6 {
    struct net_ipv6 address;
    unsigned long long word; /* as that of struct net_neighbour */
    unsigned int seconds;    /* likewise */
    unsigned int gap;
};

/* Times are since boot, in seconds unless their names say something else. */
struct net_ipv6_page {
    unsigned long long version; /* odd while the handler changes what is before the neighbours */

    /* Own addresses; each may be used from a moment on (duplicate address detection, RFC 4862,
     * 5.4), and ends in the interface's identifier (RFC 4291, 2.5.1). */
    struct net_ipv6 link, global;
    unsigned long long link_from_ns, global_from_ns;
    unsigned int preferred_until, valid_until; /* of global */

    /* The router, and where its advertisement came from; it is one until then. */
    struct net_ipv6 router;
    unsigned long long router_mac;
    unsigned int router_until;
    unsigned int is_wanted; /* an advertisement was asked for: one of any router is taken */

    struct net_ipv6 on_link; /* a prefix of 64 bits whose addresses are neighbours */
    struct net_ipv6 server;  /* of names (RFC 8106) */
    unsigned int on_link_until, server_until;
    unsigned int hop_limit; /* what the router says; 0: nothing */
    unsigned int gap;

    struct net_neighbour6 neighbours[NET_IPV6_NEIGHBOURS];
};

/* The one place of an address in the table. */
static inline unsigned int net_ipv6_place(const struct net_ipv6 *address)
{
    unsigned int all =
        address->words[0] ^ address->words[1] ^ address->words[2] ^ address->words[3];

    return (all ^ all >> 8 ^ all >> 16 ^ all >> 24) % NET_IPV6_NEIGHBOURS;
}

#endif
