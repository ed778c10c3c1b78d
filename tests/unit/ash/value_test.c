/*
 * Abstract arithmetic is sound: whatever numbers an abstract value stands for, what the machine
 * computes from them is among those that the abstract result stands for. Random numbers, near
 * edges, under random knowledge about them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ash/program.h"
#include "ash/facts.h"

#define TRIALS 300000

static uint64_t state = 1;

static uint64_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 16 ^ state << 21;
}

static uint64_t some_number(void)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     63,
                                     255,
                                     0x7fffffff,
                                     0x80000000,
                                     UINT32_MAX,
                                     0x100000000,
                                     INT64_MAX,
                                     (uint64_t)INT64_MIN,
                                     UINT64_MAX,
                                     60,
                                     1500};
    switch (next() % 4) {
    case 0:
        return edges[next() % (sizeof edges / sizeof *edges)];
    case 1:
        return edges[next() % (sizeof edges / sizeof *edges)] + next() % 8 - 4;
    case 2:
        return next() % 4096;
    default:
        return next() >> next() % 64;
    }
}

/* Something that is true of a number. */
static struct ash_value about(uint64_t number)
{
    struct ash_value v = ash_unknown();
    uint64_t other = some_number();
    switch (next() % 5) {
    case 0:
        return ash_constant(number);
    case 1:
        return ash_between(number < other ? number : other, number < other ? other : number);
    case 2:
        v.mask = some_number();
        v.bits = number & ~v.mask;
        assert_true(ash_agree(&v));
        return v;
    case 3:
        v = ash_between(number & ~UINT64_C(15), number | 15);
        v.mask &= UINT64_C(12) | ~UINT64_C(15);
        v.bits = number & ~v.mask;
        assert_true(ash_agree(&v));
        return v;
    default:
        return v;
    }
}

static bool holds(const struct ash_value *v, uint64_t number)
{
    return v->kind == ASH_SCALAR && number >= v->min && number <= v->max &&
           (number & ~v->mask) == v->bits;
}

static void arithmetic_is_sound(void **unused)
{
    (void)unused;
    unsigned known = 0, narrow_count = 0;
    for (unsigned i = 0; i < TRIALS; i++) {
        unsigned op = ASH_OP_ADD + (unsigned)(next() % (ASH_OP_ARSH - ASH_OP_ADD + 1));
        bool wide = next() & 1, narrow;
        if (!wide && op == ASH_OP_MOVSX32)
            continue;
        uint64_t a = some_number(), b = some_number(), result = ash_alu(op, wide, a, b);
        struct ash_value x = about(a), y = about(b), v = ash_compute(op, wide, &x, &y, 1, &narrow);
        if (!holds(&v, result))
            fail_msg("row %u, %u bits: %llx, %llx gives %llx, not within %llx..%llx, bits %llx "
                     "mask %llx",
                     op, wide ? 64 : 32, (unsigned long long)a, (unsigned long long)b,
                     (unsigned long long)result, (unsigned long long)v.min,
                     (unsigned long long)v.max, (unsigned long long)v.bits,
                     (unsigned long long)v.mask);
        known += v.max != UINT64_MAX;
        narrow_count += narrow;
        if (narrow) {
            assert_false(wide);
            assert_int_equal(ash_alu(op, true, a, b), result);
        }
    }
    assert_true(known > TRIALS / 3); /* it would be sound to know nothing, and useless */
    assert_true(narrow_count > TRIALS / 50);
}

static bool compare(unsigned op, bool wide, uint64_t a, uint64_t b)
{
    int64_t s = wide ? (int64_t)a : (int32_t)a, t = wide ? (int64_t)b : (int32_t)b;
    a = wide ? a : (uint32_t)a;
    b = wide ? b : (uint32_t)b;
    switch (op) {
    case ASH_OP_JEQ:
        return a == b;
    case ASH_OP_JNE:
        return a != b;
    case ASH_OP_JGT:
        return a > b;
    case ASH_OP_JGE:
        return a >= b;
    case ASH_OP_JLT:
        return a < b;
    case ASH_OP_JLE:
        return a <= b;
    case ASH_OP_JSET:
        return (a & b) != 0;
    case ASH_OP_JSGT:
        return s > t;
    case ASH_OP_JSGE:
        return s >= t;
    case ASH_OP_JSLT:
        return s < t;
    default:
        return s <= t;
    }
}

