/*
 * The compiler's working memory, and how much of it and of code a trie or a filter can take.
 *
 *   struct compile | visits | records | DAG nodes | constants | references | labels
 *
 * A branch follows at least one other instruction, so 8 bytes of code hold at most one reference;
 * and a constant in the pool takes 8 bytes there, and 8 for the instructions that load it.
 */
#include "dpf/compile_state.h"

#include <string.h>

/* Bytes of code, with constants, that one node can take: checks, a load byte by byte from a distant
   offset, two constants, branches in their longest form. */
#define FIELD_BYTES  384
#define LOOKUP_BYTES 256
#define VALUE_BYTES  64 /* a value that is compared */
#define RANGE_BYTES  96
#define ACCEPT_BYTES 128
#define FRAME_BYTES  256 /* around all */

#define SPARE 64 /* labels, references and constants beside those of the code */

/* The parts of the memory, as offsets. */
struct layout {
    size_t visits, records, dag, references, constants, labels, size;
    size_t reference_count, constant_count, label_count;
};

static struct layout layout_for(size_t records, size_t dag_nodes, size_t code_size)
{
    struct layout l;
    l.reference_count = code_size / 8 + SPARE;
    l.constant_count = code_size / 16 + SPARE;
    l.label_count = records + dag_nodes + code_size / 8 + SPARE;
    l.visits = (sizeof(struct compile) + 7) / 8 * 8;
    l.records = l.visits + DEPTH_MAX * sizeof(struct visit);
    l.dag = l.records + records * sizeof(struct record);
    l.constants = (l.dag + dag_nodes * sizeof(struct dag_node) + 7) / 8 * 8;
    l.references = l.constants + l.constant_count * sizeof(uint64_t);
    l.labels = l.references + l.reference_count * sizeof(struct vcode_reference);
    l.size = (l.labels + l.label_count * sizeof(uint32_t) + 7) / 8 * 8;
    return l;
}

size_t dpf_compile_memory(const struct dpf_trie *trie, size_t code_size)
{
    return layout_for(trie->nodes, DPF_NODES_MAX, code_size).size;
}

size_t dpf_compile_filter_memory(const struct dpf_filter *filter, size_t code_size)
{
    return layout_for(0, filter->node_count, code_size).size;
}

static size_t filter_bound(size_t nodes, size_t ranges)
{
    return FRAME_BYTES + nodes * FIELD_BYTES + ranges * RANGE_BYTES;
}

size_t dpf_compile_filter_bound(const struct dpf_filter *filter)
{
    return filter_bound(filter->node_count, filter->range_count);
}

/* Slots are at most twice as many as the trie's, or the square of few values; and again twice, if
   no multiplier was good. */
static size_t table_bound(const struct trie_node *node)
{
    size_t slots = 2 * (size_t)slot_count(node);
    if (node->bits)
        slots = slots < 256 ? 256 : slots;
    return LOOKUP_BYTES + 8 * VALUE_BYTES + 2 * slots * 16 +
           node->many.ranges * (size_t)RANGE_BYTES;
}

/* What one node adds; *next is set behind a copied filter. */
static size_t node_bound(const struct trie_node *node, uint32_t *next)
{
    size_t bytes = ACCEPT_BYTES;
    if (node->width && node->kind <= TRIE_SHIFT)
        bytes += FIELD_BYTES;
    if (node->kind == TRIE_MANY)
        bytes += table_bound(node);
    if (node->kind != TRIE_REST)
        return bytes;
    const struct dpf_node *nodes = (const void *)(node + 1);
    const struct dpf_node *last = &nodes[node->rest.nodes - 1];
    *next += node->rest.slots;
    return bytes + filter_bound(node->rest.nodes, (size_t)last->set + last->count);
}

int dpf_compile_bound_step(const struct dpf_trie *trie, struct dpf_bound *bound, size_t work)
{
    if (!bound->node)
        *bound = (struct dpf_bound){.bytes = FRAME_BYTES, .node = 1};
    for (; bound->node < trie->nodes; bound->node++) {
        if (work-- == 0)
            return 1;
        bound->bytes += node_bound(trie_node(trie, bound->node), &bound->node);
    }
    return 0;
}

size_t dpf_compile_bound(const struct dpf_trie *trie)
{
    struct dpf_bound bound = {0};
    dpf_compile_bound_step(trie, &bound, SIZE_MAX);
    return bound.bytes;
}

/* Lays out the memory; DPF_E_*, or 0. */
static int begin(struct compile *c, size_t size, size_t records, size_t dag_nodes, void *code,
                 size_t code_size, const struct dpf_compile_options *options)
{
    struct layout l = layout_for(records, dag_nodes, code_size);
    uint8_t *memory = (void *)c;
    if ((uintptr_t)memory % 8 || (uintptr_t)code % 8)
        return DPF_E_ALIGNMENT;
    if (size < l.size || code_size > UINT32_MAX)
        return DPF_E_SPACE;
    memset(c, 0, sizeof *c);
    c->options = *options;
    c->visits = (void *)(memory + l.visits);
    c->records = (void *)(memory + l.records);
    c->dag.state = (void *)(memory + l.dag);
    struct vcode_memory vcode_memory = {
        .code = code,
        .size = code_size,
        .labels = (void *)(memory + l.labels),
        .label_count = (uint32_t)l.label_count,
        .references = (void *)(memory + l.references),
        .reference_count = (uint32_t)l.reference_count,
        .constants = (void *)(memory + l.constants),
        .constant_count = (uint32_t)l.constant_count,
    };
    vcode_begin(&c->v, &vcode_memory, options->isa, FAR);
    return 0;
}

int dpf_compile_begin(void *memory, size_t size, const struct dpf_trie *trie, void *code,
                      size_t code_size, const struct dpf_compile_options *options)
{
    struct compile *c = memory;
    int error = begin(c, size, trie->nodes, DPF_NODES_MAX, code, code_size, options);
    if (error)
        return error;
    c->trie = trie;
    compile_begin(c, PHASE_MARK);
    return 0;
}

int dpf_compile_filter_begin(void *memory, size_t size, const struct dpf_filter *filter, void *code,
                             size_t code_size, const struct dpf_compile_options *options)
{
    struct compile *c = memory;
    int error = begin(c, size, 0, filter->node_count, code, code_size, options);
    if (error)
        return error;
    c->dag.nodes = filter->nodes;
    c->dag.ranges = filter->ranges;
    c->dag.count = filter->node_count;
    c->dag.from = filter->entry;
    compile_begin(c, PHASE_START);
    return 0;
}

/* Goes on until the end, if beginning gave no error. */
static int finish(void *memory, int error, struct dpf_code *result)
{
    int more = error ? error : 1;
    while (more == 1)
        more = dpf_compile_step(memory, SIZE_MAX, result);
    return more;
}

int dpf_compile(void *memory, size_t size, const struct dpf_trie *trie, void *code,
                size_t code_size, const struct dpf_compile_options *options,
                struct dpf_code *result)
{
    return finish(memory, dpf_compile_begin(memory, size, trie, code, code_size, options), result);
}

int dpf_compile_filter(void *memory, size_t size, const struct dpf_filter *filter, void *code,
                       size_t code_size, const struct dpf_compile_options *options,
                       struct dpf_code *result)
{
    return finish(memory, dpf_compile_filter_begin(memory, size, filter, code, code_size, options),
                  result);
}
