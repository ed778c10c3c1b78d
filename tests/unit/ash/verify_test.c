/*
 * The verifier: each thing that it refuses, by name and place; what it proves; and that it can be
 * interrupted anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ash/program.h"
#include "generate.h"
#include "insns.h"

/* A verification, with memory of exactly the sizes that it asks for. */
struct verification {
    _Alignas(8) uint8_t image[GENERATED_MAX];
    struct ash_image view;
    void *scratch;
    struct ash_program *program;
    int error;
    struct ash_refusal refusal;
};

static struct verification *verify_event(const struct ash_insn *insns, uint32_t count,
                                         enum ash_event event, uint32_t helpers)
{
    struct verification *v = calloc(1, sizeof *v);
    size_t size = make_image(insns, count, event, v->image);
    assert_int_equal(ash_image_open(v->image, size, &v->view), 0);
    v->scratch = malloc(ash_scratch_size(count));
    v->program = malloc(ash_program_size(count));
    memset(v->scratch, 0xa5, ash_scratch_size(count));
    v->error = ash_verify(v->scratch, ash_scratch_size(count), &v->view, event, helpers, v->program,
                          ash_program_size(count));
    v->refusal = ash_refused(v->scratch);
    return v;
}

static void end(struct verification *v)
{
    free(v->scratch);
    free(v->program);
    free(v);
}

#define VERIFY(...)                                                                                \
    ({                                                                                             \
        static const struct ash_insn insns_[] = {__VA_ARGS__};                                     \
        verify_event(insns_, sizeof insns_ / sizeof *insns_, ASH_EVENT_FRAME, ASH_HELPERS_ALL);    \
    })

