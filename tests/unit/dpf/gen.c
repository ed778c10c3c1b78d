/* Generated frames and filters (gen.h). */
#include "gen.h"

#include <stdlib.h>
#include <string.h>

#include "dpf/atom.h"

uint32_t gen_below(struct gen *gen, uint32_t bound)
{
    gen->state += 0x9e3779b97f4a7c15u;
    uint64_t v = gen->state;
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((v ^ v >> 31) >> 16) % bound;
}

bool gen_chance(struct gen *gen, uint32_t percent)
{
    return gen_below(gen, 100) < percent;
}

static void put(uint8_t *p, unsigned width, uint64_t value)
{
    for (unsigned i = 0; i < width; i++)
        p[i] = (uint8_t)(value >> 8 * (width - 1 - i));
}

#define PICK(gen, array) ((array)[gen_below((gen), sizeof(array) / sizeof *(array))])

static const uint16_t ports[] = {7,   8,    20,   21,   22,   53,   67,   68,   80,    123,
                                 443, 1000, 1024, 2049, 4789, 5353, 6081, 8080, 33434, 65535};
static const uint32_t addresses[] = {0x0a000001, 0x0a000002, 0x0a000203, 0x0a00020f, 0xc0a80001,
                                     0xc0a801fe, 0x7f000001, 0xe00000fb, 0xffffffff, 0x08080808};
static const uint64_t macs[] = {0x020000000001, 0x020000000002, 0x525400123456, 0xffffffffffff,
                                0x01005e0000fb, 0x333300000001, 0x0180c2000000};

static void put_address6(struct gen *gen, uint8_t *p)
{
    static const uint64_t high[] = {0, 0xfe80000000000000, 0x20010db800000000, 0xff02000000000000};
    put(p, 8, PICK(gen, high));
    put(p + 8, 8, gen_below(gen, 3));
}

/* A transport header at p. */
static void put_transport(struct gen *gen, uint8_t *p, unsigned protocol)
{
    static const uint8_t types[] = {0, 3, 8, 11, 128, 129, 134, 135, 136};
    if (protocol == 1 || protocol == 58) {
        p[0] = PICK(gen, types);
        p[1] = (uint8_t)gen_below(gen, 5);
        return;
    }
    put(p, 2, PICK(gen, ports));
    put(p + 2, 2, PICK(gen, ports));
    if (protocol == 6) {
        p[12] = (uint8_t)(gen_below(gen, 16) << 4 | gen_below(gen, 16));
        p[13] = (uint8_t)gen_below(gen, 64);
        put(p + 4 * (p[12] >> 4), 4, gen_chance(gen, 50) ? 0x47455420 : 0x48545450);
    }
}

static const uint8_t protocols[] = {1, 2, 6, 6, 17, 17, 17, 58, 132, 47, 50, 51, 89, 103, 112};

static void put_ipv4(struct gen *gen, uint8_t *p)
{
    unsigned words = gen_chance(gen, 60) ? 5 : gen_below(gen, 16), protocol = PICK(gen, protocols);
    p[0] = (uint8_t)((gen_chance(gen, 95) ? 4 : gen_below(gen, 16)) << 4 | words);
    p[1] = (uint8_t)(gen_chance(gen, 70) ? 0 : gen_below(gen, 256));
    put(p + 2, 2, gen_below(gen, 1500));
    put(p + 6, 2, gen_chance(gen, 70) ? 0x4000 : gen_below(gen, 65536));
    p[8] = (uint8_t)gen_below(gen, gen_chance(gen, 50) ? 20 : 256);
    p[9] = (uint8_t)protocol;
    put(p + 12, 4, PICK(gen, addresses));
    put(p + 16, 4, PICK(gen, addresses));
    put_transport(gen, p + 4 * words, protocol);
}

static void put_ipv6(struct gen *gen, uint8_t *p)
{
    unsigned protocol = PICK(gen, protocols);
    p[0] = (uint8_t)(0x60 | gen_below(gen, 16));
    put(p + 4, 2, gen_below(gen, 1500));
    p[6] = (uint8_t)protocol;
    p[7] = (uint8_t)gen_below(gen, 256);
    put_address6(gen, p + 8);
    put_address6(gen, p + 24);
    if (gen_chance(gen, 10)) { /* a fragment header, or a hop-by-hop one */
        p[6] = gen_chance(gen, 50) ? 44 : 0;
        p[40] = (uint8_t)protocol;
        p += 8;
    }
    put_transport(gen, p + 40, protocol);
}

