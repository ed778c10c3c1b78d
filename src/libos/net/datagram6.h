/* UDP datagrams in IPv6 over Ethernet: taking frames apart and making them. Pure; also on the host.
 */
#ifndef EXOS_NET_DATAGRAM6_H
#define EXOS_NET_DATAGRAM6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/headers.h"
#include "libos/net/ipv6_page.h"

#define NET_DATAGRAM6_HEADERS (ETH_SIZE + IPV6_SIZE + UDP_SIZE)
#define NET_DATAGRAM6_MAX     (AEGIS_FRAME_MAX - NET_DATAGRAM6_HEADERS) /* bytes of payload */

/* Numbers as on the wire. */
struct net_datagram6 {
    struct net_ipv6 source, destination;
    uint16_t source_port, destination_port;
    const uint8_t *payload;
    size_t size;
    uint8_t service; /* traffic class; of what is written */
};

/*
 * What datagram a frame holds. false if it is none, or none that is whole: extension headers,
 * lengths that don't fit, a source that is nobody or a group, a wrong sum or none (RFC 8200, 8.1).
 * `frame` must lie at an even address.
 */
bool net_datagram6_read(const uint8_t *frame, size_t length, struct net_datagram6 *datagram);

/*
 * Put the headers of a datagram in front of its payload, which lies at frame +
 * NET_DATAGRAM6_HEADERS already: d->size bytes, at most NET_DATAGRAM6_MAX; d->payload isn't looked
 * at. Returns the frame's length. `frame` must lie at an even address.
 */
size_t net_datagram6_write(uint8_t *frame, const struct net_datagram6 *d,
                           const uint8_t destination[6], const uint8_t source[6],
                           uint8_t hop_limit);

#endif
