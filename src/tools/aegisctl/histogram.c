#include "histogram.h"

#include <string.h>

#define ROWS_LIKED 30
#define SHORTEST   100           /* ns: what is faster shares a bucket */
#define LONGEST    1000000000000 /* ns: the end of the last bucket */

/* Preferred numbers (ISO 3), rounded, and 1-2-5: bounds of buckets within a power of ten. */
static const struct scale {
    int steps;
    int64_t bounds[10];
} scales[] = {
    {10, {100, 125, 160, 200, 250, 315, 400, 500, 630, 800}},
    {5, {100, 160, 250, 400, 630}},
    {3, {100, 200, 500}},
};
#define SCALES (sizeof scales / sizeof scales[0])

/* Bound number i of a scale, from SHORTEST on. */
static int64_t bound(const struct scale *scale, int i)
{
    int64_t value = scale->bounds[i % scale->steps];

    for (i /= scale->steps; i > 0; i--) {
        value *= 10;
    }
    return value;
}

/* The bucket that a time belongs to: 0 below SHORTEST, else i with bound i - 1 <= time < bound i.
 */
static int bucket(const struct scale *scale, int64_t time)
{
    int i = 0;

    while (bound(scale, i) < LONGEST && time >= bound(scale, i)) {
        i++;
    }
    return i;
}

void histogram_make(struct histogram *histogram, const int64_t *times, long count)
{
    const struct scale *scale = scales;
    int first, last;

    memset(histogram, 0, sizeof *histogram);
    if (count == 0) {
        return;
    }
    do {
        first = bucket(scale, times[0]);
        last = bucket(scale, times[count - 1]);
    } while (last - first >= ROWS_LIKED && ++scale < scales + SCALES);
    scale -= scale == scales + SCALES;

    histogram->count = (size_t)last - (size_t)first + 1;
    for (int i = first; i <= last; i++) {
        histogram->rows[i - first].low = i == 0 ? 0 : bound(scale, i - 1);
        histogram->rows[i - first].high = bound(scale, i);
    }
    for (long i = 0; i < count; i++) {
        struct histogram_row *row = &histogram->rows[bucket(scale, times[i]) - first];

        row->count++;
        histogram->most = row->count > histogram->most ? row->count : histogram->most;
    }
}

void histogram_bar(char text[HISTOGRAM_BAR_SIZE], long value, long most, int width, bool utf8)
{
    static const char *const part[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int per_column = utf8 ? 8 : 1;
    long units = (long)((__int128)value * width * per_column / most);
    size_t used = 0;

    if (units == 0 && value > 0) {
        units = 1;
    }
    for (long i = 0; i < units / per_column; i++) {
        const char *full = utf8 ? "█" : "#";

        strcpy(text + used, full);
        used += strlen(full);
    }
    strcpy(text + used, part[units % per_column]);
}
