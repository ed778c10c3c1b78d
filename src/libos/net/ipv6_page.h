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

/* A server of names that a router tells of (RFC 8106). */
struct net_ipv6_server {
    struct net_ipv6 address;
    unsigned int until; /* over, or none */
    unsigned int gap;
};

#define NET_SERVERS    3
#define NET_SEARCH_MAX 256

/* What DHCP tells of names, of netd's own. */
struct net_told {
    unsigned long long version;        /* odd while netd changes what follows */
    unsigned int servers[NET_SERVERS]; /* IPv4, as on the wire; 0: none, nor behind it */
    unsigned int gap;
    char search[NET_SEARCH_MAX]; /* domains, with a blank between two; "": none */
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
    unsigned int on_link_until;
    unsigned int hop_limit; /* what the router says; 0: nothing */
    struct net_ipv6_server servers[NET_SERVERS];

    struct net_neighbour6 neighbours[NET_IPV6_NEIGHBOURS];
    struct net_told told;
};

/* The one place of an address in the table. */
static inline unsigned int net_ipv6_place(const struct net_ipv6 *address)
{
    unsigned int all =
        address->words[0] ^ address->words[1] ^ address->words[2] ^ address->words[3];

    return (all ^ all >> 8 ^ all >> 16 ^ all >> 24) % NET_IPV6_NEIGHBOURS;
}

#endif
