/*
 * The naive evaluator: one node after the other, as the format's definition says. Everything faster
 * is tested against it.
 */
#include "dpf/atom.h"

/* Adds of at most DPF_NODES_MAX steps of DPF_STEP_MAX and an offset stay far below 2^32. */
bool dpf_match_from(const struct dpf_node *nodes, const struct dpf_range *ranges, unsigned node,
                    uint32_t base, const uint8_t *frame, size_t available, size_t length)
{
    while (node != DPF_ACCEPT && node != DPF_REJECT) {
        const struct dpf_node *n = &nodes[node];
        uint32_t origin = n->relative ? base : 0;
        uint64_t value = length;
        if (n->kind != DPF_LENGTH) {
            if ((uint64_t)origin + n->offset + n->width > available)
                return false;
            value = dpf_load(frame + origin + n->offset, n->width);
        }
        value &= n->mask;
        if (n->kind == DPF_SHIFT) {
            base = origin + (uint32_t)dpf_shifted(value, n->shift);
            node = n->yes;
        } else {
            node = dpf_in_set(ranges + n->set, n->count, value) ? n->yes : n->no;
        }
    }
    return node == DPF_ACCEPT;
}

bool dpf_match(const struct dpf_filter *filter, const uint8_t *frame, size_t available,
               size_t length)
{
    return dpf_match_from(filter->nodes, filter->ranges, filter->entry, 0, frame, available,
                          length);
}
