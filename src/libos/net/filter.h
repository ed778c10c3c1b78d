/*
 * The filters of a port: what netd lets an application receive and send, and what the application
 * binds inside of that. Pure; also on the host.
 */
#ifndef EXOS_NET_FILTER_H
#define EXOS_NET_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "dpf/dpf.h"
#include "libos/net/ipv6_page.h"

#define NET_FILTER_FIELDS 16 /* of each of the two, at most; and ranges */

/* A DPF image. */
struct net_filter {
    uint64_t words[(sizeof(struct dpf_header) +
                    NET_FILTER_FIELDS * (sizeof(struct dpf_node) + sizeof(struct dpf_range))) /
                   8];
    uint64_t size; /* bytes that are used */
};

enum net_family { NET_IPV4, NET_IPV6, NET_BOTH };
#define NET_FAMILIES 3 /* a mask for them */

/* What is asked of a frame, in host byte order. */
struct net_port_range {
    uint8_t protocol; /* IPV4_UDP, IPV4_TCP, or IPV4_ICMP: of echoes, whose ports are identifiers */
    uint8_t family;   /* enum net_family */
    uint8_t mac[6];   /* the interface's */
    uint32_t address; /* the machine's */
    /* Of IPv6 addresses the lower half: the machine has several, and gets others as time goes by,
     * but all end in this. */
    uint64_t identifier;
    uint16_t low, high;
    uint16_t peer_port; /* not 0: only what is from, and to, this port */
    /* of this machine, as on the wire, one of IPv4 mapped; `family` is its alone then */
    struct net_ipv6 peer;
    bool is_loop; /* on the loop interface: 127.0.0.0/8 and ::1 as well as the addresses */
};

/*
 * Accepts what comes to these ports: IPv4 in Ethernet, not a fragment, to the address, with a
 * destination port from low to high; or IPv6, without extension headers, to an address that ends in
 * the identifier. Of ICMP: echo replies with such an identifier.
 */
void net_filter_received(struct net_filter *filter, const struct net_port_range *ports);

/* Accepts what leaves from them: likewise, with the sources, and mac as Ethernet's. Of ICMP: echo
 * requests. */
void net_filter_sent(struct net_filter *filter, const struct net_port_range *ports);

/* Accepts what neighbours find each other by: ARP, and ICMPv6's neighbour discovery; from mac, if
 * that isn't NULL. */
void net_filter_neighbours(struct net_filter *filter, const uint8_t *mac);

#endif
