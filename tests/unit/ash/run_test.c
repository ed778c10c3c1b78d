/*
 * What programs do when they run: results, aborts and what is said of them, fuel, helpers, maps,
 * the frame. Each program runs interpreted, and as machine code in the simulator, and under
 * qemu-riscv64 (argument: the runner).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ash/program.h"
#include "engine.h"
#include "generate.h"
#include "insns.h"
#include "vcode/vcode.h"

#define ROOM  64
#define FRAME 60
#define FUEL  1000

static const char *runner;
static struct engines engines;

/* What a program did: the same by all engines. */
struct outcome {
    struct job_reply reply;
    uint8_t memory[FRAME + 2 * ROOM];
    char trace[JOB_TRACE_MAX];
    char why[ASH_TEXT_SIZE]; /* if it was aborted */
};

static void explain(const void *image, size_t size, struct outcome *o)
{
    struct ash_program program = {0};
    static struct ash_run run;
    assert_int_equal(ash_image_open(image, size, &program.image), 0);
    run.abort = o->reply.abort;
    run.md.data = ASH_BASE(ASH_REGION_FRAME) + o->reply.start;
    ash_explain_abort(&program, &run, o->why, sizeof o->why);
}

static struct outcome run(const struct ash_insn *insns, uint32_t count, int32_t fuel)
{
    static _Alignas(8) uint8_t image[GENERATED_MAX];
    static const char *const names[] = {"interpreted", "simulated", "under qemu-riscv64"};
    struct outcome first = {0};
    struct job_request q = {.magic = JOB_MAGIC,
                            .image_size =
                                (uint32_t)make_image(insns, count, ASH_EVENT_FRAME, image),
                            .memory_size = sizeof first.memory,
                            .event = ASH_EVENT_FRAME,
                            .fuel = fuel,
                            .isa = RV64_ZBA | RV64_ZBB | RV64_MISALIGNED,
                            .time = 1000,
                            .seed = 3,
                            .start = ROOM,
                            .end = ROOM + FRAME};
    for (enum engine e = 0; e < ENGINES; e++) {
        struct outcome o = {0};
        for (uint32_t i = 0; i < sizeof o.memory; i++)
            o.memory[i] = (uint8_t)(i - ROOM);
        if (!engine_run(&engines, e, &q, image, o.memory, o.trace, &o.reply))
            fail_msg("%s: %s", names[e], engines.error);
        if (e == 0) {
            first = o;
        } else if (!engine_same(&first.reply, &o.reply) ||
                   memcmp(first.memory, o.memory, sizeof o.memory) ||
                   memcmp(first.trace, o.trace, sizeof o.trace)) {
            fail_msg("%s it does something else: r0 %llx, not %llx; abort %u at %u, not %u at %u; "
                     "modified %u, not %u",
                     names[e], (unsigned long long)o.reply.result,
                     (unsigned long long)first.reply.result, o.reply.abort.reason,
                     o.reply.abort.insn, first.reply.abort.reason, first.reply.abort.insn,
                     o.reply.modified, first.reply.modified);
        }
    }
    if (first.reply.error)
        fail_msg("refused: %d at %u", first.reply.error, first.reply.refused_insn);
    explain(image, q.image_size, &first);
    return first;
}

#define RUN_WITH(fuel, ...)                                                                        \
    ({                                                                                             \
        static const struct ash_insn insns_[] = {__VA_ARGS__};                                     \
        run(insns_, sizeof insns_ / sizeof *insns_, fuel);                                         \
    })
#define RUN(...) RUN_WITH(FUEL, __VA_ARGS__)

/* The program ends with that result. */
#define RESULT(expected, ...)                                                                      \
    do {                                                                                           \
        struct outcome o_ = RUN(__VA_ARGS__);                                                      \
        if (o_.reply.abort.reason)                                                                 \
            fail_msg("aborted: %s", o_.why);                                                       \
        assert_int_equal(o_.reply.result, (uint64_t)(expected));                                   \
    } while (0)

/* The program is aborted, and that is said of it. */
#define ABORTED(sentence, ...)                                                                     \
    do {                                                                                           \
        struct outcome o_ = RUN(__VA_ARGS__);                                                      \
        assert_string_equal(o_.why, sentence);                                                     \
        assert_int_equal(o_.reply.result, 0);                                                      \
    } while (0)