static void put_arp(struct gen *gen, uint8_t *p)
{
    put(p, 8, 0x0001080006040000 | gen_below(gen, 4));
    put(p + 8, 6, PICK(gen, macs));
    put(p + 14, 4, PICK(gen, addresses));
    put(p + 18, 6, PICK(gen, macs));
    put(p + 24, 4, PICK(gen, addresses));
}

size_t gen_frame(struct gen *gen, uint8_t frame[GEN_FRAME_MAX])
{
    static const uint16_t types[] = {0x0800, 0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd,
                                     0x0806, 0x8035, 0x8847, 0x8863, 0x8864, 0x88cc,
                                     0x809b, 0x0026, 0x05dc, 0x05dd};
    uint8_t *p = frame;
    for (unsigned i = 0; i < GEN_FRAME_MAX; i++)
        frame[i] = (uint8_t)gen_below(gen, gen_chance(gen, 50) ? 4 : 256);
    put(p, 6, PICK(gen, macs));
    put(p + 6, 6, PICK(gen, macs));
    for (p += 12; gen_chance(gen, 15); p += 4) {
        static const uint16_t tags[] = {0x8100, 0x88a8, 0x9100};
        put(p, 2, PICK(gen, tags));
        put(p + 2, 2, gen_below(gen, 8) | gen_below(gen, 2) << 12);
        if (p - frame > 24)
            break;
    }
    unsigned type = gen_chance(gen, 97) ? PICK(gen, types) : gen_below(gen, 65536);
    put(p, 2, type);
    if (type == 0x0800)
        put_ipv4(gen, p + 2);
    else if (type == 0x86dd)
        put_ipv6(gen, p + 2);
    else if (type == 0x0806 || type == 0x8035)
        put_arp(gen, p + 2);
    else if (type == 0x8847)
        put(p + 2, 4, gen_below(gen, 300) << 12 | gen_below(gen, 2) << 8);
    else if (type < 1536)
        put(p + 2, 4, gen_chance(gen, 50) ? 0x42420300 : 0xaaaa0300);
    return 14 + gen_below(gen, GEN_FRAME_MAX - 13);
}

/* A value under mask in the set, or not in it. */
static uint64_t pick_value(struct gen *gen, const struct dpf_node *node,
                           const struct dpf_range *set, bool inside)
{
    const struct dpf_range *r = &set[gen_below(gen, node->count)];
    uint64_t span = r->high - r->low, middle = r->low + (span ? gen_below(gen, 65536) % span : 0);
    const uint64_t good[] = {r->low, r->high, middle};
    const uint64_t bad[] = {r->low - 1, r->high + 1, gen_below(gen, 65536)};
    return inside ? PICK(gen, good) : PICK(gen, bad);
}

static void write_field(uint8_t *frame, size_t length, size_t at, const struct dpf_node *node,
                        uint64_t value)
{
    if (at + node->width > length)
        return;
    uint64_t old = dpf_load(frame + at, node->width);
    put(frame + at, node->width, (old & ~node->mask) | (value & node->mask));
}

void gen_aim(struct gen *gen, const struct dpf_filter *filter, uint8_t frame[GEN_FRAME_MAX],
             size_t length)
{
    size_t base = 0;
    for (unsigned at = filter->entry; at < DPF_REJECT;) {
        const struct dpf_node *node = &filter->nodes[at];
        size_t field = node->offset + (node->relative ? base : 0);
        bool yes = node->kind == DPF_SHIFT || (node->yes != DPF_REJECT && gen_chance(gen, 60)) ||
                   node->no == DPF_REJECT;
        if (node->kind == DPF_FIELD)
            write_field(frame, length, field, node,
                        pick_value(gen, node, filter->ranges + node->set, yes));
        if (node->kind == DPF_SHIFT) {
            if (gen_chance(gen, 50))
                write_field(frame, length, field, node, 5);
            if (field + node->width > length)
                return;
            base = (node->relative ? base : 0) +
                   dpf_shifted(dpf_load(frame + field, node->width) & node->mask, node->shift);
        }
        at = yes ? node->yes : node->no;
    }
}

size_t gen_mutate(struct gen *gen, uint8_t *frame, size_t length)
{
    if (gen_chance(gen, 30))
        frame[gen_below(gen, gen_chance(gen, 50) ? 64 : GEN_FRAME_MAX)] ^=
            (uint8_t)(1 << gen_below(gen, 8));
    return gen_chance(gen, 30) ? gen_below(gen, (uint32_t)length + 1) : length;
}