/* The program is refused with that error at that instruction. */
#define REFUSED(name, at, detail_, ...)                                                            \
    do {                                                                                           \
        struct verification *v_ = VERIFY(__VA_ARGS__);                                             \
        assert_int_equal(v_->error, ASH_E_##name);                                                 \
        assert_int_equal(v_->refusal.error, ASH_E_##name);                                         \
        assert_int_equal(v_->refusal.insn, at);                                                    \
        assert_int_equal(v_->refusal.detail, detail_);                                             \
        end(v_);                                                                                   \
    } while (0)

/* The program is accepted with so many guards left, and needs its stack cleared or not. */
#define PROVED(guards_, clear_, ...)                                                               \
    do {                                                                                           \
        struct verification *v_ = VERIFY(__VA_ARGS__);                                             \
        assert_int_equal(v_->error, 0);                                                            \
        assert_int_equal(v_->program->guards, guards_);                                            \
        assert_int_equal(v_->program->clear_stack, clear_);                                        \
        end(v_);                                                                                   \
    } while (0)

static void unknown_opcodes_are_named(void **state)
{
    (void)state;
    REFUSED(OPCODE, 1, 0xff, MOV_K(0, 1), INSN(0xff, 0, 0, 0, 0), EXIT);
    REFUSED(OPCODE, 0, 0x8d, INSN(0x8d, 1, 0, 0, 0), EXIT); /* call by register */
    REFUSED(OPCODE, 0, 0x20, INSN(0x20, 0, 0, 0, 0), EXIT); /* packet load of classic BPF */
    REFUSED(FIELD, 0, 0xb7, INSN(0xb7, 0, 1, 0, 0), EXIT);
    REFUSED(FIELD, 0, 0x37, INSN(0x37, 0, 0, 2, 1), EXIT); /* neither div nor sdiv */
    REFUSED(FIELD, 0, 0xbf, INSN(0xbf, 0, 1, 24, 0), EXIT);
    REFUSED(FIELD, 0, 0xdb, ATOMIC_DW(10, 1, -8, 0x02), EXIT);
    REFUSED(FIELD, 0, 0xd4, INSN(0xd4, 1, 0, 0, 24), EXIT);
    REFUSED(FIELD, 0, 0x85, INSN(0x85, 0, 2, 0, 1), EXIT); /* helper by BTF */
    REFUSED(REGISTER, 0, 11, MOV_K(11, 0), EXIT);
    REFUSED(REGISTER, 0, 15, MOV(0, 15), EXIT);
    REFUSED(FRAME_POINTER, 1, 10, MOV_K(0, 0), ADD_K(10, 8), EXIT);
    REFUSED(FRAME_POINTER, 0, 10, LDXW(10, 1, 0), EXIT);
    REFUSED(FRAME_POINTER, 1, 10, MOV_K(0, 0), ATOMIC_DW(1, 10, 0, 1), EXIT);
}

static void every_opcode_without_a_row_is_refused(void **state)
{
    (void)state;
    unsigned known = 0;
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        struct ash_insn insns[] = {INSN(opcode, 0, 0, 0, 0), EXIT};
        int error = 0;
        if (ash_decode(&insns[0], &error) != ASH_OP_NONE || error == ASH_E_FIELD) {
            known++;
            continue;
        }
        struct verification *v = verify_event(insns, 2, ASH_EVENT_FRAME, ASH_HELPERS_ALL);
        assert_true(v->error == ASH_E_OPCODE);
        assert_int_equal(v->refusal.insn, 0);
        end(v);
    }
    /* RFC 9669, appendix A, without the packet group: 4 x 12 + 2 + 3 of ALU, 4 x 11 + 2 + 2 of
     * jumps, 1 + 7 + 4 + 4 + 2 */
    assert_int_equal(known, 4 * 12 + 2 + 3 + 4 * 11 + 2 + 2 + 1 + 7 + 4 + 4 + 2);
}

static void jumps_stay_in_their_function(void **state)
{
    (void)state;
    REFUSED(JUMP, 1, 3, MOV_K(0, 0), JEQ_K(0, 0, 1), EXIT);
    REFUSED(JUMP, 1, UINT32_MAX, MOV_K(0, 0), JA(-3), EXIT);
    REFUSED(JUMP, 0, 0x7fffffffu + 1, INSN(0x06, 0, 0, 0, INT32_MAX), EXIT);
    REFUSED(JUMP_WIDE, 1, 3, MOV_K(0, 0), JEQ_K(0, 0, 1), LDDW(0, 7), EXIT);
    REFUSED(JUMP_WIDE, 3, 2, MOV_K(0, 0), LDDW(1, 7), JEQ_K(0, 1, -2), EXIT);
    REFUSED(JUMP_FUNCTION, 1, 4, MOV_K(0, 0), JEQ_K(0, 1, 2), CALL_LOCAL(1), EXIT, MOV_K(0, 1),
            EXIT);
    REFUSED(FALL_THROUGH, 0, 1, MOV_K(0, 0));
    REFUSED(FALL_THROUGH, 1, 2, MOV_K(0, 0), JEQ_K(0, 1, -2));
    REFUSED(FALL_THROUGH, 2, 3, MOV_K(0, 0), CALL_LOCAL(1), MOV_K(0, 1), EXIT);
    REFUSED(WIDE, 0, 0, INSN(0x18, 0, 0, 0, 7));
    REFUSED(WIDE, 0, 0, INSN(0x18, 0, 0, 0, 7), MOV_K(1, 0), EXIT);
    REFUSED(WIDE, 0, 0x18, INSN(0x18, 0, 1, 0, 7), INSN(0, 0, 0, 0, 0),
            EXIT); /* a map by file descriptor */
}

static void calls_are_checked(void **state)
{
    (void)state;
    REFUSED(HELPER, 0, 9999, CALL(9999), EXIT);
    REFUSED(HELPER, 0, 12, CALL(12), EXIT); /* bpf_tail_call */
    REFUSED(HELPER, 0, UINT32_MAX, CALL(-1), EXIT);
    REFUSED(JUMP, 0, 9, CALL_LOCAL(8), EXIT);
    REFUSED(JUMP_WIDE, 0, 3, CALL_LOCAL(2), EXIT, LDDW(0, 7), EXIT);
    REFUSED(RECURSION, 0, 0, CALL_LOCAL(-1), EXIT);
    REFUSED(RECURSION, 4, 4, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(-3), EXIT);
    REFUSED(DEPTH, 0, 9, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT,
            CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT,
            CALL_LOCAL(1), EXIT, MOV_K(0, 0), EXIT);
    REFUSED(MAP_INDEX, 0, 3, LDMAP(1, 3), MOV_K(0, 0), EXIT);
    REFUSED(MAP_INDEX, 0, 1, LDVALUE(1, 1, 48), MOV_K(0, 0), EXIT);

    static const struct ash_insn trace[] = {CALL(ASH_HELPER_TIME), EXIT};
    struct verification *v =
        verify_event(trace, 2, ASH_EVENT_FRAME, ASH_HELPERS_ALL & ~(1u << ASH_HELPER_BIT_TIME));
    assert_int_equal(v->error, ASH_E_HELPER); /* one that is not on offer */
    end(v);
}

static void eight_functions_deep_is_allowed(void **state)
{
    (void)state;
    struct verification *v =
        VERIFY(CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT,
               CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, MOV_K(0, 0), EXIT);
    assert_int_equal(v->error, 0);
    assert_int_equal(v->program->stack, 8 * ASH_STACK_FRAME);
    end(v);
}

static void the_function_count_is_bounded(void **state)
{
    (void)state;
    struct ash_insn insns[300];
    uint32_t n = 0, functions = ASH_FUNCTIONS_MAX + 1;
    for (uint32_t i = 0; i < functions - 1; i++)
        insns[n++] = (struct ash_insn)CALL_LOCAL((int32_t)(functions - 1 - i + 2 * i));
    insns[n++] = (struct ash_insn)EXIT;
    for (uint32_t i = 0; i < functions - 1; i++) {
        insns[n++] = (struct ash_insn)MOV_K(0, 0);
        insns[n++] = (struct ash_insn)EXIT;
    }
    struct verification *v = verify_event(insns, n, ASH_EVENT_FRAME, ASH_HELPERS_ALL);
    assert_int_equal(v->error, ASH_E_FUNCTIONS);
    assert_int_equal(v->refusal.insn, ASH_FUNCTIONS_MAX - 1);
    end(v);
}

static void registers_are_written_before_they_are_read(void **state)
{
    (void)state;
    REFUSED(UNINITIALISED, 0, 0, EXIT);
    REFUSED(UNINITIALISED, 0, 2, MOV(0, 2), EXIT);
    REFUSED(UNINITIALISED, 1, 5, MOV_K(0, 0), ADD(0, 5), EXIT);
    REFUSED(UNINITIALISED, 0, 3, JEQ_K(3, 0, 0), MOV_K(0, 0), EXIT);
    REFUSED(UNINITIALISED, 1, 7, MOV_K(0, 0), STXDW(10, 7, -8), EXIT);
    /* written on one path only */
    REFUSED(UNINITIALISED, 3, 2, LDXW(0, 1, 0), JEQ_K(0, 0, 1), MOV_K(2, 1), ADD(0, 2), EXIT);
    /* a call leaves r1 to r5 without a value */
    REFUSED(UNINITIALISED, 1, 1, CALL(ASH_HELPER_TIME), MOV(0, 1), EXIT);
    /* lost in the loop's body */
    REFUSED(UNINITIALISED, 2, 2, MOV_K(2, 5), MOV_K(0, 0), ADD(0, 2), CALL(ASH_HELPER_TIME),
            JNE_K(0, 1, -3), EXIT);
    /* what a helper reads */
    REFUSED(UNINITIALISED, 2, 2, LDMAP(1, 0), CALL(ASH_HELPER_LOOKUP), EXIT);
    /* what a function reads of its caller's arguments, and through another function */
    REFUSED(UNINITIALISED, 0, 2, CALL_LOCAL(1), EXIT, MOV(0, 2), EXIT);
    REFUSED(UNINITIALISED, 0, 3, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, MOV(0, 3), EXIT);
    /* what it doesn't return */
    REFUSED(UNINITIALISED, 1, 0, CALL_LOCAL(1), EXIT, MOV_K(1, 0), EXIT);
    /* and what it doesn't keep */
    REFUSED(UNINITIALISED, 3, 6, MOV_K(6, 0), CALL_LOCAL(1), EXIT, MOV(0, 6), EXIT);
}

static void registers_that_are_written_on_all_paths_may_be_read(void **state)
{
    (void)state;
    PROVED(0, false, LDXW(0, 1, 0), JEQ_K(0, 0, 2), MOV_K(2, 1), JA(1), MOV_K(2, 3), ADD(0, 2),
           EXIT);
    PROVED(0, false, MOV_K(2, 5), MOV_K(0, 0), ADD(0, 2), CALL(ASH_HELPER_TIME), MOV_K(2, 1),
           JNE_K(0, 1, -4), EXIT);
    PROVED(0, false, MOV_K(2, 1), CALL_LOCAL(1), EXIT, MOV(0, 2), EXIT);
    PROVED(0, false, CALL_LOCAL(2), MOV_K(0, 0), EXIT, MOV_K(1, 0), EXIT);
}

static void unreachable_instructions_are_only_decoded(void **state)
{
    (void)state;
    PROVED(0, false, MOV_K(0, 0), EXIT, MOV(3, 4), EXIT);
    REFUSED(OPCODE, 2, 0xff, MOV_K(0, 0), EXIT, INSN(0xff, 0, 0, 0, 0), EXIT);
}

static void accesses_to_the_frame_need_a_check(void **state)
{
    (void)state;
    PROVED(1, true, FRAME_START, LDXB(0, 7, 0), EXIT);
    PROVED(0, false, FRAME_START, MOV(2, 7), ADD_K(2, 14), MOV_K(0, 0), JGT(2, 9, 1),
           LDXH(0, 7, 12), EXIT);
    PROVED(1, true, FRAME_START, MOV(2, 7), ADD_K(2, 14), MOV_K(0, 0), JGT(2, 9, 1), LDXW(0, 7, 11),
           EXIT); /* 1 past it */
    PROVED(1, true, FRAME_START, MOV(2, 7), ADD_K(2, 14), MOV_K(0, 0), JGT(2, 9, 1), LDXB(0, 7, -1),
           EXIT); /* 1 before */
    /* the wrong way round: known is that the frame is too short */
    PROVED(1, true, FRAME_START, MOV(2, 7), ADD_K(2, 14), MOV_K(0, 0), JLE(2, 9, 1), LDXB(0, 7, 0),
           EXIT);
}

static void checks_come_in_eight_ways(void **state)
{
    (void)state;
#define CHECK_THEN_LOAD(check, offset)                                                             \
    FRAME_START, MOV(2, 7), ADD_K(2, 8), MOV_K(0, 0), check, LDXB(0, 7, offset), EXIT
#define CHECK_TO_LOAD(check, offset)                                                               \
    FRAME_START, MOV(2, 7), ADD_K(2, 8), MOV_K(0, 0), check, EXIT, LDXB(0, 7, offset), EXIT
    PROVED(0, false, CHECK_THEN_LOAD(JGT(2, 9, 1), 7));
    PROVED(1, true, CHECK_THEN_LOAD(JGT(2, 9, 1), 8));
    PROVED(0, false, CHECK_THEN_LOAD(JGE(2, 9, 1), 8));
    PROVED(1, true, CHECK_THEN_LOAD(JGE(2, 9, 1), 9));
    PROVED(0, false, CHECK_THEN_LOAD(JLT(9, 2, 1), 7));
    PROVED(1, true, CHECK_THEN_LOAD(JLT(9, 2, 1), 8));
    PROVED(0, false, CHECK_THEN_LOAD(JLE(9, 2, 1), 8));
    PROVED(1, true, CHECK_THEN_LOAD(JLE(9, 2, 1), 9));
    PROVED(0, false, CHECK_TO_LOAD(JLE(2, 9, 1), 7));
    PROVED(1, true, CHECK_TO_LOAD(JLE(2, 9, 1), 8));
    PROVED(0, false, CHECK_TO_LOAD(JLT(2, 9, 1), 8));
    PROVED(1, true, CHECK_TO_LOAD(JLT(2, 9, 1), 9));
    PROVED(0, false, CHECK_TO_LOAD(JGE(9, 2, 1), 7));
    PROVED(1, true, CHECK_TO_LOAD(JGE(9, 2, 1), 8));
    PROVED(0, false, CHECK_TO_LOAD(JGT(9, 2, 1), 8));
    PROVED(1, true, CHECK_TO_LOAD(JGT(9, 2, 1), 9));
}

/* r4 = data + 14 + 4 * (data[14] & 15), as with IP options; r5 = r4 + 8 */
#define VARIABLE_HEADER                                                                            \
    FRAME_START, MOV_K(0, 0), MOV(2, 7), ADD_K(2, 34), JLE(2, 9, 1), EXIT, LDXB(3, 7, 14),         \
        AND_K(3, 15), LSH_K(3, 2), MOV(4, 7), ADD_K(4, 14), ADD(4, 3), MOV(5, 4), ADD_K(5, 8)

static void variable_offsets_are_followed(void **state)
{
    (void)state;
    PROVED(0, false, VARIABLE_HEADER, JGT(5, 9, 1), LDXH(0, 4, 6), EXIT);
    PROVED(1, true, VARIABLE_HEADER, JGT(5, 9, 1), LDXH(0, 4, 7), EXIT);
    PROVED(0, false, VARIABLE_HEADER, JGT(5, 9, 1), LDXH(0, 5, -2), EXIT);
    /* the check is about another variable part */
    PROVED(1, true, VARIABLE_HEADER, ADD(5, 3), JGT(5, 9, 1), LDXH(0, 4, 0), EXIT);
    /* a sum that may wrap tells nothing */
    PROVED(1, true, FRAME_START, MOV_K(0, 0), LDXDW(3, 10, -8), MOV(4, 7), ADD(4, 3), MOV(5, 4),
           ADD_K(5, 8), JGT(5, 9, 1), LDXB(0, 4, 0), EXIT);
    /* one that can't, does */
    PROVED(0, true, FRAME_START, MOV_K(0, 0), LDXDW(3, 10, -8), RSH_K(3, 1), MOV(4, 7), ADD(4, 3),
           MOV(5, 4), ADD_K(5, 8), JGT(5, 9, 1), LDXB(0, 4, 0), EXIT);
    /* but not if it is compared in its lower half only */
    PROVED(1, true, FRAME_START, MOV_K(0, 0), LDXDW(3, 10, -8), RSH_K(3, 1), MOV(4, 7), ADD(4, 3),
           MOV(5, 4), ADD_K(5, 8), INSN(0x2e, 5, 9, 1, 0), LDXB(0, 4, 0), EXIT);
}

static void facts_survive_joins_if_both_paths_have_them(void **state)
{
    (void)state;
    /* VLAN or not: offset 14 or 18, then one check for both */
    PROVED(0, false, FRAME_START, MOV_K(0, 0), MOV(2, 7), ADD_K(2, 18), JLE(2, 9, 1), EXIT,
           MOV(4, 7), ADD_K(4, 14), LDXH(3, 7, 12), JNE_K(3, 0x81, 1), ADD_K(4, 4), MOV(5, 4),
           ADD_K(5, 20), JGT(5, 9, 1), LDXW(0, 4, 16), EXIT);
    /* checked on one of two paths */
    PROVED(1, true, FRAME_START, MOV_K(0, 0), LDXW(3, 6, 16), JEQ_K(3, 0, 4), MOV(2, 7),
           ADD_K(2, 18), JLE(2, 9, 1), EXIT, LDXB(0, 7, 0), EXIT);
}

static void moving_the_frame_ends_what_was_known(void **state)
{
    (void)state;
#define CHECKED FRAME_START, MOV(8, 7), ADD_K(8, 14), MOV_K(0, 0), JGT(8, 9, 6)
    PROVED(0, false, CHECKED, LDXB(0, 7, 0), EXIT, EXIT, EXIT, EXIT, EXIT, EXIT);
    PROVED(1, true, CHECKED, MOV(1, 6), MOV_K(2, 0), CALL(ASH_HELPER_ADJUST_HEAD), LDXB(0, 7, 0),
           EXIT, EXIT, EXIT);
    /* in a function that is called, too */
    PROVED(1, true, FRAME_START, MOV(8, 7), ADD_K(8, 14), MOV_K(0, 0), JGT(8, 9, 3), MOV(1, 6),
           CALL_LOCAL(2), LDXB(0, 7, 0), EXIT, MOV_K(2, 0), CALL(ASH_HELPER_ADJUST_TAIL), EXIT);
}

static void checks_in_loops_count_in_their_next_round(void **state)
{
    (void)state;
    /* while (p + 2 <= end) sum += *p++; tested at its end, as compilers write it */
    PROVED(0, false, FRAME_START, MOV_K(0, 0), ADD_K(7, 16), JGT(7, 9, 4), LDXH(3, 7, -2),
           ADD(0, 3), ADD_K(7, 2), JLE(7, 9, -4), EXIT);
    /* the same, but a round goes 4 on and the check is for 2 */
    PROVED(1, true, FRAME_START, MOV_K(0, 0), ADD_K(7, 16), JGT(7, 9, 4), LDXH(3, 7, 0), ADD(0, 3),
           ADD_K(7, 4), JLE(7, 9, -4), EXIT);
    /* it goes back: then it may be before the frame */
    PROVED(1, true, FRAME_START, MOV_K(0, 0), ADD_K(7, 16), JGT(7, 9, 4), LDXH(3, 7, -2), ADD(0, 3),
           ADD_K(7, -2), JLE(7, 9, -4), EXIT);
    /* entered in its middle: how far the index rises is not followed there, so the guard stays */
    PROVED(1, true, FRAME_START, MOV_K(0, 0), MOV_K(2, 0), JA(4), LDXB(4, 4, 0), ADD(0, 4),
           ADD_K(2, 1), JEQ_K(2, 1500, 5), MOV(4, 7), ADD(4, 2), MOV(5, 4), ADD_K(5, 1),
           JLE(5, 9, -9), EXIT);
    /* the pointer goes through another register */
    PROVED(0, false, FRAME_START, MOV_K(0, 0), ADD_K(7, 18), JGT(7, 9, 7), MOV(4, 7),
           LDXH(3, 4, -4), ADD(0, 3), MOV(7, 4), ADD_K(7, 2), JLE(4, 9, -6), EXIT, EXIT);
    /* an index into a map, tested at the end */
    PROVED(0, false, MOV_K(0, 0), MOV_K(2, 0), LDVALUE(1, 0, 0), MOV(3, 2), LSH_K(3, 3), ADD(3, 1),
           LDXDW(0, 3, 0), ADD_K(2, 1), JLT_K(2, 4, -6), EXIT);
    PROVED(1, true, MOV_K(0, 0), MOV_K(2, 0), LDVALUE(1, 0, 0), MOV(3, 2), LSH_K(3, 3), ADD(3, 1),
           LDXDW(0, 3, 0), ADD_K(2, 1), JLT_K(2, 5, -6), EXIT);
}

static void loops_keep_what_they_do_not_change(void **state)
{
    (void)state;
    /* no check in the loop, and the pointer moves */
    PROVED(1, true, FRAME_START, MOV_K(0, 0), MOV(2, 7), ADD_K(2, 14), JGT(2, 9, 3), LDXB(0, 7, 0),
           ADD_K(7, 1), JNE_K(0, 0, -3), EXIT);
    /* the check before the loop holds in it: the pointer doesn't move */
    PROVED(0, false, FRAME_START, MOV_K(0, 0), MOV(2, 7), ADD_K(2, 14), JGT(2, 9, 3), LDXB(0, 7, 0),
           ADD_K(0, 1), JNE_K(0, 0, -3), EXIT);
    /* nor if the frame moves */
    PROVED(1, true, FRAME_START, MOV_K(0, 0), MOV(2, 7), ADD_K(2, 14), JGT(2, 9, 5), LDXB(8, 7, 0),
           MOV(1, 6), MOV_K(2, 1), CALL(ASH_HELPER_ADJUST_HEAD), JNE_K(8, 0, -5), EXIT);
}

/* A head that only a jump back reaches, because the loop is entered in its middle on a condition
   that always holds: there the pointer is what the round before left, the second round's too. */
static void a_head_that_only_jumps_back_reach_is_known_late(void **state)
{
    (void)state;
    PROVED(1, true, MOV_K(0, 0), LDVALUE(8, 0, 0), JEQ_K(0, 0, 3), LDXDW(2, 8, 16),
           LDVALUE(8, 0, 13), AND_K(0, 1), JLT_K(0, 2, -5), EXIT);
}

/* Two loops in one another, and one behind them; each checks. */
static void loops_nest(void **state)
{
    (void)state;
    PROVED(0, false, FRAME_START, MOV_K(0, 0), MOV(8, 7), /* 5 */ ADD_K(8, 1), JGT(8, 9, 10),
           MOV(3, 8),
           /* 8 */ ADD_K(3, 2), JGT(3, 9, 3), LDXH(4, 3, -2), ADD(0, 4), JA(-5), LDXB(4, 8, -1),
           ADD(0, 4), JNE_K(4, 7, -11), EXIT, EXIT);
}

static void a_jump_into_the_middle_of_a_loop_counts(void **state)
{
    (void)state;
    /* r7 is checked on the way to the loop's start, not on the way to its middle, from where the
     * jump back leads there */
    PROVED(1, true, FRAME_START, MOV_K(0, 0), LDXW(3, 6, 16), JEQ_K(3, 0, 4), MOV(2, 7),
           ADD_K(2, 14), JGT(2, 9, 3), LDXB(0, 7, 0), ADD_K(0, 1), JNE_K(0, 0, -3), EXIT);
}

static void the_stack_is_cleared_only_if_it_may_be_read_first(void **state)
{
    (void)state;
    PROVED(0, true, LDXDW(0, 10, -8), EXIT);
    PROVED(0, false, STDW(10, -8, 1), LDXDW(0, 10, -8), EXIT);
    PROVED(0, true, STW(10, -8, 1), LDXDW(0, 10, -8), EXIT);
    PROVED(0, false, STW(10, -8, 1), STW(10, -4, 1), LDXDW(0, 10, -8), EXIT);
    /* written on one path */
    PROVED(0, true, LDXW(2, 1, 0), JEQ_K(2, 0, 1), STDW(10, -8, 1), LDXDW(0, 10, -8), EXIT);
    /* a helper reads it */
    PROVED(0, true, LDMAP(1, 0), MOV(2, 10), ADD_K(2, -4), CALL(ASH_HELPER_LOOKUP), MOV_K(0, 0),
           EXIT);
    PROVED(0, false, STW(10, -4, 0), LDMAP(1, 0), MOV(2, 10), ADD_K(2, -4), CALL(ASH_HELPER_LOOKUP),
           MOV_K(0, 0), EXIT);
}

static void stack_accesses_stay_in_their_512_bytes(void **state)
{
    (void)state;
    PROVED(0, false, STDW(10, -512, 0), MOV_K(0, 0), EXIT);
    PROVED(1, false, STDW(10, -520, 0), MOV_K(0, 0), EXIT);
    PROVED(1, false, STDW(10, -513, 0), MOV_K(0, 0), EXIT);
    PROVED(1, false, STDW(10, -7, 0), MOV_K(0, 0), EXIT);
    PROVED(0, false, LDXW(2, 1, 12), AND_K(2, 63), MOV(3, 10), ADD_K(3, -64), ADD(3, 2),
           STB(3, 0, 1), MOV_K(0, 0), EXIT);
    PROVED(1, false, LDXW(2, 1, 12), AND_K(2, 127), MOV(3, 10), ADD_K(3, -64), ADD(3, 2),
           STB(3, 0, 1), MOV_K(0, 0), EXIT);
}

static void spilled_values_come_back(void **state)
{
    (void)state;
#define SPILLED FRAME_START, MOV(2, 7), ADD_K(2, 14), MOV_K(0, 0), STXDW(10, 7, -16), JGT(2, 9, 3)
    PROVED(0, false, SPILLED, LDXDW(3, 10, -16), LDXB(0, 3, 13), EXIT,
           EXIT); /* what was learnt since, too */
    PROVED(1, true, SPILLED, STB(10, -12, 0), LDXDW(3, 10, -16), LDXB(0, 3, 13),
           EXIT); /* overwritten in part */
    /* a store that may go anywhere may have gone there */
    PROVED(2, true, SPILLED, STB(0, 0, 0), LDXDW(3, 10, -16), LDXB(0, 3, 13), EXIT);
}

#define LOOKED_UP(map)                                                                             \
    STW(10, -4, 1), MOV(2, 10), ADD_K(2, -4), LDMAP(1, map), CALL(ASH_HELPER_LOOKUP)

static void entries_are_null_until_they_are_tested(void **state)
{
    (void)state;
    PROVED(0, false, LOOKED_UP(0), JEQ_K(0, 0, 1), LDXDW(0, 0, 0), EXIT);
    PROVED(1, true, LOOKED_UP(0), LDXDW(0, 0, 0), EXIT);
    PROVED(1, true, LOOKED_UP(0), JNE_K(0, 0, 1), LDXDW(0, 0, 0), EXIT);
    PROVED(0, false, LOOKED_UP(0), MOV(6, 0), JNE_K(0, 0, 1), EXIT, LDXDW(0, 6, 0),
           EXIT);                                                        /* a copy */
    PROVED(1, true, LOOKED_UP(1), JEQ_K(0, 0, 1), LDXDW(0, 0, 8), EXIT); /* values of 12 bytes */
    PROVED(0, false, LOOKED_UP(1), JEQ_K(0, 0, 1), LDXW(0, 0, 8), EXIT);
    PROVED(0, false, LOOKED_UP(0), JEQ_K(0, 0, 2), MOV_K(1, 1), ATOMIC_DW(0, 1, 0, 0), MOV_K(0, 2),
           EXIT);
    PROVED(1, true, LOOKED_UP(0), JEQ_K(0, 0, 2), MOV_K(1, 1), ATOMIC_W(0, 1, 2, 0), MOV_K(0, 2),
           EXIT); /* not aligned */
}

static void variables_are_map_memory(void **state)
{
    (void)state;
    PROVED(0, false, LDVALUE(1, 0, 24), LDXDW(0, 1, 0), EXIT);
    PROVED(1, true, LDVALUE(1, 0, 24), LDXDW(0, 1, 1), EXIT);
    PROVED(0, false, LDVALUE(1, 2, 0), LDXDW(0, 1, 8), EXIT);
    PROVED(1, false, LDVALUE(1, 2, 0), STDW(1, 0, 1), MOV_K(0, 0), EXIT); /* read-only */
    /* indexed, with the index checked */
    PROVED(0, false, LDXW(2, 1, 12), MOV_K(0, 0), JGT_K(2, 3, 5), LSH_K(2, 3), LDVALUE(1, 0, 0),
           ADD(1, 2), LDXDW(0, 1, 0), EXIT);
    PROVED(1, true, LDXW(2, 1, 12), MOV_K(0, 0), JGT_K(2, 4, 5), LSH_K(2, 3), LDVALUE(1, 0, 0),
           ADD(1, 2), LDXDW(0, 1, 0), EXIT);
    /* what is learnt of a copy is learnt of the original */
    PROVED(0, false, LDXW(2, 1, 12), MOV_K(0, 0), MOV(3, 2), JGT_K(3, 3, 5), LSH_K(2, 3),
           LDVALUE(1, 0, 0), ADD(1, 2), LDXDW(0, 1, 0), EXIT);
}

static void the_context_is_read_only(void **state)
{
    (void)state;
    PROVED(0, false, LDXW(0, 1, 20), EXIT);
    PROVED(1, true, LDXDW(0, 1, 20), EXIT);
    PROVED(1, true, LDXW(0, 1, -4), EXIT);
    PROVED(1, false, STW(1, 0, 0), MOV_K(0, 0), EXIT);
}

static void functions_know_their_arguments(void **state)
{
    (void)state;
    PROVED(0, false, FRAME_START, MOV(2, 7), ADD_K(2, 14), MOV_K(0, 0), JGT(2, 9, 2), MOV(1, 7),
           CALL_LOCAL(1), EXIT, LDXB(0, 1, 13), EXIT);
    /* called from two places, checked before one of them */
    PROVED(1, true, FRAME_START, MOV(1, 7), CALL_LOCAL(6), MOV(2, 7), ADD_K(2, 14), JGT(2, 9, 2),
           MOV(1, 7), CALL_LOCAL(1), EXIT, LDXB(0, 1, 13), EXIT);
    /* the caller's stack is not the function's own */
    PROVED(1, true, STDW(10, -8, 1), MOV(1, 10), ADD_K(1, -8), CALL_LOCAL(1), EXIT, LDXDW(0, 1, 0),
           EXIT);
}

static void fuel_is_the_longest_path(void **state)
{
    (void)state;
    struct verification *v =
        VERIFY(LDXW(0, 1, 0), JEQ_K(0, 0, 3), ADD_K(0, 1), ADD_K(0, 1), ADD_K(0, 1), EXIT);
    assert_int_equal(v->program->entry_cost, 6);
    end(v);
    v = VERIFY(MOV_K(0, 0), ADD_K(0, 1), JLT_K(0, 10, -2), EXIT);
    assert_int_equal(v->program->entry_cost, 4);
    assert_int_equal(v->program->notes[2].cost, 2); /* the loop's body */
    end(v);
    v = VERIFY(MOV_K(0, 0), JGT_K(0, 9, 2), ADD_K(0, 1), JA(-3), ADD_K(0, 5), ADD_K(0, 6), EXIT);
    assert_int_equal(v->program->notes[3].cost, 3); /* not what stands behind the loop */
    end(v);
    v = VERIFY(CALL_LOCAL(2), CALL(ASH_HELPER_RANDOM), EXIT, MOV_K(0, 0), MOV_K(0, 0), EXIT);
    assert_int_equal(v->program->entry_cost, 1 + 3 + 1 + 16 + 1);
    end(v);
}

static void a_program_that_can_not_be_aborted_is_known(void **state)
{
    (void)state;
    struct verification *v = VERIFY(FRAME_START, MOV_K(0, 2), EXIT);
    assert_false(v->program->can_abort);
    assert_false(v->program->writes_frame);
    end(v);
    v = VERIFY(FRAME_START, LDXB(0, 7, 0), EXIT);
    assert_true(v->program->can_abort);
    end(v);
    v = VERIFY(MOV_K(0, 0), JEQ_K(0, 1, -1), EXIT);
    assert_true(v->program->can_abort);
    end(v);
}

static void the_event_has_to_be_the_one_asked_for(void **state)
{
    (void)state;
    static const struct ash_insn insns[] = {MOV_K(0, 0), EXIT};
    struct verification *v = verify_event(insns, 2, ASH_EVENT_MEMORY, 0);
    assert_int_equal(v->error, 0);
    assert_int_equal(ash_verify(v->scratch, ash_scratch_size(2), &v->view, ASH_EVENT_FRAME, 0,
                                v->program, ash_program_size(2)),
                     ASH_E_EVENT);
    end(v);
}

static void memory_is_checked(void **state)
{
    (void)state;
    static const struct ash_insn insns[] = {MOV_K(0, 0), EXIT};
    struct verification *v = verify_event(insns, 2, ASH_EVENT_FRAME, 0);
    size_t scratch = ash_scratch_size(2), program = ash_program_size(2);
    assert_int_equal(
        ash_verify(v->scratch, scratch - 1, &v->view, ASH_EVENT_FRAME, 0, v->program, program),
        ASH_E_SPACE);
    assert_int_equal(
        ash_verify(v->scratch, scratch, &v->view, ASH_EVENT_FRAME, 0, v->program, program - 1),
        ASH_E_SPACE);
    assert_int_equal(ash_verify((char *)v->scratch + 1, scratch, &v->view, ASH_EVENT_FRAME, 0,
                                v->program, program),
                     ASH_E_ALIGNMENT);
    end(v);
    assert_in_range(ash_scratch_size(ASH_INSNS_MAX), ASH_SCRATCH_MAX / 2, ASH_SCRATCH_MAX);
    assert_in_range(ash_program_size(ASH_INSNS_MAX), ASH_PROGRAM_MAX / 2, ASH_PROGRAM_MAX);
}

/* Verifies in steps of a size; the notes are the same as at once. */
static void step_by(const uint8_t *image, size_t size, size_t work, const struct ash_program *whole,
                    int error)
{
    struct ash_image view;
    assert_int_equal(ash_image_open(image, size, &view), 0);
    uint32_t n = view.header->insns;
    void *scratch = malloc(ash_scratch_size(n)), *memory = malloc(ash_program_size(n));
    int state = ash_verify_begin(scratch, ash_scratch_size(n), &view, ASH_EVENT_FRAME,
                                 ASH_HELPERS_ALL, memory, ash_program_size(n));
    unsigned steps = 0;
    while (state == 0 && (state = ash_verify_step(scratch, work)) == ASH_MORE) {
        state = 0;
        steps++;
    }
    assert_int_equal(state, error);
    if (!error) {
        const struct ash_program *p = memory;
        assert_memory_equal(p->notes, whole->notes, n * sizeof *p->notes);
        assert_int_equal(p->guards, whole->guards);
        assert_int_equal(p->entry_cost, whole->entry_cost);
    }
    assert_true(work > 1 || steps >= n);
    free(scratch);
    free(memory);
}

static void steps_of_any_size_come_to_the_same(void **state)
{
    (void)state;
    static _Alignas(8) uint8_t image[GENERATED_MAX];
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct choices c = {.seed = seed};
        size_t size = generate(&c, ASH_EVENT_FRAME, image);
        struct ash_image view;
        assert_int_equal(ash_image_open(image, size, &view), 0);
        uint32_t n = view.header->insns;
        void *scratch = malloc(ash_scratch_size(n)), *memory = malloc(ash_program_size(n));
        int error = ash_verify(scratch, ash_scratch_size(n), &view, ASH_EVENT_FRAME,
                               ASH_HELPERS_ALL, memory, ash_program_size(n));
        step_by(image, size, 1, memory, error);
        step_by(image, size, 7, memory, error);
        step_by(image, size, 1000, memory, error);
        free(scratch);
        free(memory);
    }
}

