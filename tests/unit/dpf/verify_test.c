/*
 * The verifier refuses each kind of malformed image by its name; the small parts that everything
 * rests on; and the makers of filters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dpf/atom.h"
#include "gen.h"

/* An image of three nodes that has one of everything; each case spoils a copy. */
struct sample {
    struct dpf_header header;
    struct dpf_node node[3];
    struct dpf_range range[3];
};

static const struct sample sound = {
    .header = {DPF_MAGIC, DPF_VERSION, 0, 3, 3, 0},
    .node =
        {
            {DPF_SHIFT, 1, 0, 2, 14, 1, DPF_REJECT, 0, 0, 0, 15},
            {DPF_FIELD, 2, 1, 0, 16, DPF_ACCEPT, 2, 0, 2, 0, 0xffff},
            {DPF_LENGTH, 4, 0, 0, 0, DPF_ACCEPT, DPF_REJECT, 2, 1, 0, UINT32_MAX},
        },
    .range = {{7, 7}, {10, 20}, {100, 200}},
};

/* The named error for one change of the sample. */
#define SPOILED(error, ...)                                                                        \
    do {                                                                                           \
        struct sample s = sound;                                                                   \
        struct dpf_filter filter = {.size = 77};                                                   \
        __VA_ARGS__;                                                                               \
        int found = dpf_verify(&s, sizeof s, &filter);                                             \
        if (found != (error))                                                                      \
            fail_msg("%s: %s, not %s", #__VA_ARGS__, dpf_strerror(found), dpf_strerror(error));    \
        assert_int_equal(filter.size, (error) ? 77 : sizeof s);                                    \
    } while (0)

static void each_fault_has_its_error(void **state)
{
    (void)state;
    SPOILED(0, (void)s);
    SPOILED(DPF_E_MAGIC, s.header.magic++);
    SPOILED(DPF_E_VERSION, s.header.version = 2);
    SPOILED(DPF_E_RESERVED, s.header.reserved = 1);
    SPOILED(DPF_E_NODES, s.header.nodes = DPF_NODES_MAX + 1);
    SPOILED(DPF_E_RANGES, s.header.ranges = DPF_RANGES_MAX + 1);
    SPOILED(DPF_E_TRUNCATED, s.header.nodes = 4);
    SPOILED(DPF_E_TRUNCATED, s.header.ranges = 4);
    SPOILED(DPF_E_TRAILING, s.header.ranges = 2);
    SPOILED(DPF_E_ENTRY, s.header.entry = 1);
    SPOILED(DPF_E_ENTRY, s.header.entry = DPF_ACCEPT);
    SPOILED(DPF_E_KIND, s.node[1].kind = 0);
    SPOILED(DPF_E_KIND, s.node[1].kind = DPF_SHIFT + 1);
    SPOILED(DPF_E_WIDTH, s.node[1].width = 3);
    SPOILED(DPF_E_WIDTH, s.node[1].width = 0);
    SPOILED(DPF_E_WIDTH, s.node[1].width = 16);
    SPOILED(DPF_E_WIDTH, s.node[2].width = 2);
    SPOILED(DPF_E_RESERVED, s.node[1].relative = 2);
    SPOILED(DPF_E_RESERVED, s.node[1].reserved = 1);
    SPOILED(DPF_E_RESERVED, s.node[2].offset = 1);
    SPOILED(DPF_E_RESERVED, s.node[2].relative = 1);
    SPOILED(DPF_E_MASK, s.node[1].mask = 0x1ffff);
    SPOILED(DPF_E_MASK, s.node[0].mask = 0x1ff);
    SPOILED(DPF_E_CYCLE, s.node[1].no = 1);
    SPOILED(DPF_E_CYCLE, s.node[1].no = 0);
    SPOILED(DPF_E_CYCLE, s.node[2].yes = 2);
    SPOILED(DPF_E_SUCCESSOR, s.node[1].yes = 3);
    SPOILED(DPF_E_SUCCESSOR, s.node[2].no = DPF_REJECT - 1);
    SPOILED(DPF_E_UNREACHABLE, s.node[0].yes = 2);
    SPOILED(DPF_E_UNREACHABLE, s.node[1].no = DPF_REJECT);
    SPOILED(DPF_E_SHIFT, s.node[0].shift = 32);
    SPOILED(DPF_E_SHIFT, s.node[0].shift = -32);
    SPOILED(DPF_E_SHIFT, s.node[0].shift = -128);
    SPOILED(DPF_E_SHIFT, s.node[0].no = 1);
    SPOILED(DPF_E_SHIFT, s.node[0].count = 1);
    SPOILED(DPF_E_SHIFT, s.node[1].shift = 1);
    SPOILED(DPF_E_SHIFT, s.node[2].shift = 1);
    SPOILED(DPF_E_STEP, s.node[0].shift = 13);
    SPOILED(DPF_E_STEP, (s.node[0].width = 4, s.node[0].mask = 0x10000, s.node[0].shift = 0));
    SPOILED(DPF_E_STEP, (s.node[0].width = 8, s.node[0].mask = 1ull << 40, s.node[0].shift = -31));
    SPOILED(DPF_E_BASE, s.node[0].relative = 1);
    SPOILED(DPF_E_BASE, s.node[0].kind = DPF_FIELD; s.node[0].shift = 0; s.node[0].count = 1;
            s.node[1].set = 1; s.node[1].count = 1; s.range[0] = (struct dpf_range){1, 1});
    SPOILED(DPF_E_SET, s.node[1].count = 0);
    SPOILED(DPF_E_SET, s.node[1].set = 1);
    SPOILED(DPF_E_SET, s.node[1].count = 4);
    SPOILED(DPF_E_SET, s.node[1].count = 0xffff);
    SPOILED(DPF_E_SET, s.node[1].count = 1; s.node[2].set = 1);
    SPOILED(DPF_E_SET_ORDER, s.range[0].low = 8);
    SPOILED(DPF_E_SET_ORDER, s.range[1].low = 7);
    SPOILED(DPF_E_SET_ORDER, s.range[1].low = 8);
    SPOILED(DPF_E_SET_ORDER, s.node[1].mask = 0xff1e; s.range[0] = (struct dpf_range){6, 6};
            s.range[1] = (struct dpf_range){8, 16});
    SPOILED(0, s.range[1].low = 9);
    SPOILED(DPF_E_SET_VALUE, s.range[1].high = 0x10000);
    SPOILED(DPF_E_SET_VALUE, s.node[1].mask = 0xfff0);
    SPOILED(DPF_E_SET_VALUE, s.range[2].high = UINT64_MAX);
}

static void a_filter_without_nodes_must_say_what_it_is(void **state)
{
    struct dpf_filter filter;
    (void)state;
    for (unsigned entry = 0; entry <= 0xffff; entry++) {
        struct dpf_header header = {DPF_MAGIC, DPF_VERSION, (uint16_t)entry, 0, 0, 0};
        bool good = entry == DPF_ACCEPT || entry == DPF_REJECT;
        assert_int_equal(dpf_verify(&header, sizeof header, &filter), good ? 0 : DPF_E_ENTRY);
    }
}

static void every_cut_is_truncated_and_every_byte_more_trails(void **state)
{
    struct dpf_filter filter;
    (void)state;
    for (size_t size = 0; size < sizeof sound; size++) {
        uint8_t *tight = gen_tight((const void *)&sound, size);
        assert_int_equal(dpf_verify(tight, size, &filter), DPF_E_TRUNCATED);
        free(tight);
    }
    struct {
        struct sample s;
        uint8_t more[8];
    } longer = {sound, {0}};
    assert_int_equal(dpf_verify(&longer, sizeof sound + 1, &filter), DPF_E_TRAILING);
    assert_int_equal(dpf_verify((uint8_t *)&longer + 4, sizeof sound, &filter), DPF_E_ALIGNMENT);
}

static void every_error_has_its_own_sentence(void **state)
{
    (void)state;
    static const int errors[] = {
#define DPF_ERROR(name, value, sentence) value,
#include "dpf/errors.def"
#undef DPF_ERROR
    };
    for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++)
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(dpf_strerror(errors[i]), dpf_strerror(errors[k]));
    assert_string_equal(dpf_strerror(-1000), "unknown error");
}