static void the_frame_is_read_up_to_its_ends(void **state)
{
    (void)state;
    RESULT(0, FRAME_START, LDXB(0, 7, 0), EXIT);
    RESULT(59, FRAME_START, LDXB(0, 7, 59), EXIT);
    RESULT(0x3b3a, FRAME_START, LDXH(0, 7, 58), EXIT);
    RESULT(60, FRAME_START, MOV(0, 9), SUB(0, 7), EXIT);
    ABORTED("insn 3, guard: frame -1", FRAME_START, LDXB(0, 7, -1), EXIT);
    ABORTED("insn 3, guard: frame +60", FRAME_START, LDXB(0, 7, 60), EXIT);
    ABORTED("insn 3, guard: frame +59", FRAME_START, LDXH(0, 7, 59), EXIT);
    ABORTED("insn 3, guard: frame +53", FRAME_START, LDXDW(0, 7, 53), EXIT);
    ABORTED("insn 3, guard: frame -1", FRAME_START, LDXDW(0, 7, -1), EXIT);
    ABORTED("insn 3, guard: frame +60", FRAME_START, STB(7, 60, 1), MOV_K(0, 0), EXIT);
}

static void addresses_that_wrap_are_outside(void **state)
{
    (void)state;
    /* data + 2^64 - 1 is before the frame, data + 2^32 is far beyond it */
    ABORTED("insn 5, guard: frame -1", FRAME_START, MOV_K(2, -1), ADD(7, 2), LDXB(0, 7, 0), EXIT);
    ABORTED("insn 6, guard: address 0x103000040", FRAME_START, LDDW(2, 1ull << 32), ADD(7, 2),
            LDXB(0, 7, 0), EXIT);
    ABORTED("insn 4, guard: address 0xffffffffffffffff", MOV_K(2, -1), MOV_K(3, -1), MOV_K(4, -1),
            MOV_K(5, -1), LDXB(0, 2, 0), EXIT);
    ABORTED("insn 4, guard: address 0xffffffffffffffff", MOV_K(2, -1), MOV_K(3, -1), MOV_K(4, -1),
            MOV_K(5, -1), LDXDW(0, 2, 0), EXIT);
    ABORTED("insn 1, guard: address 0x00000000", MOV_K(2, 0), LDXB(0, 2, 0), EXIT);
    ABORTED("insn 2, guard: address 0x18000000", LDDW(2, 24ull << 24), LDXB(0, 2, 0), EXIT);
    /* the check wraps, so it passes, and the access doesn't */
    ABORTED("insn 8, guard: address 0xfffffffffffffff8", FRAME_START, MOV_K(0, 0), MOV_K(2, -8),
            MOV(3, 2), ADD_K(3, 16), JGT(3, 9, 1), LDXB(0, 2, 0), EXIT);
}

static void stack_and_context_have_ends(void **state)
{
    (void)state;
    RESULT(7, STDW(10, -512, 7), LDXDW(0, 10, -512), EXIT);
    ABORTED("insn 0, guard: stack -520", STDW(10, -520, 7), MOV_K(0, 0), EXIT);
    ABORTED("insn 0, guard: stack +0", STDW(10, 0, 7), MOV_K(0, 0), EXIT);
    ABORTED("insn 0, guard: stack -4", STDW(10, -4, 7), MOV_K(0, 0), EXIT);
    ABORTED("insn 0, guard: stack -513", LDXB(0, 10, -513), EXIT);
    RESULT(1, LDXW(0, 1, 12), EXIT); /* ingress_ifindex */
    ABORTED("insn 0, guard: context +24", LDXW(0, 1, 24), EXIT);
    ABORTED("insn 0, guard: context +17", LDXDW(0, 1, 17), EXIT);
    ABORTED("insn 0, read-only: context +0", STW(1, 0, 7), MOV_K(0, 0), EXIT);
}

static void the_stack_starts_as_zero(void **state)
{
    (void)state;
    RESULT(0, LDXDW(0, 10, -8), EXIT);
    RESULT(0, LDXDW(0, 10, -512), EXIT);
    RESULT(0, CALL_LOCAL(1), EXIT, LDXDW(0, 10, -8), EXIT);
    RESULT(0, CALL_LOCAL(1), EXIT, LDXDW(0, 10, -512), EXIT);
}

