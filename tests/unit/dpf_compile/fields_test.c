/*
 * Compiled filters at their extremes: fields far into a frame, under masks of every kind; the
 * longest conjunctions; tables that no multiplier suits; filters that say the same of every frame.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../dpf/gen.h"
#include "compiled.h"
#include "dpf/atom.h"

#define LENGTH_MAX 70000
#define NODES_MAX  6
#define MANY       128

static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];

/* An image under construction. */
struct image {
    _Alignas(8) struct dpf_header header;
    struct dpf_node nodes[NODES_MAX];
    struct dpf_range ranges[NODES_MAX];
};

static uint64_t gen_64(struct gen *gen)
{
    uint64_t high = gen_below(gen, UINT32_MAX);
    return high << 32 ^ gen_below(gen, UINT32_MAX) ^ (uint64_t)gen_below(gen, 16) << 60;
}

static struct dpf_filter verified(const void *image, size_t size)
{
    struct dpf_filter filter;
    int error = dpf_verify(image, size, &filter);
    if (error)
        fail_msg("the image is wrong: %s", dpf_strerror(error));
    return filter;
}

static uint64_t random_mask(struct gen *gen, unsigned width)
{
    unsigned low = gen_below(gen, 8 * width), bits = 1 + gen_below(gen, 8 * width - low);
    uint64_t ones = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    switch (gen_below(gen, 4)) {
    case 0:
        return dpf_full(width);
    case 1:
        return gen_64(gen) & dpf_full(width);
    case 2:
        return UINT64_C(1) << low;
    default:
        return ones << low;
    }
}

static void random_range(struct gen *gen, uint64_t mask, struct dpf_range *range)
{
    uint64_t a = gen_64(gen) & mask, b = gen_64(gen) & mask;
    unsigned kind = gen_below(gen, 4);
    range->low = kind == 0 ? 0 : a < b ? a : b;
    range->high = kind == 1 ? mask : a < b ? b : a;
    if (kind == 2)
        range->high = range->low;
}

/* A chain of tests, at far offsets, some behind a shift of up to 60 bytes; a few lead to accept
 * early. */
static struct dpf_filter random_chain(struct gen *gen, struct image *image)
{
    static const uint16_t offsets[] = {0,    1,    6,    14,   26,   1016, 1020,  1023,
                                       2034, 2040, 2041, 2047, 2048, 4090, 32767, 65520,
                                       3,    12,   2039, 2046, 2042, 1024, 2,     30};
    unsigned nodes = 1 + gen_below(gen, NODES_MAX), ranges = 0, shift = gen_below(gen, NODES_MAX);
    memset(image, 0, sizeof *image);
    for (unsigned i = 0; i < nodes; i++) {
        struct dpf_node *node = &image->nodes[i];
        bool last = i + 1 == nodes;
        node->kind = i == shift && !last ? DPF_SHIFT : DPF_FIELD;
        node->width = (uint8_t)(1 << gen_below(gen, 4));
        node->offset = offsets[gen_below(gen, sizeof offsets / sizeof *offsets)];
        node->relative = i > shift && gen_chance(gen, 70);
        node->yes = last ? DPF_ACCEPT : (uint16_t)(i + 1);
        node->no = DPF_REJECT;
        node->set = (uint16_t)ranges;
        node->mask = random_mask(gen, node->width);
        if (node->kind == DPF_SHIFT) {
            node->mask = 0xf;
            node->shift = 2;
            continue;
        }
        if (!last && gen_chance(gen, 20))
            node->no = gen_chance(gen, 50) ? DPF_ACCEPT : (uint16_t)(i + 1);
        node->count = 1;
        random_range(gen, node->mask, &image->ranges[ranges++]);
    }
    image->header =
        (struct dpf_header){DPF_MAGIC, DPF_VERSION, 0, (uint16_t)nodes, (uint16_t)ranges, 0};
    memmove(&image->nodes[nodes], image->ranges, ranges * sizeof *image->ranges);
    return verified(image, sizeof image->header + nodes * sizeof *image->nodes +
                               ranges * sizeof *image->ranges);
}

static void put(uint8_t *to, unsigned width, uint64_t mask, uint64_t value)
{
    for (unsigned i = 0; i < width; i++) {
        unsigned down = 8 * (width - 1 - i);
        to[i] = (uint8_t)((to[i] & ~(mask >> down)) | (value & mask) >> down);
    }
}

