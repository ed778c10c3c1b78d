/* The histogram of rtt: each time in the bucket whose bounds hold it, rows that suit the span, and
 * bars in proportion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tools/aegisctl/histogram.h"

#define US INT64_C(1000)

static void check_rows(const struct histogram *h, const int64_t *times, long count)
{
    long all = 0, most = 0;

    assert_true(h->count >= 1 && h->count <= HISTOGRAM_ROWS);
    assert_true(h->rows[0].count > 0 && h->rows[h->count - 1].count > 0);
    for (size_t i = 0; i < h->count; i++) {
        long in = 0;

        assert_true(h->rows[i].low < h->rows[i].high);
        assert_true(i == 0 || h->rows[i].low == h->rows[i - 1].high);
        for (long n = 0; n < count; n++) {
            in += times[n] >= h->rows[i].low && times[n] < h->rows[i].high;
        }
        assert_int_equal(h->rows[i].count, in);
        all += in;
        most = in > most ? in : most;
    }
    assert_int_equal(all, count);
    assert_int_equal(h->most, most);
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void every_time_is_in_its_row(void **state)
{
    static int64_t times[2000];
    struct histogram h;

    (void)state;
    srand(1);
    for (int round = 0; round < 50; round++) {
        int spread = 1 + round % 9;

        for (size_t i = 0; i < 2000; i++) {
            int64_t scale = 1;

            for (int d = rand() % spread; d > 0; d--) {
                scale *= 10;
            }
            times[i] = rand() % 1000 * scale;
        }
        qsort(times, 2000, sizeof times[0], ascending);
        histogram_make(&h, times, 2000);
        check_rows(&h, times, 2000);
    }
}

/* The finer the buckets the nearer the times are together. */
static void rows_suit_the_span(void **state)
{
    static const struct {
        int64_t from, to;
        size_t rows;
        int64_t high; /* of the first row */
    } spans[] = {
        {40 * US, 40 * US, 1, 50 * US},
        {40 * US, 79 * US, 3, 50 * US},
        {40 * US, 7999 * US, 23, 50 * US},
        {40 * US, 40000 * US, 16, 63 * US},       /* 31 rows of tenths: so fifths */
        {0, INT64_C(59) * 1000000 * US, 28, 100}, /* a minute: 1, 2, 5 */
    };
    struct histogram h;

    (void)state;
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        int64_t times[] = {spans[i].from, spans[i].to};

        histogram_make(&h, times, 2);
        check_rows(&h, times, 2);
        assert_int_equal(h.count, spans[i].rows);
        assert_int_equal(h.rows[0].high, spans[i].high);
    }
}

static void a_bound_belongs_to_the_row_above(void **state)
{
    int64_t times[] = {49999, 50000};
    struct histogram h;

    (void)state;
    histogram_make(&h, times, 2);
    assert_int_equal(h.count, 2);
    assert_true(h.rows[0].high == 50000 && h.rows[0].count == 1);
}

static void no_times_make_no_rows(void **state)
{
    struct histogram h;

    (void)state;
    histogram_make(&h, NULL, 0);
    assert_int_equal(h.count, 0);
}

static void bars_are_in_proportion(void **state)
{
    static const struct {
        long value, most;
        int width;
        bool utf8;
        const char *bar;
    } bars[] = {
        {10, 10, 4, false, "####"}, {5, 10, 4, false, "##"},   {1, 1000, 4, false, "#"},
        {0, 10, 4, false, ""},      {10, 10, 4, true, "████"}, {5, 10, 3, true, "█▌"},
        {1, 1000, 4, true, "▏"},    {0, 10, 4, true, ""},      {7, 8, 1, true, "▉"},
    };
    char text[HISTOGRAM_BAR_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof bars / sizeof bars[0]; i++) {
        histogram_bar(text, bars[i].value, bars[i].most, bars[i].width, bars[i].utf8);
        assert_string_equal(text, bars[i].bar);
    }
    histogram_bar(text, 1000000000, 1000000000, 50, true);
    assert_int_equal(strlen(text), 50 * strlen("█"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_time_is_in_its_row),         cmocka_unit_test(rows_suit_the_span),
        cmocka_unit_test(a_bound_belongs_to_the_row_above), cmocka_unit_test(no_times_make_no_rows),
        cmocka_unit_test(bars_are_in_proportion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