static void division_by_zero_is_defined(void **state)
{
    (void)state;
    RESULT(0, MOV_K(0, 7), LDXW(1, 1, 16), DIV(0, 1), EXIT);
    RESULT(7, MOV_K(0, 7), LDXW(1, 1, 16), MOD(0, 1), EXIT);
}

static void loops_end_by_fuel(void **state)
{
    (void)state;
    struct outcome o = RUN(MOV_K(0, 0), JA(-1));
    assert_string_equal(o.why, "insn 1, fuel");
    assert_int_equal(o.reply.fuel, -1);
    o = RUN_WITH(4, MOV_K(0, 0), ADD_K(0, 1), JLT_K(0, 5, -2), EXIT);
    assert_string_equal(o.why, "insn 2, fuel");
    o = RUN_WITH(4 + 2 * 4 - 1, MOV_K(0, 0), ADD_K(0, 1), JLT_K(0, 5, -2), EXIT);
    assert_string_equal(o.why, "insn 2, fuel");
    o = RUN_WITH(4 + 2 * 4, MOV_K(0, 0), ADD_K(0, 1), JLT_K(0, 5, -2), EXIT);
    assert_int_equal(o.reply.result, 5);
    assert_int_equal(o.reply.fuel, 0);
    /* a loop that a register's value of 2^32 and more makes long */
    o = RUN(MOV_K(0, -1), ADD_K(0, -1), JNE_K(0, 0, -2), EXIT);
    assert_string_equal(o.why, "insn 2, fuel");
    /* in a function */
    o = RUN(CALL_LOCAL(1), EXIT, MOV_K(0, 0), JA(-1));
    assert_string_equal(o.why, "insn 3, fuel");
}

static void what_an_aborted_handler_changed_is_told(void **state)
{
    (void)state;
    struct outcome o = RUN(FRAME_START, MOV_K(0, 0), JA(-1));
    assert_int_equal(o.reply.modified, 0);
    o = RUN(FRAME_START, STB(7, 0, 1), MOV_K(0, 0), JA(-1));
    assert_int_equal(o.reply.modified, 1);
    assert_int_equal(o.memory[ROOM], 1);
    /* by a store that is proved; and one on a path that is not taken */
#define CHECKED FRAME_START, MOV(8, 7), ADD_K(8, 14), MOV_K(0, 0), JLE(8, 9, 1), EXIT
    o = RUN(CHECKED, STB(7, 0, 1), JA(-1));
    assert_int_equal(o.reply.modified, 1);
    o = RUN(CHECKED, LDXW(3, 6, 16), JEQ_K(3, 0, 1), STB(7, 0, 1), JA(-1));
    assert_int_equal(o.reply.modified, 0);
    /* one on each of two paths, of which the second is taken */
    o = RUN(CHECKED, LDXW(3, 6, 16), JEQ_K(3, 0, 2), STB(7, 0, 1), JA(1), STB(7, 1, 9), JA(-1));
    assert_int_equal(o.reply.modified, 1);
    assert_int_equal(o.memory[ROOM + 1], 9);
    /* by moving its ends */
    o = RUN(MOV_K(2, 1), CALL(ASH_HELPER_ADJUST_HEAD), JA(-1));
    assert_int_equal(o.reply.modified, 1);
    /* a store elsewhere */
    o = RUN(STB(10, -1, 1), LDVALUE(2, 0, 0), STB(2, 0, 1), MOV_K(0, 0), JA(-1));
    assert_int_equal(o.reply.modified, 0);
}

