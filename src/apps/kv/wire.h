/* Requests as frames, and answers to them, in IPv4 and IPv6. Pure; also on the host. */
#ifndef KV_WIRE_H
#define KV_WIRE_H

#include "kv/request.h"
#include "libos/net/datagram6.h"

#define WIRE_MAX (NET_DATAGRAM6_HEADERS + KV_ANSWER_MAX) /* bytes of an answer's frame */

/* Who the machine is, and where the frame came from. */
struct wire {
    const uint8_t *mac;          /* as the answer's source; even address */
    bool is_loop;                /* it came over the loop interface */
    bool (*is_local4)(uint32_t); /* whether an address is one of the machine's */
    bool (*is_local6)(const struct net_ipv6 *);
};

/*
 * Answer a frame of length bytes, at 6 modulo 8, into `out`, likewise, of WIRE_MAX bytes. Returns
 * the answer's length, or 0: it is no request, or comes from a device in the name of one of the
 * machine's own addresses, or over the loop interface in another's.
 */
size_t wire_answer(struct store *store, const struct wire *wire, const uint8_t *frame,
                   size_t length, uint8_t *out);

#endif
