/*
 * Measuring from inside a guest under `-icount shift=0`, where the instruction counter is exact.
 * The rows are the same source on Aegis-V (with ExOS) and on its peer Linux; what differs is behind
 * port.h.
 */
#ifndef BENCH_GUEST_MEASURE_H
#define BENCH_GUEST_MEASURE_H

#include <stdint.h>

#define MEASURE_RUNS 9 /* the median of so many is reported */

/*
 * Instructions that this hart has retired. Linux keeps instret stopped (its perf events use other
 * counters); there the clock serves, 100 instructions a tick of 10 MHz, and runs are longer by
 * REPEAT so that a tick matters little: single differences are rounded, their sum is not biased.
 */
static inline uint64_t instructions(void)
{
    uint64_t count;
#if defined(__linux__)
    __asm__ volatile("rdtime %0" : "=r"(count)::"memory");
    return count * 100;
#else
    __asm__ volatile("csrr %0, instret" : "=r"(count)::"memory");
    return count;
#endif
}
#if defined(__linux__)
#define REPEAT 5
#else
#define REPEAT 1
#endif

/* Of two reads with nothing between: the first one itself. Subtract it from a difference. */
#define READ_COST 1

/* Instructions of n times statement, less those of the loop around it. n > 0. */
#define COUNT_LOOP(n, statement)                                                                   \
    ({                                                                                             \
        uint64_t start_ = instructions();                                                          \
        for (uint64_t i_ = (n); i_ > 0; i_--) {                                                    \
            statement;                                                                             \
            __asm__ volatile("" ::: "memory");                                                     \
        }                                                                                          \
        uint64_t middle_ = instructions();                                                         \
        for (uint64_t i_ = (n); i_ > 0; i_--)                                                      \
            __asm__ volatile("" ::: "memory");                                                     \
        uint64_t end_ = instructions();                                                            \
        (middle_ - start_) - (end_ - middle_);                                                     \
    })

/* One row: run returns the instructions of n operations, loop overhead subtracted. */
struct row {
    const char *group, *name;
    uint64_t operations; /* n of a run, times REPEAT; short enough that most runs see no timer
                            interrupt */
    uint64_t (*run)(uint64_t n);
};

/* Measures count rows and prints each as a line of JSON: group, row, value, low, high, an
 * operation. */
void measure_rows(const struct row *rows, uint64_t count);

#endif
