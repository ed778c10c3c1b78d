/*
 * From the DAG to an image (lift.h): shift atoms are put in where a base is needed that isn't the
 * running one, and nodes are brought into an order in which successors lie behind.
 */
#include "tools/dpfc/lift.h"

#include <stdlib.h>
#include <string.h>

/* A node of the graph, and the running base when it is reached, as far as it matters there. */
struct visit {
    uint32_t node;
    uint32_t running;
};

void emit_start(struct emission *emission, struct graph *graph)
{
    emission->graph = graph;
    emission->numbers = 0;
    emission->number_room = 0;
    emission->bases = 0;
    emission->count = 0;
    pool_start(&emission->visits, graph->trouble, sizeof(struct visit), 8 * DPF_NODES_MAX);
}

void emit_end(struct emission *emission)
{
    pool_end(&emission->visits);
    free(emission->numbers);
    free(emission->bases);
}

static uint32_t base_of(const struct graph *graph, const struct graph_node *node)
{
    return node->key == KEY_NONE ? node->set : graph_key(graph, node->key)->base;
}

/* Notes which bases each node needs; nodes have greater numbers than their successors. */
static void find_bases(struct emission *emission)
{
    const struct graph *graph = emission->graph;
    emission->bases = must_grow(graph->trouble, 0, graph->nodes.count * sizeof *emission->bases);
    emission->bases[NODE_REJECT] = emission->bases[NODE_ACCEPT] = 0;
    for (uint32_t n = NODE_FIRST; n < graph->nodes.count; n++) {
        const struct graph_node *node = graph_node(graph, n);
        uint64_t bits = emission->bases[node->yes];
        if (node->key != KEY_NONE)
            bits |= emission->bases[node->no];
        for (uint32_t b = base_of(graph, node); b; b = graph_base(graph, b)->parent)
            bits |= UINT64_C(1) << b % 64;
        emission->bases[n] = bits;
    }
}

static uint16_t visit(struct emission *emission, uint32_t node, uint32_t running);

/* The base on the way from the running one, or from the start of the frame, to a node's that comes
   first; BASE_FRAME if the node needs no shift. */
static uint32_t next_base(const struct graph *graph, uint32_t node, uint32_t running)
{
    uint32_t to = node < NODE_FIRST ? BASE_FRAME : base_of(graph, graph_node(graph, node));
    if (to == running)
        return BASE_FRAME;
    while (to && graph_base(graph, to)->parent && graph_base(graph, to)->parent != running)
        to = graph_base(graph, to)->parent;
    return to;
}

static struct dpf_node make_shift(struct emission *emission, uint32_t node, uint32_t to)
{
    struct graph_base base = *graph_base(emission->graph, to);
    return (struct dpf_node){
        .kind = DPF_SHIFT,
        .width = (uint8_t)base.width,
        .relative = base.parent != BASE_FRAME,
        .shift = (int8_t)base.shift,
        .offset = (uint16_t)base.offset,
        .yes = visit(emission, node, to),
        .no = DPF_REJECT,
        .mask = base.mask,
    };
}

/* Whether a question for readable bytes is put by the shift behind it too. */
static bool shift_reads(const struct graph *graph, const struct graph_node *node, uint32_t running)
{
    uint32_t to = next_base(graph, node->yes, running);
    const struct graph_base *base = graph_base(graph, to);
    return to && base->parent == node->set && base->offset + base->width >= node->no;
}

static struct dpf_node make_read(struct emission *emission, const struct graph_node *node,
                                 uint32_t running)
{
    return (struct dpf_node){
        .kind = DPF_FIELD,
        .width = 1,
        .relative = node->set != BASE_FRAME,
        .offset = (uint16_t)(node->no - 1),
        .yes = visit(emission, node->yes, running),
        .no = DPF_REJECT,
        .count = 1,
    };
}

static _Noreturn void refuse_ranges(const struct emission *emission, uint32_t ranges)
{
    fail(emission->graph->trouble, DPFLIFT_REFUSED,
         "the filter's sets have %u ranges, more than %u", ranges, DPF_RANGES_MAX);
}

