/*
 * Cases that the compiler has to get right and that random filters hardly meet, each with the
 * mistake that it guards against.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiled.h"

#define NODES_MAX   24
#define MEMBERS_MAX 64

static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];

/* Filters in the making, and the trie of all of them. */
static struct builder {
    struct {
        _Alignas(8) struct dpf_header header;
        uint8_t rest[NODES_MAX * (sizeof(struct dpf_node) + sizeof(struct dpf_range))];
    } image[MEMBERS_MAX];
    struct dpf_node nodes[NODES_MAX];
    struct dpf_range ranges[NODES_MAX];
    struct dpf_filter filter[MEMBERS_MAX];
    struct dpf_member member[MEMBERS_MAX];
    unsigned node_count, range_count, count;
} b;

static void start(void)
{
    b.count = b.node_count = b.range_count = 0;
}

static struct dpf_node *add(enum dpf_kind kind, unsigned offset, unsigned width, bool relative,
                            uint64_t mask)
{
    struct dpf_node *node = &b.nodes[b.node_count++];
    *node = (struct dpf_node){.kind = (uint8_t)kind, .width = (uint8_t)width};
    node->relative = relative;
    node->offset = (uint16_t)offset;
    node->mask = mask;
    node->yes = (uint16_t)b.node_count;
    node->no = DPF_REJECT;
    node->set = (uint16_t)b.range_count;
    return node;
}

/* base = (relative ? base : 0) + ((byte at offset & mask) << shift) */
static void add_shift(unsigned offset, bool relative, uint64_t mask, int shift)
{
    add(DPF_SHIFT, offset, 1, relative, mask)->shift = (int8_t)shift;
}

/* The field lies in low .. high. */
static struct dpf_node *add_test(unsigned offset, unsigned width, bool relative, uint64_t low,
                                 uint64_t high)
{
    uint64_t mask = width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1;
    struct dpf_node *node = add(DPF_FIELD, offset, width, relative, mask);
    node->count = 1;
    b.ranges[b.range_count++] = (struct dpf_range){low, high};
    return node;
}

/* Ends a filter: what was added is the next member, of rank 1; its id is its number. */
static void end_filter(void)
{
    unsigned i = b.count++;
    b.nodes[b.node_count - 1].yes = DPF_ACCEPT;
    b.image[i].header = (struct dpf_header){
        DPF_MAGIC, DPF_VERSION, 0, (uint16_t)b.node_count, (uint16_t)b.range_count, 0};
    size_t nodes = b.node_count * sizeof *b.nodes, ranges = b.range_count * sizeof *b.ranges;
    memcpy(b.image[i].rest, b.nodes, nodes);
    memcpy(b.image[i].rest + nodes, b.ranges, ranges);
    int error = dpf_verify(&b.image[i], sizeof b.image[i].header + nodes + ranges, &b.filter[i]);
    if (error)
        fail_msg("filter %u: %s", i, dpf_strerror(error));
    b.member[i] = (struct dpf_member){&b.filter[i], i, 1, false};
    b.node_count = b.range_count = 0;
}

static struct dpf_trie *build(void)
{
    size_t size = dpf_trie_size(b.member, b.count, scratch);
    struct dpf_trie *trie = malloc(size);
    assert_int_equal(dpf_trie_build(trie, size, 9, b.member, b.count, scratch), 0);
    return trie;
}

/* What the compiled trie says, if that is what the interpreter says, too. */
static int classify(const uint8_t *frame, size_t length, bool disjoint)
{
    struct dpf_compile_options options = {.align = 8, .residue = 6, .equals_disjoint = disjoint};
    struct dpf_trie *trie = build();
    struct compiled compiled = compiled_trie(trie, &options);
    struct outcome o = compiled_run(&compiled, frame, length, length, 0, 0);
    uint32_t expected = dpf_classify(trie, frame, length, length).id;
    compiled_free(&compiled);
    free(trie);
    assert_null(o.fault);
    assert_int_equal((uint32_t)o.a0, expected);
    return (int32_t)o.a0;
}

/* A load is as wide as the base's alignment allows, which is that of its steps; the simulator
 * faults on others. */
static void a_base_is_only_as_aligned_as_its_steps(void **state)
{
    uint8_t frame[160] = {0};
    (void)state;
    for (unsigned i = 0; i < 4 * 16 * 8; i++) {
        unsigned shift = i % 4, offset = i / 4 % 16, residue = i / 64;
        start();
        add_shift(0, false, 15, (int)shift);
        add_test(offset, 8, true, 0, 0);
        end_filter();
        struct dpf_compile_options options = {.align = 8, .residue = (uint8_t)residue};
        struct compiled compiled = compiled_filter(&b.filter[0], &options);
        for (frame[0] = 1; frame[0] < 16; frame[0]++) {
            struct outcome o = compiled_run(&compiled, frame, sizeof frame, sizeof frame, 0, 0);
            assert_null(o.fault);
            assert_int_equal(o.a0, 1);
        }
        compiled_free(&compiled);
    }
}