/* The largest image is verified, and its memory is what DPF_IMAGE_MAX says. */
static void the_largest_image_fits(void **state)
{
    static _Alignas(8) uint8_t memory[DPF_IMAGE_MAX];
    struct dpf_header *header = (void *)memory;
    struct dpf_node *node = (void *)(header + 1);
    struct dpf_range *range = (void *)(node + DPF_NODES_MAX);
    struct dpf_filter filter;
    (void)state;
    *header = (struct dpf_header){DPF_MAGIC, DPF_VERSION, 0, DPF_NODES_MAX, DPF_RANGES_MAX, 0};
    for (unsigned i = 0, used = 0; i < DPF_NODES_MAX; i++) {
        bool last = i == DPF_NODES_MAX - 1;
        unsigned count = last ? DPF_RANGES_MAX - used : 1;
        node[i] = (struct dpf_node){.kind = DPF_FIELD,
                                    .width = 2,
                                    .yes = last ? DPF_ACCEPT : (uint16_t)(i + 1),
                                    .no = DPF_REJECT,
                                    .set = (uint16_t)used,
                                    .count = (uint16_t)count,
                                    .mask = 0xffff};
        for (unsigned k = 0; k < count; k++)
            range[used + k] = (struct dpf_range){2 * k, 2 * k};
        used += count;
    }
    assert_int_equal(dpf_verify(memory, sizeof memory, &filter), 0);
    const uint8_t zeros[2] = {0};
    assert_true(dpf_match(&filter, zeros, 2, 2));
}

