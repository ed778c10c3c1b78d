/*
 * Fuzzes the compiler: the code of a filter, and of a trie of two, runs in the simulator, where it
 * can read nothing but the frame and itself; it returns what the evaluator and the interpreter say,
 * and is no larger than the bound.
 *
 * Input: a byte of options, one for the address of frames, one for the frame's length and one for
 * its readable part, the frame, and nine bytes a node. Nodes of the second filter come behind those
 * of the first.
 */
#include <stdlib.h>
#include <string.h>

#include "../../unit/dpf_compile/compiled.h"

#define NODES_MAX 64

static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];

struct image {
    _Alignas(8) struct dpf_header header;
    uint8_t rest[NODES_MAX * (sizeof(struct dpf_node) + 2 * sizeof(struct dpf_range))];
};

static void check(int condition)
{
    if (!condition)
        abort();
}

static uint16_t successor(uint8_t byte, unsigned i, unsigned count)
{
    if (byte % 4 == 0 || i + 1 >= count)
        return byte % 8 < 4 ? DPF_ACCEPT : DPF_REJECT;
    return (uint16_t)(i + 1 + byte % (count - i - 1 < 3 ? count - i - 1 : 3));
}

static uint64_t spread(uint8_t byte, uint8_t how)
{
    return how & 1 ? byte * UINT64_C(0x0101010101010101) : (uint64_t)byte << how % 57;
}

/* A node, and one or two ranges for its set. */
static struct dpf_node make_node(const uint8_t *d, unsigned i, unsigned count,
                                 struct dpf_range range[2])
{
    struct dpf_node n = {.kind = DPF_FIELD + d[0] % 3, .relative = d[0] >> 2 & 1};
    n.width = n.kind == DPF_LENGTH ? 4 : (uint8_t)(1 << (d[0] >> 3 & 3));
    n.offset = n.kind == DPF_LENGTH ? 0 : d[1] % 48;
    n.relative &= n.kind != DPF_LENGTH;
    n.mask = d[7] == 255 ? UINT64_MAX : spread(d[2], d[7]);
    n.mask &= n.width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * n.width) - 1;
    n.yes = d[0] & 0x80     ? successor(d[3], i, count)
            : i + 1 < count ? (uint16_t)(i + 1)
                            : DPF_ACCEPT;
    n.no = successor(d[4], i, count);
    if (n.kind == DPF_SHIFT) {
        n.shift = (int8_t)(d[3] % 8 - 3);
        n.mask &= 0xff;
        n.no = DPF_REJECT;
        return n;
    }
    range[0].low = spread(d[5], d[8]) & n.mask;
    range[0].high = range[0].low | (spread(d[6], d[8]) & n.mask);
    range[1].low = range[1].high = n.mask;
    uint64_t next = ((range[0].high | ~n.mask) + 1) & n.mask;
    n.count = range[0].high < n.mask && next != n.mask && d[8] & 2 ? 2 : 1;
    return n;
}

static bool make_filter(const uint8_t *data, unsigned count, struct image *image,
                        struct dpf_filter *filter)
{
    struct dpf_node *node = (void *)image->rest;
    struct dpf_range *range = (void *)(node + count);
    unsigned used = 0;
    for (unsigned i = 0; i < count; i++) {
        node[i] = make_node(data + 9 * i, i, count, range + used);
        node[i].set = (uint16_t)used;
        used += node[i].count;
    }
    image->header =
        (struct dpf_header){DPF_MAGIC, DPF_VERSION, 0, (uint16_t)count, (uint16_t)used, 0};
    if (count == 0)
        image->header.entry = DPF_REJECT;
    size_t size = sizeof image->header + count * sizeof *node + used * sizeof *range;
    return dpf_verify(image, size, filter) == 0;
}

static void check_alone(const struct dpf_filter *filter, const struct dpf_compile_options *options,
                        const uint8_t *frame, size_t available, size_t length)
{
    struct compiled compiled = compiled_filter(filter, options);
    struct outcome o = compiled_run(&compiled, frame, available, length, 0, 0);
    check(!o.fault && o.a0 == dpf_match(filter, frame, available, length));
    compiled_free(&compiled);
}

static void check_trie(const struct dpf_filter filters[2],
                       const struct dpf_compile_options *options, const uint8_t *frame,
                       size_t available, size_t length)
{
    const struct dpf_member members[] = {
        {&filters[0], 5, 1, false}, {&filters[1], 6, 2, false}, {&filters[0], 7, 0, true}};
    size_t size = dpf_trie_size(members, 3, scratch);
    struct dpf_trie *trie = malloc(size);
    check(trie != 0 && dpf_trie_build(trie, size, 1, members, 3, scratch) == 0);
    struct dpf_result result = dpf_classify(trie, frame, available, length);
    struct compiled compiled = compiled_trie(trie, options);
    struct outcome o = compiled_run(&compiled, frame, available, length, 0, 0);
    check(!o.fault && (uint32_t)o.a0 == result.id && o.a1 == result.taps);
    compiled_free(&compiled);
    free(trie);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct image images[2];
    struct dpf_filter filters[2];
    if (size < 4 || size - 4 < data[2])
        return 0;
    struct dpf_compile_options options = {.isa = data[0] & 7,
                                          .align = (uint8_t)(1 << (data[0] >> 3 & 3))};
    options.residue = data[1] % options.align;
    size_t length = data[2], available = length ? data[3] % (length + 1) : 0;
    const uint8_t *frame = data + 4, *nodes = frame + length;
    unsigned count = (unsigned)((size - 4 - length) / 9), first = count * (data[0] >> 5) / 7;
    if (first > NODES_MAX || count - first > NODES_MAX)
        return 0;
    bool one = make_filter(nodes, first, &images[0], &filters[0]);
    bool two = make_filter(nodes + 9 * first, count - first, &images[1], &filters[1]);
    if (one)
        check_alone(&filters[0], &options, frame, available, length);
    if (two)
        check_alone(&filters[1], &options, frame, available, length);
    if (one && two)
        check_trie(filters, &options, frame, available, length);
    return 0;
}
