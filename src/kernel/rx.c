#include "kernel/rx.h"

#include "kernel/charge.h"
#include "kernel/classify.h"
#include "kernel/event.h"
#include "kernel/expose.h"
#include "kernel/interrupt.h"
#include "kernel/loop.h"
#include "kernel/netif.h"
#include "kernel/rv64/csr.h"
#include "kernel/slice.h"
#include "kernel/wake.h"

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

/* Whose debts a frame of binding number index is, or of nobody's: then the root's. */
static inline uint32_t payer(const struct netif *netif, uint64_t index)
{
    uint32_t binding = index == DPF_NONE ? netif->info->root : (uint32_t)index;

    return netif_row(binding)->owner;
}

/*
 * A frame of binding number index, whose ring it isn't put into since there is none: goes where
 * event_heir says. Returns whose binding that is.
 */
static __attribute__((noinline, cold)) uint64_t hand_up(struct netif *netif, uint64_t index,
                                                        uint64_t head, struct event_frame *f,
                                                        bool charged, int64_t *left)
{
    uint64_t heir = event_heir((uint32_t)index);
    struct binding *binding = &bindings[heir];

    if (heir != index) {
        binding->counters.received++;
        if (charged && charge_is_broke(netif_row((uint32_t)heir)->owner)) {
            binding->counters.dropped++;
            return heir;
        }
        if (binding->handler &&
            !(charged && charge_credit_is_spent(netif_row((uint32_t)heir)->owner)) &&
            event_run(netif, binding, heir, head, f, left))
            return heir;
    }
    event_deliver(netif, binding, (uint32_t)heir, f);
    return heir;
}

/*
 * One frame. Where it is charged, an owner with a slice of debt gets none, and one with half runs
 * no handlers. Returns whose binding it was.
 */
static inline __attribute__((always_inline)) uint64_t receive_frame(struct netif *netif,
                                                                    uint8_t *buffer, size_t length,
                                                                    uint64_t head, bool charged,
                                                                    int64_t *left)
{
    bool runs_handler = true;
    struct event_frame f = {.bytes = buffer + NIC_BUFFER_FRAME, .length = length};
    found_pair found = classify(netif, f.bytes, length);
    uint64_t index = (uint64_t)found & UINT32_MAX, taps = (uint64_t)(found >> 64);

    __asm__("" : "+r"(index)); /* see whole() */
    netif->info->received++;
    if (__builtin_expect(taps != 0, 0))
        event_show_received(netif, taps, f.bytes, length);
    /* Indices are the classifier's own: of bindings, some perhaps undone, or none. */
    struct binding *binding = &bindings[index];
    if (__builtin_expect(index == DPF_NONE || binding->unbound, 0)) {
        netif->info->unclaimed++;
        netif->nic.changed = true;
        return DPF_NONE;
    }
    binding->counters.received++;
    if (charged) {
        uint32_t owner = payer(netif, index);
        if (charge_is_broke(owner)) {
            binding->counters.dropped++;
            return index;
        }
        runs_handler = !charge_credit_is_spent(owner);
    }
    if (binding->handler && runs_handler && event_run(netif, binding, index, head, &f, left))
        return index;
    if (__builtin_expect(!binding->ring, 0))
        return hand_up(netif, index, head, &f, charged, left);
    event_deliver(netif, binding, (uint32_t)index, &f);
    return index;
}

/* The budget is spent, and more is there. Apart: what it needs would be kept in registers that
 * every frame's way has to save. */
static __attribute__((noinline, cold)) void leave_rest(struct netif *netif)
{
    virtq_show(&netif->nic.tx);
    netif->unfinished = true;
    slice_chores.rx_unfinished = true;
    netif->nic.changed = true;
    virtq_want_no_interrupt(&netif->nic.rx, netif->nic.rx.size);
}

/*
 * Frames until there are none, or the budget is spent. Its last frame is not taken off the budget
 * before another one is there: mostly it is the only one.
 */
static inline __attribute__((always_inline)) void receive(struct netif *netif, bool charged)
{
    struct nic *nic = &netif->nic;
    int64_t left = RX_BUDGET;
    uint64_t head, clock = charged ? time_now() : 0;
    size_t length = 0;
    uint8_t *buffer;

    for (;;) {
        while (nic_rx_next(nic, &buffer, &length, &head)) {
            uint64_t index = receive_frame(netif, buffer, length, head, charged, &left);
            nic_rx_return(nic, head);
            if (charged)
                clock = charge_work(payer(netif, index), clock);
            if (!virtq_waits(&nic->rx))
                break;
            left -= (int64_t)(RX_FRAME_WORK + length);
            if (__builtin_expect(left < netif->frame_most, 0)) {
                leave_rest(netif);
                return;
            }
        }
        virtq_show(&nic->tx); /* what handlers sent */
        if (!virtq_want_interrupt(&nic->rx))
            return;
        left -= (int64_t)(RX_FRAME_WORK + length);
        if (__builtin_expect(left < netif->frame_most, 0)) {
            leave_rest(netif);
            return;
        }
    }
}

static __attribute__((noinline)) void receive_charged(struct netif *netif)
{
    receive(netif, true);
}

bool rx_interrupt(void *argument)
{
    struct netif *netif = argument;

    virtio_acknowledge(&netif->nic.device);
    netif->nic.changed = wake_counters;
    netif->info->sent += nic_tx_take_back(&netif->nic);
    if (__builtin_expect(netif->nic.tx_pinned != 0, 0))
        netif->info->sent += nic_tx_reclaim(&netif->nic);
    if (netif->unfinished)
        return netif->nic.changed;
    if (__builtin_expect(charge_runs(), 0))
        receive_charged(netif);
    else
        receive(netif, false);
    return netif->nic.changed;
}

bool rx_continue(void)
{
    bool more = false;

    for (uint32_t i = 0; i < info->netif_count; i++) {
        if (!netifs[i].unfinished)
            continue;
        netifs[i].unfinished = false;
        rx_interrupt(&netifs[i]); /* as if one had come: it is masked, frames are there */
        interrupt_poll();         /* each has a budget of its own */
    }
    if (netifs[info->netif_count].unfinished) {
        loop_continue();
        interrupt_poll();
    }
    for (uint32_t i = 0; i < netif_total(); i++)
        more |= netifs[i].unfinished;
    slice_chores.rx_unfinished = more;
    return more;
}
