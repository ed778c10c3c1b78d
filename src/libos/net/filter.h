/*
 * The filters of a port: what netd lets an application receive and send, and what the application
 * binds inside of that. Pure; also on the host.
 */
#ifndef EXOS_NET_FILTER_H
#define EXOS_NET_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "dpf/dpf.h"

#define NET_FILTER_FIELDS 9 /* of each of the two, at most */

/* A DPF image. */
struct net_filter {
    uint64_t words[(sizeof(struct dpf_header) +
                    NET_FILTER_FIELDS * (sizeof(struct dpf_node) + sizeof(struct dpf_range))) /
                   8];
    uint64_t size; /* bytes that are used */
};

/* What is asked of a frame, in host byte order. */
struct net_port_range {
    uint8_t protocol; /* IPV4_UDP, IPV4_TCP, or IPV4_ICMP: of echoes, whose ports are identifiers */
    uint8_t mac[6];   /* the interface's */
    uint32_t address; /* the machine's */
    uint16_t low, high;
    bool is_loop; /* on the loop interface: any of 127.0.0.0/8 as well as the address */
};

/*
 * Accepts what comes to these ports: IPv4 in Ethernet, not a fragment, to the address, with a
 * destination port from low to high. Of ICMP: echo replies with such an identifier.
 */
void net_filter_received(struct net_filter *filter, const struct net_port_range *ports);

/* Accepts what leaves from them: likewise, with the sources, and mac as Ethernet's. Of ICMP: echo
 * requests. */
void net_filter_sent(struct net_filter *filter, const struct net_port_range *ports);

#endif
