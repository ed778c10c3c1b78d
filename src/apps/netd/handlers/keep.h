/* Putting frames into the queue (queue.h): BPF alone. */
#ifndef NETD_HANDLERS_KEEP_H
#define NETD_HANDLERS_KEEP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "apps/netd/handlers/queue.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, QUEUE_SLOTS);
    __type(key, __u32);
    __type(value, struct queue_slot);
} queue SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct queue_ends);
} ends SEC(".maps");

/* The frame as it is now is netd's; it is passed on, changed, if there is no room. */
static __always_inline int keep(struct xdp_md *ctx)
{
    const int lead = offsetof(struct queue_slot, frame);
    __u32 only = 0, length = ctx->data_end - ctx->data;
    struct queue_ends *e = bpf_map_lookup_elem(&ends, &only);

    if (!e || e->head - e->tail >= QUEUE_SLOTS || length > QUEUE_FRAME)
        return XDP_PASS;
    __u32 place = e->head % QUEUE_SLOTS;
    if (bpf_xdp_adjust_head(ctx, -lead) || bpf_xdp_adjust_tail(ctx, QUEUE_FRAME - length))
        return XDP_PASS;
    struct queue_slot *slot = (void *)(long)ctx->data;
    if ((void *)(slot + 1) > (void *)(long)ctx->data_end)
        return XDP_PASS;
    slot->length = length;
    slot->gap = 0;
    if (bpf_map_update_elem(&queue, &place, slot, BPF_ANY))
        return XDP_PASS;
    __sync_fetch_and_add(&e->head, 1); /* behind the copy: one hart runs both */
    return XDP_DROP;
}

#endif
