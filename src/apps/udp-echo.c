/*
 * udp-echo: answers every UDP datagram in IPv4 that a binding gives it. Addresses and ports change
 * places where they stand, in the ring's slot, which leaves both checksums right (their sums don't
 * depend on order). Whatever else the filter lets through is dropped.
 */
#include <stdio.h>

#include "apps/program.h"
#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/start/error.h"
#include "libos/time/time.h"

#define RING_SLOTS 128
#define RINGS      16
#define PATIENCE   2000000 /* ns to wait for room in the device's queue, then drop */

/* On main's stack, where one instruction reaches any of it. */
struct server {
    /* What it waits for: frames in any ring, which are counted together, or a change of bindings.
     * Aligned so that it lies in one page. */
    _Alignas(64) struct aegis_predicate when[2];
    const volatile uint64_t *frames, *bindings; /* those counts */
    uint64_t bindings_seen;
    size_t ring_count;
    struct net rings[RINGS];
    /* What turns to the sender; filled from a ring, then sent in one call, then its slots are
     * released. */
    struct aegis_frame_out batch[AEGIS_SEND_MAX];
};

static inline void swap16(uint16_t *a, uint16_t *b)
{
    uint16_t t = *a;
    *a = *b;
    *b = t;
}

static inline void swap32(uint32_t *a, uint32_t *b)
{
    uint32_t t = *a;
    *a = *b;
    *b = t;
}

/* The number that 16 bits from the wire stand for; gcc 12 takes twice as long for bswap16. */
static inline uint64_t turned16(uint64_t wire)
{
    return (wire & UINT8_MAX) << 8 | wire >> 8;
}

static inline void swap_macs(struct net_udp_slot *s)
{
    for (int i = 0; i < 3; i++)
        swap16(&s->mac_destination[i], &s->mac_source[i]);
}

/* An IPv4 header with options: ports stand further behind, and may not be aligned. */
static bool turn_round_slow(struct net_udp_slot *s)
{
    uint8_t *frame = net_frame(&s->slot);
    size_t udp = net_udp_offset(frame, s->slot.length);
    if (!udp)
        return false;
    uint16_t source = net_get16(frame + udp + UDP_SOURCE);
    net_put16(frame + udp + UDP_SOURCE, net_get16(frame + udp + UDP_DESTINATION));
    net_put16(frame + udp + UDP_DESTINATION, source);
    swap32(&s->source, &s->destination);
    swap_macs(s);
    return true;
}

/* Makes a datagram its own answer; false if it is none. */
static inline bool turn_round(struct net_udp_slot *s)
{
    if (s->first != NET_IPV4_PLAIN)
        return turn_round_slow(s);
    uint64_t total = turned16(s->total), udp_length = turned16(s->udp_length);
    if (s->type != NET_WIRE16(ETH_TYPE_IPV4) || s->protocol != IPV4_UDP ||
        s->fragment & NET_WIRE16(IPV4_MORE_OR_OFFSET) || total + ETH_SIZE > s->slot.length ||
        udp_length < UDP_SIZE || udp_length + IPV4_LEAST > total)
        return false;
    swap_macs(s);
    swap32(&s->source, &s->destination);
    swap16(&s->source_port, &s->destination_port);
    return true;
}

/*
 * Sends what the device had no room for, or what stood behind a frame that the egress filter
 * refuses, which is left out. `sent` is what the first attempt returned. A full queue gets time to
 * drain.
 */
static void send_rest(const struct server *s, const struct net *net, size_t count, int64_t sent)
{
    uint64_t deadline = time_after(PATIENCE);
    for (size_t done = 0;;) {
        if (sent > 0)
            done += (size_t)sent;
        else if (sent != -AEGIS_E_FULL)
            done++;
        else if (time_now() >= deadline)
            return;
        else
            aegis_wait(NULL, 0, time_after(PATIENCE / 10));
        if (done >= count)
            return;
        sent = net_send(net, s->batch + done, count - done);
    }
}

/*
 * Puts the ring's next frames, up to head, into the batch, turned round; moves *tail behind them. A
 * frame that doesn't fit the kernel's copy goes out alone, from a buffer, after those before it.
 */
static inline size_t collect(struct server *server, struct net *net, uint64_t *tail, uint64_t head)
{
    size_t count = 0;
    while (*tail != head && count < AEGIS_SEND_MAX) {
        struct net_udp_slot *s = (struct net_udp_slot *)net_slot(net, *tail);
        bool is_long = s->slot.length > AEGIS_HEADER_COPY;
        if (__builtin_expect(is_long && count, 0))
            break;
        ++*tail;
        if (!turn_round(s))
            continue;
        if (__builtin_expect(is_long, 0))
            net_send_copy(net, net_frame(&s->slot), s->slot.length, time_after(PATIENCE));
        else
            server->batch[count++] = (struct aegis_frame_out){net_frame(&s->slot), s->slot.length};
    }
    return count;
}

/*
 * Answers what the ring holds. Slots are released when their frames were sent: the kernel has
 * copied short frames by then, and longer ones were copied to a buffer.
 */
static inline void serve(struct server *s, struct net *net)
{
    uint64_t tail = net->tail, head;
    while ((head = net_head(net)) != tail) {
        size_t count = collect(s, net, &tail, head);
        int64_t sent = count ? net_send(net, s->batch, count) : 0;
        if (__builtin_expect(sent != (int64_t)count, 0))
            send_rest(s, net, count, sent);
        net_release_to(net, tail);
    }
}

/* Forgets rings whose binding was undone, and opens one for each new binding. */
static __attribute__((noinline)) void look_at_bindings(struct server *s)
{
    size_t kept = 0;
    s->bindings_seen = *s->bindings;
    for (size_t i = 0; i < s->ring_count; i++) {
        if (net_alive(&s->rings[i]))
            s->rings[kept++] = s->rings[i];
        else
            net_close(&s->rings[i]);
    }
    s->ring_count = kept;
    while (s->ring_count < RINGS) {
        int64_t status = net_open_next(&s->rings[s->ring_count], RING_SLOTS);
        if (status < 0)
            fprintf(stderr, "udp-echo: no ring: %s: %s\n", aegis_error_name(status),
                    aegis_strerror(status));
        if (status != 1)
            break;
        s->ring_count++;
    }
    s->when[1] = net_when_bindings(s->bindings_seen);
}

const char program_name[] = "udp-echo";
const char program_usage[] =
    "udp-echo  (answers what its bindings bring: aegisctl load FILTER --app udp-echo)";

int main(int argc, char **argv)
{
    take_help(argc, argv);
    if (argc > 1)
        return usage();
    struct server s = {.frames = &aegis_env(exos.env)->frames,
                       .bindings = &aegis_env(exos.env)->bindings};
    s.when[0] = AEGIS_WHEN(*s.frames, NE, 0);
    look_at_bindings(&s);
    for (;;) {
        if (__builtin_expect(*s.bindings != s.bindings_seen, 0))
            look_at_bindings(&s);
        s.when[0].value = *s.frames; /* before the rings: what comes behind that is waited for */
        for (size_t i = 0; i < s.ring_count; i++)
            serve(&s, &s.rings[i]);
        aegis_wait_bare(s.when, 2, AEGIS_FOREVER);
    }
}