/* Makes the frame suit most of the chain's tests. */
static void aim(struct gen *gen, const struct dpf_filter *filter, uint8_t *frame, size_t length)
{
    size_t base = 0;
    for (unsigned i = 0; i < filter->node_count; i++) {
        const struct dpf_node *node = &filter->nodes[i];
        size_t at = (node->relative ? base : 0) + node->offset;
        if (at + node->width > length)
            return;
        if (node->kind == DPF_SHIFT) {
            base = (node->relative ? base : 0) +
                   ((dpf_load(frame + at, node->width) & node->mask) << node->shift);
            continue;
        }
        const struct dpf_range *range = &filter->ranges[node->set];
        uint64_t value = gen_chance(gen, 50) ? range->low : range->high;
        if (gen_chance(gen, 10))
            value += gen_chance(gen, 50) ? 1 : (uint64_t)-1;
        put(frame + at, node->width, node->mask, value);
    }
}

static struct dpf_compile_options random_options(struct gen *gen)
{
    struct dpf_compile_options options = {.isa = gen_below(gen, 8)};
    options.align = (uint8_t)(1 << gen_below(gen, 4));
    options.residue = (uint8_t)gen_below(gen, options.align);
    return options;
}

/* Compiles it both ways, alone and as the only member of a trie. */
static void check_chain(struct gen *gen, const struct dpf_filter *filter, uint8_t *frame,
                        size_t *accepted)
{
    struct dpf_compile_options options = random_options(gen);
    struct dpf_member member = {filter, 7, 0, false};
    size_t size = dpf_trie_size(&member, 1, scratch);
    struct dpf_trie *trie = malloc(size);
    assert_int_equal(dpf_trie_build(trie, size, 1, &member, 1, scratch), 0);
    struct compiled alone = compiled_filter(filter, &options);
    struct compiled merged = compiled_trie(trie, &options);
    for (unsigned n = 0; n < 12; n++) {
        static const uint32_t most[] = {40, 1100, 2100, 5000, LENGTH_MAX};
        size_t length = gen_below(gen, most[gen_below(gen, 5)]);
        aim(gen, filter, frame, length);
        bool expected = dpf_match(filter, frame, length, length);
        struct outcome a = compiled_run(&alone, frame, length, length, 0, 0);
        struct outcome b = compiled_run(&merged, frame, length, length, 0, 0);
        if (a.fault || b.fault || a.a0 != expected || ((int32_t)b.a0 == 7) != expected)
            fail_msg("length %zu: %d, %d instead of %d; %s %s", length, (int)a.a0, (int)b.a0,
                     expected, a.fault ? a.fault : "", b.fault ? b.fault : "");
        *accepted += expected;
    }
    compiled_free(&alone);
    compiled_free(&merged);
    free(trie);
}

static void fields_of_any_width_mask_and_distance_are_found(void **state)
{
    struct gen gen = {41};
    uint8_t *frame = calloc(1, LENGTH_MAX);
    size_t accepted = 0;
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        struct image image;
        struct dpf_filter filter = random_chain(&gen, &image);
        for (unsigned i = 0; i < 64; i++)
            frame[i] = (uint8_t)gen_below(&gen, 256);
        check_chain(&gen, &filter, frame, &accepted);
    }
    free(frame);
    assert_true(accepted > 3000);
}

static void filters_that_say_the_same_of_every_frame_are_compiled(void **state)
{
    _Alignas(8) uint8_t image[64];
    struct dpf_compile_options options = {.align = 1};
    (void)state;
    for (unsigned all = 0; all < 2; all++) {
        int size = all ? dpf_make_all(image, sizeof image) : dpf_make_none(image, sizeof image);
        struct dpf_filter filter = verified(image, (size_t)size);
        struct compiled compiled = compiled_filter(&filter, &options);
        struct outcome o = compiled_run(&compiled, image, 0, 0, 0, 0);
        assert_null(o.fault);
        assert_int_equal(o.a0, all);
        compiled_free(&compiled);
    }
}

/* A chain of MANY tests that byte i is 1, but for byte differs, which is 2. */
static struct dpf_filter long_chain(uint8_t *memory, unsigned differs)
{
    struct dpf_header *header = (void *)memory;
    struct dpf_node *nodes = (void *)(header + 1);
    struct dpf_range *ranges = (void *)(nodes + MANY);
    *header = (struct dpf_header){DPF_MAGIC, DPF_VERSION, 0, MANY, MANY, 0};
    for (unsigned i = 0; i < MANY; i++) {
        nodes[i] = (struct dpf_node){.kind = DPF_FIELD, .width = 1, .offset = (uint16_t)i};
        nodes[i].yes = i + 1 < MANY ? (uint16_t)(i + 1) : DPF_ACCEPT;
        nodes[i].no = DPF_REJECT;
        nodes[i].set = (uint16_t)i;
        nodes[i].count = 1;
        nodes[i].mask = 255;
        ranges[i].low = ranges[i].high = i == differs ? 2 : 1;
    }
    return verified(memory, sizeof *header + MANY * (sizeof *nodes + sizeof *ranges));
}