/* A random set under a small mask: each value in it or not. */
static unsigned random_set(struct gen *gen, uint64_t mask, struct dpf_range *set, unsigned most)
{
    unsigned count = 0;
    bool inside = false;
    for (uint64_t v = 0;; v = dpf_next_under(v, mask)) {
        bool wanted = gen_chance(gen, inside ? 50 : 25);
        if (wanted && inside)
            set[count - 1].high = v;
        else if (wanted && count < most)
            set[count++] = (struct dpf_range){v, v};
        else
            wanted = false;
        inside = wanted;
        if (v == mask)
            break;
    }
    if (!count)
        set[count++] = (struct dpf_range){mask, mask};
    return count;
}

static struct dpf_node random_node(struct gen *gen, bool based)
{
    static const uint8_t widths[] = {1, 1, 1, 2, 2, 4, 8};
    static const uint64_t masks[] = {0x3, 0x7, 0xc, 0x5, 0x300, 0x70000, 0xe0, 0};
    static const uint8_t kinds[] = {DPF_FIELD, DPF_FIELD, DPF_FIELD,
                                    DPF_FIELD, DPF_SHIFT, DPF_LENGTH};
    struct dpf_node node = {.kind = PICK(gen, kinds)};
    node.width = node.kind == DPF_LENGTH ? 4 : PICK(gen, widths);
    node.mask = node.kind == DPF_LENGTH ? 0x3f : PICK(gen, masks) & dpf_full(node.width);
    if (node.kind == DPF_LENGTH)
        return node;
    node.relative = based && gen_chance(gen, 60);
    node.offset = (uint16_t)gen_below(gen, 6);
    if (node.kind == DPF_SHIFT) {
        node.mask &= 0xf;
        node.shift = (int8_t)((int)gen_below(gen, 4) - 1);
        node.no = DPF_REJECT;
    }
    return node;
}

static uint16_t random_successor(struct gen *gen, unsigned i, unsigned count)
{
    if (i + 1 >= count || gen_chance(gen, 15))
        return gen_chance(gen, 50) ? DPF_ACCEPT : DPF_REJECT;
    unsigned ahead = count - i - 1;
    return (uint16_t)(i + 1 + gen_below(gen, ahead < 4 ? ahead : 4));
}

/* Some ranges under a mask, rising by steps of up to gap. */
static unsigned rising_set(struct gen *gen, uint64_t mask, struct dpf_range *set, unsigned most,
                           uint32_t gap)
{
    unsigned count = 0;
    uint64_t last = 0, low = gen_below(gen, gap) & mask;
    while (count < most) {
        uint64_t high = dpf_next_under(low + gen_below(gen, gap / 2 + 1), mask);
        if (gen_chance(gen, 50) || high < low)
            high = low;
        set[count++] = (struct dpf_range){low, high};
        last = dpf_next_under(high, mask);
        low = dpf_next_under(last + gen_below(gen, gap), mask);
        if (last <= high || low <= last)
            break;
    }
    return count;
}

static struct dpf_node large_node(struct gen *gen, bool based)
{
    static const uint8_t widths[] = {1, 2, 2, 4, 4, 8};
    static const uint64_t masks[] = {UINT64_MAX, UINT64_MAX,         UINT64_MAX, 0xfff0,
                                     0x0f0f,     0xff00ff00ff00ff00, 0x5555,     UINT64_MAX << 8};
    struct dpf_node node = {.kind = gen_chance(gen, 7) ? DPF_SHIFT : DPF_FIELD};
    node.width = PICK(gen, widths);
    node.mask = PICK(gen, masks) & dpf_full(node.width);
    if (!node.mask)
        node.mask = 0xf;
    node.relative = based && gen_chance(gen, 50);
    node.offset = (uint16_t)gen_below(gen, 4);
    if (node.kind == DPF_SHIFT) {
        node.mask &= 0xff;
        node.shift = (int8_t)gen_below(gen, 3);
    }
    return node;
}