/* An address that was translated once, and changed since. */
static void translated_addresses_are_not_used_too_long(void **state)
{
    (void)state;
    /* r4 = data + (data[1] & 15) = data + 1, checked for 8 bytes; then it moves */
#define MOVING                                                                                     \
    CHECKED, LDXB(3, 7, 1), AND_K(3, 15), MOV(4, 7), ADD(4, 3), MOV(5, 4), ADD_K(5, 8),            \
        JLE(5, 9, 1), EXIT
    RESULT(1, MOVING, LDXB(0, 4, 0), EXIT);
    RESULT(1 + 3, MOVING, LDXB(0, 4, 0), ADD_K(4, 2), LDXB(2, 4, 0), ADD(0, 2), EXIT);
    RESULT(1 + 6, MOVING, LDXB(0, 4, 0), MOV(4, 5), LDXB(2, 4, -3), ADD(0, 2), EXIT);
    RESULT(1 + 2, MOVING, LDXB(0, 4, 0), LDXB(4, 4, 1), ADD(0, 4),
           EXIT); /* the load overwrites it */
    RESULT(3 + 1, MOVING, LDXB(0, 4, 0), JEQ_K(0, 9, 1), ADD_K(4, 2), LDXB(2, 4, 0), ADD(0, 2),
           EXIT);
    /* two maps at one register, and variables of both */
    RESULT(5 + 6, LDVALUE(1, 0, 8), LDVALUE(2, 1, 0), STDW(1, 0, 5), STW(2, 4, 6), LDXDW(0, 1, 0),
           LDXW(3, 2, 4), ADD(0, 3), EXIT);
}

#define LOOKED_UP(map, key)                                                                        \
    STW(10, -4, key), MOV(2, 10), ADD_K(2, -4), LDMAP(1, map), CALL(ASH_HELPER_LOOKUP)

static void lookups_find_entries(void **state)
{
    (void)state;
    RESULT(0, LOOKED_UP(0, 4), EXIT); /* 4 entries */
    RESULT(0, LOOKED_UP(0, -1), EXIT);
    RESULT(ASH_BASE(ASH_REGION_MAP) + 24, LOOKED_UP(0, 3), EXIT);
    RESULT(ASH_BASE(ASH_REGION_MAP + 1) + 32, LOOKED_UP(1, 2), EXIT); /* 12 bytes, 16 apart */
    RESULT(0x41, LOOKED_UP(0, 1), JEQ_K(0, 0, 4), STDW(0, 0, 0x41), LDVALUE(1, 0, 8),
           LDXDW(0, 1, 0), EXIT);
    /* not in place: the key lies in the frame, the map is not known */
    RESULT(0, FRAME_START, MOV(2, 7), LDMAP(1, 0), CALL(ASH_HELPER_LOOKUP), EXIT);
    ABORTED("insn 4, not a map: 0x9", STW(10, -4, 0), MOV(2, 10), ADD_K(2, -4), MOV_K(1, 9),
            CALL(ASH_HELPER_LOOKUP), EXIT);
    ABORTED("insn 4, guard: stack -2", MOV(2, 10), ADD_K(2, -2), LDMAP(1, 0),
            CALL(ASH_HELPER_LOOKUP), EXIT);
}

static void maps_are_updated(void **state)
{
    (void)state;
#define UPDATED(map, key, flags)                                                                   \
    STW(10, -4, key), STDW(10, -16, 0x1234), STDW(10, -24, 0), MOV(2, 10), ADD_K(2, -4),           \
        MOV(3, 10), ADD_K(3, -16), LDMAP(1, map), MOV_K(4, flags), CALL(ASH_HELPER_UPDATE)
    RESULT(0x1234, UPDATED(0, 2, 0), JNE_K(0, 0, 3), LDVALUE(1, 0, 16), LDXDW(0, 1, 0), EXIT);
    RESULT(0, UPDATED(0, 2, 2), EXIT);
    RESULT(-7, UPDATED(0, 4, 0), EXIT);  /* E2BIG */
    RESULT(-17, UPDATED(0, 2, 1), EXIT); /* EEXIST */
    RESULT(-22, UPDATED(0, 2, 3), EXIT); /* EINVAL */
    ABORTED("insn 10, read-only: map 2 +0", UPDATED(2, 0, 0), EXIT);
}

static void atomic_operations_have_to_be_aligned(void **state)
{
    (void)state;
    RESULT(5, LDVALUE(1, 0, 0), MOV_K(2, 5), ATOMIC_DW(1, 2, 8, 0), LDXDW(0, 1, 8), EXIT);
    ABORTED("insn 3, alignment: map 0 +4", LDVALUE(1, 0, 0), MOV_K(2, 5), ATOMIC_DW(1, 2, 4, 0),
            MOV_K(0, 0), EXIT);
    ABORTED("insn 3, alignment: map 0 +2", LDVALUE(1, 0, 0), MOV_K(2, 5), ATOMIC_W(1, 2, 2, 0),
            MOV_K(0, 0), EXIT);
    ABORTED("insn 3, read-only: map 2 +0", LDVALUE(1, 2, 0), MOV_K(2, 5), ATOMIC_W(1, 2, 0, 0),
            MOV_K(0, 0), EXIT);
    ABORTED("insn 3, guard: map 0 +32", LDVALUE(1, 0, 0), MOV_K(2, 5), ATOMIC_W(1, 2, 32, 0),
            MOV_K(0, 0), EXIT);
}