/* Two paths set the base, one in steps of eight bytes, one in single ones; behind them it is as
 * aligned as the worse.
 */
static void where_paths_meet_a_base_is_as_aligned_as_on_each(void **state)
{
    uint8_t frame[160] = {0};
    struct dpf_compile_options options = {.align = 8};
    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        start();
        struct dpf_node *fork = add_test(1, 1, false, 1, 1);
        fork->no = 2;
        add_shift(0, false, 15, first ? 0 : 3);
        b.nodes[1].yes = 3;
        add_shift(0, false, 15, first ? 3 : 0);
        add_test(8, 8, true, 0, 0);
        end_filter();
        struct compiled compiled = compiled_filter(&b.filter[0], &options);
        for (frame[0] = 2; frame[0] < 16; frame[0]++)
            for (frame[1] = 0; frame[1] < 2; frame[1]++) {
                struct outcome o = compiled_run(&compiled, frame, sizeof frame, sizeof frame, 0, 0);
                assert_null(o.fault);
                assert_int_equal(o.a0, 1);
            }
        compiled_free(&compiled);
    }
}

/* A filter of too many paths is copied as a whole, with a running base of its own; it may not be
 * that of the path. */
static void an_alternative_behind_a_copied_filter_finds_its_base_as_it_was(void **state)
{
    (void)state;
    start();
    add_shift(0, false, 15, 0);
    for (unsigned i = 0; i < 8; i++) {
        struct dpf_node *node = add_test(1 + i, 1, true, 1, 1);
        node->no = node->yes;
    }
    add_shift(1, true, 15, 0);
    add_test(10, 1, true, 0x77, 0x77);
    end_filter();
    add_shift(0, false, 15, 0);
    add_test(10, 1, true, 0x55, 0x55);
    end_filter();
    uint8_t frame[40] = {2, 0, 0, 5};
    frame[2 + 10] = 0x55;
    assert_int_equal(classify(frame, sizeof frame, false), 1);
    frame[2 + 5 + 10] = 0x77;
    assert_int_equal(classify(frame, sizeof frame, false), 0);
}

/* What one alternative needs behind its base must not be asked of another. */
static void a_base_that_is_not_used_may_lie_outside_of_the_frame(void **state)
{
    (void)state;
    start();
    add_shift(0, false, 15, 0);
    add_shift(0, true, 255, 0);
    add_test(20, 1, true, 1, 1);
    end_filter();
    add_shift(0, false, 15, 0);
    add_shift(0, true, 255, 0);
    add_shift(0, false, 15, 0);
    add_shift(1, true, 255, 0);
    add_test(0, 1, true, 9, 9);
    end_filter();
    uint8_t frame[40] = {4};
    frame[4] = 200;
    frame[5] = 10;
    frame[14] = 9;
    assert_int_equal(classify(frame, sizeof frame, false), 1);
}

/* Only tests that are the same at both ends of their ranges are asked once for all. */
static void children_that_differ_in_one_end_of_a_range_are_told_apart(void **state)
{
    uint8_t frame[8] = {0};
    (void)state;
    start();
    for (unsigned i = 0; i < 8; i++) {
        add_test(0, 2, false, i, i);
        add_test(4, 2, false, 100, 200 + i);
        end_filter();
    }
    for (unsigned i = 0; i < 8; i++)
        for (unsigned v = 198; v < 210; v++) {
            frame[1] = (uint8_t)i;
            frame[5] = (uint8_t)v;
            assert_int_equal(classify(frame, sizeof frame, true), v <= 200 + i ? (int)i : -1);
        }
}

/* Children that do nothing but accept behind what they share have their ids in the table; the
 * others don't. */
static void children_that_ask_more_than_others_are_not_taken_for_them(void **state)
{
    uint8_t frame[8] = {0};
    (void)state;
    for (unsigned longer = 0; longer < 12; longer++) {
        start();
        for (unsigned i = 0; i < 12; i++) {
            add_test(0, 2, false, i, i);
            add_test(4, 2, false, 100, 100);
            if (i == longer)
                add_test(6, 2, false, 7, 7);
            end_filter();
        }
        for (unsigned i = 0; i < 24; i++) {
            bool matches = i % 12 != longer || i >= 12;
            frame[1] = (uint8_t)(i % 12);
            frame[5] = 100;
            frame[7] = i >= 12 ? 7 : 8;
            assert_int_equal(classify(frame, sizeof frame, true), matches ? (int)(i % 12) : -1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_base_is_only_as_aligned_as_its_steps),
        cmocka_unit_test(where_paths_meet_a_base_is_as_aligned_as_on_each),
        cmocka_unit_test(an_alternative_behind_a_copied_filter_finds_its_base_as_it_was),
        cmocka_unit_test(a_base_that_is_not_used_may_lie_outside_of_the_frame),
        cmocka_unit_test(children_that_differ_in_one_end_of_a_range_are_told_apart),
        cmocka_unit_test(children_that_ask_more_than_others_are_not_taken_for_them),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
