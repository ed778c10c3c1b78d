/* The emitter's labels, forms of branches, pool and errors; what runs, runs in the simulator. */
#include "rv64_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LABELS 4096

struct emitter {
    struct vcode v;
    struct vcode_memory memory;
    uint32_t labels[LABELS];
    struct vcode_reference references[LABELS];
    uint64_t constants[64];
};

static struct emitter *e;

static void begin_in(size_t size, unsigned isa, enum rv64_reg scratch)
{
    free(e ? e->memory.code : 0);
    free(e);
    e = calloc(1, sizeof *e);
    e->memory = (struct vcode_memory){aligned_alloc(8, size), size,   e->labels,    LABELS,
                                      e->references,          LABELS, e->constants, 64};
    vcode_begin(&e->v, &e->memory, isa, scratch);
    vcode_start(&e->v);
}

static int end(void **unused)
{
    (void)unused;
    free(e ? e->memory.code : 0);
    free(e);
    e = 0;
    return 0;
}

/* Calls the code, as if it lay at address, with a in a0; its memory is the code alone. */
static uint64_t run_at(uint64_t address, uint64_t a)
{
    struct sim_region region = {address, e->v.code, e->v.used, false};
    struct sim sim = {.regions = &region, .region_count = 1, .isa = e->v.isa};
    sim.x[RV_A0] = a;
    bool returned = sim_call(&sim, address, 1000000);
    assert_null(sim.fault);
    assert_true(returned);
    return sim.x[RV_A0];
}

static void fill(size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 4)
        rv_ebreak(&e->v);
}

/* if (a0 == 0) return 1; with gap bytes between branch and target, else returns 2. */
static void emit_over_gap(size_t gap)
{
    uint32_t target = vcode_label(&e->v);
    vcode_branch(&e->v, RV_beq, RV_A0, RV_ZERO, target);
    vcode_li(&e->v, RV_A0, 2);
    vcode_ret(&e->v);
    fill(gap);
    vcode_bind(&e->v, target);
    vcode_li(&e->v, RV_A0, 1);
    vcode_ret(&e->v);
}

static int all_passes(void (*emit)(size_t), size_t argument, unsigned *passes)
{
    int state = VCODE_AGAIN;
    for (*passes = 0; state == VCODE_AGAIN; ++*passes) {
        vcode_start(&e->v);
        emit(argument);
        while ((state = vcode_end(&e->v, 3)) == VCODE_MORE)
            ;
    }
    return state;
}

static void forward_branch_takes_the_form_that_reaches(void **state)
{
    (void)state;
    static const struct {
        size_t gap, first; /* bytes of the branch itself */
        unsigned passes;
    } cases[] = {
        {0, 4, 1},        {4096 - 16, 4, 1},    {4096 - 12, 8, 2},
        {100000, 8, 2},   {1048576 - 24, 8, 2}, {1048576 + 4, 12, 2},
        {1500000, 12, 2},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned passes;
        begin_in(2 << 20, 0, RV_T6);
        assert_int_equal(all_passes(emit_over_gap, cases[i].gap, &passes), VCODE_DONE);
        assert_int_equal(passes, cases[i].passes);
        assert_int_equal(e->v.used, (cases[i].first + 8 + cases[i].gap + 8 + 7) / 8 * 8);
        assert_int_equal(run_at(0x10000, 0), 1);
        assert_int_equal(run_at(0xffffffff90000008, 7), 2);
    }
}

static void far_branch_without_scratch_register_is_refused(void **state)
{
    (void)state;
    unsigned passes;
    begin_in(2 << 20, 0, RV_ZERO);
    assert_int_equal(all_passes(emit_over_gap, 1500000, &passes), VCODE_E_RANGE);
}