static void sets_are_searched_as_if_in_order(void **state)
{
    struct gen gen = {31};
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        struct dpf_range set[12];
        unsigned count = gen_below(&gen, 12);
        uint64_t at = 0;
        for (unsigned i = 0; i < count; i++) {
            set[i].low = at + gen_below(&gen, 3);
            set[i].high = set[i].low + gen_below(&gen, 4);
            at = set[i].high + 2;
        }
        for (uint64_t v = 0; v < at + 3; v++) {
            bool expected = false;
            for (unsigned i = 0; i < count; i++)
                expected |= v >= set[i].low && v <= set[i].high;
            assert_int_equal(dpf_in_set(set, count, v), expected);
        }
    }
}

static void counting_under_a_mask_visits_every_value(void **state)
{
    (void)state;
    for (uint64_t mask = 0; mask < 256; mask++) {
        uint64_t v = 0;
        for (uint64_t expected = 1; expected < 256; expected++) {
            if (expected & ~mask)
                continue;
            v = dpf_next_under(v, mask);
            assert_int_equal(v, expected);
        }
        assert_int_equal(dpf_next_under(v, mask), 0);
    }
    assert_true(dpf_next_under(UINT64_MAX, UINT64_MAX) == 0);
}

static void loads_are_big_endian_and_bounded(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    (void)state;
    assert_true(dpf_load(bytes, 8) == 0x0102030405060708);
    for (unsigned width = 1; width <= 8; width *= 2) {
        struct dpf_filter filter;
        struct {
            struct dpf_header header;
            struct dpf_node node;
            struct dpf_range range;
        } one = {{DPF_MAGIC, DPF_VERSION, 0, 1, 1, 0},
                 {DPF_FIELD, (uint8_t)width, 0, 0, 1, DPF_ACCEPT, DPF_REJECT, 0, 1, 0, 0},
                 {0, 0}};
        assert_int_equal(dpf_verify(&one, sizeof one, &filter), 0);
        for (size_t available = 0; available <= sizeof bytes; available++) {
            uint8_t *tight = gen_tight(bytes, available);
            bool readable = 1 + width <= available;
            assert_int_equal(dpf_match(&filter, tight, available, 100), readable);
            free(tight);
        }
    }
}

static bool accepts(const void *image, int size, const uint8_t *frame, size_t length)
{
    struct dpf_filter filter;
    assert_true(size > 0);
    assert_int_equal(dpf_verify(image, (size_t)size, &filter), 0);
    return dpf_match(&filter, frame, length, length);
}