struct dpf_filter gen_large(struct gen *gen, void *memory)
{
    struct dpf_header *header = memory;
    struct dpf_node *nodes = (void *)(header + 1);
    unsigned count = 1 + gen_below(gen, 30), used = 0;
    struct dpf_range *ranges = (void *)(nodes + count);
    uint32_t gap = 2U << gen_below(gen, 12);
    bool based = false;
    for (unsigned i = 0; i < count; i++) {
        unsigned left = (DPF_RANGES_MAX - used) / (count - i), most = gen_chance(gen, 50) ? 300 : 2;
        bool last = i + 1 == count;
        nodes[i] = large_node(gen, based);
        nodes[i].set = (uint16_t)used;
        nodes[i].yes = (uint16_t)(last ? DPF_ACCEPT : i + 1);
        nodes[i].no = DPF_REJECT;
        if (nodes[i].kind == DPF_SHIFT) {
            based = true;
            continue;
        }
        nodes[i].count =
            (uint16_t)rising_set(gen, nodes[i].mask, ranges + used, most < left ? most : left, gap);
        used += nodes[i].count;
        if (!last && gen_chance(gen, 40))
            nodes[i].no = (uint16_t)(i + 1); /* either way: the set matters elsewhere */
        if (gen_chance(gen, 15))
            nodes[i].no = DPF_ACCEPT;
    }
    *header = (struct dpf_header){DPF_MAGIC, DPF_VERSION, 0, (uint16_t)count, (uint16_t)used, 0};
    size_t size = (size_t)((uint8_t *)(ranges + used) - (uint8_t *)memory);
    struct dpf_filter filter;
    if (dpf_verify(memory, size, &filter) != 0)
        abort(); /* it was made to be sound */
    return filter;
}

/* Nodes are made until the verifier takes them: an unreachable one is tied to the one before. */
struct dpf_filter gen_filter(struct gen *gen, void *memory, size_t size)
{
    struct dpf_header *header = memory;
    struct dpf_filter filter;
    for (;;) {
        unsigned count = 1 + gen_below(gen, gen_chance(gen, 50) ? 4 : 14), ranges = 0;
        struct dpf_node *node = (void *)(header + 1);
        struct dpf_range *range = (void *)(node + count);
        bool based = false;
        for (unsigned i = 0; i < count; i++) {
            node[i] = random_node(gen, based);
            based |= node[i].kind == DPF_SHIFT;
            node[i].yes = random_successor(gen, i, count);
            if (i + 1 < count && gen_chance(gen, 70))
                node[i].yes = (uint16_t)(i + 1);
            node[i].set = (uint16_t)ranges;
            if (node[i].kind == DPF_SHIFT)
                continue;
            node[i].no = random_successor(gen, i, count);
            node[i].count = (uint16_t)random_set(gen, node[i].mask, range + ranges, 4);
            ranges += node[i].count;
        }
        *header = (struct dpf_header){.magic = DPF_MAGIC,
                                      .version = DPF_VERSION,
                                      .nodes = (uint16_t)count,
                                      .ranges = (uint16_t)ranges};
        size_t bytes = sizeof *header + count * sizeof *node + ranges * sizeof *range;
        if (bytes <= size && dpf_verify(memory, bytes, &filter) == 0)
            return filter;
    }
}

struct dpf_filter gen_tuple(void *memory, size_t size, const uint16_t *offsets,
                            const uint16_t *values, unsigned count, unsigned based)
{
    struct dpf_header *header = memory;
    unsigned shifts = based < count, nodes = count + shifts, at = 0;
    struct dpf_node *node = (void *)(header + 1);
    struct dpf_range *range = (void *)(node + nodes);
    struct dpf_filter filter;
    size_t bytes = sizeof *header + nodes * sizeof *node + count * sizeof *range;
    *header = (struct dpf_header){.magic = DPF_MAGIC,
                                  .version = DPF_VERSION,
                                  .nodes = (uint16_t)nodes,
                                  .ranges = (uint16_t)count};
    for (unsigned i = 0; i < count; i++) {
        if (i == based) {
            node[at] = (struct dpf_node){.kind = DPF_SHIFT, .width = 1, .shift = 2, .mask = 15};
            node[at].set = (uint16_t)i;
            node[at].no = DPF_REJECT;
            node[at].yes = (uint16_t)(at + 1);
            at++;
        }
        node[at] = (struct dpf_node){.kind = DPF_FIELD,
                                     .width = 2,
                                     .relative = i >= based,
                                     .offset = offsets[i],
                                     .yes = (uint16_t)(at + 1 < nodes ? at + 1 : DPF_ACCEPT),
                                     .no = DPF_REJECT,
                                     .set = (uint16_t)i,
                                     .count = 1,
                                     .mask = 0xffff};
        at++;
        range[i] = (struct dpf_range){values[i], values[i]};
    }
    if (bytes > size || dpf_verify(memory, bytes, &filter))
        abort();
    return filter;
}

uint8_t *gen_tight(const uint8_t *frame, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    if (!copy)
        abort();
    memcpy(copy, frame, length);
    return copy;
}
