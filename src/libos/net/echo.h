/* ICMP's echo (RFC 792) in IPv4, and ICMPv6's (RFC 4443) in IPv6, over Ethernet: requests that are
 * made, replies that are read. Pure; also on the host. */
#ifndef EXOS_NET_ECHO_H
#define EXOS_NET_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/headers.h"
#include "libos/net/ipv6_page.h"

#define ECHO_HEADERS  (ETH_SIZE + IPV4_LEAST + 8)
#define ECHO_MAX      (AEGIS_FRAME_MAX - ECHO_HEADERS) /* bytes of payload */
#define ECHO6_HEADERS (ETH_SIZE + IPV6_SIZE + 8)
#define ECHO6_MAX     (AEGIS_FRAME_MAX - ECHO6_HEADERS)

/* Addresses as on the wire, numbers in host byte order. */
struct net_echo {
    uint32_t source, destination;          /* of IPv4, */
    struct net_ipv6 source6, destination6; /* or of IPv6 */
    uint16_t id, sequence;
    uint8_t ttl; /* hop limit, in IPv6 */
    const uint8_t *payload;
    size_t size;
};

/*
 * Put the headers of a request in front of its payload, which lies at frame + ECHO_HEADERS already;
 * e->payload isn't looked at. Returns the frame's length. The frame lies at an even address.
 */
size_t net_echo_write(uint8_t *frame, const struct net_echo *e, const uint8_t destination[6],
                      const uint8_t source[6]);

/*
 * Whether a frame is a whole, unfragmented echo reply with right sums, and what it says; its
 * payload lies in the frame, which is at an even address.
 */
bool net_echo_read(const uint8_t *frame, size_t length, struct net_echo *e);

/* The same of IPv6, with ECHO6_HEADERS. */
size_t net_echo6_write(uint8_t *frame, const struct net_echo *e, const uint8_t destination[6],
                       const uint8_t source[6]);
bool net_echo6_read(const uint8_t *frame, size_t length, struct net_echo *e);

#endif