static void comparisons_lose_no_number(void **unused)
{
    (void)unused;
    unsigned learnt = 0;
    for (unsigned i = 0; i < TRIALS; i++) {
        unsigned op = ASH_OP_JEQ + (unsigned)(next() % (ASH_OP_JSLE - ASH_OP_JEQ + 1));
        bool wide = next() & 1;
        uint64_t a = some_number(), b = next() % 4 ? some_number() : a;
        struct ash_value x = about(a), y = about(b), before = x;
        bool possible = ash_suppose(op, wide, compare(op, wide, a, b), &x, &y);
        if (!possible || !holds(&x, a) || !holds(&y, b))
            fail_msg("row %u, %u bits: %llx, %llx", op, wide ? 64 : 32, (unsigned long long)a,
                     (unsigned long long)b);
        learnt += x.min != before.min || x.max != before.max;
    }
    assert_true(learnt > TRIALS / 20);
}

static void what_can_not_be_is_seen(void **unused)
{
    (void)unused;
    struct ash_value small = ash_between(0, 9), large = ash_between(20, 30);
    assert_false(ash_suppose(ASH_OP_JGT, true, true, &small, &large));
    small = ash_between(0, 9), large = ash_between(20, 30);
    assert_false(ash_suppose(ASH_OP_JEQ, true, true, &small, &large));
    small = ash_between(0, 9), large = ash_between(20, 30);
    assert_false(ash_suppose(ASH_OP_JNE, true, false, &small, &large));
    struct ash_value odd = ash_between(1, 63), bit = ash_constant(64);
    assert_false(ash_suppose(ASH_OP_JSET, true, true, &odd, &bit));
}

static void joins_keep_both(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < TRIALS / 4; i++) {
        uint64_t a = some_number(), b = some_number();
        struct ash_value x = about(a), y = about(b), v = ash_join(&x, &y, 1);
        assert_true(holds(&v, a) && holds(&v, b));
    }
}

static void shifts_and_masks_give_header_lengths(void **unused)
{
    (void)unused;
    bool narrow;
    struct ash_value v = ash_between(0, 255), fifteen = ash_constant(15), two = ash_constant(2);
    v = ash_compute(ASH_OP_AND, true, &v, &fifteen, 1, &narrow);
    v = ash_compute(ASH_OP_LSH, true, &v, &two, 1, &narrow);
    assert_int_equal(v.min, 0);
    assert_int_equal(v.max, 60);
    assert_int_equal(v.mask & 3, 0);
}

static void pointers_move_by_scalars(void **unused)
{
    (void)unused;
    bool narrow;
    struct ash_value data = ash_pointer(ASH_FRAME, 0, 0), step = ash_between(20, 60),
                     four = ash_constant(4);
    struct ash_value p = ash_compute(ASH_OP_ADD, true, &data, &step, 9, &narrow);
    assert_int_equal(p.offset, 20);
    assert_int_equal(p.variable, 40);
    assert_int_equal(p.id, 9);
    p = ash_compute(ASH_OP_SUB, true, &p, &four, 10, &narrow);
    assert_int_equal(p.offset, 16);
    assert_int_equal(p.id, 9);
    struct ash_value any = ash_unknown();
    p = ash_compute(ASH_OP_ADD, true, &p, &any, 11, &narrow);
    assert_true(ash_is_adrift(&p));
    assert_int_equal(p.kind, ASH_FRAME);
}

