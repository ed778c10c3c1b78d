/*
 * lwIP's TCP, and the streams' side of it, on the host: one interface whose frames the test sees
 * and makes. Between HOST_OWN and HOST_PEER, or, where host_six is set, two of 2001:db8::/64.
 */
#ifndef LWIP_HOST_H
#define LWIP_HOST_H

#include "libos/net/service.h"
#include "libos/net/stream_kept.h"

#define HOST_OWN       0x0a00020f /* in host byte order */
#define HOST_PEER      0x0a000202
#define HOST_PORT      50000
#define HOST_PEER_PORT 9
#define HOST_PEER_ISS  1000U /* the peer's first sequence number */
#define HOST_MSS       (host_six ? 1440U : 1460U)
#define HOST_SENT      (1 << 18)
#define HOST_SCALE     2 /* the peer's windows, by bits */

/* What was sent since host_forget_sent, by sequence number behind the SYN. */
struct host_sent {
    uint32_t first;
    uint8_t bytes[HOST_SENT];
    bool is_there[HOST_SENT];
    unsigned segments, resets;
    size_t longest; /* data of a segment, bytes */
    bool has_end;
    uint32_t end; /* where the FIN was, in bytes from first */
    uint32_t acknowledged;
    uint64_t digest; /* of all segments, with their headers */
};
extern struct host_sent host_sent;

extern bool host_six; /* to be changed between two connections alone */
extern const struct net_ipv6 host_own6, host_peer6;

void host_begin(void); /* any number of times */
void host_forget_sent(void);

/* Which port all is about. */
extern const struct net_offer host_offer;

/* A socket as socket_make makes it. */
struct stream *host_stream(void);

/* Connects it; the peer's options scale windows and allow SACK. */
void host_connect(struct stream *t);

/* A segment from the peer; numbers in host byte order. */
void host_segment(uint8_t flags, uint32_t number, uint32_t acknowledges, uint16_t window,
                  const void *bytes, size_t size);

/* The bytes that come next on a connection, up to 2048, by net_lwip_take_next: what that returns.
 */
bool host_next(struct tcp_pcb *pcb, uint32_t acknowledges, uint16_t window, const void *bytes,
               size_t size);

/* TCP's clock goes on by so many ticks. */
void host_ticks(unsigned count);

/* Ends what there is: connections without a word, the stream with its queue. */
void host_end(struct stream *t);

#endif
