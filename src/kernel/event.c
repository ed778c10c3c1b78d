#include "kernel/event.h"

#include "kernel/env.h"
#include "kernel/handler.h"
#include "kernel/netif.h"
#include "kernel/print.h"
#include "kernel/ring.h"
#include "kernel/tap.h"

/* Where a frame may begin: the device's header has to fit before it, and ring slots have to hold
 * it. */
#define FRAME_LOW 24
_Static_assert(FRAME_LOW >= NIC_HEADER && FRAME_LOW % 8 == 0,
               "the header of a frame sent in place");
_Static_assert(NIC_BUFFER_SIZE - FRAME_LOW <= AEGIS_SLOT_SIZE - AEGIS_SLOT_FRAME,
               "a frame that grew to the whole buffer fits into a slot");

#define ETHERNET_HEADER 14
#define IN_FLIGHT_MOST  32 /* frames of one binding that the device has yet to send from buffers */

_Static_assert(ASH_ABORTED == 0 && ASH_TX == AEGIS_VERDICTS - 1, "verdicts are XDP's numbers");

/*
 * The run was aborted, by the kernel or by its own verdict: a strike. Past the limit the handler is
 * unbound, and its owner told by the count that it can wait on.
 */
static void strike(struct handler *h)
{
    struct aegis_handler_status *s = &h->status;
    size_t length = ash_explain_abort(h->program, &h->run, s->abort, sizeof(s->abort));

    if (h->run.abort.reason == ASH_ABORT_NONE)
        s->abort[length = 0] = 0;
    if (++s->strikes < AEGIS_STRIKES)
        return;
    handler_unbind(h);
    env_infos[h->owner].bindings++;
    print("aegis: handler %u (%s) of environment %u is unbound after %u strikes%s%s\n", h->number,
          h->program->image.header->name, h->owner, s->strikes, length ? ": " : "", s->abort);
}

/* Sends the frame from where it is; false if nobody may, or nothing is free to send it with. */
static bool turn_round(struct netif *netif, struct binding *binding, uint32_t index,
                       const struct event_frame *f)
{
    const uint8_t *bytes = f->buffer + f->start;
    size_t length = f->end - f->start;

    if (length < ETHERNET_HEADER || length > AEGIS_FRAME_MAX)
        return false;
    if (!nic_can_turn(&netif->nic) || netif->nic.in_flight[index] == IN_FLIGHT_MOST)
        return false;
    if (!classify_egress(binding, bytes, length, length)) {
        binding->counters.refused++;
        return false;
    }
    if (netif->tap_count) {
        struct ring_frame copy = {.pieces = {{bytes, length}}, .count = 1, .time = time_now()};
        tap_sent(netif, &copy);
    }
    nic_tx_turn(&netif->nic, f->head, f->start, f->end, index);
    binding->counters.sent++;
    return true;
}

bool event_run(struct netif *netif, struct binding *binding, uint32_t index, struct event_frame *f)
{
    struct handler *h = binding->handler;
    struct ash_run *run = &h->run;
    uint64_t verdict;

    ash_run_frame(run, f->buffer, FRAME_LOW, (uint32_t)f->start, (uint32_t)f->end, NIC_BUFFER_SIZE);
    run->fuel = h->fuel - (int32_t)h->program->entry_cost;
    run->modified = 0;
    run->abort.reason = ASH_ABORT_NONE;
    verdict = (uint32_t)h->entry(run);
    if (verdict >= AEGIS_VERDICTS)
        verdict = ASH_ABORTED;
    f->start = run->md.data - ASH_BASE(ASH_REGION_FRAME);
    f->end = run->md.data_end - ASH_BASE(ASH_REGION_FRAME);
    h->status.runs++;
    h->status.fuel += (uint64_t)(h->fuel - (run->fuel > 0 ? run->fuel : 0));
    h->status.verdicts[verdict]++;

    switch (verdict) {
    case ASH_DROP:
        return true;
    case ASH_TX:
        if (!turn_round(netif, binding, index, f))
            h->status.refused++;
        return true;
    case ASH_ABORTED:
        if (run->modified)
            f->flags |= AEGIS_FRAME_MODIFIED;
        strike(h);
        return false;
    default:
        return false;
    }
}
