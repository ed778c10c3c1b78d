#include "kernel/event.h"

#include "kernel/classify.h"
#include "kernel/env.h"
#include "kernel/print.h"
#include "kernel/ring.h"
#include "kernel/rv64/csr.h"
#include "kernel/tap.h"

uint16_t event_strike(struct handler *h)
{
    struct aegis_handler_status *s = &h->status;
    uint16_t flags = h->run.modified ? AEGIS_FRAME_MODIFIED : 0;
    size_t length = ash_explain_abort(h->program, &h->run, s->abort, sizeof(s->abort));

    if (h->run.abort.reason == ASH_ABORT_NONE)
        s->abort[length = 0] = 0;
    h->run.abort.reason = ASH_ABORT_NONE; /* for the next run */
    if (h->run.fuel < 0)
        s->fuel += (uint64_t)h->run.fuel; /* it had no more to spend than there was */
    if (++s->strikes < AEGIS_STRIKES)
        return flags;
    handler_unbind(h);
    env_infos[h->owner].bindings++;
    print("aegis: handler %u (%s) of environment %u is unbound after %u strikes%s%s\n", h->number,
          h->program->image.header->name, h->owner, s->strikes, length ? ": " : "", s->abort);
    return flags;
}

uint32_t event_heir(uint32_t index)
{
    uint32_t at = index;

    while (!bindings[at].ring && !bindings[at].handler && netif_row(at)->parent != at)
        at = netif_row(at)->parent;
    return bindings[at].ring || bindings[at].handler ? at : index;
}

bool event_turn_late(struct netif *netif, uint64_t index, uint64_t head, uint8_t *bytes,
                     size_t length)
{
    virtq_publish(&netif->nic.tx); /* what this entry has turned round already can go, too */
    netif->info->sent += nic_tx_take_back(&netif->nic);
    return nic_tx_turn(&netif->nic, head, bytes, length, !classify_lies_as_usual(bytes), index,
                       EVENT_IN_FLIGHT_MOST);
}

void event_show_received(struct netif *netif, uint64_t taps, const uint8_t *bytes, size_t length)
{
    struct ring_frame copy = {.pieces = {{bytes, length}}, .count = 1, .time = time_now()};

    netif->nic.changed = true;
    tap_put(netif, taps, &copy);
}

void event_show_taps(struct netif *netif, const uint8_t *bytes, size_t length)
{
    struct ring_frame copy = {.pieces = {{bytes, length}}, .count = 1, .time = time_now()};

    tap_sent(netif, &copy);
    netif->nic.changed = true;
}