static void the_frame_can_be_moved(void **state)
{
    (void)state;
    struct outcome o = RUN(MOV(6, 1), MOV_K(2, -8), CALL(ASH_HELPER_ADJUST_HEAD), LDXW(7, 6, 0),
                           STB(7, 0, 0x77), STB(7, 7, 0x78), MOV_K(0, 3), EXIT);
    assert_int_equal(o.reply.start, ROOM - 8);
    assert_int_equal(o.memory[ROOM - 8], 0x77);
    assert_int_equal(o.memory[ROOM - 1], 0x78);
    o = RUN(MOV_K(2, 20), CALL(ASH_HELPER_ADJUST_HEAD), MOV_K(0, 3), EXIT);
    assert_int_equal(o.reply.start, ROOM + 20);
    RESULT(-22, MOV_K(2, -ROOM - 1), CALL(ASH_HELPER_ADJUST_HEAD), EXIT);
    RESULT(0, MOV_K(2, -ROOM), CALL(ASH_HELPER_ADJUST_HEAD), EXIT);
    RESULT(-22, MOV_K(2, FRAME - 13), CALL(ASH_HELPER_ADJUST_HEAD),
           EXIT); /* less than 14 bytes would be left */
    RESULT(0, MOV_K(2, FRAME - 14), CALL(ASH_HELPER_ADJUST_HEAD), EXIT);
    RESULT(-22, MOV_K(2, INT32_MIN), CALL(ASH_HELPER_ADJUST_HEAD), EXIT);

    o = RUN(MOV_K(2, 8), CALL(ASH_HELPER_ADJUST_TAIL), EXIT);
    assert_int_equal(o.reply.end, ROOM + FRAME + 8);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(o.memory[ROOM + FRAME + i], 0);
    assert_int_not_equal(o.memory[ROOM + FRAME + 8], 0);
    o = RUN(MOV_K(2, -10), CALL(ASH_HELPER_ADJUST_TAIL), EXIT);
    assert_int_equal(o.reply.end, ROOM + FRAME - 10);
    RESULT(-22, MOV_K(2, ROOM + 1), CALL(ASH_HELPER_ADJUST_TAIL), EXIT);
    RESULT(-22, MOV_K(2, -FRAME + 13), CALL(ASH_HELPER_ADJUST_TAIL), EXIT);
    /* what lies behind the new end can't be read, what lies before the new start neither */
    ABORTED("insn 5, guard: frame +59", MOV(6, 1), LDXW(7, 6, 0), MOV_K(2, -1),
            CALL(ASH_HELPER_ADJUST_TAIL), MOV_K(0, 0), LDXB(0, 7, 59), EXIT);
    ABORTED("insn 5, guard: frame -4", MOV(6, 1), LDXW(7, 6, 0), MOV_K(2, 4),
            CALL(ASH_HELPER_ADJUST_HEAD), MOV_K(0, 0), LDXB(0, 7, 0), EXIT);
    ABORTED("insn 2, guard: address 0x00000007", MOV_K(1, 7), MOV_K(2, 4),
            CALL(ASH_HELPER_ADJUST_HEAD), EXIT);
}

