/*
 * Fuzzes the image of a filter: what the verifier accepts never reads outside its memory or the
 * frame, ends, and means the same to the evaluator, to the merged trie and to the walks.
 *
 * Input: a byte of flags, a byte for the frame's length and one for its readable part, that many
 * bytes of frame, and the image: raw, or eight bytes a node, from which a plausible image is made,
 * perhaps with one byte of it spoiled.
 */
#include <stdlib.h>
#include <string.h>

#include "dpf/atom.h"

#define BUDGET 2000

static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];

enum { FLAG_RAW = 1, FLAG_SPOIL = 2 };

static uint16_t successor(uint8_t byte, unsigned i, unsigned count)
{
    if (byte % 4 == 0 || i + 1 >= count)
        return byte % 8 < 4 ? DPF_ACCEPT : DPF_REJECT;
    return (uint16_t)(i + 1 + byte % (count - i - 1 < 3 ? count - i - 1 : 3));
}

/* A node and the range that its set is made of. */
static struct dpf_node make_node(const uint8_t *d, unsigned i, unsigned count,
                                 struct dpf_range *range)
{
    struct dpf_node n = {.kind = DPF_FIELD + d[0] % 3, .relative = d[0] >> 2 & 1};
    n.width = (uint8_t)(1 << (d[0] >> 3 & 3));
    n.offset = d[1] % 32;
    n.mask = (uint64_t)d[2] * 0x0101010101010101 & dpf_full(n.width);
    n.yes = d[0] & 0x80     ? successor(d[3], i, count)
            : i + 1 < count ? (uint16_t)(i + 1)
                            : DPF_ACCEPT;
    n.no = successor(d[4], i, count);
    n.count = 1;
    if (n.kind == DPF_LENGTH) {
        n.width = 4;
        n.relative = 0;
        n.offset = 0;
        n.mask = d[2];
    }
    if (n.kind == DPF_SHIFT) {
        n.shift = (int8_t)(d[3] % 8 - 3);
        n.mask = d[2];
        n.no = DPF_REJECT;
        n.count = 0;
    }
    range->low = d[5] * UINT64_C(0x0101010101010101) & n.mask;
    range->high = range->low | (d[6] * UINT64_C(0x0101010101010101) & n.mask);
    return n;
}

/* Makes an image of eight bytes a node; returns its size. */
static size_t make_image(const uint8_t *data, size_t size, bool spoil, uint8_t *image)
{
    unsigned count = (unsigned)(size / 8), used = 0;
    struct dpf_header *header = (void *)image;
    struct dpf_node *node = (void *)(header + 1);
    struct dpf_range *range = (void *)(node + count);
    for (unsigned i = 0; i < count; i++) {
        struct dpf_range r;
        node[i] = make_node(data + 8 * i, i, count, &r);
        node[i].set = (uint16_t)used;
        if (node[i].count)
            range[used++] = r;
    }
    *header = (struct dpf_header){DPF_MAGIC, DPF_VERSION, 0, (uint16_t)count, (uint16_t)used, 0};
    if (count == 0)
        header->entry = size & 1 ? DPF_ACCEPT : DPF_REJECT;
    size_t made = sizeof *header + count * sizeof *node + used * sizeof *range;
    if (spoil && size >= 8)
        image[(data[0] | data[1] << 8) % made] = data[7];
    return made;
}

static void check(int condition)
{
    if (!condition)
        abort();
}

static void check_trie(const struct dpf_filter *filter, const uint8_t *frame, size_t available,
                       size_t length, bool matches)
{
    const struct dpf_member members[] = {{filter, 5, 1, false}, {filter, 6, 1, true}};
    size_t size = dpf_trie_size(members, 2, scratch);
    void *trie = malloc(size);
    check(trie != 0);
    check(dpf_trie_build(trie, size, 1, members, 2, scratch) == 0);
    struct dpf_result result = dpf_classify(trie, frame, available, length);
    check(result.id == (matches ? 5 : DPF_NONE) && result.taps == matches);
    free(trie);
}

static void check_filter(const struct dpf_filter *filter, const uint8_t *frame, size_t available,
                         size_t length)
{
    bool matches = dpf_match(filter, frame, available, length);
    enum dpf_decision overlaps = dpf_overlaps(filter, filter, BUDGET, scratch);
    check(!matches || overlaps != DPF_NO);
    (void)dpf_contains(filter, filter, BUDGET, scratch);
    check_trie(filter, frame, available, length, matches);

    size_t size = 2 * (size_t)filter->size;
    void *both = malloc(size);
    struct dpf_filter conjunction;
    int made = dpf_conjoin(filter, filter, both, size);
    if (made > 0) {
        check(dpf_verify(both, (size_t)made, &conjunction) == 0);
        check(dpf_match(&conjunction, frame, available, length) == matches);
    } else {
        check(made == DPF_E_NODES || made == DPF_E_RANGES);
    }
    free(both);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size - 3 < data[1])
        return 0;
    unsigned flags = data[0], length = data[1], available = length ? data[2] % (length + 1) : 0;
    uint8_t *frame = malloc(available ? available : 1);
    memcpy(frame, data + 3, available);
    data += 3 + length;
    size -= 3 + length;

    uint8_t *made = malloc(16 + 5 * size);
    if (flags & FLAG_RAW)
        memcpy(made, data, size);
    else
        size = make_image(data, size, flags & FLAG_SPOIL, made);
    uint8_t *image = malloc(size ? size : 1); /* of its very size, for the sanitizer */
    memcpy(image, made, size);
    struct dpf_filter filter;
    if (dpf_verify(image, size, &filter) == 0)
        check_filter(&filter, frame, available, length);
    free(image);
    free(made);
    free(frame);
    return 0;
}
