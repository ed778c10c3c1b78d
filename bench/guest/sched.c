/*
 * The stride scheduler's error: three children with 3, 2 and 1 tickets compute for good, and after
 * each of 1,000 slices it is compared how many each has had with how many it should have. The
 * children count for themselves what they did, so that a slice that was counted but not given would
 * show.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench/guest/measure.h"
#include "bench/guest/port.h"
#include "bench/guest/spin.h"
#include "libos/proc/proc.h"
#include "libos/sched/stride.h"

#define CHILDREN 3
#define SLICES   1000
#define SCALE    1000 /* the result is in thousandths */
#define LINE     250  /* slices whose order a line of the log tells */

static const uint64_t tickets[CHILDREN] = {3, 2, 1};

static _Noreturn void fail(const char *what)
{
    port_print(what);
    exit(1);
}

static struct proc start_child(void)
{
    static const char spin[] = "spin";
    char *const argv[] = {(char *)(uintptr_t)spin, NULL};
    struct proc child;
    struct proc_options options = {.name = spin, .argc = 1, .argv = argv};
    if (proc_spawn(&child, &options) < 0)
        fail("bench: the program spin can't be started\n");
    return child;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* The largest |given - due| of any child, in thousandths of a slice. */
static uint64_t deviation(const uint64_t given[CHILDREN], uint64_t slices)
{
    uint64_t most = 0;
    for (size_t i = 0; i < CHILDREN; i++) {
        uint64_t d = distance(given[i] * SCALE, slices * tickets[i] * SCALE / 6);
        most = d > most ? d : most;
    }
    return most;
}

/* What they did is in proportion to what they were given: within a fiftieth of all. */
static void check_work(const struct proc children[CHILDREN], const uint64_t given[CHILDREN])
{
    uint64_t done[CHILDREN], all = 0;
    for (size_t i = 0; i < CHILDREN; i++)
        all += done[i] = *spin_count(children[i].start);
    for (size_t i = 0; i < CHILDREN; i++)
        if (distance(done[i], all / SLICES * given[i]) > all / 50)
            fail("bench: a child has done more or less than its slices are worth\n");
}

/* Who had each slice, as digits, for the plot of docs/performance.md. */
static char order[SLICES];

static void tell_order(void)
{
    for (size_t i = 0; i < SLICES; i += LINE)
        printf("{\"group\":\"sched\",\"row\":\"stride_error\",\"order\":\"%.*s\"}\n", LINE,
               order + i);
}

static uint64_t measure(void)
{
    static struct stride stride;
    struct proc children[CHILDREN];
    uint64_t given[CHILDREN] = {0}, most = 0;

    for (size_t i = 0; i < CHILDREN; i++) {
        children[i] = start_child();
        if (stride_add(&stride, children[i].env, tickets[i]) != (int64_t)i)
            fail("bench: a child can't be scheduled\n");
    }
    for (uint64_t slices = 1; slices <= SLICES; slices++) {
        int who = stride_turn(&stride);
        if (who < 0)
            fail("bench: no child could run\n");
        given[who]++;
        order[slices - 1] = (char)('0' + who);
        uint64_t now = deviation(given, slices);
        most = now > most ? now : most;
    }
    check_work(children, given);
    tell_order();
    for (size_t i = 0; i < CHILDREN; i++) {
        struct proc_status status;
        proc_kill(&children[i], 0);
        stride_remove(&stride, i);
        proc_wait(&children[i], &status, AEGIS_FOREVER);
    }
    return most;
}

/* Measured once: it takes ten seconds of the machine's. */
static uint64_t run_stride(uint64_t n)
{
    static uint64_t result;
    static int is_measured;
    (void)n;
    if (!is_measured)
        result = measure();
    is_measured = 1;
    return result;
}

const struct row sched_rows[] = {{"sched", "stride_error", SCALE, run_stride},
                                 {NULL, NULL, 0, NULL}};
