/* The rows that are the same on every system. */
#ifndef BENCH_GUEST_ROWS_H
#define BENCH_GUEST_ROWS_H

#include "bench/guest/measure.h"

extern const struct row rows[];
extern const uint64_t row_count;

#endif