static struct dpf_node make_test(struct emission *emission, const struct graph_node *node,
                                 uint32_t running)
{
    struct graph_key key = *graph_key(emission->graph, node->key);
    uint32_t count = set_count(&emission->graph->sets, node->set);
    uint16_t yes = visit(emission, node->yes, running), no = visit(emission, node->no, running);
    if (count > DPF_RANGES_MAX)
        refuse_ranges(emission, count);
    return (struct dpf_node){
        .kind = key.width ? DPF_FIELD : DPF_LENGTH,
        .width = (uint8_t)(key.width ? key.width : 4),
        .relative = key.base != BASE_FRAME,
        .offset = (uint16_t)key.offset,
        .yes = yes,
        .no = no,
        .count = (uint16_t)count,
        .mask = key.mask,
    };
}

/* Makes the image's node for a node of the graph, and those behind it. Returns how many come after
   it, or an end: nodes are counted from the last one. */
static uint16_t visit(struct emission *emission, uint32_t number, uint32_t running)
{
    struct graph *graph = emission->graph;
    bool fresh;
    if (number < NODE_FIRST)
        return number == NODE_ACCEPT ? DPF_ACCEPT : DPF_REJECT;
    struct graph_node node = *graph_node(graph, number);
    if (!(emission->bases[number] >> running % 64 & 1))
        running = BASE_FRAME;
    if (node.key == KEY_NONE && node.set == running && shift_reads(graph, &node, running))
        return visit(emission, node.yes, running);
    uint32_t v = pool_put(&emission->visits, &(struct visit){number, running}, &fresh);
    if (!fresh)
        return (uint16_t)emission->numbers[v];

    uint32_t to = next_base(graph, number, running);
    struct dpf_node made = to                     ? make_shift(emission, number, to)
                           : node.key == KEY_NONE ? make_read(emission, &node, running)
                                                  : make_test(emission, &node, running);
    if (emission->count == DPF_NODES_MAX)
        fail(graph->trouble, DPFLIFT_REFUSED, "the filter has more than %u atoms", DPF_NODES_MAX);
    emission->node[emission->count] = made;
    emission->set[emission->count] = made.kind == DPF_SHIFT || node.key == KEY_NONE ? 0 : node.set;
    if (v >= emission->number_room) {
        emission->number_room = 2 * v + 64;
        emission->numbers = must_grow(graph->trouble, emission->numbers,
                                      emission->number_room * sizeof *emission->numbers);
    }
    return (uint16_t)(emission->numbers[v] = emission->count++);
}

/* From a number counted from the end to one counted from the start. */
static uint16_t from_start(const struct emission *emission, uint16_t to)
{
    return to == DPF_ACCEPT || to == DPF_REJECT ? to : (uint16_t)(emission->count - 1 - to);
}

static uint32_t range_count(const struct emission *emission)
{
    uint32_t ranges = 0;
    for (uint32_t i = 0; i < emission->count; i++)
        ranges += emission->node[i].count;
    return ranges;
}

void emit_run(struct emission *emission, uint32_t node, struct dpflift_image *image)
{
    struct graph *graph = emission->graph;
    find_bases(emission);
    uint16_t entry = visit(emission, node, BASE_FRAME);
    uint32_t nodes = emission->count, ranges = range_count(emission), used = 0;
    if (ranges > DPF_RANGES_MAX)
        refuse_ranges(emission, ranges);
    image->size = sizeof(struct dpf_header) + nodes * sizeof(struct dpf_node) +
                  ranges * sizeof(struct dpf_range);
    image->bytes = must_grow(graph->trouble, 0, image->size);

    struct dpf_header *header = image->bytes;
    struct dpf_node *out = (void *)(header + 1);
    struct dpf_range *range = (void *)(out + nodes);
    *header = (struct dpf_header){.magic = DPF_MAGIC,
                                  .version = DPF_VERSION,
                                  .entry = nodes ? 0 : entry,
                                  .nodes = (uint16_t)nodes,
                                  .ranges = (uint16_t)ranges};
    for (uint32_t i = 0; i < nodes; i++, out++) {
        uint32_t from_end = nodes - 1 - i;
        *out = emission->node[from_end];
        out->yes = from_start(emission, out->yes);
        out->no = from_start(emission, out->no);
        out->set = (uint16_t)used;
        if (out->kind == DPF_FIELD && out->mask == 0)
            range[used] = (struct dpf_range){0, 0};
        else if (out->count)
            memcpy(range + used, set_ranges(&graph->sets, emission->set[from_end]),
                   out->count * sizeof *range);
        used += out->count;
    }
}
