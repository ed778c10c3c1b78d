/*
 * TCP (RFC 9293) as far as the bench's clients need it: segments made and read, and connections
 * opened. Sequence numbers and windows are as they stand in headers; a window counts in units of
 * the scale that was agreed upon (RFC 7323).
 */
#ifndef BENCH_CLIENT_SEGMENT_H
#define BENCH_CLIENT_SEGMENT_H

#include "bench/client/wire.h"

#define TCP_PAYLOAD_MAX (FRAME_MAX - 54) /* Ethernet, IPv4 and TCP without options */
#define TCP_WINDOW      65535
#define TCP_NO_SCALE    (-1)

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_PSH 8
#define TCP_ACK 16

struct segment {
    const uint8_t *data; /* in the frame that it was read from */
    size_t length;
    uint32_t number, acknowledged;
    uint32_t window;
    unsigned flags;
    int scale;     /* of a SYN's window; TCP_NO_SCALE: none is offered */
    uint16_t port; /* the client's */
};

struct connection {
    struct wire *wire;
    uint16_t port;
    uint32_t sent;   /* the next byte's number, */
    uint32_t next;   /* and that of the next to come */
    uint32_t window; /* what the guest takes beyond what it has acknowledged, bytes */
    int scale;       /* of the windows that come; those that go have `own` */
    int own;
};

/* Sends a segment from the client's port to the guest. Returns 0, or -1 with errno. */
int segment_send(const struct wire *wire, const struct segment *segment);

/* Reads a frame: false if it is no well-formed segment from the guest's port to the client's
 * address. */
bool segment_read(const struct wire *wire, const uint8_t *frame, size_t length,
                  struct segment *segment);

/*
 * The next segment to any port of the client's until deadline (CLOCK_MONOTONIC, ns; one that is
 * over only takes what has come): 1, 0 if there is none, -1 with a sentence on stderr, as for a
 * reset, or for an end of the connection unless it may_end. Answers ARP.
 */
int segment_await(const struct wire *wire, uint8_t frame[FRAME_MAX], struct segment *segment,
                  uint64_t deadline, uint64_t *arrival, bool may_end);

/*
 * Opens the connection from c->port, asking again every `timeout` ns until deadline, and offers
 * c->own as the scale of its window. Returns 0, or -1 with a sentence on stderr.
 */
int connection_open(struct connection *c, uint64_t timeout, uint64_t deadline);

/* Sends bytes that begin at c->sent, and acknowledges what has come. c->sent stays. */
int connection_send(const struct connection *c, unsigned flags, const void *bytes, size_t length);

#endif
