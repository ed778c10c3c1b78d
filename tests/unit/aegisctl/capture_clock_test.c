/* Stamps of captured frames: within the bounds that exchanges set, and never backwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/aegisctl/capture_clock.h"

#define TIMEBASE 10000000 /* a tick is 100 ns */
#define US       INT64_C(1000)
#define WALL     (INT64_C(1700000000) * 1000000000)

/* A machine whose clock began at `start` of the host's; the way to it and back takes out and back.
 */
static void exchange(struct capture_clock *clock, int64_t at, int64_t start, int64_t out,
                     int64_t back)
{
    capture_clock_note(clock, at, at + out + back, (uint64_t)(at + out - start) / 100, WALL);
}

static void an_exchange_bounds_the_error_by_half_its_time(void **state)
{
    struct capture_clock clock;
    int64_t start = 5000000 * US, at = start + 7000 * US;

    (void)state;
    capture_clock_init(&clock, TIMEBASE);
    exchange(&clock, at, start, 100 * US, 300 * US);
    int64_t error = capture_clock_stamp(&clock, 1000) - (WALL + start + INT64_C(100) * 1000);
    assert_true(error == 100 * US);
}

/* One slow on its way out and one slow on its way back bound the offset from both sides. */
static void exchanges_narrow_each_other(void **state)
{
    struct capture_clock clock;
    int64_t start = 5000000 * US;

    (void)state;
    capture_clock_init(&clock, TIMEBASE);
    exchange(&clock, start + 1000000 * US, start, 9000 * US, 10 * US);
    exchange(&clock, start + 2000000 * US, start, 10 * US, 9000 * US);
    int64_t error = capture_clock_stamp(&clock, 0) - (WALL + start);
    assert_true(error >= -10 * US && error <= 10 * US);
}

static void the_offset_rests_once_a_frame_was_stamped(void **state)
{
    struct capture_clock clock;
    int64_t start = 5000000 * US;

    (void)state;
    capture_clock_init(&clock, TIMEBASE);
    exchange(&clock, start + 1000000 * US, start, 500 * US, 500 * US);
    int64_t first = capture_clock_stamp(&clock, 20000000);
    exchange(&clock, start + 2500000 * US, start, 300 * US, 100 * US);
    assert_true(capture_clock_stamp(&clock, 30000000) == first + 1000000 * US);
}

/* The machine was stopped for ten seconds (QEMU's monitor): what it stamps then comes later. */
static void a_machine_that_stood_still_is_caught_up_with(void **state)
{
    struct capture_clock clock;
    int64_t start = 5000000 * US, later = start + 10000000 * (int64_t)US;

    (void)state;
    capture_clock_init(&clock, TIMEBASE);
    exchange(&clock, start + 1000000 * US, start, 50 * US, 50 * US);
    capture_clock_stamp(&clock, 10000000);
    exchange(&clock, start + 12000000 * (int64_t)US, later, 50 * US, 50 * US);
    int64_t error = capture_clock_stamp(&clock, 20000000) - (WALL + later + 2000000 * US);
    assert_true(error >= -50 * US && error <= 50 * US);
}

static void stamps_never_go_back(void **state)
{
    struct capture_clock clock;
    int64_t start = 5000000 * US;

    (void)state;
    capture_clock_init(&clock, TIMEBASE);
    exchange(&clock, start + 1000000 * US, start, 50 * US, 50 * US);
    int64_t before = capture_clock_stamp(&clock, 10000000);
    /* the host's wall clock is set back by an hour */
    capture_clock_note(&clock, start + 2000000 * US, start + 2000100 * US, 20000500,
                       WALL - INT64_C(3600) * 1000000000);
    assert_true(capture_clock_stamp(&clock, 20000000) == before);
    assert_true(capture_clock_stamp(&clock, 5) == before);
}

static void a_year_of_ticks_does_not_overflow(void **state)
{
    struct capture_clock clock;
    int64_t year = INT64_C(31536000) * 1000000000;

    (void)state;
    capture_clock_init(&clock, TIMEBASE);
    capture_clock_note(&clock, year, year, (uint64_t)year / 100, WALL);
    assert_true(capture_clock_stamp(&clock, (uint64_t)year / 100) == WALL + year);
}

/* A machine that lies about its time gets wrong stamps, but numbers that can be printed. */
static void no_ticks_overflow(void **state)
{
    static const uint64_t ticks[] = {0, 1, INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
    struct capture_clock clock;

    (void)state;
    for (int i = 0; i < 25; i++) {
        capture_clock_init(&clock, i % 2 == 0 ? 1 : UINT64_MAX);
        capture_clock_note(&clock, 5, 6, ticks[i / 5], WALL);
        assert_true(capture_clock_stamp(&clock, ticks[i % 5]) >= 0);
        capture_clock_note(&clock, 7, 8, ticks[i % 5], WALL);
        assert_true(capture_clock_stamp(&clock, ticks[i / 5]) >= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_bounds_the_error_by_half_its_time),
        cmocka_unit_test(exchanges_narrow_each_other),
        cmocka_unit_test(the_offset_rests_once_a_frame_was_stamped),
        cmocka_unit_test(a_machine_that_stood_still_is_caught_up_with),
        cmocka_unit_test(stamps_never_go_back),
        cmocka_unit_test(no_ticks_overflow),
        cmocka_unit_test(a_year_of_ticks_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
