#include "kernel/tap.h"

#include "kernel/classify.h"
#include "kernel/netif.h"
#include "kernel/ring.h"
#include "kernel/rv64/csr.h"

void tap_put(struct netif *netif, uint64_t taps, const struct ring_frame *frame)
{
    for (unsigned int i = 0; taps; i++, taps >>= 1) {
        uint32_t index = taps & 1 ? dpf_trie_tap(netif_trie(netif), i) : DPF_NONE;
        if (!netif_binding(index))
            continue;
        struct binding *binding = netif_binding_state(index);
        binding->counters.received++;
        if (!ring_put(binding, index, frame))
            binding->counters.dropped++;
    }
}

void tap_sent(struct netif *netif, struct ring_frame *frame)
{
    size_t length = 0;

    for (uint32_t i = 0; i < frame->count; i++)
        length += frame->pieces[i].length;
    frame->flags |= AEGIS_FRAME_SENT;
    struct dpf_found result =
        classify_frame(netif, frame->pieces[0].bytes, frame->pieces[0].length, length);
    clear_call_temporaries();
    /* A tap shows no more than its parent may send: what others send is theirs. Who
     * shares sees none of it. */
    for (unsigned int i = 0; i < AEGIS_TAPS_MAX && result.taps >> i; i++) {
        uint32_t index = result.taps >> i & 1 ? dpf_trie_tap(netif_trie(netif), i) : DPF_NONE;
        const struct aegis_binding_info *tap = netif_binding(index);
        if (!tap || !(tap->flags & AEGIS_BIND_TAP) ||
            !classify_egress(netif_binding_state(tap->parent), frame->pieces[0].bytes,
                             frame->pieces[0].length, length))
            result.taps &= ~(1UL << i);
    }
    tap_put(netif, result.taps, frame);
}
