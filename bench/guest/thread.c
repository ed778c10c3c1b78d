/* From one thread of a process to another, and what they share: written with POSIX's names. */
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "bench/guest/measure.h"
#include "bench/guest/port.h"

static volatile int stop;

static uint64_t switches;

/* As many as the other thread makes, whose loop costs the same, and two that are not counted. */
static void *give_back(void *argument)
{
    COUNT_LOOP(switches / 2 + 2, sched_yield());
    return argument;
}

/* Of both loops one's overhead has been subtracted by COUNT_LOOP; the other's is this. */
static uint64_t loop_alone(uint64_t n)
{
    uint64_t start = instructions();
    for (uint64_t i = n; i > 0; i--)
        __asm__ volatile("" ::: "memory");
    return instructions() - start;
}

static pthread_t start(void *(*function)(void *))
{
    pthread_t thread;

    stop = 0;
    if (pthread_create(&thread, NULL, function, NULL)) {
        port_print("bench: no thread could be made\n");
        exit(1);
    }
    return thread;
}

static void finish(pthread_t thread)
{
    stop = 1;
    pthread_join(thread, NULL);
}

/* Each call goes to the other thread, whose call comes back. */
static uint64_t run_switch(uint64_t n)
{
    switches = n;
    pthread_t other = start(give_back);
    sched_yield();
    uint64_t count = COUNT_LOOP(n / 2, sched_yield());
    finish(other);
    return count - loop_alone(n / 2);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;

static void take_turn(int mine)
{
    while (turn != mine && !stop)
        pthread_cond_wait(&condition, &mutex);
    turn = !mine;
    pthread_cond_signal(&condition);
}

static void *take_turns(void *argument)
{
    pthread_mutex_lock(&mutex);
    while (!stop)
        take_turn(1);
    pthread_mutex_unlock(&mutex);
    return argument;
}

/* Two switches, two signals, and the mutex with each. */
static uint64_t run_condition(uint64_t n)
{
    pthread_t other = start(take_turns);

    turn = 0;
    pthread_mutex_lock(&mutex);
    take_turn(0);
    uint64_t count = COUNT_LOOP(n, take_turn(0));
    stop = 1;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
    finish(other);
    return count;
}

static uint64_t run_mutex(uint64_t n)
{
    return COUNT_LOOP(n, pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex));
}

static void *nothing(void *argument)
{
    return argument;
}

static uint64_t run_create(uint64_t n)
{
    return COUNT_LOOP(n, finish(start(nothing)));
}

/* malloc and free of 100 bytes; with a block held, so that the heap isn't empty between. */
static uint64_t run_malloc(uint64_t n)
{
    void *volatile held = malloc(100);
    void *volatile block;
    uint64_t count = COUNT_LOOP(n, block = malloc(100); free(block));

    free(held);
    return count;
}

static void *allocate(void *argument)
{
    while (!stop) {
        void *volatile block = malloc(100);
        sched_yield();
        free(block);
    }
    return argument;
}

/* The same while another thread allocates, too, and the two take turns within it: counted are both,
 * and two switches. */
static uint64_t run_malloc_contended(uint64_t n)
{
    pthread_t other = start(allocate);
    void *volatile block;
    uint64_t count = COUNT_LOOP(n, block = malloc(100); sched_yield(); free(block));

    finish(other);
    return count;
}

const struct row thread_rows[] = {{"ipc", "thread_switch", 200, run_switch},
                                  {"ipc", "thread_condition", 100, run_condition},
                                  {"ipc", "thread_mutex", 100, run_mutex},
                                  {"ipc", "thread_create_join", 20, run_create},
                                  {"ipc", "malloc_free", 100, run_malloc},
                                  {"ipc", "malloc_free_contended", 100, run_malloc_contended},
                                  {NULL, NULL, 0, NULL}};
