/*
 * The verifier: one walk over the nodes in their order.
 *
 * Successors point only forward, so when the walk comes to a node, every path to it has been seen:
 * two bits a node, set by its predecessors, tell whether any path leads to it, and whether one does
 * that has no shift.
 */
#include "dpf/atom.h"

#include <string.h>

static bool test(const uint64_t *bits, unsigned i)
{
    return bits[i / 64] >> i % 64 & 1;
}

static void set(uint64_t *bits, unsigned i)
{
    bits[i / 64] |= UINT64_C(1) << i % 64;
}

static int check_header(const struct dpf_header *header, size_t size)
{
    if (size < sizeof *header)
        return DPF_E_TRUNCATED;
    if (header->magic != DPF_MAGIC)
        return DPF_E_MAGIC;
    if (header->version != DPF_VERSION)
        return DPF_E_VERSION;
    if (header->reserved)
        return DPF_E_RESERVED;
    if (header->nodes > DPF_NODES_MAX)
        return DPF_E_NODES;
    if (header->ranges > DPF_RANGES_MAX)
        return DPF_E_RANGES;
    size_t needed = sizeof *header + header->nodes * sizeof(struct dpf_node) +
                    header->ranges * sizeof(struct dpf_range);
    if (size != needed)
        return size < needed ? DPF_E_TRUNCATED : DPF_E_TRAILING;
    bool ends = header->entry == DPF_ACCEPT || header->entry == DPF_REJECT;
    if (header->nodes ? header->entry != 0 : !ends)
        return DPF_E_ENTRY;
    return 0;
}

/* Goes on with the ranges of node v->node: 1 if the work is spent before their end. */
static int check_set(struct dpf_verification *v, const struct dpf_range *ranges, unsigned count,
                     uint64_t mask, size_t *work)
{
    for (; v->range < count; v->range++) {
        const struct dpf_range *r = &ranges[v->range];
        if (!*work)
            return 1;
        --*work;
        if ((r->low | r->high) & ~mask)
            return DPF_E_SET_VALUE;
        if (r->low > r->high)
            return DPF_E_SET_ORDER;
        if (v->range > 0 && (r->low <= r[-1].high || r->low == dpf_next_under(r[-1].high, mask)))
            return DPF_E_SET_ORDER;
    }
    return 0;
}

static int check_shift(const struct dpf_node *node)
{
    if (node->shift < -31 || node->shift > 31 || node->no != DPF_REJECT || node->count)
        return DPF_E_SHIFT;
    /* No wider than 32 bits: the shift to the left then loses nothing. */
    if (node->mask > UINT32_MAX || dpf_shifted(node->mask, node->shift) > DPF_STEP_MAX)
        return DPF_E_STEP;
    return 0;
}

/* What can be said about a node by itself. */
static int check_node(const struct dpf_node *node)
{
    if (node->kind < DPF_FIELD || node->kind > DPF_SHIFT)
        return DPF_E_KIND;
    if (node->width != 1 && node->width != 2 && node->width != 4 && node->width != 8)
        return DPF_E_WIDTH;
    if (node->relative > 1 || node->reserved)
        return DPF_E_RESERVED;
    if (node->kind == DPF_LENGTH) {
        if (node->relative || node->offset)
            return DPF_E_RESERVED;
        if (node->width != 4)
            return DPF_E_WIDTH;
    }
    if (node->mask & ~dpf_full(node->width))
        return DPF_E_MASK;
    if (node->kind == DPF_SHIFT)
        return check_shift(node);
    return node->shift ? DPF_E_SHIFT : 0;
}

/* Checks one successor of node i of count and tells it who leads to it. */
static int follow(struct dpf_verification *v, unsigned to, unsigned i, unsigned count,
                  bool baseless)
{
    if (to == DPF_ACCEPT || to == DPF_REJECT)
        return 0;
    if (to >= count)
        return DPF_E_SUCCESSOR;
    if (to <= i)
        return DPF_E_CYCLE;
    set(v->reach.any, to);
    if (baseless)
        set(v->reach.baseless, to);
    return 0;
}

/* Node i of the image, whose sets before it end at v->used; 1 if the work is spent before its end.
 */
static int check_in_place(struct dpf_verification *v, unsigned i, size_t *work)
{
    const struct dpf_header *header = v->image;
    const struct dpf_node *nodes = (const void *)(header + 1), *node = &nodes[i];
    const struct dpf_range *ranges = (const void *)(nodes + header->nodes);
    bool baseless = test(v->reach.baseless, i);
    int error;
    if (!test(v->reach.any, i))
        return DPF_E_UNREACHABLE;
    if ((error = check_node(node)))
        return error;
    if (node->relative && baseless)
        return DPF_E_BASE;
    if (node->kind != DPF_SHIFT && !node->count)
        return DPF_E_SET;
    if (node->set != v->used || node->count > header->ranges - v->used)
        return DPF_E_SET;
    if ((error = check_set(v, ranges + v->used, node->count, node->mask, work)))
        return error;
    v->used += node->count;
    baseless = baseless && node->kind != DPF_SHIFT;
    error = follow(v, node->yes, i, header->nodes, baseless);
    return error ? error : follow(v, node->no, i, header->nodes, baseless);
}

int dpf_verify_begin(struct dpf_verification *v, const void *image, size_t size)
{
    if ((uintptr_t)image % 8)
        return DPF_E_ALIGNMENT;
    memset(v, 0, sizeof *v);
    v->image = image;
    v->size = size;
    v->reach.any[0] = v->reach.baseless[0] = 1;
    return check_header(image, size);
}

int dpf_verify_step(struct dpf_verification *v, size_t work, struct dpf_filter *filter)
{
    const struct dpf_header *header = v->image;
    for (; v->node < header->nodes; v->node++, v->range = 0) {
        if (!work)
            return 1;
        if (v->range == 0) /* a node takes as long as four ranges */
            work -= work < 4 ? work - 1 : 4;
        int state = check_in_place(v, v->node, &work);
        if (state)
            return state;
    }
    if (v->used != header->ranges)
        return DPF_E_SET;
    const struct dpf_node *nodes = (const void *)(header + 1);
    const struct dpf_range *ranges = (const void *)(nodes + header->nodes);
    *filter = (struct dpf_filter){nodes,         ranges,         header->entry,
                                  header->nodes, header->ranges, (uint32_t)v->size};
    return 0;
}

int dpf_verify(const void *image, size_t size, struct dpf_filter *filter)
{
    struct dpf_verification v;
    int error = dpf_verify_begin(&v, image, size);
    return error ? error : dpf_verify_step(&v, SIZE_MAX, filter);
}

const char *dpf_strerror(int error)
{
    switch (error) {
    case 0:
        return "no error";
#define DPF_ERROR(name, value, sentence)                                                           \
    case value:                                                                                    \
        return sentence;
#include "dpf/errors.def"
#undef DPF_ERROR
    }
    return "unknown error";
}
