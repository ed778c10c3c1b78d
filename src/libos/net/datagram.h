/* UDP datagrams in IPv4 over Ethernet: taking frames apart and making them. Pure; also on the host.
 */
#ifndef EXOS_NET_DATAGRAM_H
#define EXOS_NET_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/headers.h"

#define NET_DATAGRAM_HEADERS (ETH_SIZE + IPV4_LEAST + UDP_SIZE)
#define NET_DATAGRAM_MAX     (AEGIS_FRAME_MAX - NET_DATAGRAM_HEADERS) /* bytes of payload */

/* Numbers as on the wire, which is how sockets have them, too. */
struct net_datagram {
    uint32_t source, destination;
    uint16_t source_port, destination_port;
    const uint8_t *payload;
    size_t size;
    uint8_t service; /* type of service; of what is written */
};

/*
 * What datagram a frame holds. false if it is none, or none that is whole: what net_udp_offset
 * refuses, and wrong checksums of IPv4 or UDP (0, no checksum, is right: RFC 768). `frame` must lie
 * at 6 modulo 8.
 */
bool net_datagram_read(const uint8_t *frame, size_t length, struct net_datagram *datagram);

/*
 * Put the headers of a datagram in front of its payload, which lies at frame + NET_DATAGRAM_HEADERS
 * already: d->size bytes, at most NET_DATAGRAM_MAX; d->payload isn't looked at. Returns the frame's
 * length. `frame` must lie at 6 modulo 8, the hardware addresses at even ones.
 */
size_t net_datagram_write(uint8_t *frame, const struct net_datagram *d,
                          const uint8_t destination[6], const uint8_t source[6], uint8_t ttl);

#endif
