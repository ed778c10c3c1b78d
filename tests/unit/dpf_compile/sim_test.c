/*
 * The compiled trie and filters against the naive evaluator, in the simulator: every access outside
 * of the frame, and every misaligned one, is a fault there. Harts with and without each extension,
 * frames of every alignment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiled.h"
#include "members.h"

#define ALL_ISA (RV64_ZBA | RV64_ZBB | RV64_MISALIGNED)

static struct members members;

static size_t random_length(struct gen *gen, size_t available)
{
    return available + (gen_chance(gen, 20) ? gen_below(gen, 40) : 0);
}

static void compiled_trie_agrees_with_the_naive_evaluator(void **state)
{
    struct gen gen = {21};
    size_t wins = 0, taps = 0;
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        members_make(&members, &gen);
        struct dpf_trie *trie = members_trie(&members);
        struct dpf_compile_options options = members_options(&gen, ALL_ISA);
        struct compiled compiled = compiled_trie(trie, &options);
        for (unsigned n = 0; n < 60; n++) {
            uint8_t frame[FRAME_MAX];
            size_t available = gen_below(&gen, FRAME_MAX);
            members_frame(&members, &gen, frame, available);
            size_t length = random_length(&gen, available);
            struct outcome o = compiled_run(&compiled, frame, available, length, 0, 0);
            if (o.fault || !members_right(&members, options.equals_disjoint, frame, available,
                                          length, (uint32_t)o.a0, o.a1))
                fail_msg("round %u frame %u: winner %d, taps %llx; %s %llx", round, n, (int)o.a0,
                         (unsigned long long)o.a1, o.fault ? o.fault : "",
                         (unsigned long long)o.fault_at);
            wins += (uint32_t)o.a0 != DPF_NONE;
            taps += o.a1 != 0;
        }
        compiled_free(&compiled);
        free(trie);
    }
    assert_true(wins > 10000 && taps > 2000);
}

static void compiled_filter_agrees_with_the_naive_evaluator(void **state)
{
    struct gen gen = {22};
    size_t accepted = 0;
    (void)state;
    members.count = 1;
    for (unsigned round = 0; round < 1500; round++) {
        members.filter[0] = gen_filter(&gen, members.image[0], IMAGE_SIZE);
        struct dpf_compile_options options = members_options(&gen, ALL_ISA);
        struct compiled compiled = compiled_filter(&members.filter[0], &options);
        for (unsigned n = 0; n < 30; n++) {
            uint8_t frame[FRAME_MAX];
            size_t available = gen_below(&gen, FRAME_MAX);
            members_frame(&members, &gen, frame, available);
            size_t length = random_length(&gen, available);
            bool expected = dpf_match(&members.filter[0], frame, available, length);
            struct outcome o = compiled_run(&compiled, frame, available, length, 0, 0);
            if (o.fault || o.a0 != expected)
                fail_msg("round %u frame %u: %llx, not %d; %s %llx", round, n,
                         (unsigned long long)o.a0, expected, o.fault ? o.fault : "",
                         (unsigned long long)o.fault_at);
            accepted += expected;
        }
        compiled_free(&compiled);
    }
    assert_true(accepted > 5000);
}

/* What compiling gives with so much memory, in steps of work. */
static int compile_in(const struct dpf_trie *trie, size_t memory_size, size_t code_size,
                      uint8_t *code, size_t work, struct dpf_code *result)
{
    struct dpf_compile_options options = {.align = 8, .residue = 6};
    void *memory = malloc(memory_size);
    int more = dpf_compile_begin(memory, memory_size, trie, code, code_size, &options);
    for (more = more ? more : 1; more == 1;)
        more = dpf_compile_step(memory, work, result);
    free(memory);
    return more;
}

static void steps_of_any_size_give_the_same_code(void **state)
{
    struct gen gen = {23};
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        members_make(&members, &gen);
        struct dpf_trie *trie = members_trie(&members);
        size_t size = dpf_compile_bound(trie), memory = dpf_compile_memory(trie, size);
        struct dpf_code whole, stepped;
        uint8_t *code = malloc(2 * size);
        assert_int_equal(compile_in(trie, memory, size, code, SIZE_MAX, &whole), 0);
        assert_int_equal(compile_in(trie, memory, size, code + size, 1 + round % 3, &stepped), 0);
        assert_memory_equal(&whole, &stepped, sizeof whole);
        assert_memory_equal(code, code + size, whole.size);
        free(code);
        free(trie);
    }
}

static void memory_too_small_is_an_error_and_nothing_is_written_behind_it(void **state)
{
    struct gen gen = {24};
    (void)state;
    for (unsigned round = 0; round < 12; round++) {
        struct dpf_code result;
        members_make(&members, &gen);
        members.count = members.count < 12 ? members.count : 12;
        struct dpf_trie *trie = members_trie(&members);
        size_t bound = dpf_compile_bound(trie), memory = dpf_compile_memory(trie, bound);
        uint8_t *code = malloc(bound);
        assert_int_equal(compile_in(trie, memory, bound, code, SIZE_MAX, &result), 0);
        free(code);
        size_t step = (result.size / 40 + 7) / 8 * 8;
        for (size_t size = 0; size < result.size; size += step) {
            struct dpf_code unused;
            code = malloc(size ? size : 8);
            memory = dpf_compile_memory(trie, size);
            int error = compile_in(trie, memory, size, code, SIZE_MAX, &unused);
            assert_int_equal(error, DPF_E_SPACE);
            error = compile_in(trie, memory - 8, size, code, SIZE_MAX, &unused);
            assert_int_equal(error, DPF_E_SPACE);
            free(code);
        }
        code = malloc(result.size);
        memory = dpf_compile_memory(trie, result.size);
        assert_int_equal(compile_in(trie, memory, result.size, code, SIZE_MAX, &result), 0);
        free(code);
        free(trie);
    }
}

static void misaligned_memory_is_refused(void **state)
{
    static _Alignas(8) uint8_t memory[200000], code[1024];
    struct dpf_compile_options options = {.align = 1};
    struct dpf_filter all;
    _Alignas(8) uint8_t image[64];
    (void)state;
    assert_int_equal(dpf_verify(image, (size_t)dpf_make_all(image, sizeof image), &all), 0);
    assert_int_equal(dpf_compile_filter_begin(memory + 4, 100000, &all, code, 1024, &options),
                     DPF_E_ALIGNMENT);
    assert_int_equal(dpf_compile_filter_begin(memory, 100000, &all, code + 4, 512, &options),
                     DPF_E_ALIGNMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiled_filter_agrees_with_the_naive_evaluator),
        cmocka_unit_test(compiled_trie_agrees_with_the_naive_evaluator),
        cmocka_unit_test(steps_of_any_size_give_the_same_code),
        cmocka_unit_test(memory_too_small_is_an_error_and_nothing_is_written_behind_it),
        cmocka_unit_test(misaligned_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
