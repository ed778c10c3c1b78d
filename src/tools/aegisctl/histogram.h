/* Times as a histogram of logarithmic buckets, for a terminal. */
#ifndef AEGISCTL_HISTOGRAM_H
#define AEGISCTL_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_ROWS 40

struct histogram_row {
    int64_t low, high; /* ns: low <= time < high */
    long count;
};

struct histogram {
    struct histogram_row rows[HISTOGRAM_ROWS]; /* neighbours; the first and the last aren't empty */
    size_t count;
    long most; /* the largest count of a row */
};

/*
 * Sort times into buckets that divide each power of ten into 10, 5 or 3, the finest that gives at
 * most thirty rows, else 3. times: ns, ascending, 0 to 10^12 (larger ones go into the last bucket);
 * count may be 0.
 */
void histogram_make(struct histogram *histogram, const int64_t *times, long count);

#define HISTOGRAM_BAR_SIZE 160 /* bytes of a bar's text */

/*
 * A bar for value out of most (1 or more, at least value), width columns (1 to 50) for most. In
 * UTF-8 it is drawn in eighths of a column, else of '#'. A value above 0 never shows as nothing.
 */
void histogram_bar(char text[HISTOGRAM_BAR_SIZE], long value, long most, int width, bool utf8);

#endif
