#include "kernel/rx.h"

#include "kernel/check/hard.h"
#include "kernel/event.h"
#include "kernel/expose.h"
#include "kernel/netif.h"
#include "kernel/ring.h"
#include "kernel/rv64/csr.h"
#include "kernel/tap.h"

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
    struct ring_frame frame = {.pieces = {{f->buffer + f->start, f->end - f->start}},
                               .count = 1,
                               .flags = f->flags,
                               .time = time_now()};

    if (!binding->ring)
        netif->info->unclaimed++;
    if (!ring_put(binding, index, &frame))
        binding->counters.dropped++;
}

static void receive_frame(struct netif *netif, uint8_t *buffer, size_t length, uint16_t head)
{
    struct event_frame f = {.buffer = buffer,
                            .start = NIC_BUFFER_FRAME,
                            .end = NIC_BUFFER_FRAME + length,
                            .head = head};
    const uint8_t *bytes = buffer + NIC_BUFFER_FRAME;
    struct dpf_found result = classify_frame(netif, bytes, length, length);

    netif->info->received++;
    if (result.taps) {
        struct ring_frame copy = {.pieces = {{bytes, length}}, .count = 1, .time = time_now()};
        tap_put(netif, result.taps, &copy);
    }
    if (!netif_binding(result.id)) {
        netif->info->unclaimed++;
        return;
    }
    struct binding *binding = netif_binding_state(result.id);
    binding->counters.received++;
    if (!binding->handler || !event_run(netif, binding, result.id, &f))
        deliver(netif, binding, result.id, &f);
}

static void receive(struct netif *netif)
{
    struct nic *nic = &netif->nic;
    uint32_t left = RX_BATCH;
    size_t length;
    uint16_t head;

    do {
        uint8_t *buffer;
        while (left > 0 && (buffer = nic_rx_next(nic, &length, &head))) {
            receive_frame(netif, buffer, length, head);
            nic_rx_return(nic, head);
            left--;
        }
        virtq_publish(&nic->tx); /* what handlers sent */
        virtq_publish(&nic->rx);
    } while (left > 0 && virtq_want_interrupt(&nic->rx));
    netif->unfinished = left == 0;
    rx_unfinished |= netif->unfinished;
    if (netif->unfinished)
        virtq_want_no_interrupt(&nic->rx, nic->rx.size);
}

void rx_interrupt(void *argument)
{
    struct netif *netif = argument;

    virtio_acknowledge(&netif->nic.device);
    netif->info->sent += nic_tx_reclaim(&netif->nic);
    if (!netif->unfinished)
        receive(netif);
}

bool rx_continue(void)
{
    bool more = false;

    for (uint32_t i = 0; i < info->netif_count; i++) {
        if (netifs[i].unfinished) {
            /* What handlers sent in the entry before has given its buffers back by now. */
            netifs[i].info->sent += nic_tx_reclaim(&netifs[i].nic);
            receive(&netifs[i]);
        }
        more |= netifs[i].unfinished;
    }
    rx_unfinished = more;
    return more;
}
