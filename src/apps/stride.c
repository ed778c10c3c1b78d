/*
 * stride: runs programs in proportion to their tickets, over this program's own slices.
 *
 *   stride [-n SLICES] TICKETS:PROGRAM...
 *
 * Each ten slices it prints how many each has had, as columns for a plot; with -n it ends them
 * after so many, else it stays until all have ended. The programs are given no arguments.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/program.h"
#include "libos/proc/proc.h"
#include "libos/sched/stride.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#define PRINT_EACH 10

static struct stride stride;
static struct proc children[STRIDE_MOST];

const char program_name[] = "stride";
const char program_usage[] = "stride [-n SLICES] TICKETS:PROGRAM...  (as 3:primes 1:matmul)";

/* Starts TICKETS:PROGRAM as child n; it runs from the first turn on. */
static bool start(int n, char *what)
{
    char *name;
    unsigned long tickets = strtoul(what, &name, 10);
    if (*name != ':' || tickets == 0 || tickets > STRIDE_TICKETS) {
        fprintf(stderr, "stride: %s: not of the form TICKETS:PROGRAM\n", what);
        return false;
    }
    char *const argv[] = {++name, NULL};
    struct proc_options options = {.name = name, .argc = 1, .argv = argv, .member = true};
    int64_t error = proc_create(&children[n], &options);
    if (error == 0)
        error = stride_add(&stride, children[n].env, tickets);
    if (error >= 0)
        error = proc_start(&children[n]);
    if (error < 0)
        fprintf(stderr, "stride: %s: %s\n", name, proc_strerror(error));
    return error >= 0;
}

static void print_shares(int count)
{
    printf("%llu", (unsigned long long)stride.turns);
    for (int i = 0; i < count; i++)
        printf(" %llu", (unsigned long long)stride.children[i].slices);
    printf("\n");
}

/* Reaps who has ended; returns how many live. */
static int living(int count)
{
    struct proc_status status;
    int n = 0;
    for (int i = 0; i < count; i++)
        if (children[i].env)
            n += !proc_reap(&children[i], &status);
    return n;
}

/* A slice of somebody's; nobody can run: until the next slice, when one may. */
static void turn(int count)
{
    uint64_t before = stride.turns;
    if (stride_turn(&stride) < 0)
        exos_wait(NULL, 0, time_now() + aegis_info()->slice);
    else if (stride.turns != before && stride.turns % PRINT_EACH == 0)
        print_shares(count);
}

int main(int argc, char **argv)
{
    long slices = 0; /* without end */
    int option;

    take_help(argc, argv);
    while ((option = getopt(argc, argv, "n:")) == 'n')
        if ((slices = number(optarg, 1, INT32_MAX)) < 0)
            return usage();
    int count = argc - optind;
    if (option != -1 || count < 1)
        return usage();
    if (count > STRIDE_MOST) {
        fprintf(stderr, "stride: more than %d programs\n", STRIDE_MOST);
        return USAGE_ERROR;
    }
    bool ok = true;
    for (int i = 0; i < count && ok; i++)
        ok = start(i, argv[optind + i]);
    while (ok && living(count) && (!slices || stride.turns < (uint64_t)slices))
        turn(count);
    for (int i = 0; i < count; i++)
        if (children[i].env)
            proc_kill(&children[i], 0);
    while (living(count))
        usleep(1000);
    return !ok;
}
