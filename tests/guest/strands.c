/* A program's own scheduler: that of examples/apps/deadline.c, and one that gets only the events
 * that it should. */
int deadline_main(void);
#define main deadline_main
#include "examples/apps/deadline.c"
#undef main

#include <string.h>
#include <unistd.h>

#include "libos/slice/slice.h"
#include "libos/time/time.h"
#include "test.h"

static void deadlines_are_met_in_order(void)
{
    static const char *const wanted[] = {"breakfast", "elevenses", "lunch", "tea", "supper"};
    CHECK_EQ(deadline_main(), 0);
    CHECK_EQ(count, JOBS);
    for (size_t i = 0; i < JOBS; i++)
        CHECK(!strcmp(done[i], wanted[i]));
}

static volatile bool woke, stop;

static void *urgent(void *argument)
{
    strand_of(pthread_self())->own = argument;
    usleep(25000);
    woke = true;
    return NULL;
}

/* Its deadline is earlier than this one's, which never yields: the next slice is its. */
static void the_urgent_preempts(void)
{
    struct job now = {"now", 1};
    pthread_t thread;
    CHECK_EQ(strand_schedule(&earliest_deadline), 0);
    CHECK_EQ(pthread_create(&thread, NULL, urgent, &now), 0);
    while (!woke)
        ;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(strand_schedule(NULL), 0);
}

/* Each strand is in one state; every event is one that can come in it. */
enum state { UNKNOWN, READY, RUNNING };
static struct strand *queue, **queue_end = &queue;
static uint64_t events;

static void into(struct strand *strand, enum state from)
{
    CHECK_EQ((uint64_t)strand->own, from);
    strand->own = (void *)READY;
    strand->right = NULL;
    *queue_end = strand;
    queue_end = &strand->right;
    events++;
}

static void made_ready(struct strand *strand)
{
    into(strand, UNKNOWN);
}

static void put_back(struct strand *strand)
{
    into(strand, RUNNING);
}

static void gone(struct strand *strand)
{
    CHECK_EQ((uint64_t)strand->own, RUNNING);
    strand->own = (void *)UNKNOWN;
    events++;
}

static struct strand *next(void)
{
    struct strand *strand = queue;
    if (!strand)
        return NULL;
    queue = strand->right;
    if (!queue)
        queue_end = &queue;
    strand->own = (void *)RUNNING;
    return strand;
}

static const struct strand_events strict = {
    .block = gone, .unblock = made_ready, .checkpoint = put_back, .resume = next};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *work_and_wait(void *argument)
{
    for (uint64_t i = 0; !stop; i++) {
        pthread_mutex_lock(&mutex);
        if (i % 5 == 0)
            sched_yield();
        pthread_mutex_unlock(&mutex);
        if (i % 50 == 0)
            usleep(100);
        else if (i % 3 == 0)
            sched_yield();
    }
    return argument;
}

static void events_come_in_order(void)
{
    pthread_t threads[6];
    uint64_t from = slice_ends();
    strand_of(pthread_self())->own = NULL;
    CHECK_EQ(strand_schedule(&strict), 0);
    for (size_t i = 0; i < 6; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, work_and_wait, NULL), 0);
    while (slice_ends() < from + 20 || events < 20000)
        sched_yield();
    stop = true;
    for (size_t i = 0; i < 6; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(strand_schedule(NULL), 0);
    sched_yield();
}

int main(void)
{
    deadlines_are_met_in_order();
    the_urgent_preempts();
    events_come_in_order();
    return 0;
}
