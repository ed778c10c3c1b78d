/*
 * Medians of runs, printed as JSON.
 */
#include <stdio.h>
#include "bench/guest/measure.h"
#include "bench/guest/port.h"

static void sort(uint64_t *values, int count)
{
    for (int i = 1; i < count; i++) {
        uint64_t value = values[i];
        int j = i;
        for (; j > 0 && values[j - 1] > value; j--)
            values[j] = values[j - 1];
        values[j] = value;
    }
}

/* Hundredths of an instruction an operation, without floating point. */
static uint64_t hundredths(uint64_t total, uint64_t operations)
{
    return (total * 100 + operations / 2) / operations;
}

static void measure_row(const struct row *row)
{
    uint64_t runs[MEASURE_RUNS], operations = row->operations * REPEAT;
    char line[160];
    row->run(1); /* first touches, lazily made tables */
    for (int i = 0; i < MEASURE_RUNS; i++)
        runs[i] = hundredths(row->run(operations), operations);
    sort(runs, MEASURE_RUNS);
    uint64_t low = runs[0], middle = runs[MEASURE_RUNS / 2], high = runs[MEASURE_RUNS - 1];
    snprintf(line, sizeof(line),
             "{\"group\": \"%s\", \"row\": \"%s\", \"value\": %lu.%02lu, \"low\": %lu.%02lu, "
             "\"high\": %lu.%02lu}\n",
             row->group, row->name, (unsigned long)(middle / 100), (unsigned long)(middle % 100),
             (unsigned long)(low / 100), (unsigned long)(low % 100), (unsigned long)(high / 100),
             (unsigned long)(high % 100));
    port_print(line);
}

void measure_rows(const struct row *rows, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        measure_row(&rows[i]);
}
