/*
 * What people write, compiled: the expressions of the libpcap differential, each alone and all in
 * one trie, on frames that look like traffic. dpf_match, which agrees with libpcap (dpf_pcap_test),
 * is the oracle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../dpf/gen.h"
#include "../dpf/lifted.h"
#include "compiled.h"

static const struct dpf_compile_options harts[] = {
    {.isa = 0, .align = 8, .residue = 6},
    {.isa = RV64_ZBA | RV64_ZBB, .align = 8, .residue = 6},
    {.isa = RV64_ZBA | RV64_ZBB | RV64_MISALIGNED, .align = 1},
    {.isa = 0, .align = 2, .residue = 1},
};
#define HARTS (sizeof harts / sizeof *harts)

static size_t make_frame(struct gen *gen, const struct dpf_filter *filter,
                         uint8_t frame[GEN_FRAME_MAX])
{
    size_t length = gen_frame(gen, frame);
    if (gen_chance(gen, 60))
        gen_aim(gen, filter, frame, length);
    return gen_mutate(gen, frame, length);
}

static void each_expression_accepts_what_its_filter_accepts(void **state)
{
    struct gen gen = {31};
    size_t accepted = 0;
    (void)state;
    for (size_t i = 0; i < lifted_count; i++) {
        const struct dpf_filter *filter = &lifted[i].ingress;
        for (unsigned h = 0; h < HARTS; h++) {
            struct compiled compiled = compiled_filter(filter, &harts[h]);
            for (unsigned n = 0; n < 40; n++) {
                uint8_t frame[GEN_FRAME_MAX];
                size_t length = make_frame(&gen, filter, frame);
                bool expected = dpf_match(filter, frame, length, length);
                struct outcome o = compiled_run(&compiled, frame, length, length, 0, 0);
                if (o.fault || o.a0 != expected)
                    fail_msg("%s: hart %u frame %u: %d, not %d; %s", lifted[i].text, h, n,
                             (int)o.a0, expected, o.fault ? o.fault : "");
                accepted += expected;
            }
            compiled_free(&compiled);
        }
    }
    print_message("%zu expressions, %zu frames accepted\n", lifted_count, accepted);
    assert_true(accepted > 20 * lifted_count);
}

static void all_in_one_trie_find_the_last_that_accepts(void **state)
{
    static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];
    static struct dpf_member members[1000];
    struct gen gen = {32};
    size_t wins = 0;
    (void)state;
    for (size_t i = 0; i < lifted_count; i++)
        members[i] = (struct dpf_member){&lifted[i].ingress, (uint32_t)i, (uint32_t)i, false};
    size_t size = dpf_trie_size(members, lifted_count, scratch);
    struct dpf_trie *trie = malloc(size);
    assert_int_equal(dpf_trie_build(trie, size, 5, members, lifted_count, scratch), 0);
    for (unsigned h = 0; h < HARTS; h++) {
        struct compiled compiled = compiled_trie(trie, &harts[h]);
        print_message("hart %u: %u bytes, %u of them instructions\n", h, compiled.code.size,
                      compiled.code.text);
        for (unsigned n = 0; n < 3000; n++) {
            uint8_t frame[GEN_FRAME_MAX];
            const struct dpf_filter *filter =
                &lifted[gen_below(&gen, (uint32_t)lifted_count)].ingress;
            size_t length = make_frame(&gen, filter, frame);
            uint32_t expected = dpf_classify(trie, frame, length, length).id;
            struct outcome o = compiled_run(&compiled, frame, length, length, 0, 0);
            if (o.fault || (uint32_t)o.a0 != expected)
                fail_msg("hart %u frame %u: %d, not %d; %s", h, n, (int)o.a0, (int)expected,
                         o.fault ? o.fault : "");
            wins += expected != DPF_NONE;
        }
        compiled_free(&compiled);
    }
    free(trie);
    assert_true(wins > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_expression_accepts_what_its_filter_accepts),
        cmocka_unit_test(all_in_one_trie_find_the_last_that_accepts),
    };
    return cmocka_run_group_tests(tests, lifted_start, lifted_end);
}
