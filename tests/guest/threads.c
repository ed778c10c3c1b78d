/* Threads: made, switched, preempted with all their registers, joined, and what is an error. */
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libos/slice/slice.h"
#include "libos/start/start.h"
#include "libos/thread/thread.h"
#include "libos/time/time.h"
#include "libos/upcall/hold.h"
#include "libos/upcall/upcall.h"
#include "test.h"

#define MANY 200

static volatile bool may_end; /* nobody does before */

static void *count_up(void *argument)
{
    volatile uint64_t *count = argument;
    while (!may_end)
        sched_yield();
    for (int i = 0; i < 100; i++) {
        ++*count;
        CHECK_OK(sched_yield());
    }
    return argument;
}

static void they_take_turns_and_are_joined(void)
{
    pthread_t threads[MANY];
    volatile uint64_t counts[MANY] = {0};
    for (size_t i = 0; i < MANY; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, count_up, (void *)(uintptr_t)&counts[i]), 0);
    CHECK_EQ(thread_count(), MANY + 1);
    may_end = true;
    for (size_t i = 0; i < MANY; i++)
        while (counts[i] == 0)
            sched_yield();
    for (size_t i = 0; i < MANY; i++) {
        void *value;
        CHECK_EQ(pthread_join(threads[i], &value), 0);
        CHECK(value == &counts[i] && counts[i] == 100);
    }
    CHECK_EQ(thread_count(), 1);
}

/* What a function keeps, and all that one changes: computed alone, and with others between. */
static uint64_t __attribute__((noinline)) chain(uint64_t seed, uint64_t rounds)
{
    uint64_t a = seed, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
    double x = (double)seed, y = 2, z = 3, u = 4, v = 5;
    for (uint64_t i = 0; i < rounds; i++) {
        a = a * 6364136223846793005UL + b, b = (b ^ c) + i, c = c << 1 | d >> 63, d += e * 3;
        e = e * 2862933555777941757UL + f, f ^= g + a, g = g >> 7 | g << 57, h += g ^ c;
        x = x * 0.5 + y, y = y * 0.25 + z + (double)(i & 7), z = z * 0.125 + u;
        u = u * 0.75 - v, v = v * 0.5 + x;
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ (uint64_t)(x * 1e6) ^ (uint64_t)(y * 1e6) ^
           (uint64_t)(z * 1e6) ^ (uint64_t)(u * 1e3) ^ (uint64_t)(v * 1e3);
}

static volatile bool stop;

struct work {
    uint64_t seed, wanted, rounds;
    int mode;
};

static void *work(void *argument)
{
    struct work *w = argument;
    fesetround(w->mode);
    while (!stop) {
        CHECK_EQ(chain(w->seed, 20000), w->wanted);
        CHECK_EQ(fegetround(), w->mode);
        w->rounds++;
    }
    return NULL;
}

static bool all_have_worked(const struct work works[4])
{
    bool all = true;
    for (size_t i = 0; i < 4; i++)
        all = all && *(const volatile uint64_t *)&works[i].rounds > 1;
    return all;
}

/* Nobody yields: only the beginnings of slices change threads. */
static void nothing_is_lost_in_preemption(void)
{
    static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_UPWARD, FE_DOWNWARD};
    struct work works[4];
    pthread_t threads[4];
    uint64_t from = slice_ends();
    for (size_t i = 0; i < 4; i++) {
        fesetround(modes[i]);
        works[i] = (struct work){.seed = i + 1, .wanted = chain(i + 1, 20000), .mode = modes[i]};
        CHECK_EQ(pthread_create(&threads[i], NULL, work, &works[i]), 0);
    }
    fesetround(FE_TONEAREST);
    while (slice_ends() < from + 300 || !all_have_worked(works))
        for (int i = 0; i < 1000; i++)
            CHECK(strlen("preempted") == 9);
    stop = true;
    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(fegetround(), FE_TONEAREST);
}

static volatile uint64_t reserved_word, tries;

/* Until it was interrupted between lr and sc by one that has changed the word meanwhile. */
static void *store_conditionally(void *argument)
{
    for (; tries < 5; tries++) {
        uint64_t before, value, failed;
        do {
            before = reserved_word;
            __asm__ volatile("lr.d %0, (%2)\n"
                             "1: ld %1, (%2)\n"
                             "beq %0, %1, 1b\n"
                             "sc.d %1, zero, (%2)"
                             : "=&r"(value), "=&r"(failed)
                             : "r"(&reserved_word)
                             : "memory");
        } while (value != before);
        CHECK(failed);
    }
    return argument;
}

/* What it leaves is a reservation, of the value that is there; the way to the other is without the
 * kernel. A slice that begins within these few instructions ends it, so there are several tries. */
static void *change_and_reserve(void *argument)
{
    while (tries < 5) {
        uint64_t value;
        reserved_word = reserved_word + 1;
        __asm__ volatile("lr.d %0, (%1)" : "=&r"(value) : "r"(&reserved_word) : "memory");
        sched_yield();
    }
    return argument;
}

