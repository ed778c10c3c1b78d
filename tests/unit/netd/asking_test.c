/* When netd asks where a neighbour is: how often, what serves meanwhile, and when it gives up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "asking.h"

#define MAC 0x020000000009ULL

static struct asking asking;
static unsigned long long word;
static uint32_t learnt, now;

static int set_up(void **state)
{
    (void)state;
    asking = (struct asking){.times = 0};
    word = 0;
    learnt = 0;
    now = 1000;
    return 0;
}

static int64_t ask(void)
{
    return asking_due(&asking, &word, learnt, now);
}

/* As the handlers do it. */
static void answer(void)
{
    assert_true(word & NEIGHBOUR_WANTED);
    word = NEIGHBOUR_KNOWN | MAC;
    learnt = now;
}

static void nobody_is_asked_for_five_times_a_second_apart(void **state)
{
    (void)state;
    for (int i = 0; i < ASKING_MOST; i++, now++) {
        assert_int_equal(ask(), 1);
        assert_int_equal(word, NEIGHBOUR_WANTED);
        assert_int_equal(ask(), 0); /* in the same second */
    }
    assert_int_equal(ask(), -EHOSTUNREACH);
    now++;
    assert_int_equal(ask(), 1); /* and then anew */
}

static void what_is_known_serves_for_a_minute(void **state)
{
    (void)state;
    assert_int_equal(ask(), 1);
    answer();
    now += NEIGHBOUR_FRESH - 1;
    assert_int_equal(ask(), 0);
    assert_false(word & NEIGHBOUR_WANTED);
    now++;
    assert_int_equal(ask(), 1);
    assert_int_equal(word, NEIGHBOUR_KNOWN | NEIGHBOUR_WANTED | MAC); /* and meanwhile */
    answer();
    assert_int_equal(ask(), 0);
}

static void what_is_doubted_is_forgotten_after_three_questions(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) { /* an answer begins the count anew */
        assert_int_equal(ask(), 1);
        answer();
        now += 100000;
        for (int i = 0; i < ASKING_DOUBTS - turn; i++, now++) {
            assert_int_equal(ask(), 1);
            assert_true(word & NEIGHBOUR_KNOWN);
        }
        if (turn) { /* just in time */
            answer();
            now += NEIGHBOUR_FRESH;
            assert_int_equal(ask(), 1);
            assert_true(word & NEIGHBOUR_KNOWN);
            return;
        }
        assert_int_equal(ask(), 1);
        assert_int_equal(word, NEIGHBOUR_WANTED); /* any answer is taken now */
        for (int i = 1; i < ASKING_MOST; i++) {
            now++;
            assert_int_equal(ask(), 1);
        }
        now++;
        assert_int_equal(ask(), -EHOSTUNREACH);
        now++;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_is_asked_for_five_times_a_second_apart, set_up),
        cmocka_unit_test_setup(what_is_known_serves_for_a_minute, set_up),
        cmocka_unit_test_setup(what_is_doubted_is_forgotten_after_three_questions, set_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
