#include "rtt_print.h"

#include <langinfo.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "histogram.h"

#define BAR_WIDTH 40
#define US        1000.0

/* The smallest time that at least `percent` of all do not exceed, in µs. */
static double percentile(const struct rtt_result *r, long percent)
{
    long rank = (r->answered * percent + 99) / 100;

    return r->answered == 0 ? 0 : (double)r->times[rank > 0 ? rank - 1 : 0] / US;
}

static bool terminal_is_utf8(void)
{
    setlocale(LC_CTYPE, "");
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static void print_histogram(const struct rtt_result *r)
{
    bool utf8 = terminal_is_utf8();
    struct histogram histogram;
    char bar[HISTOGRAM_BAR_SIZE];

    histogram_make(&histogram, r->times, r->answered);
    for (size_t i = 0; i < histogram.count; i++) {
        const struct histogram_row *row = &histogram.rows[i];

        if (row->count != 0) {
            histogram_bar(bar, row->count, histogram.most, BAR_WIDTH, utf8);
            printf("%9.10g .. %-9.10g %8ld %s\n", (double)row->low / US, (double)row->high / US,
                   row->count, bar);
        } else if (row[-1].count != 0) { /* a row for all that are empty; the first isn't */
            printf("%12s\n", "..");
        }
    }
    printf("min %.1f, p50 %.1f, p90 %.1f, p99 %.1f, max %.1f %s; %ld of %ld lost (%.2f %%)\n\n",
           percentile(r, 0), percentile(r, 50), percentile(r, 90), percentile(r, 99),
           percentile(r, 100), utf8 ? "µs" : "us", r->lost, r->answered + r->lost,
           100.0 * (double)r->lost / (double)(r->answered + r->lost));
}

static void print_table(const struct rtt_result *r)
{
    /* a µ is two bytes, which printf counts */
    printf("%-12s %8s %8s %11s %11s %11s\n", "round trips", "lost", "wrong", "min µs", "median µs",
           "p99 µs");
    printf("%-12ld %8ld %8ld %10.1f %10.1f %10.1f\n", r->answered, r->lost, r->wrong,
           percentile(r, 0), percentile(r, 50), percentile(r, 99));
}

static void print_json(const struct rtt_result *r)
{
    printf("{\"round_trips\": %ld, \"lost\": %ld, \"wrong\": %ld, \"size\": %ld, \"port\": %ld, "
           "\"min_us\": %.1f, \"median_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, "
           "\"max_us\": %.1f}\n",
           r->answered, r->lost, r->wrong, r->size, r->port, percentile(r, 0), percentile(r, 50),
           percentile(r, 90), percentile(r, 99), percentile(r, 100));
}

void rtt_print(const struct rtt_result *result, enum rtt_format format)
{
    if (format == RTT_JSON) {
        print_json(result);
        return;
    }
    if (format == RTT_HISTOGRAM) {
        print_histogram(result);
    }
    print_table(result);
}
