/* Segments, and how connections begin. */
#include "bench/client/segment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/client/bytes.h"

#define IP    14 /* offsets in a frame */
#define TCP   34
#define DATA  54 /* without options */
#define PROTO 6

/* Options of a SYN. */
#define OPTION_END   0
#define OPTION_NONE  1
#define OPTION_MSS   2
#define OPTION_SCALE 3
#define SYN_OPTIONS  8

/* The pseudo header's sum and the segment's. */
static uint32_t segment_sum(const uint8_t *ip, size_t length)
{
    uint32_t sum = checksum_add(PROTO + (uint32_t)length, ip + 12, 8);
    return checksum_add(sum, ip + 20, length);
}

/* The largest segment, and the scale if one is offered. */
static size_t put_options(uint8_t *at, const struct segment *s)
{
    if (!(s->flags & TCP_SYN))
        return 0;
    at[0] = OPTION_MSS;
    at[1] = 4;
    put16(at + 2, TCP_PAYLOAD_MAX);
    if (s->scale == TCP_NO_SCALE)
        return 4;
    at[4] = OPTION_NONE;
    at[5] = OPTION_SCALE;
    at[6] = 3;
    at[7] = (uint8_t)s->scale;
    return SYN_OPTIONS;
}

int segment_send(const struct wire *wire, const struct segment *s)
{
    uint8_t frame[FRAME_MAX + SYN_OPTIONS] = {0}, *ip = frame + IP, *tcp = frame + TCP;
    size_t header = 20 + put_options(frame + DATA, s), total = 20 + header + s->length;

    memcpy(frame, wire->guest.mac, 6);
    memcpy(frame + 6, wire->self.mac, 6);
    put16(frame + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)total);
    ip[8] = 64;
    ip[9] = PROTO;
    put32(ip + 12, wire->self.address);
    put32(ip + 16, wire->guest.address);
    put16(ip + 10, ~checksum_add(0, ip, 20));
    put16(tcp, s->port);
    put16(tcp + 2, wire->guest.port);
    put32(tcp + 4, s->number);
    put32(tcp + 8, s->acknowledged);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = (uint8_t)s->flags;
    put16(tcp + 14, s->window);
    memcpy(tcp + header, s->data, s->length);
    put16(tcp + 16, ~segment_sum(ip, header + s->length));
    return wire_send(wire, frame, IP + total);
}

/* The scale among the options, or TCP_NO_SCALE. */
static int read_scale(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != OPTION_END) {
        if (*at == OPTION_NONE) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            break;
        if (at[0] == OPTION_SCALE && at[1] == 3)
            return at[2] <= 14 ? at[2] : 14;
        at += at[1];
    }
    return TCP_NO_SCALE;
}

bool segment_read(const struct wire *wire, const uint8_t *frame, size_t length, struct segment *s)
{
    const uint8_t *ip = frame + IP, *tcp = frame + TCP;

    if (length < DATA || get16(frame + 12) != 0x0800 || ip[0] != 0x45 || ip[9] != PROTO ||
        get32(ip + 12) != wire->guest.address || get32(ip + 16) != wire->self.address ||
        get16(tcp) != wire->guest.port)
        return false;
    size_t total = get16(ip + 2), header = (size_t)(tcp[12] >> 4) * 4;
    if (total > length - IP || total < 20 + header || header < 20 ||
        checksum_add(0, ip, 20) != 0xffff || segment_sum(ip, total - 20) != 0xffff)
        return false;
    *s = (struct segment){.data = tcp + header,
                          .length = total - 20 - header,
                          .number = get32(tcp + 4),
                          .acknowledged = get32(tcp + 8),
                          .window = get16(tcp + 14),
                          .flags = tcp[13],
                          .scale = read_scale(tcp + 20, tcp + header),
                          .port = (uint16_t)get16(tcp + 2)};
    return true;
}

int segment_await(const struct wire *wire, uint8_t frame[FRAME_MAX], struct segment *s,
                  uint64_t deadline, uint64_t *arrival, bool may_end)
{
    for (;;) {
        long length = wire_receive(wire, frame, FRAME_MAX, deadline, arrival);
        if (length < 0)
            fprintf(stderr, "bench-client: receiving: %s\n", strerror(errno));
        if (length <= 0)
            return (int)length;
        if (wire_answer_arp(wire, frame, (size_t)length) ||
            !segment_read(wire, frame, (size_t)length, s))
            continue;
        if (!(s->flags & (may_end ? TCP_RST : TCP_RST | TCP_FIN)))
            return 1;
        fprintf(stderr, "bench-client: the guest ended the connection\n");
        return -1;
    }
}

int connection_send(const struct connection *c, unsigned flags, const void *bytes, size_t length)
{
    return segment_send(c->wire, &(struct segment){.data = bytes,
                                                   .length = length,
                                                   .number = c->sent,
                                                   .acknowledged = c->next,
                                                   .window = TCP_WINDOW,
                                                   .flags = flags,
                                                   .scale = c->own,
                                                   .port = c->port});
}

int connection_open(struct connection *c, uint64_t timeout, uint64_t deadline)
{
    uint8_t frame[FRAME_MAX];
    struct segment s;
    uint64_t arrival = wire_now();
    int got = 0;

    c->sent = (uint32_t)arrival;
    while (arrival < deadline && got >= 0) {
        connection_send(c, TCP_SYN, "", 0);
        got = segment_await(c->wire, frame, &s, wire_now() + timeout, &arrival, false);
        if (got <= 0 || s.port != c->port ||
            (s.flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK) || s.acknowledged != c->sent + 1)
            continue;
        c->sent++;
        c->next = s.number + 1;
        c->scale = c->own == TCP_NO_SCALE || s.scale == TCP_NO_SCALE ? 0 : s.scale;
        c->window = s.window; /* a SYN's isn't scaled */
        return connection_send(c, TCP_ACK, "", 0);
    }
    if (got == 0)
        fprintf(stderr, "bench-client: nobody answers on port %u\n", c->wire->guest.port);
    return -1;
}