/* A loop of a0 rounds over a body of gap bytes: a backward branch, and a jump over the body. */
static void emit_loop(size_t gap)
{
    vcode_li(&e->v, RV_A1, 0);
    uint32_t again = vcode_label(&e->v), out = vcode_label(&e->v), over = vcode_label(&e->v);
    vcode_bind(&e->v, again);
    vcode_branch(&e->v, RV_beq, RV_A0, RV_ZERO, out);
    vcode_jump(&e->v, over);
    fill(gap);
    vcode_bind(&e->v, over);
    rv_addi(&e->v, RV_A0, RV_A0, -1);
    rv_addi(&e->v, RV_A1, RV_A1, 3);
    vcode_branch(&e->v, RV_bge, RV_A0, RV_ZERO, again);
    vcode_bind(&e->v, out);
    vcode_mv(&e->v, RV_A0, RV_A1);
    vcode_ret(&e->v);
}

static void backward_branch_takes_the_form_that_reaches(void **state)
{
    (void)state;
    static const size_t gaps[] = {0, 4000, 4096, 1000000, 1048576, 1100000};
    for (unsigned i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        unsigned passes;
        begin_in(2 << 20, 0, RV_T6);
        assert_int_equal(all_passes(emit_loop, gaps[i], &passes), VCODE_DONE);
        assert_int_equal(run_at(0x40000000, 5), 15);
    }
}

/* count branches, each as far as the short form reaches when all others are short: each that grows
   makes the one before it grow. */
static void emit_chain(size_t count)
{
    uint32_t first = e->v.labels;
    for (size_t i = 0; i < count; i++)
        vcode_label(&e->v);
    for (size_t i = 0; i < count; i++) {
        vcode_branch(&e->v, RV_bne, RV_A0, RV_ZERO, first + (uint32_t)i);
        if (i >= 1023)
            vcode_bind(&e->v, first + (uint32_t)(i - 1023));
    }
    rv_fence(&e->v);
    rv_fence(&e->v);
    for (size_t i = count - 1023; i < count; i++)
        vcode_bind(&e->v, first + (uint32_t)i);
    vcode_ret(&e->v);
}

static void branches_that_push_each_other_end_in_five_passes(void **state)
{
    (void)state;
    unsigned passes;
    begin_in(1 << 20, 0, RV_ZERO);
    assert_int_equal(all_passes(emit_chain, 3000, &passes), VCODE_DONE);
    assert_in_range(passes, 2, 5);
    assert_int_equal(run_at(0x1000, 0), 0);
    assert_int_equal(run_at(0x1000, 1), 1);
}

static void emit_table(size_t unused)
{
    (void)unused;
    uint32_t table = vcode_label(&e->v), place[4], bad = vcode_label(&e->v);
    for (unsigned i = 0; i < 4; i++)
        place[i] = vcode_label(&e->v);
    vcode_li(&e->v, RV_T0, 4);
    vcode_branch(&e->v, RV_bgeu, RV_A0, RV_T0, bad);
    vcode_address(&e->v, RV_T1, table);
    rv_slli(&e->v, RV_A0, RV_A0, 2);
    rv_add(&e->v, RV_A0, RV_A0, RV_T1);
    rv_lw(&e->v, RV_A0, RV_A0, 0);
    rv_add(&e->v, RV_T1, RV_T1, RV_A0);
    rv_jalr(&e->v, RV_ZERO, RV_T1, 0);
    for (unsigned i = 0; i < 4; i++) {
        vcode_bind(&e->v, place[i]);
        vcode_constant(&e->v, RV_A0, 0x1234567890abcdef + i / 2);
        vcode_ret(&e->v);
    }
    vcode_bind(&e->v, table);
    for (unsigned i = 0; i < 4; i++)
        vcode_distance(&e->v, place[i], table);
    vcode_bind(&e->v, bad);
    vcode_load_at(&e->v, RV_lwu, RV_A0, table);
    vcode_ret(&e->v);
}

static void table_of_distances_leads_to_its_labels_and_equal_constants_are_one(void **state)
{
    (void)state;
    unsigned passes;
    begin_in(4096, 0, RV_ZERO);
    assert_int_equal(all_passes(emit_table, 0, &passes), VCODE_DONE);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(run_at(0x10000, i), 0x1234567890abcdef + i / 2);
    assert_int_equal((int32_t)run_at(0x10000, 4), 4 * -12);
    assert_int_equal(e->v.constants, 2);
    assert_memory_equal(e->v.code + e->v.used - 16, "\xef\xcd\xab\x90\x78\x56\x34\x12", 8);
}