/* More targets at a time than facts are kept for: proofs are lost, and nothing else. */
static void a_full_pool_costs_proofs_only(void **state)
{
    (void)state;
    struct ash_insn insns[1024];
    uint32_t n = 0, branches = 200;
    insns[n++] = (struct ash_insn)MOV(6, 1);
    insns[n++] = (struct ash_insn)LDXW(2, 6, 16);
    insns[n++] = (struct ash_insn)LDXW(7, 6, 0);
    for (uint32_t i = 0; i < branches; i++) /* each to an exit of its own */
        insns[n + i] =
            (struct ash_insn)JEQ_K(2, (int32_t)i, (int32_t)(branches - i - 1 + 2 + 2 * i));
    n += branches;
    insns[n++] = (struct ash_insn)MOV_K(0, 0);
    insns[n++] = (struct ash_insn)EXIT;
    for (uint32_t i = 0; i < branches; i++) {
        insns[n++] = (struct ash_insn)LDXW(0, 6, 0);
        insns[n++] = (struct ash_insn)EXIT;
    }
    struct verification *v = verify_event(insns, n, ASH_EVENT_FRAME, ASH_HELPERS_ALL);
    assert_int_equal(v->error, 0);
    assert_true(v->program->guards > 0 && v->program->guards < branches);
    end(v);
}

