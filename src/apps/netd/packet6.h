/*
 * Packets of IPv6 that have extension headers, fragments among them (RFC 8200, sections 4 and
 * 4.5): what they carry, once it is whole. Pure; also on the host.
 */
#ifndef NETD_PACKET6_H
#define NETD_PACKET6_H

#include "fragments.h"

enum packet6_event {
    PACKET6_NOTHING,  /* yet, or not at all */
    PACKET6_DATAGRAM, /* of UDP, TCP or ICMPv6 */
    PACKET6_PROBLEM,  /* its sender is to be told */
};

/*
 * Take a frame, `now` seconds of any clock. Fills *datagram, which stays until the next call, or
 * *problem.
 */
enum packet6_event packet6_take(const uint8_t *frame, size_t length, uint32_t now,
                                struct fragments_datagram *datagram, struct icmp_out *problem);

#endif