static void the_longest_conjunctions_with_an_alternative_at_each_test_are_compiled(void **state)
{
    static _Alignas(8) uint8_t images[MANY][8192];
    static struct dpf_filter filters[MANY];
    static struct dpf_member members[MANY];
    struct dpf_compile_options options = {.align = 8, .residue = 6};
    uint8_t frame[MANY];
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        filters[i] = long_chain(images[i], i);
        members[i] = (struct dpf_member){&filters[i], i, 0, false};
    }
    size_t size = dpf_trie_size(members, MANY, scratch);
    struct dpf_trie *trie = malloc(size);
    assert_int_equal(dpf_trie_build(trie, size, 1, members, MANY, scratch), 0);
    struct compiled compiled = compiled_trie(trie, &options);
    for (unsigned i = 0; i <= MANY; i++) {
        memset(frame, 1, sizeof frame);
        if (i < MANY)
            frame[i] = 2;
        struct outcome o = compiled_run(&compiled, frame, MANY, MANY, 0, 0);
        assert_null(o.fault);
        assert_int_equal((int32_t)o.a0, i < MANY ? (int)i : -1);
    }
    compiled_free(&compiled);
    free(trie);
}

/* A filter that takes one value of one field. */
static struct dpf_filter one_field(struct image *image, unsigned width, uint64_t value)
{
    memset(image, 0, sizeof *image);
    image->header = (struct dpf_header){DPF_MAGIC, DPF_VERSION, 0, 1, 1, 0};
    image->nodes[0] = (struct dpf_node){.kind = DPF_FIELD,
                                        .width = (uint8_t)width,
                                        .offset = 2,
                                        .yes = DPF_ACCEPT,
                                        .no = DPF_REJECT,
                                        .count = 1,
                                        .mask = dpf_full(width)};
    struct dpf_range *range = (void *)&image->nodes[1];
    range->low = range->high = value;
    return verified(image, sizeof image->header + sizeof *image->nodes + sizeof *range);
}

/* Compiles a table of so many random values, with a secret; all are found; returns the code's size.
 */
static uint32_t check_table(struct gen *gen, unsigned width, unsigned values, uint64_t seed)
{
    static struct image images[1000];
    static struct dpf_filter filters[1000];
    static struct dpf_member members[1000];
    static uint64_t value[1000];
    struct dpf_compile_options options = {.isa = RV64_ZBA, .align = 2};
    uint8_t frame[16] = {0};
    for (unsigned i = 0; i < values; i++) {
        value[i] = (gen_64(gen) & dpf_full(width) & ~UINT64_C(1023)) | i;
        filters[i] = one_field(&images[i], width, value[i]);
        members[i] = (struct dpf_member){&filters[i], i, 0, false};
    }
    size_t size = dpf_trie_size(members, values, scratch);
    struct dpf_trie *trie = malloc(size);
    assert_int_equal(dpf_trie_build(trie, size, seed, members, values, scratch), 0);
    struct compiled compiled = compiled_trie(trie, &options);
    for (unsigned i = 0; i < 2 * values; i++) {
        uint64_t v =
            i < values ? value[i] : gen_64(gen) | 1023; /* no table has 1023 as its low bits */
        put(frame + 2, width, UINT64_MAX, v);
        struct outcome o = compiled_run(&compiled, frame, 16, 16, 0, 0);
        assert_null(o.fault);
        assert_int_equal((int32_t)o.a0, i < values ? (int)i : -1);
    }
    compiled_free(&compiled);
    free(trie);
    return compiled.code.size;
}

static void tables_of_every_size_and_width_find_their_values(void **state)
{
    struct gen gen = {43};
    (void)state;
    for (unsigned width = 2; width <= 8; width *= 2)
        for (unsigned values = 2; values < 1000; values += 1 + values / 3)
            check_table(&gen, width, values, values);
}

static void a_table_that_no_multiplier_suits_becomes_larger(void **state)
{
    struct gen gen = {44};
    unsigned larger = 0;
    (void)state;
    uint32_t usual = check_table(&gen, 4, 32, 0);
    for (uint64_t seed = 1; seed < 20000 && !larger; seed++)
        larger += check_table(&gen, 4, 32, seed) > usual + 1024;
    assert_true(larger > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_any_width_mask_and_distance_are_found),
        cmocka_unit_test(filters_that_say_the_same_of_every_frame_are_compiled),
        cmocka_unit_test(the_longest_conjunctions_with_an_alternative_at_each_test_are_compiled),
        cmocka_unit_test(tables_of_every_size_and_width_find_their_values),
        cmocka_unit_test(a_table_that_no_multiplier_suits_becomes_larger),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
