/*
 * udp-echo: answers every UDP datagram in IPv4 that a binding gives it. Addresses and ports change
 * places where they stand, in the ring's slot, which leaves both checksums right (their sums don't
 * depend on order). Whatever else the filter lets through is dropped.
 */
#include <stdio.h>

#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/start/error.h"
#include "libos/time/time.h"

#define RING_SLOTS 128
#define RINGS      (AEGIS_PREDICATES_MAX - 1) /* one predicate is for new bindings */
#define PATIENCE   2000000 /* ns to wait for room in the device's queue, then drop */

static struct net rings[RINGS];
static size_t ring_count;
static uint64_t bindings_seen;

/* What turns to the sender; filled from a ring, then sent in one call, then its slots are released.
 */
static struct aegis_frame_out batch[AEGIS_SEND_MAX];

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
    size_t total = NET_WIRE16(s->total);
    if (s->type != NET_WIRE16(ETH_TYPE_IPV4) || s->protocol != IPV4_UDP ||
        s->fragment & NET_WIRE16(IPV4_MORE_OR_OFFSET) || total + ETH_SIZE > s->slot.length ||
        total < IPV4_LEAST + UDP_SIZE || NET_WIRE16(s->udp_length) < UDP_SIZE ||
        NET_WIRE16(s->udp_length) > total - IPV4_LEAST)
        return false;
    swap_macs(s);
    swap32(&s->source, &s->destination);
    swap16(&s->source_port, &s->destination_port);
    return true;
}

/* Sends the batch. A frame that the egress filter refuses is left out; a full queue gets time to
 * drain. */
static void send_batch(const struct net *net, size_t count)
{
    uint64_t deadline = 0;
    for (size_t done = 0; done < count;) {
        int64_t sent = net_send(net, batch + done, count - done);
        if (__builtin_expect(sent > 0, 1)) {
            done += (size_t)sent;
        } else if (sent == -AEGIS_E_FULL) {
            if (!deadline)
                deadline = time_after(PATIENCE);
            else if (time_now() >= deadline)
                return;
            aegis_wait(NULL, 0, time_after(PATIENCE / 10));
        } else {
            done++;
        }
    }
}

/*
 * Answers what the ring holds. Slots are released when their frames were sent: the kernel has
 * copied short frames by then, and longer ones were copied to a buffer.
 */
static void serve(struct net *net)
{
    for (;;) {
        size_t taken = 0, count = 0;
        struct net look = *net;
        const struct aegis_slot_header *slot;
        while (count < AEGIS_SEND_MAX && (slot = net_next(&look))) {
            bool is_long = slot->length > AEGIS_HEADER_COPY;
            if (__builtin_expect(is_long && count, 0))
                break; /* after the short ones before it */
            look.tail++;
            taken++;
            if (!turn_round((struct net_udp_slot *)(uintptr_t)slot))
                continue;
            if (__builtin_expect(is_long, 0))
                net_send_copy(net, net_frame(slot), slot->length, time_after(PATIENCE));
            else
                batch[count++] = (struct aegis_frame_out){net_frame(slot), slot->length};
        }
        if (!taken)
            return;
        if (count)
            send_batch(net, count);
        net_release_many(net, taken);
    }
}

/* Forgets rings whose binding was undone, and opens one for each new binding. */
static void look_at_bindings(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < ring_count; i++) {
        if (net_alive(&rings[i]))
            rings[kept++] = rings[i];
        else
            net_close(&rings[i]);
    }
    ring_count = kept;
    while (ring_count < RINGS) {
        int64_t status = net_open_next(&rings[ring_count], RING_SLOTS);
        if (status < 0)
            fprintf(stderr, "udp-echo: no ring: %s: %s\n", aegis_error_name(status),
                    aegis_strerror(status));
        if (status != 1)
            return;
        ring_count++;
    }
}

int main(void)
{
    struct aegis_predicate when[AEGIS_PREDICATES_MAX];

    for (;;) {
        if (aegis_env(exos.env)->bindings != bindings_seen) {
            bindings_seen = aegis_env(exos.env)->bindings;
            look_at_bindings();
        }
        for (size_t i = 0; i < ring_count; i++) {
            serve(&rings[i]);
            when[i] = net_readable(&rings[i]);
        }
        when[ring_count] = net_when_bindings(bindings_seen);
        aegis_wait(when, ring_count + 1, AEGIS_FOREVER);
    }
}
