/* TCP as far as an echo's client needs it (RFC 9293): one segment under way at any time. */
#include "bench/client/tcp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/client/bytes.h"

#define IP     14 /* offsets in a frame */
#define TCP    34
#define DATA   54
#define FIN    1
#define SYN    2
#define RST    4
#define PSH    8
#define ACK    16
#define WINDOW 65535
#define PROTO  6

struct connection {
    struct wire *wire;
    const struct echo_plan *plan;
    uint32_t sent; /* the next byte's number, */
    uint32_t next; /* and that of the next to come */
};

/* The pseudo header's sum and the segment's. */
static uint32_t segment_sum(const uint8_t *ip, size_t length)
{
    uint32_t sum = checksum_add(PROTO + (uint32_t)length, ip + 12, 8);
    return checksum_add(sum, ip + 20, length);
}

static int send_segment(const struct connection *c, unsigned flags, const void *payload,
                        size_t length)
{
    uint8_t frame[FRAME_MAX] = {0}, *ip = frame + IP, *tcp = frame + TCP;
    const struct wire *wire = c->wire;

    memcpy(frame, wire->guest.mac, 6);
    memcpy(frame + 6, wire->self.mac, 6);
    put16(frame + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(DATA - IP + length));
    ip[8] = 64;
    ip[9] = PROTO;
    put32(ip + 12, wire->self.address);
    put32(ip + 16, wire->guest.address);
    put16(ip + 10, ~checksum_add(0, ip, 20));
    put16(tcp, wire->self.port);
    put16(tcp + 2, wire->guest.port);
    put32(tcp + 4, c->sent);
    put32(tcp + 8, c->next);
    tcp[12] = 5 << 4;
    tcp[13] = (uint8_t)flags;
    put16(tcp + 14, WINDOW);
    memcpy(frame + DATA, payload, length);
    put16(tcp + 16, ~segment_sum(ip, DATA - TCP + length));
    return wire_send(wire, frame, DATA + length);
}

/* A well-formed segment of the connection's. */
struct segment {
    const uint8_t *data;
    size_t length;
    uint32_t number, acknowledged;
    unsigned flags;
};

static bool read_segment(const struct wire *wire, const uint8_t *frame, size_t length,
                         struct segment *s)
{
    const uint8_t *ip = frame + IP, *tcp = frame + TCP;

    if (length < DATA || get16(frame + 12) != 0x0800 || ip[0] != 0x45 || ip[9] != PROTO ||
        get32(ip + 12) != wire->guest.address || get32(ip + 16) != wire->self.address ||
        get16(tcp) != wire->guest.port || get16(tcp + 2) != wire->self.port)
        return false;
    size_t total = get16(ip + 2), header = (size_t)(tcp[12] >> 4) * 4;
    if (total > length - IP || total < 20 + header || header < 20 ||
        checksum_add(0, ip, 20) != 0xffff || segment_sum(ip, total - 20) != 0xffff)
        return false;
    *s = (struct segment){.data = tcp + header,
                          .length = total - 20 - header,
                          .number = get32(tcp + 4),
                          .acknowledged = get32(tcp + 8),
                          .flags = tcp[13]};
    return true;
}

/* The next segment until deadline: 1, 0 if there is none, -1 with a sentence on stderr. */
static int await_segment(const struct connection *c, uint8_t frame[FRAME_MAX], struct segment *s,
                         uint64_t deadline, uint64_t *arrival)
{
    for (;;) {
        long length = wire_receive(c->wire, frame, FRAME_MAX, deadline, arrival);
        if (length < 0)
            fprintf(stderr, "bench-client: receiving: %s\n", strerror(errno));
        if (length <= 0)
            return (int)length;
        if (wire_answer_arp(c->wire, frame, (size_t)length) ||
            !read_segment(c->wire, frame, (size_t)length, s))
            continue;
        if (!(s->flags & (RST | FIN)))
            return 1;
        fprintf(stderr, "bench-client: the guest ended the connection\n");
        return -1;
    }
}

static int open_connection(struct connection *c, uint64_t end)
{
    uint8_t frame[FRAME_MAX];
    struct segment s;
    uint64_t arrival = wire_now();
    int got = 0;

    c->sent = (uint32_t)arrival;
    while (arrival < end && got >= 0) {
        send_segment(c, SYN, "", 0);
        got = await_segment(c, frame, &s, wire_now() + c->plan->timeout, &arrival);
        if (got <= 0 || (s.flags & (SYN | ACK)) != (SYN | ACK) || s.acknowledged != c->sent + 1)
            continue;
        c->sent++;
        c->next = s.number + 1;
        return send_segment(c, ACK, "", 0);
    }
    if (got == 0)
        fprintf(stderr, "bench-client: nobody answers on port %u\n", c->wire->guest.port);
    return -1;
}

/* Waits for the bytes that were sent to come back: 1, 0 if the time is over, 2 if they are others.
 */
static int await_echo(struct connection *c, const uint8_t *payload, uint64_t deadline,
                      uint64_t *arrival)
{
    uint8_t frame[FRAME_MAX], came[TCP_PAYLOAD_MAX];
    size_t got = 0;
    struct segment s;

    while (got < c->plan->size) {
        int result = await_segment(c, frame, &s, deadline, arrival);
        if (result <= 0)
            return result;
        if (s.number != c->next || !s.length || s.length > c->plan->size - got)
            continue;
        memcpy(came + got, s.data, s.length);
        got += s.length;
        c->next += (uint32_t)s.length;
    }
    return memcmp(came, payload, got) == 0 ? 1 : 2;
}

/* One round trip. 0, or -1. */
static int exchange(struct connection *c, uint64_t number, struct echo_result *result)
{
    const struct echo_plan *plan = c->plan;
    uint8_t payload[TCP_PAYLOAD_MAX];
    bool measured = number >= plan->warmup;
    uint64_t insn = plan->counter ? plan->counter->instructions : 0, start = wire_now(), arrival;
    int came;

    for (size_t i = 0; i < plan->size; i++)
        payload[i] = (uint8_t)(number * 7 + i);
    result->sent += measured;
    do {
        send_segment(c, PSH | ACK, payload, plan->size);
        came = await_echo(c, payload, wire_now() + plan->timeout, &arrival);
        result->lost += measured && came == 0;
        if (came == 0 && result->lost > plan->count)
            return 0;
    } while (came == 0);
    if (came < 0)
        return -1;
    c->sent += (uint32_t)plan->size;
    uint64_t settled = plan->counter ? echo_settled(plan) : 0;
    if (!measured)
        return 0;
    result->wrong += came == 2;
    if (result->insn)
        result->insn[result->received] = settled - insn;
    result->rtt[result->received++] = arrival - start;
    return 0;
}

int tcp_run(struct wire *wire, const struct echo_plan *plan, struct echo_result *result)
{
    struct connection c = {.wire = wire, .plan = plan};
    uint64_t end = wire_now() + plan->deadline, first = 0, i;

    if (open_connection(&c, end))
        return -1;
    for (i = 0; i < plan->warmup + plan->count && wire_now() < end; i++) {
        if (i == plan->warmup)
            first = wire_now();
        if (exchange(&c, i, result))
            return -1;
    }
    result->duration = wire_now() - first;
    result->expired = i < plan->warmup + plan->count;
    return send_segment(&c, RST, "", 0);
}