/* The sum of RFC 1071 over the difference, against one computed the plain way. */
static void checksums_change_by_the_difference(void **state)
{
    (void)state;
    struct outcome o = RUN(FRAME_START, MOV(1, 7), MOV_K(2, 8), MOV(3, 7), ADD_K(3, 8),
                           MOV_K(4, 12), MOV_K(5, 0x1111), CALL(ASH_HELPER_CSUM_DIFF), EXIT);
    uint64_t sum = 0x1111;
    for (unsigned i = 0; i < 12; i += 2)
        sum += (uint64_t)((8 + i) | (9 + i) << 8);
    for (unsigned i = 0; i < 8; i += 2)
        sum += 0xffff - (i | (i + 1) << 8);
    assert_int_equal(o.reply.result % 0xffff, sum % 0xffff);
    assert_true(o.reply.result <= UINT32_MAX);
    RESULT(5, MOV_K(1, 0), MOV_K(2, 0), MOV_K(3, 0), MOV_K(4, 0), MOV_K(5, 5),
           CALL(ASH_HELPER_CSUM_DIFF), EXIT);
    RESULT(-22, MOV_K(1, 0), MOV_K(2, 2), MOV_K(3, 0), MOV_K(4, 0), MOV_K(5, 5),
           CALL(ASH_HELPER_CSUM_DIFF), EXIT);
    RESULT(-22, MOV_K(1, 0), MOV_K(2, 516), MOV_K(3, 0), MOV_K(4, 0), MOV_K(5, 5),
           CALL(ASH_HELPER_CSUM_DIFF), EXIT);
    ABORTED("insn 8, guard: frame +0", FRAME_START, MOV(1, 7), MOV_K(2, 64), MOV(3, 7), MOV_K(4, 0),
            MOV_K(5, 5), CALL(ASH_HELPER_CSUM_DIFF), EXIT);
}

static void helpers_tell_time_and_more(void **state)
{
    (void)state;
    RESULT(1000 + 2000, CALL(ASH_HELPER_TIME), MOV(6, 0), CALL(ASH_HELPER_TIME), ADD(0, 6), EXIT);
    RESULT(0, CALL(ASH_HELPER_HART), EXIT);
    struct outcome o = RUN(MOV_K(1, 9), MOV_K(2, 0), CALL(ASH_HELPER_REDIRECT), EXIT);
    assert_int_equal(o.reply.result, ASH_REDIRECT);
    assert_int_equal(o.reply.redirect, 9);
    RESULT(ASH_ABORTED, MOV_K(1, 9), MOV_K(2, 1), CALL(ASH_HELPER_REDIRECT), EXIT);
    o = RUN(CALL(ASH_HELPER_RANDOM), EXIT);
    assert_in_range(o.reply.result, 1, UINT32_MAX);
}

/* A program that prints by a format, at most 8 characters, with arguments in r3 to r5. */
static void check_trace(const char *format, uint64_t argument, const char *line, uint64_t result)
{
    uint64_t text = 0;
    memcpy(&text, format, strlen(format));
    const struct ash_insn insns[] = {
        LDDW(2, text), STXDW(10, 2, -16), STB(10, -8, 0), LDDW(3, argument), MOV(4, 3),
        MOV(5, 3),     MOV(1, 10),        ADD_K(1, -16),  MOV_K(2, 9),       CALL(ASH_HELPER_TRACE),
        EXIT};
    struct outcome o = run(insns, sizeof insns / sizeof *insns, FUEL);
    assert_int_equal(o.reply.result, result);
    assert_int_equal(o.reply.trace_size, strlen(line));
    assert_memory_equal(o.trace, line, strlen(line));
}

static void lines_are_traced(void **state)
{
    (void)state;
    check_trace("n=%d", (uint64_t)-5, "n=-5\n", 4);
    check_trace("%u", UINT64_MAX, "4294967295\n", 10);
    check_trace("%lu", UINT64_MAX, "18446744073709551615\n", 20);
    check_trace("%llx %X", 0xabcdef0123, "abcdef0123 cdef0123\n", 19);
    check_trace("%c%%\n", 'z', "z%\n", 2);
    check_trace("%p", 0x3000040, "0x03000040\n", 10);
    check_trace("%08d", 3, "3\n", 1);
    check_trace("%s", ASH_BASE(ASH_REGION_MAP + 2) + 3, "hello, frame\n", 12);
    check_trace("\033[2J", 0, ".[2J\n", 4); /* no byte steers a terminal */
    check_trace("%y", 0, "", (uint64_t)-22);
    check_trace("%d%d%d%d", 0, "", (uint64_t)-22);
    check_trace("100%", 0, "", (uint64_t)-22);
    ABORTED("insn 3, guard: address 0x00000005", MOV_K(1, 5), MOV_K(2, 3), MOV_K(3, 0),
            CALL(ASH_HELPER_TRACE), EXIT);
}