static void the_largest_program_is_verified(void **state)
{
    (void)state;
    static struct ash_insn insns[ASH_INSNS_MAX];
    insns[0] = (struct ash_insn)MOV_K(0, 0);
    for (uint32_t i = 1; i < ASH_INSNS_MAX - 1; i++)
        insns[i] = (struct ash_insn)JNE_K(0, (int32_t)i, i % 3 ? 0 : -1);
    insns[ASH_INSNS_MAX - 1] = (struct ash_insn)EXIT;
    struct verification *v = verify_event(insns, ASH_INSNS_MAX, ASH_EVENT_FRAME, 0);
    assert_int_equal(v->error, 0);
    end(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_opcodes_are_named),
        cmocka_unit_test(every_opcode_without_a_row_is_refused),
        cmocka_unit_test(jumps_stay_in_their_function),
        cmocka_unit_test(calls_are_checked),
        cmocka_unit_test(eight_functions_deep_is_allowed),
        cmocka_unit_test(the_function_count_is_bounded),
        cmocka_unit_test(registers_are_written_before_they_are_read),
        cmocka_unit_test(registers_that_are_written_on_all_paths_may_be_read),
        cmocka_unit_test(unreachable_instructions_are_only_decoded),
        cmocka_unit_test(accesses_to_the_frame_need_a_check),
        cmocka_unit_test(checks_come_in_eight_ways),
        cmocka_unit_test(variable_offsets_are_followed),
        cmocka_unit_test(facts_survive_joins_if_both_paths_have_them),
        cmocka_unit_test(moving_the_frame_ends_what_was_known),
        cmocka_unit_test(checks_in_loops_count_in_their_next_round),
        cmocka_unit_test(loops_keep_what_they_do_not_change),
        cmocka_unit_test(a_head_that_only_jumps_back_reach_is_known_late),
        cmocka_unit_test(loops_nest),
        cmocka_unit_test(a_jump_into_the_middle_of_a_loop_counts),
        cmocka_unit_test(the_stack_is_cleared_only_if_it_may_be_read_first),
        cmocka_unit_test(stack_accesses_stay_in_their_512_bytes),
        cmocka_unit_test(spilled_values_come_back),
        cmocka_unit_test(entries_are_null_until_they_are_tested),
        cmocka_unit_test(variables_are_map_memory),
        cmocka_unit_test(the_context_is_read_only),
        cmocka_unit_test(functions_know_their_arguments),
        cmocka_unit_test(fuel_is_the_longest_path),
        cmocka_unit_test(a_program_that_can_not_be_aborted_is_known),
        cmocka_unit_test(the_event_has_to_be_the_one_asked_for),
        cmocka_unit_test(memory_is_checked),
        cmocka_unit_test(steps_of_any_size_come_to_the_same),
        cmocka_unit_test(a_full_pool_costs_proofs_only),
        cmocka_unit_test(the_largest_program_is_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