static void a_reservation_is_one_threads(void)
{
    pthread_t threads[2];
    CHECK_EQ(pthread_create(&threads[0], NULL, store_conditionally, NULL), 0);
    CHECK_EQ(pthread_create(&threads[1], NULL, change_and_reserve, NULL), 0);
    for (size_t i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static volatile uint64_t turns;

static void *count_turns(void *argument)
{
    while (!stop)
        turns++;
    return argument;
}

/* A slice that ends meanwhile changes nothing; when the stretch is over, the other has its turn. */
static void a_hold_keeps_others_away(void)
{
    pthread_t thread;
    stop = false;
    CHECK_EQ(pthread_create(&thread, NULL, count_turns, NULL), 0);
    while (turns == 0)
        ;
    exos_hold();
    uint64_t before = turns, from = slice_ends();
    while (slice_ends() < from + 3)
        ;
    CHECK_EQ(turns, before);
    exos_release();
    CHECK(turns > before);
    stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static _Thread_local int mine = 7;

static void *own_values(void *argument)
{
    (void)argument;
    CHECK_EQ(mine, 7);
    mine = 8;
    errno = ERANGE;
    sched_yield();
    CHECK_EQ(errno, ERANGE);
    CHECK_EQ(mine, 8);
    return NULL;
}

static void each_has_its_own(void)
{
    pthread_t thread;
    errno = EDOM;
    CHECK_EQ(pthread_create(&thread, NULL, own_values, NULL), 0);
    sched_yield();
    CHECK_EQ(errno, EDOM);
    CHECK_EQ(mine, 7);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *wait_a_while(void *argument)
{
    usleep(*(unsigned *)argument);
    return argument;
}

static void *join_other(void *argument)
{
    CHECK_EQ(pthread_join(*(pthread_t *)argument, NULL), 0);
    return NULL;
}

static volatile bool told;

static void *wait_till_told(void *argument)
{
    while (!told)
        usleep(1000);
    return argument;
}

static void errors_are_defined(void)
{
    pthread_t thread, joiner;
    void *value;
    int error;
    CHECK_EQ(pthread_join(pthread_self(), NULL), EDEADLK);
    CHECK_EQ(pthread_create(&thread, NULL, wait_till_told, NULL), 0);
    CHECK_EQ(pthread_tryjoin_np(thread, NULL), EBUSY);
    CHECK_EQ(pthread_create(&joiner, NULL, join_other, &thread), 0);
    while ((error = pthread_tryjoin_np(thread, NULL)) == EBUSY)
        sched_yield(); /* the other hasn't begun to wait */
    CHECK_EQ(error, EINVAL);
    CHECK_EQ(pthread_join(thread, &value), EINVAL);
    CHECK_EQ(pthread_detach(thread), EINVAL);
    told = true;
    CHECK_EQ(pthread_join(joiner, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), ESRCH);
    told = false;
    CHECK_EQ(pthread_create(&thread, NULL, wait_till_told, NULL), 0);
    CHECK_EQ(pthread_detach(thread), 0);
    CHECK_EQ(pthread_detach(thread), EINVAL);
    CHECK_EQ(pthread_join(thread, NULL), EINVAL);
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    CHECK_EQ(pthread_create(&joiner, NULL, wait_till_told, &joiner), 0);
    CHECK_EQ(pthread_timedjoin_np(joiner, NULL, &at), ETIMEDOUT);
    told = true;
    CHECK_EQ(pthread_join(joiner, &value), 0);
    CHECK(value == &joiner);
    while (thread_count() > 1)
        usleep(1000);
}

/* While it sleeps, the others run; and when all sleep, nobody burns the processor. */
static void a_sleep_is_one_threads(void)
{
    pthread_t threads[3];
    unsigned times[] = {20000, 40000, 60000};
    uint64_t before = time_now(), slices = aegis_env(exos.env)->slices;
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, wait_a_while, &times[i]), 0);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    uint64_t took = time_to_ns(time_now() - before);
    CHECK(took >= 60000000);
    CHECK(aegis_env(exos.env)->slices - slices < 1000);
}

static void *overflow(void *argument)
{
    volatile char here[512];
    here[0] = *(char *)argument;
    void *deeper = here[0] ? overflow(argument) : NULL;
    return here[0] ? deeper : argument; /* no tail call */
}

static pthread_t *overflowing;
static bool seen;

static bool end_it(struct upcall_context *context)
{
    CHECK(pthread_equal(pthread_self(), *overflowing));
    seen = true;
    context->pc = (uint64_t)pthread_exit;
    context->x[2] = context->x[4] & ~15UL; /* its stack's upper end lies below */
    context->x[2] -= 2048;
    return true;
}

/* Below a stack nothing is mapped. */
static void an_overflow_is_a_fault(void)
{
    pthread_t thread;
    upcall_handler before = upcall_set(UPCALL_STORE_PAGE, end_it);
    char one = 1;
    overflowing = &thread;
    CHECK_EQ(pthread_create(&thread, NULL, overflow, &one), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(seen);
    upcall_set(UPCALL_STORE_PAGE, before);
}

static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER;
static volatile int handlers_error;
static volatile uint64_t slept;

/* It can't be left for another thread, even if a switch is due since before: it waits with the
 * whole process, or is told. */
static bool wait_in_handler(struct upcall_context *context)
{
    uint64_t before = time_now(), had = turns;
    __atomic_fetch_or(&exos_held_pending, 1UL << EXOS_HELD_THREADS, __ATOMIC_RELAXED);
    handlers_error = pthread_mutex_lock(&taken);
    usleep(20000);
    slept = time_to_ns(time_now() - before);
    CHECK_EQ(turns, had);
    context->pc += 2;
    return true;
}

static void *break_off(void *argument)
{
    __asm__ volatile("c.ebreak" ::: "memory");
    return argument;
}

static void a_handler_keeps_its_stack(void)
{
    pthread_t thread, counter;
    upcall_handler before = upcall_set(UPCALL_BREAKPOINT, wait_in_handler);
    stop = false;
    CHECK_EQ(pthread_mutex_lock(&taken), 0);
    CHECK_EQ(pthread_create(&counter, NULL, count_turns, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, break_off, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(handlers_error, EDEADLK);
    CHECK(slept >= 20000000);
    stop = true;
    CHECK_EQ(pthread_join(counter, NULL), 0);
    CHECK_EQ(pthread_mutex_unlock(&taken), 0);
    upcall_set(UPCALL_BREAKPOINT, before);
}

static unsigned destroyed;

static void destroy(void *value)
{
    destroyed += (unsigned)(uintptr_t)value;
}

static void *with_keys(void *argument)
{
    pthread_key_t *keys = argument;
    CHECK(pthread_getspecific(keys[0]) == NULL);
    CHECK_EQ(pthread_setspecific(keys[0], (void *)1), 0);
    CHECK_EQ(pthread_setspecific(keys[1], (void *)10), 0);
    pthread_cleanup_push(destroy, (void *)100);
    pthread_exit(NULL);
    pthread_cleanup_pop(0);
}

static void keys_have_destructors(void)
{
    pthread_key_t keys[2], more;
    pthread_t thread;
    CHECK_EQ(pthread_key_create(&keys[0], destroy), 0);
    CHECK_EQ(pthread_key_create(&keys[1], NULL), 0);
    CHECK_EQ(pthread_setspecific(keys[0], (void *)1000), 0);
    CHECK_EQ(pthread_create(&thread, NULL, with_keys, keys), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(destroyed, 101);
    CHECK_EQ(pthread_key_delete(keys[0]), 0);
    CHECK_EQ(pthread_key_create(&more, NULL), 0);
    CHECK(pthread_getspecific(more) == NULL);
    CHECK_EQ(pthread_setspecific(PTHREAD_KEYS_MAX, NULL), EINVAL);
}

static void attributes_are_kept(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    size_t size;
    uint64_t count = 0;
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_setstacksize(&attributes, 100), EINVAL);
    CHECK_EQ(pthread_attr_setstacksize(&attributes, 16384), 0);
    CHECK_EQ(pthread_attr_setguardsize(&attributes, 16384), 0);
    CHECK_EQ(pthread_attr_getstacksize(&attributes, &size), 0);
    CHECK_EQ(size, 16384);
    CHECK_EQ(pthread_create(&thread, &attributes, count_up, &count), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    void *stack = aligned_alloc(16, 16384);
    CHECK_EQ(pthread_attr_setstack(&attributes, stack, 16384), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, count_up, &count), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(count, 200);
    free(stack);
}

static void *read_environment(void *argument)
{
    void **blocks = argument;
    for (int i = 0; i < 2000; i++) {
        size_t size = (size_t)(i * 7 % 300 + 1);
        free(blocks[i % 16]);
        blocks[i % 16] = memset(malloc(size), i, size);
        if (i % 10 == 0)
            sched_yield();
    }
    for (int i = 0; i < 16; i++)
        free(blocks[i]);
    return NULL;
}

static void the_heap_serves_all(void)
{
    static void *blocks[8][16];
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, read_environment, blocks[i]), 0);
    for (size_t i = 0; i < 8; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    they_take_turns_and_are_joined();
    nothing_is_lost_in_preemption();
    a_reservation_is_one_threads();
    a_hold_keeps_others_away();
    each_has_its_own();
    errors_are_defined();
    a_sleep_is_one_threads();
    an_overflow_is_a_fault();
    a_handler_keeps_its_stack();
    keys_have_destructors();
    attributes_are_kept();
    the_heap_serves_all();
    return 0;
}