static void makers_make_what_they_say(void **state)
{
    _Alignas(8) uint8_t image[256];
    const uint8_t mac[6] = {2, 0, 0x5e, 0x10, 0xff, 1};
    uint8_t frame[14] = {9, 9, 9, 9, 9, 9, 2, 0, 0x5e, 0x10, 0xff, 1};
    (void)state;
    assert_true(accepts(image, dpf_make_all(image, sizeof image), frame, 0));
    assert_false(accepts(image, dpf_make_none(image, sizeof image), frame, 14));
    int size = dpf_make_source_mac(image, sizeof image, mac);
    assert_true(accepts(image, size, frame, 14));
    assert_false(accepts(image, size, frame, 11));
    for (unsigned i = 0; i < 12; i++) {
        frame[i] ^= 1;
        assert_int_equal(accepts(image, size, frame, 14), i < 6);
        frame[i] ^= 1;
    }
    for (int short_by = 1; short_by <= size; short_by++)
        assert_int_equal(dpf_make_source_mac(image, (size_t)(size - short_by), mac), DPF_E_SPACE);
    assert_int_equal(dpf_make_all(image + 1, 100), DPF_E_ALIGNMENT);
}

static void a_conjunction_accepts_what_both_accept(void **state)
{
    struct gen gen = {33};
    size_t both_accept = 0;
    (void)state;
    for (unsigned round = 0; round < 4000; round++) {
        _Alignas(8) uint8_t memory[2][2048], image[4096];
        struct dpf_filter f[2], c;
        for (unsigned i = 0; i < 2; i++) {
            f[i] = gen_filter(&gen, memory[i], sizeof memory[i]);
            unsigned end = gen_below(&gen, 10);
            if (end < 2) {
                int size = end ? dpf_make_all(memory[i], 64) : dpf_make_none(memory[i], 64);
                assert_int_equal(dpf_verify(memory[i], (size_t)size, &f[i]), 0);
            }
        }
        int size = dpf_conjoin(&f[0], &f[1], image, sizeof image);
        assert_true(size > 0);
        assert_int_equal(dpf_verify(image, (size_t)size, &c), 0);
        assert_int_equal(dpf_conjoin(&f[0], &f[1], image, (size_t)size - 1), DPF_E_SPACE);
        assert_int_equal(dpf_conjoin(&f[0], &f[1], image, (size_t)size), size);
        for (unsigned n = 0; n < 20; n++) {
            uint8_t frame[GEN_FRAME_MAX] = {0};
            size_t length = gen_below(&gen, 40);
            gen_aim(&gen, &f[0], frame, length);
            gen_aim(&gen, &f[1], frame, length);
            bool expected =
                dpf_match(&f[0], frame, length, length) && dpf_match(&f[1], frame, length, length);
            assert_int_equal(dpf_match(&c, frame, length, length), expected);
            both_accept += expected;
        }
    }
    assert_true(both_accept > 5000);
}

static void a_conjunction_too_large_is_refused(void **state)
{
    static _Alignas(8) uint8_t images[2][DPF_IMAGE_MAX], both[2 * DPF_IMAGE_MAX];
    static const unsigned nodes[] = {512, 513};
    struct dpf_filter filters[2];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        static uint16_t zeros[513];
        filters[i] = gen_tuple(images[i], DPF_IMAGE_MAX, zeros, zeros, nodes[i], nodes[i]);
    }
    int size = dpf_conjoin(&filters[0], &filters[0], both, sizeof both);
    struct dpf_filter c;
    assert_int_equal(dpf_verify(both, (size_t)size, &c), 0);
    assert_int_equal(dpf_conjoin(&filters[0], &filters[1], both, sizeof both), DPF_E_NODES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_error),
        cmocka_unit_test(a_filter_without_nodes_must_say_what_it_is),
        cmocka_unit_test(every_cut_is_truncated_and_every_byte_more_trails),
        cmocka_unit_test(every_error_has_its_own_sentence),
        cmocka_unit_test(the_largest_image_fits),
        cmocka_unit_test(sets_are_searched_as_if_in_order),
        cmocka_unit_test(counting_under_a_mask_visits_every_value),
        cmocka_unit_test(loads_are_big_endian_and_bounded),
        cmocka_unit_test(makers_make_what_they_say),
        cmocka_unit_test(a_conjunction_accepts_what_both_accept),
        cmocka_unit_test(a_conjunction_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