/* r3 to r5 are not told if the program never set them: registers of the kernel must not show. */
static void arguments_without_a_value_are_traced_as_zero(void **state)
{
    (void)state;
    struct outcome o = RUN(STW(10, -8, 0x78257825), STB(10, -4, 0), STW(10, -8, 0x78257825),
                           MOV(1, 10), ADD_K(1, -8), MOV_K(2, 5), CALL(ASH_HELPER_TRACE), EXIT);
    assert_string_equal(o.trace, "00\n");
}

static void functions_keep_their_callers_registers(void **state)
{
    (void)state;
    RESULT(6 + 7 + 8 + 9 + 1, MOV_K(6, 6), MOV_K(7, 7), MOV_K(8, 8), MOV_K(9, 9), CALL_LOCAL(5),
           ADD(0, 6), ADD(0, 7), ADD(0, 8), ADD(0, 9), EXIT, MOV_K(6, 100), MOV_K(7, 100),
           MOV_K(8, 100), MOV_K(9, 100), MOV_K(0, 1), EXIT);
    /* each has a stack of its own, 512 bytes below */
    RESULT(512, CALL_LOCAL(4), MOV(1, 10), SUB(1, 0), MOV(0, 1), EXIT, MOV(0, 10), EXIT);
    RESULT(4, STDW(10, -8, 4), CALL_LOCAL(2), LDXDW(0, 10, -8), EXIT, STDW(10, -8, 9), MOV_K(0, 0),
           EXIT);
    /* a function that writes to its caller's */
    RESULT(9, STDW(10, -8, 4), MOV(1, 10), ADD_K(1, -8), CALL_LOCAL(2), LDXDW(0, 10, -8), EXIT,
           STDW(1, 0, 9), MOV_K(0, 0), EXIT);
    /* where a pointer was spilled */
    ABORTED("insn 13, guard: address 0x00000009", CHECKED, STXDW(10, 7, -8), MOV(1, 10),
            ADD_K(1, -8), CALL_LOCAL(3), LDXDW(2, 10, -8), LDXB(0, 2, 0), EXIT, STDW(1, 0, 9),
            MOV_K(0, 0), EXIT);
    /* eight deep */
    RESULT(8, CALL_LOCAL(2), ADD_K(0, 1), EXIT, CALL_LOCAL(2), ADD_K(0, 1), EXIT, CALL_LOCAL(2),
           ADD_K(0, 1), EXIT, CALL_LOCAL(2), ADD_K(0, 1), EXIT, CALL_LOCAL(2), ADD_K(0, 1), EXIT,
           CALL_LOCAL(2), ADD_K(0, 1), EXIT, CALL_LOCAL(2), ADD_K(0, 1), EXIT, MOV_K(0, 1), EXIT);
    /* aborted there */
    ABORTED("insn 4, guard: address 0x00000000", MOV_K(6, 6), CALL_LOCAL(1), EXIT, MOV_K(6, 0),
            LDXB(0, 6, 0), EXIT);
}

static void long_jumps_and_large_offsets_work(void **state)
{
    (void)state;
    static struct ash_insn insns[ASH_INSNS_MAX];
    uint32_t n = 0;
    insns[n++] = (struct ash_insn)MOV(6, 1);
    insns[n++] = (struct ash_insn)LDXW(0, 6, 16);
    insns[n++] = (struct ash_insn)JEQ_K(0, 0, ASH_INSNS_MAX - 6);
    while (n < ASH_INSNS_MAX - 3) /* 4,000 divisions: 60 KiB of code */
        insns[n++] = (struct ash_insn)INSN(0x34, 0, 0, 1, 3);
    insns[n++] = (struct ash_insn)ADD_K(0, 5);
    insns[n++] = (struct ash_insn)JNE_K(0, 5, -(ASH_INSNS_MAX - 4));
    insns[n++] = (struct ash_insn)EXIT;
    struct outcome o = run(insns, n, 20000);
    assert_int_equal(o.reply.result, 5);
    /* an offset that no RV64 instruction has */
    RESULT(7, LDDW(1, ASH_BASE(ASH_REGION_MAP) - 30000), STDW(1, 30000, 7), LDVALUE(2, 0, 0),
           LDXDW(0, 2, 0), EXIT);
}

/* A program that never reads r1 leaves a1 to another role, with any number of r6 to r9 in use: the
   pointer to the run, or the fuel. The context's address must not end up there. */
