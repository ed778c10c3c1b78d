/* Segments of TCP in IPv4 and IPv6 over Ethernet: what is whole, and the sums. Pure; also on the
 * host. */
#ifndef EXOS_NET_SEGMENT_H
#define EXOS_NET_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/headers.h"

#define TCP_LEAST    20 /* bytes of a header without options */
#define TCP_CHECKSUM 16 /* in it */
#define TCP_OFFSET   12 /* in it: its own length, in words in the upper half; flags behind it */

struct net_segment {
    const uint8_t *ip, *tcp; /* in the frame */
    size_t size;             /* bytes of the packet, */
    size_t length;           /* of the segment in it, */
    size_t data;             /* and of the segment's data */
};

/*
 * The segment that a frame of IPv4, no fragment and TCP, as a binding's filter has seen to, holds.
 * false if lengths don't fit into each other or a sum is wrong. `frame` must lie at 6 modulo 8.
 */
bool net_segment_read(const uint8_t *frame, size_t length, struct net_segment *segment);

/*
 * Put both sums into a frame with a packet of `size` bytes, which has zeros in their places and no
 * IPv4 options. `frame` must lie at 2 modulo 4.
 */
void net_segment_sum(uint8_t *frame, size_t size);

/* The same of IPv6, without extension headers; `frame` lies at an even address. It has one sum. */
bool net_segment6_read(const uint8_t *frame, size_t length, struct net_segment *segment);
void net_segment6_sum(uint8_t *frame, size_t size);

#endif
