/*
 * A scheduler of a program's own: of the threads that can run, the one whose deadline is the
 * earliest does (Liu and Layland, "Scheduling algorithms for multiprogramming in a hard-real-time
 * environment", JACM 1973). It takes over the four events of strands (libos/thread/thread.h), and
 * nothing else of the thread part: mutexes, conditions and sleeping work on as before.
 *
 *   $ exos-cc -o deadline examples/apps/deadline.c
 *
 * The program makes jobs in a muddle; they end in the order of their deadlines, whatever they do.
 */
#include <pthread.h>
#include <stdio.h>

#include "libos/thread/thread.h"

#define JOBS 5

struct job {
    const char *name;
    unsigned deadline; /* in any unit: only their order counts */
};

/* Those who can run, the earliest deadline first; strands without a job come last. */
static struct strand *ready;

static unsigned deadline_of(const struct strand *strand)
{
    const struct job *job = strand->own;
    return job ? job->deadline : ~0u;
}

/* Behind those with the same deadline, so that they take turns. */
static void insert(struct strand *strand)
{
    struct strand **at = &ready;
    while (*at && deadline_of(*at) <= deadline_of(strand))
        at = &(*at)->right;
    strand->right = *at;
    *at = strand;
}

static struct strand *take_first(void)
{
    struct strand *first = ready;
    if (first)
        ready = first->right;
    return first;
}

/* Only the running one blocks, which take_first has taken out. */
static void forget(struct strand *strand)
{
    strand->right = NULL;
}

static const struct strand_events earliest_deadline = {
    .block = forget, .unblock = insert, .checkpoint = insert, .resume = take_first};

static struct job jobs[JOBS] = {
    {"supper", 1900}, {"breakfast", 700}, {"tea", 1700}, {"lunch", 1200}, {"elevenses", 1100}};
static const char *done[JOBS];
static unsigned count;

static pthread_barrier_t all_have_one;

/* The deadline counts from the next time on that it waits or yields. */
static void *work(void *argument)
{
    struct job *job = argument;
    strand_of(pthread_self())->own = job;
    pthread_barrier_wait(&all_have_one);
    for (int i = 0; i < 100; i++)
        sched_yield(); /* to whoever is more urgent */
    done[count++] = job->name;
    return NULL;
}

int main(void)
{
    pthread_t threads[JOBS];
    int error = strand_schedule(&earliest_deadline);
    pthread_barrier_init(&all_have_one, NULL, JOBS);
    for (size_t i = 0; i < JOBS && !error; i++)
        error = pthread_create(&threads[i], NULL, work, &jobs[i]);
    for (size_t i = 0; i < JOBS && !error; i++)
        error = pthread_join(threads[i], NULL);
    for (size_t i = 0; i < JOBS && !error; i++)
        printf("%s\n", done[i]);
    return error != 0;
}
