/*
 * Errors of ICMP (RFC 792) and ICMPv6 (RFC 4443) that netd's process sends; those of datagrams that
 * nobody takes are its handler's. Pure; also on the host.
 */
#ifndef NETD_ICMP_OUT_H
#define NETD_ICMP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/headers.h"

#define ICMP_OUT_MOST                                                                              \
    (ETH_SIZE + 1280)       /* bytes of a frame: the least packet that all links take              \
                             */
#define ICMP_OUT_SECOND 200 /* errors a second, as the handler sends of each kind */

#define ICMP_OUT_TIME_EXCEEDED  11 /* types */
#define ICMP6_OUT_TIME_EXCEEDED 3
#define ICMP6_OUT_PARAMETER     4
#define ICMP_OUT_REASSEMBLY     1 /* a code of "time exceeded" in both */

struct icmp_out {
    uint8_t type, code;
    uint32_t more; /* a pointer: bytes, from the IP header on */
};

/*
 * Make the error about a frame that came to this machine, of IPv4 with a header of five words or of
 * IPv6, in answer[ICMP_OUT_MOST]. Of a frame that is cut off what there is is quoted. Returns the
 * answer's length; 0: about that none may be sent, as it is an error itself, or for many.
 */
size_t icmp_out_write(uint8_t *answer, const uint8_t *frame, size_t length,
                      const struct icmp_out *error, const uint8_t mac[6]);

/* Whether second `now` has room for one more, which is counted. */
bool icmp_out_may(uint64_t now);

#endif
