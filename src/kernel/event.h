/*
 * A frame event: a handler's run on a received frame, and what its verdict does. In a header, since
 * it is inlined in the one place where frames come in (rx.c).
 */
#ifndef AEGIS_KERNEL_EVENT_H
#define AEGIS_KERNEL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/classify.h"
#include "kernel/handler.h"
#include "kernel/netif.h"
#include "kernel/ring.h"
#include "kernel/rv64/csr.h"

/* Where in its buffer a frame may begin: the device's header has to fit before it, and ring slots
 * have to hold it. */
#define EVENT_FRAME_LOW 24
_Static_assert(EVENT_FRAME_LOW >= NIC_HEADER && EVENT_FRAME_LOW % 8 == 0,
               "the header of a frame sent in place");
_Static_assert(NIC_BUFFER_SIZE - EVENT_FRAME_LOW <= AEGIS_SLOT_SIZE - AEGIS_SLOT_FRAME,
               "a frame that grew to the whole buffer fits into a slot");
_Static_assert(ASH_ABORTED == 0 && ASH_TX == AEGIS_VERDICTS - 1, "verdicts are XDP's numbers");

#define EVENT_FRAME_LEAST    14 /* bytes that may be sent: an Ethernet header */
#define EVENT_IN_FLIGHT_MOST 32 /* frames of one binding that the device has yet to send */

/* A received frame, which a handler may change and move. */
struct event_frame {
    uint8_t *bytes;
    size_t length;
    uint16_t flags; /* AEGIS_FRAME_* */
};

/*
 * The run was aborted, by the kernel or by its own verdict: a strike. Past the limit the handler is
 * unbound, and its owner told by the count that it can wait on. Returns flags for the frame:
 * MODIFIED if the run has changed it.
 */
uint16_t event_strike(struct handler *handler);

/* Shows a frame that has come to these taps. */
void event_show_received(struct netif *netif, uint64_t taps, const uint8_t *bytes, size_t length);

/*
 * Whose a frame of binding number index is, which has no ring: its own if it has a handler; else
 * that of the nearest one around it that has either, as if it weren't bound; its own if none has.
 * So what is for a binding that was only made to bind inside it goes to its parent while nobody
 * has, or when who had has ended.
 */
uint32_t event_heir(uint32_t index);

/* Puts what a handler left of a frame, or the frame as it came, into the owner's ring. */
static inline __attribute__((always_inline)) void event_deliver(struct netif *netif,
                                                                struct binding *binding,
                                                                uint32_t index,
                                                                const struct event_frame *f)
{
    netif->nic.changed = true;
    if (!binding->ring)
        netif->info->unclaimed++;
    if (!ring_put_received(binding, index, f->bytes, f->length, f->flags))
        binding->counters.dropped++;
}

/* Shows a frame that is sent in place to the taps. */
void event_show_taps(struct netif *netif, const uint8_t *bytes, size_t length);

/*
 * nic_tx_turn once more, after what the device has sent meanwhile was taken back: an answer may be
 * on its way to its asker, and the next question here, while the frame still counts as under way.
 */
bool event_turn_late(struct netif *netif, uint64_t index, uint64_t head, uint8_t *bytes,
                     size_t length);

/* Sends a frame from where it is in head's buffer; false if nobody may, or nothing is free to send
 * it with. */
static inline __attribute__((always_inline)) bool event_turn_round(struct netif *netif,
                                                                   struct binding *binding,
                                                                   uint64_t index, uint64_t head,
                                                                   uint8_t *bytes, size_t length)
{
    bool is_moved = !classify_lies_as_usual(bytes), may;

    if (length - EVENT_FRAME_LEAST > AEGIS_FRAME_MAX - EVENT_FRAME_LEAST)
        return false;
    if (__builtin_expect(is_moved || !binding->egress_code.entry, 0))
        may = dpf_match(&binding->egress, bytes, length, length);
    else
        may = ((dpf_matcher *)binding->egress_code.entry)(bytes, length, length) != 0;
    if (!may) {
        binding->counters.refused++;
        return false;
    }
    if (!nic_tx_turn(&netif->nic, head, bytes, length, is_moved, index, EVENT_IN_FLIGHT_MOST) &&
        !event_turn_late(netif, index, head, bytes, length))
        return false;
    /* The device may read the frame, as a tap may: its header alone is written, and has been. */
    if (__builtin_expect(netif->tap_count != 0, 0))
        event_show_taps(netif, bytes, length);
    binding->counters.sent++;
    return true;
}

/*
 * Runs a handler on a frame, which is then as it has left it: flagged MODIFIED if the run was
 * aborted and had changed it. Returns the verdict. Sets netif->nic.changed if somebody may wait for
 * what the run has changed, and takes what it burnt off the entry's budget.
 */
static inline __attribute__((always_inline)) uint64_t
event_execute(struct netif *netif, struct handler *h, struct event_frame *f, int64_t *left)
{
    struct ash_run *run = &h->run;

    ash_run_frame(run, f->bytes - NIC_BUFFER_FRAME, NIC_BUFFER_FRAME,
                  (uint32_t)(NIC_BUFFER_FRAME + f->length));
    run->fuel = h->fuel_start;
    run->modified = 0;
    uint64_t verdict =
        (uint64_t)(int32_t)h->entry(run); /* 32 bits of it; a negative one is large */
    uint64_t start = whole(run->md.data);
    f->bytes += start - ASH_BASE(ASH_REGION_FRAME) - NIC_BUFFER_FRAME;
    f->length = whole(run->md.data_end) - start;
    /* What every run pays, the longest path, is added when somebody asks (call_handler_status). */
    if (run->fuel != h->fuel_start) {
        h->status.fuel += (uint64_t)h->fuel_start - (uint64_t)run->fuel;
        *left -= RX_FUEL_WORK * (int64_t)(h->fuel_start - run->fuel);
    }
    if (h->map_page_count)
        netif->nic.changed = true; /* its owner may wait for a word of a map */
    if (verdict == ASH_TX) {
        h->status.verdicts[ASH_TX]++;
        return ASH_TX;
    }
    if (verdict >= AEGIS_VERDICTS)
        verdict = ASH_ABORTED;
    h->status.verdicts[verdict]++;
    if (verdict == ASH_ABORTED)
        f->flags |= event_strike(h);
    return verdict;
}

/*
 * Runs the handler of binding number index on the frame in head's buffer. True if its verdict has
 * taken care of the frame (DROP, TX); false if it goes on to the ring as frame now says (PASS, or
 * the run was aborted).
 */
static inline __attribute__((always_inline)) bool event_run(struct netif *netif,
                                                            struct binding *binding, uint64_t index,
                                                            uint64_t head, struct event_frame *f,
                                                            int64_t *left)
{
    struct handler *h = binding->handler;
    uint64_t verdict = event_execute(netif, h, f, left);

    if (verdict == ASH_TX) {
        if (!event_turn_round(netif, binding, index, head, f->bytes, f->length))
            h->status.refused++;
        return true;
    }
    return verdict == ASH_DROP;
}

#endif