static void code_is_the_same_wherever_it_is_written(void **state)
{
    (void)state;
    unsigned passes;
    uint8_t first[4096];
    begin_in(4096, 0, RV_ZERO);
    all_passes(emit_table, 0, &passes);
    size_t used = e->v.used;
    memcpy(first, e->v.code, used);
    begin_in(8192, 0, RV_ZERO);
    all_passes(emit_table, 0, &passes);
    assert_int_equal(e->v.used, used);
    assert_memory_equal(first, e->v.code, used);
}

static void emit_all(size_t unused)
{
    emit_over_gap(5000);
    emit_table(unused);
}

static void any_memory_that_is_too_small_is_an_error_and_nothing_is_written_behind_it(void **state)
{
    (void)state;
    unsigned passes;
    begin_in(8192, 0, RV_ZERO);
    assert_int_equal(all_passes(emit_all, 0, &passes), VCODE_DONE);
    size_t used = e->v.used;
    uint32_t labels = e->v.labels, references = e->v.references, constants = e->v.constants;
    for (size_t size = 0; size < used; size += 8) {
        begin_in(size + 8, 0, RV_ZERO); /* the sanitizer watches its end */
        e->v.size = size;
        assert_int_equal(all_passes(emit_all, 0, &passes), VCODE_E_SPACE);
    }
    for (uint32_t i = 0; i < labels; i++) {
        begin_in(8192, 0, RV_ZERO);
        e->v.memory.labels = memcpy(malloc(4 * i + 1), e->labels, 4 * i);
        e->v.memory.label_count = i;
        assert_int_equal(all_passes(emit_all, 0, &passes), VCODE_E_LABELS);
        free(e->v.memory.labels);
    }
    for (uint32_t i = 0; i < references; i++) {
        begin_in(8192, 0, RV_ZERO);
        e->v.memory.references = malloc(sizeof(struct vcode_reference) * i + 1);
        e->v.memory.reference_count = i;
        assert_int_equal(all_passes(emit_all, 0, &passes), VCODE_E_REFERENCES);
        free(e->v.memory.references);
    }
    for (uint32_t i = 0; i < constants; i++) {
        begin_in(8192, 0, RV_ZERO);
        e->v.memory.constant_count = i;
        assert_int_equal(all_passes(emit_all, 0, &passes), VCODE_E_CONSTANTS);
    }
}

/* Each ends with the error that its comment names. */
static void unbound(void)
{
    vcode_jump(&e->v, vcode_label(&e->v));
}

static void bound_twice(void)
{
    uint32_t label = vcode_label(&e->v);
    vcode_bind(&e->v, label);
    vcode_bind(&e->v, label);
}

static void immediate_too_large(void)
{
    rv_addi(&e->v, RV_A0, RV_A0, 2048);
}

static void immediate_too_small(void)
{
    rv_sd(&e->v, RV_A0, RV_A0, -2049);
}

static void shift_too_large(void)
{
    rv_slli(&e->v, RV_A0, RV_A0, 64);
}

static void shift_of_a_word_too_large(void)
{
    rv_slliw(&e->v, RV_A0, RV_A0, 32);
}

static void shift_negative(void)
{
    rv_srai(&e->v, RV_A0, RV_A0, -1);
}

static void upper_too_large(void)
{
    rv_lui(&e->v, RV_A0, 0x80000);
}

static void wrong_format(void)
{
    vcode_r(&e->v, RV_addi, RV_A0, RV_A0, RV_A0);
}

static void no_label(void)
{
    vcode_branch(&e->v, RV_beq, RV_A0, RV_A0, 17);
}

static void no_branch(void)
{
    vcode_branch(&e->v, RV_add, RV_A0, RV_A0, vcode_label(&e->v));
}

static void missing_in_the_hart(void)
{
    rv_rev8(&e->v, RV_A0, RV_A0);
}

static void origin_behind(void)
{
    uint32_t origin = vcode_label(&e->v);
    vcode_distance(&e->v, origin, origin);
}

