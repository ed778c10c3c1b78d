#include "kernel/rx.h"

#include "kernel/check/hard.h"
#include "kernel/classify.h"
#include "kernel/event.h"
#include "kernel/expose.h"
#include "kernel/netif.h"
#include "kernel/ring.h"
#include "kernel/rv64/csr.h"
#include "kernel/tap.h"
#include "kernel/wake.h"

/*
 * Frames of one entry: some 1,000 instructions each when they are long, so that an entry stays
 * below 45,000 (design section 2.7). The rest waits, with the interrupt masked, until the next
 * slice boundary: a flood can't keep the processor from applications.
 */
#define RX_BATCH HARD(32, 2)

bool rx_unfinished;

/* Puts what a handler left of a frame, or the frame as it came, into the owner's ring. */
static void deliver(struct netif *netif, struct binding *binding, uint32_t index,
                    const struct event_frame *f)
{
    struct ring_frame frame = {
        .pieces = {{f->bytes, f->length}}, .count = 1, .flags = f->flags, .time = time_now()};

    netif->nic.changed = true;
    if (!binding->ring)
        netif->info->unclaimed++;
    if (!ring_put(binding, index, &frame))
        binding->counters.dropped++;
}

static void show_taps(struct netif *netif, uint64_t taps, const uint8_t *bytes, size_t length)
{
    struct ring_frame copy = {.pieces = {{bytes, length}}, .count = 1, .time = time_now()};

    netif->nic.changed = true;
    tap_put(netif, taps, &copy);
}

/*
 * The classifier's answer: whose frame it is, and the taps. As it comes, in two registers: gcc 12
 * sends struct dpf_found through memory.
 */
typedef unsigned __int128 found_pair;
_Static_assert(sizeof(found_pair) == sizeof(struct dpf_found) &&
                   offsetof(struct dpf_found, id) == 0 && offsetof(struct dpf_found, taps) == 8,
               "struct dpf_found");

/* The frame lies as the classifier was compiled for (NIC_BUFFER_FRAME). */
static inline found_pair classify(const struct netif *netif, const uint8_t *frame, size_t length)
{
    typedef found_pair classifier(const uint8_t *, size_t, size_t);

    if (__builtin_expect(netif->classifier.entry != NULL, 1))
        return ((classifier *)netif->classifier.entry)(frame, length, length);
    struct dpf_found found = classify_frame(netif, frame, length, length);
    return (found_pair)found.taps << 64 | found.id;
}

static inline void receive_frame(struct netif *netif, uint8_t *buffer, size_t length, uint64_t head)
{
    struct event_frame f = {.bytes = buffer + NIC_BUFFER_FRAME, .length = length};
    found_pair found = classify(netif, f.bytes, length);
    uint64_t index = (uint64_t)found & UINT32_MAX, taps = (uint64_t)(found >> 64);

    __asm__("" : "+r"(index)); /* see whole() */
    netif->info->received++;
    if (__builtin_expect(taps != 0, 0))
        show_taps(netif, taps, f.bytes, length);
    /* Indices are the classifier's own: of bindings, some perhaps undone, or none. */
    struct binding *binding = &bindings[index];
    if (__builtin_expect(index == DPF_NONE || binding->unbound, 0)) {
        netif->info->unclaimed++;
        netif->nic.changed = true;
        return;
    }
    binding->counters.received++;
    if (!binding->handler || !event_run(netif, binding, index, head, &f))
        deliver(netif, binding, (uint32_t)index, &f);
}

/* A batch is taken, and perhaps more is there. Apart: what it needs would be kept in registers that
 * every frame's way has to save. */
static __attribute__((noinline, cold)) void leave_rest(struct netif *netif)
{
    virtq_publish(&netif->nic.tx);
    netif->unfinished = true;
    rx_unfinished = true;
    netif->nic.changed = true;
    virtq_want_no_interrupt(&netif->nic.rx, netif->nic.rx.size);
}

static inline void receive(struct netif *netif)
{
    struct nic *nic = &netif->nic;
    uint64_t left = RX_BATCH, head;
    size_t length;
    uint8_t *buffer;

    do {
        while (nic_rx_next(nic, &buffer, &length, &head)) {
            receive_frame(netif, buffer, length, head);
            nic_rx_return(nic, head);
            if (__builtin_expect(--left == 0, 0)) {
                leave_rest(netif);
                return;
            }
        }
        virtq_show(&nic->tx); /* what handlers sent */
    } while (virtq_want_interrupt(&nic->rx));
}

bool rx_interrupt(void *argument)
{
    struct netif *netif = argument;

    virtio_acknowledge(&netif->nic.device);
    netif->nic.changed = wake_counters;
    netif->info->sent += nic_tx_take_back(&netif->nic);
    if (__builtin_expect(netif->nic.tx_pinned != 0, 0))
        netif->info->sent += nic_tx_reclaim(&netif->nic);
    if (!netif->unfinished)
        receive(netif);
    return netif->nic.changed;
}

bool rx_continue(void)
{
    bool more = false;

    for (uint32_t i = 0; i < info->netif_count; i++) {
        if (netifs[i].unfinished) {
            netifs[i].unfinished = false;
            rx_interrupt(&netifs[i]); /* as if one had come: it is masked, frames are there */
        }
        more |= netifs[i].unfinished;
    }
    rx_unfinished = more;
    return more;
}
