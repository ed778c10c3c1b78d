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

#include "../dpf/gen.h"
#include "compiled.h"

#define MEMBERS_MAX 40
#define IMAGE_SIZE  2048

static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];

struct fixture {
    _Alignas(8) uint8_t image[MEMBERS_MAX][IMAGE_SIZE];
    struct dpf_filter filter[MEMBERS_MAX];
    struct dpf_member member[MEMBERS_MAX];
    unsigned count;
};

static void make_members(struct gen *gen, struct fixture *f)
{
    f->count = 1 + gen_below(gen, MEMBERS_MAX);
    unsigned ranks = 1 + gen_below(gen, MEMBERS_MAX);
    bool taps = gen_chance(gen, 50);
    for (unsigned i = 0; i < f->count; i++) {
        f->filter[i] = gen_filter(gen, f->image[i], IMAGE_SIZE);
        f->member[i] = (struct dpf_member){&f->filter[i], 100 + i, gen_below(gen, ranks),
                                           taps && gen_chance(gen, 20)};
    }
}

static struct dpf_compile_options random_options(struct gen *gen)
{
    struct dpf_compile_options options = {.isa = gen_below(gen, 8)};
    options.align = (uint8_t)(1 << gen_below(gen, 4));
    options.residue = (uint8_t)gen_below(gen, options.align);
    return options;
}

/* What the trie should say, by asking each filter; best is the highest rank that matches. */
static struct dpf_result oracle(const struct fixture *f, const uint8_t *frame, size_t available,
                                size_t length, int64_t *best)
{
    struct dpf_result result = {DPF_NONE, 0, 0};
    unsigned taps = 0;
    *best = -1;
    for (unsigned i = 0; i < f->count; i++) {
        const struct dpf_member *m = &f->member[i];
        bool matches = dpf_match(m->filter, frame, available, length);
        if (m->tap)
            result.taps |= (uint64_t)matches << taps++;
        else if (matches && m->rank > *best) {
            *best = m->rank;
            result.id = m->id;
        }
    }
    return result;
}

static void *build(const struct fixture *f)
{
    size_t size = dpf_trie_size(f->member, f->count, scratch);
    void *memory = malloc(size);
    assert_non_null(memory);
    assert_int_equal(dpf_trie_build(memory, size, 42, f->member, f->count, scratch), 0);
    return memory;
}

static void random_frame(struct gen *gen, const struct fixture *f, uint8_t *frame,
                         size_t *available)
{
    *available = gen_below(gen, 40);
    for (unsigned i = 0; i < 40; i++)
        frame[i] = (uint8_t)gen_below(gen, gen_chance(gen, 80) ? 8 : 256);
    if (gen_chance(gen, 80))
        gen_aim(gen, &f->filter[gen_below(gen, f->count)], frame, *available);
}

/* Any member of the rank will do if the compiler was told that there is only one. */
static bool right(const struct fixture *f, const struct compiled *compiled, uint32_t id,
                  const struct dpf_result *expected, int64_t best, const uint8_t *frame,
                  size_t available, size_t length)
{
    if (id == expected->id || !compiled->options.equals_disjoint || id < 100 ||
        id >= 100 + f->count)
        return id == expected->id;
    const struct dpf_member *m = &f->member[id - 100];
    return m->rank == best && dpf_match(m->filter, frame, available, length);
}

static void compiled_trie_agrees_with_the_naive_evaluator(void **state)
{
    static struct fixture f;
    struct gen gen = {21};
    size_t wins = 0, taps = 0;
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        make_members(&gen, &f);
        void *trie = build(&f);
        struct dpf_compile_options options = random_options(&gen);
        options.equals_disjoint = gen_chance(&gen, 30);
        struct compiled compiled = compiled_trie(trie, &options);
        for (unsigned n = 0; n < 60; n++) {
            uint8_t frame[GEN_FRAME_MAX];
            size_t available;
            int64_t best;
            random_frame(&gen, &f, frame, &available);
            size_t length = available + (gen_chance(&gen, 20) ? gen_below(&gen, 40) : 0);
            struct dpf_result expected = oracle(&f, frame, available, length, &best);
            struct outcome o = compiled_run(&compiled, frame, available, length, 0, 0);
            if (o.fault || o.a1 != expected.taps ||
                !right(&f, &compiled, (uint32_t)o.a0, &expected, best, frame, available, length))
                fail_msg("round %u frame %u: winner %d, not %d; taps %llx, not %llx; %s %llx",
                         round, n, (int)o.a0, (int)expected.id, (unsigned long long)o.a1,
                         (unsigned long long)expected.taps, o.fault ? o.fault : "",
                         (unsigned long long)o.fault_at);
            wins += expected.id != DPF_NONE;
            taps += expected.taps != 0;
        }
        compiled_free(&compiled);
        free(trie);
    }
    assert_true(wins > 8000 && taps > 2000);
}

static void compiled_filter_agrees_with_the_naive_evaluator(void **state)
{
    static struct fixture f;
    struct gen gen = {22};
    size_t accepted = 0;
    (void)state;
    for (unsigned round = 0; round < 1500; round++) {
        f.count = 1;
        f.filter[0] = gen_filter(&gen, f.image[0], IMAGE_SIZE);
        struct dpf_compile_options options = random_options(&gen);
        struct compiled compiled = compiled_filter(&f.filter[0], &options);
        for (unsigned n = 0; n < 30; n++) {
            uint8_t frame[GEN_FRAME_MAX];
            size_t available;
            random_frame(&gen, &f, frame, &available);
            size_t length = available + (gen_chance(&gen, 20) ? gen_below(&gen, 40) : 0);
            bool expected = dpf_match(&f.filter[0], frame, available, length);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiled_filter_agrees_with_the_naive_evaluator),
        cmocka_unit_test(compiled_trie_agrees_with_the_naive_evaluator),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