static void every_wrong_call_is_an_error_that_sticks(void **state)
{
    (void)state;
    static const struct {
        void (*call)(void);
        int error;
    } cases[] = {
        {unbound, VCODE_E_UNBOUND},
        {bound_twice, VCODE_E_BOUND_TWICE},
        {immediate_too_large, VCODE_E_OPERAND},
        {immediate_too_small, VCODE_E_OPERAND},
        {shift_too_large, VCODE_E_OPERAND},
        {shift_of_a_word_too_large, VCODE_E_OPERAND},
        {shift_negative, VCODE_E_OPERAND},
        {upper_too_large, VCODE_E_OPERAND},
        {wrong_format, VCODE_E_OPERAND},
        {no_label, VCODE_E_OPERAND},
        {no_branch, VCODE_E_OPERAND},
        {missing_in_the_hart, VCODE_E_ISA},
        {origin_behind, VCODE_E_UNBOUND},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_in(4096, RV64_ZBA, RV_ZERO);
        cases[i].call();
        vcode_ret(&e->v);
        assert_int_equal(vcode_end(&e->v, SIZE_MAX), cases[i].error);
        assert_int_equal(e->v.error, cases[i].error);
        assert_string_not_equal(vcode_strerror(cases[i].error), vcode_strerror(-1000));
    }
}

static void misaligned_buffer_is_refused(void **state)
{
    (void)state;
    begin_in(4096, 0, RV_ZERO);
    struct vcode_memory memory = e->memory;
    memory.code = (uint8_t *)memory.code + 4;
    memory.size -= 4;
    vcode_begin(&e->v, &memory, 0, RV_ZERO);
    vcode_start(&e->v);
    vcode_ret(&e->v);
    assert_int_equal(vcode_end(&e->v, SIZE_MAX), VCODE_E_ALIGNMENT);
}

static void without_a_pool_constants_are_made_by_instructions(void **state)
{
    (void)state;
    begin_in(4096, 0, RV_ZERO);
    e->v.memory.constants = 0;
    vcode_constant(&e->v, RV_A0, 0x0123456789abcdef);
    vcode_ret(&e->v);
    assert_int_equal(vcode_end(&e->v, SIZE_MAX), VCODE_DONE);
    assert_int_equal(run_at(0x1000, 0), 0x0123456789abcdef);
}

static void common_constants_take_few_instructions(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        unsigned isa, count;
    } cases[] = {
        {0, 0, 1},
        {2047, 0, 1},
        {(uint64_t)-2048, 0, 1},
        {2048, 0, 2},
        {0x7ffff000, 0, 1},
        {0x12345678, 0, 2},
        {0xffffffff, 0, 2},
        {0xffff, 0, 2},
        {0xffffffff00000000, 0, 2},
        {0x8000000000000000, 0, 2},
        {0x0a000001, 0, 2},
        {0xc0a80001, 0, 4},
        {0xc0a80001, RV64_ZBA, 3},
        {0xff00, 0, 2},
        {0x7fffffffffffffff, 0, 2},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(vcode_li_count(cases[i].isa, cases[i].value), cases[i].count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_branch_takes_the_form_that_reaches),
        cmocka_unit_test(backward_branch_takes_the_form_that_reaches),
        cmocka_unit_test(far_branch_without_scratch_register_is_refused),
        cmocka_unit_test(branches_that_push_each_other_end_in_five_passes),
        cmocka_unit_test(table_of_distances_leads_to_its_labels_and_equal_constants_are_one),
        cmocka_unit_test(code_is_the_same_wherever_it_is_written),
        cmocka_unit_test(any_memory_that_is_too_small_is_an_error_and_nothing_is_written_behind_it),
        cmocka_unit_test(every_wrong_call_is_an_error_that_sticks),
        cmocka_unit_test(misaligned_buffer_is_refused),
        cmocka_unit_test(without_a_pool_constants_are_made_by_instructions),
        cmocka_unit_test(common_constants_take_few_instructions),
    };
    return cmocka_run_group_tests(tests, 0, end);
}