static void registers_left_alone_may_have_other_roles(void **state)
{
    (void)state;
    RESULT(50 + 1 + 2, MOV_K(6, 1), MOV_K(7, 2), MOV_K(0, 0), JGT(6, 7, 0), ADD_K(0, 1),
           JLT_K(0, 50, -2), ADD(0, 6), ADD(0, 7), EXIT);
    ABORTED("insn 4, fuel", MOV_K(6, 1), MOV_K(0, 0), JGT(6, 0, 0), ADD(0, 6), JLT_K(0, 200000, -2),
            EXIT);
    ABORTED("insn 6, fuel", MOV_K(6, 1), MOV_K(7, 2), MOV_K(8, 3), MOV_K(0, 0), JGT(6, 8, 0),
            ADD(0, 6), JLT_K(0, 200000, -2), ADD(0, 7), ADD(0, 8), EXIT);
}

/* More 64-bit constants than fit the pool behind the code. */
static void any_number_of_constants_is_possible(void **state)
{
    (void)state;
    static struct ash_insn insns[1000];
    uint32_t n = 0;
    uint64_t sum = 0;
    insns[n++] = (struct ash_insn)LDXW(0, 1, 16);
    for (uint64_t i = 1; i <= 200; i++) {
        uint64_t value = i * UINT64_C(0x9e3779b97f4a7c15);
        insns[n++] = (struct ash_insn){0x18, 2, 0, (int32_t)value};
        insns[n++] = (struct ash_insn){0, 0, 0, (int32_t)(value >> 32)};
        insns[n++] = (struct ash_insn)ADD(0, 2);
        sum += value;
    }
    insns[n++] = (struct ash_insn)EXIT;
    struct outcome o = run(insns, n, FUEL);
    assert_int_equal(o.reply.result, sum);
}

/* Instructions of RV64 that small handlers take, called and returned from: a lost optimisation
 * shows. */
static void the_cost_of_small_handlers_is_known(void **state)
{
    (void)state;
    RUN(MOV_K(0, 2), EXIT);
    assert_int_equal(engines.count, 3); /* run is kept, in vain */
    RUN(FRAME_START, MOV(2, 7), ADD_K(2, 14), MOV_K(0, 2), JGT(2, 9, 1), LDXH(0, 7, 12), EXIT);
    assert_int_equal(engines.count, 11);
    RUN(LOOKED_UP(0, 1), JEQ_K(0, 0, 2), MOV_K(1, 1), ATOMIC_DW(0, 1, 0, 0), MOV_K(0, 2), EXIT);
    assert_int_equal(engines.count, 17);
}

static int open_runner(void **state)
{
    (void)state;
    return remote_open(&engines.remote, runner) ? 0 : 1;
}

static int close_runner(void **state)
{
    (void)state;
    remote_close(&engines.remote);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    runner = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_frame_is_read_up_to_its_ends),
        cmocka_unit_test(addresses_that_wrap_are_outside),
        cmocka_unit_test(stack_and_context_have_ends),
        cmocka_unit_test(the_stack_starts_as_zero),
        cmocka_unit_test(division_by_zero_is_defined),
        cmocka_unit_test(loops_end_by_fuel),
        cmocka_unit_test(what_an_aborted_handler_changed_is_told),
        cmocka_unit_test(translated_addresses_are_not_used_too_long),
        cmocka_unit_test(lookups_find_entries),
        cmocka_unit_test(maps_are_updated),
        cmocka_unit_test(atomic_operations_have_to_be_aligned),
        cmocka_unit_test(the_frame_can_be_moved),
        cmocka_unit_test(checksums_change_by_the_difference),
        cmocka_unit_test(helpers_tell_time_and_more),
        cmocka_unit_test(lines_are_traced),
        cmocka_unit_test(arguments_without_a_value_are_traced_as_zero),
        cmocka_unit_test(functions_keep_their_callers_registers),
        cmocka_unit_test(long_jumps_and_large_offsets_work),
        cmocka_unit_test(registers_left_alone_may_have_other_roles),
        cmocka_unit_test(any_number_of_constants_is_possible),
        cmocka_unit_test(the_cost_of_small_handlers_is_known),
    };
    return cmocka_run_group_tests(tests, open_runner, close_runner);
}