static void frames_that_meet_share_what_both_reach(void **unused)
{
    (void)unused;
    struct ash_value a = ash_pointer(ASH_FRAME, 0, 14), b = ash_pointer(ASH_FRAME, 0, 18);
    a.reach = 54;
    b.reach = 54;
    struct ash_value v = ash_join(&a, &b, 5);
    assert_int_equal(v.offset, 14);
    assert_int_equal(v.variable, 4);
    assert_int_equal(v.reach, 50); /* from the pointer that lies 4 further on */
    assert_int_equal(v.id, 5);
}

static void an_entry_and_null_meet_as_an_entry_or_null(void **unused)
{
    (void)unused;
    struct ash_value entry = ash_pointer(ASH_ENTRY, 2, 0), null = ash_constant(0),
                     one = ash_constant(1);
    struct ash_value v = ash_join(&entry, &null, 5);
    assert_int_equal(v.kind, ASH_ENTRY_OR_NULL);
    assert_int_equal(v.map, 2);
    v = ash_join(&entry, &one, 5);
    assert_int_equal(v.kind, ASH_SCALAR);
}

/* Where paths meet, a register's variable part gets the name of that place. What another register
   had by that name, from an earlier time, is something else. */
static void a_name_given_anew_is_lost_by_others(void **unused)
{
    (void)unused;
    static struct ash_facts a, b;
    const uint32_t at = 5;
    ash_facts_clear(&a);
    a.registers[4] = ash_pointer(ASH_FRAME, 0, 0);
    a.registers[3] = a.registers[4];
    a.registers[3].id = ash_name(at, 4);
    a.registers[3].variable = 60;
    a.registers[3].reach = 20;
    a.spills[0] = (struct ash_spill){-8, a.registers[3]};
    b = a;
    b.registers[4].offset = 8;
    ash_facts_join(&a, &b, at);
    assert_int_equal(a.registers[4].id, ash_name(at, 4));
    assert_int_equal(a.registers[4].variable, 8);
    assert_true(ash_is_adrift(&a.registers[3]));
    assert_true(ash_is_adrift(ash_facts_spilled(&a, -8)));
}

/* What is found at a loop's head grows to what a few rounds can't change any more. */
static void widening_comes_to_an_end(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < TRIALS / 100; i++) {
        uint64_t number = some_number();
        struct ash_value v = about(number);
        unsigned rounds = 0;
        for (bool changed = true; changed; rounds++) {
            number = some_number();
            struct ash_value more = about(number), joined = ash_join(&v, &more, 1);
            struct ash_value wide = ash_widen(&v, &joined);
            assert_true(holds(&wide, number));
            changed = !ash_same(&wide, &v) || next() % 8;
            v = wide;
            if (v.min == 0 && v.max == UINT64_MAX && v.mask == UINT64_MAX)
                break;
        }
        assert_true(rounds < 100);
    }
    struct ash_value p = ash_pointer(ASH_FRAME, 0, 16), later = ash_pointer(ASH_FRAME, 0, 18);
    struct ash_value met = ash_join(&p, &later, 7);
    met = ash_widen(&p, &met);
    assert_int_equal(met.offset, 16);
    assert_int_equal(met.variable, ASH_RISEN);
    later = met;
    later.offset += 2;
    struct ash_value again = ash_join(&met, &later, 7);
    assert_true(ash_same(&met, &again)); /* nothing new */
    struct ash_value before = met;
    before.offset -= 2;
    again = ash_join(&met, &before, 7);
    again = ash_widen(&met, &again);
    assert_true(ash_is_adrift(&again)); /* it falls */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_is_sound),
        cmocka_unit_test(comparisons_lose_no_number),
        cmocka_unit_test(what_can_not_be_is_seen),
        cmocka_unit_test(joins_keep_both),
        cmocka_unit_test(shifts_and_masks_give_header_lengths),
        cmocka_unit_test(pointers_move_by_scalars),
        cmocka_unit_test(frames_that_meet_share_what_both_reach),
        cmocka_unit_test(an_entry_and_null_meet_as_an_entry_or_null),
        cmocka_unit_test(a_name_given_anew_is_lost_by_others),
        cmocka_unit_test(widening_comes_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
