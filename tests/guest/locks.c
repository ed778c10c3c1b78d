/* What threads wait for each other with: mutexes of all types, conditions, read-write locks,
 * barriers, semaphores, once; and their errors. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#include "libos/slice/slice.h"
#include "libos/thread/thread.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"
#include "test.h"

#define THREADS 8
#define ROUNDS  3000

static pthread_t threads[THREADS];

static void start_all(void *(*function)(void *), size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, function, (void *)i), 0);
}

static void join_all(size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static struct timespec soon(unsigned ms)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += (long)ms * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile uint64_t inside, sum;

/* Nobody else between lock and unlock, wherever slices end and whoever yields. */
static void *exclude(void *argument)
{
    uint64_t which = (uint64_t)argument;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        if (i % 7 == 0) {
            struct timespec at = soon(50000); /* whatever the host does */
            CHECK_EQ(pthread_mutex_timedlock(&mutex, &at), 0);
        } else {
            CHECK_EQ(pthread_mutex_lock(&mutex), 0);
        }
        CHECK_EQ(inside, 0);
        inside = 1;
        uint64_t before = sum;
        if ((i + which) % 3 == 0)
            sched_yield();
        sum = before + 1;
        inside = 0;
        CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
        if ((i + which) % 11 == 0)
            sched_yield();
    }
    return NULL;
}

static void a_mutex_excludes(void)
{
    start_all(exclude, THREADS);
    join_all(THREADS);
    CHECK_EQ(sum, THREADS * ROUNDS);
    CHECK_EQ(mutex.owner, 0);
}

static volatile bool holds, may_end;

static void *hold_for_good(void *argument)
{
    pthread_mutex_t *m = argument;
    CHECK_EQ(pthread_mutex_lock(m), 0);
    holds = true;
    while (!may_end)
        usleep(1000);
    return NULL;
}

static void *want(void *argument)
{
    return (void *)(intptr_t)pthread_mutex_lock(argument);
}

static void a_dead_holders_mutex_is_had_with_an_error(void)
{
    pthread_mutexattr_t robust;
    pthread_mutex_t m;
    pthread_t holder, other;
    void *value;
    pthread_mutexattr_init(&robust);
    CHECK_EQ(pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_EQ(pthread_mutex_init(&m, &robust), 0);
    CHECK_EQ(pthread_create(&holder, NULL, hold_for_good, &m), 0);
    while (!holds)
        sched_yield();
    CHECK_EQ(pthread_mutex_trylock(&m), EBUSY);
    CHECK_EQ(pthread_mutex_destroy(&m), EBUSY);
    CHECK_EQ(pthread_mutex_unlock(&m), EPERM);
    may_end = true;
    CHECK_EQ(pthread_mutex_lock(&m), EOWNERDEAD); /* it waited while the holder lived */
    CHECK_EQ(pthread_create(&other, NULL, want, &m), 0);
    sched_yield();
    CHECK_EQ(pthread_mutex_consistent(&m), 0);
    CHECK_EQ(pthread_mutex_unlock(&m), 0);
    CHECK_EQ(pthread_join(other, &value), 0);
    CHECK_EQ((intptr_t)value, 0);
    CHECK_EQ(pthread_mutex_lock(&m), EOWNERDEAD); /* and so was its next, dead before */
    CHECK_EQ(pthread_mutex_unlock(&m), 0);
    CHECK_EQ(pthread_mutex_lock(&m), ENOTRECOVERABLE);
    CHECK_EQ(pthread_mutex_destroy(&m), 0);
    CHECK_EQ(pthread_mutex_lock(&m), EINVAL);
    CHECK_EQ(pthread_join(holder, NULL), 0);
}

static void types_differ(void)
{
    pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER, usual, normal;
    pthread_mutexattr_t a;
    struct timespec at = soon(10);
    pthread_mutex_init(&usual, NULL);
    CHECK_EQ(pthread_mutex_lock(&usual), 0);
    CHECK_EQ(pthread_mutex_lock(&usual), EDEADLK);
    CHECK_EQ(pthread_mutex_trylock(&usual), EBUSY);
    CHECK_EQ(pthread_mutex_unlock(&usual), 0);
    CHECK_EQ(pthread_mutex_unlock(&usual), EPERM);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_mutex_lock(&recursive), 0);
    CHECK_EQ(pthread_create(&threads[0], NULL, want, &recursive), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(recursive.owner & ~1UL, 2); /* this thread's */
        CHECK_EQ(pthread_mutex_unlock(&recursive), 0);
        sched_yield();
    }
    join_all(1);
    pthread_mutexattr_init(&a);
    CHECK_EQ(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_NORMAL), 0);
    CHECK_EQ(pthread_mutexattr_settype(&a, 99), EINVAL);
    CHECK_EQ(pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED), ENOTSUP);
    pthread_mutex_init(&normal, &a);
    CHECK_EQ(pthread_mutex_lock(&normal), 0);
    CHECK_EQ(pthread_mutex_timedlock(&normal, &at), ETIMEDOUT); /* it waits for itself */
    CHECK_EQ(pthread_mutex_unlock(&normal), 0);
}

/* A queue of few places between producers and consumers. */
#define PLACES 4
static pthread_cond_t has_some = PTHREAD_COND_INITIALIZER, has_room = PTHREAD_COND_INITIALIZER;
static uint64_t places[PLACES], first, used, taken;

static void *produce(void *argument)
{
    for (uint64_t i = 0; i < ROUNDS; i++) {
        CHECK_EQ(pthread_mutex_lock(&mutex), 0);
        while (used == PLACES)
            CHECK_EQ(pthread_cond_wait(&has_room, &mutex), 0);
        places[(first + used++) % PLACES] = (uint64_t)argument + 1;
        CHECK_EQ(pthread_cond_signal(&has_some), 0);
        CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    }
    return NULL;
}

static void *consume(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        CHECK_EQ(pthread_mutex_lock(&mutex), 0);
        while (used == 0)
            CHECK_EQ(pthread_cond_wait(&has_some, &mutex), 0);
        taken += places[first];
        first = (first + 1) % PLACES;
        used--;
        CHECK_EQ(pthread_cond_signal(&has_room), 0);
        CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    }
    return NULL;
}

static void *produce_or_consume(void *argument)
{
    return (uint64_t)argument % 2 ? consume(argument) : produce(argument);
}

static void conditions_lose_nothing(void)
{
    start_all(produce_or_consume, THREADS);
    join_all(THREADS);
    CHECK_EQ(taken, ROUNDS * (1 + 3 + 5 + 7));
    struct timespec at = soon(10);
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(pthread_cond_timedwait(&has_some, &mutex, &at), ETIMEDOUT);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQ(pthread_cond_wait(&has_some, &mutex), EPERM);
    CHECK_EQ(pthread_cond_destroy(&has_some), 0);
    CHECK_EQ(pthread_cond_signal(&has_some), EINVAL);
}

static volatile bool open_;
static volatile unsigned passed;

static void *wait_for_opening(void *argument)
{
    pthread_cond_t *door = argument;
    pthread_mutex_lock(&mutex);
    while (!open_)
        pthread_cond_wait(door, &mutex);
    passed++;
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void a_broadcast_wakes_all(void)
{
    pthread_cond_t door = PTHREAD_COND_INITIALIZER;
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_opening, &door), 0);
    while (!door.waiters.first)
        sched_yield();
    CHECK_EQ(pthread_cond_destroy(&door), EBUSY);
    pthread_mutex_lock(&mutex);
    open_ = true;
    CHECK_EQ(pthread_cond_broadcast(&door), 0);
    pthread_mutex_unlock(&mutex);
    join_all(THREADS);
    CHECK_EQ(passed, THREADS);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile int readers, writers;
static volatile int most_readers;

static void *read_or_write(void *argument)
{
    uint64_t which = (uint64_t)argument;
    for (uint64_t i = 0; i < ROUNDS / 4; i++) {
        bool writes = (i + which) % 5 == 0;
        CHECK_EQ(writes ? pthread_rwlock_wrlock(&rwlock) : pthread_rwlock_rdlock(&rwlock), 0);
        __atomic_fetch_add(writes ? &writers : &readers, 1, __ATOMIC_RELAXED);
        CHECK(writers == 0 || (writers == 1 && readers == 0));
        if (readers > most_readers)
            most_readers = readers;
        if (i % 2)
            sched_yield();
        __atomic_fetch_sub(writes ? &writers : &readers, 1, __ATOMIC_RELAXED);
        CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
        if (i % 3 == 0)
            sched_yield();
    }
    return NULL;
}

static void many_read_or_one_writes(void)
{
    struct timespec at;
    start_all(read_or_write, THREADS);
    join_all(THREADS);
    CHECK(most_readers > 1);
    CHECK_EQ(pthread_rwlock_unlock(&rwlock), EPERM);
    CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
    CHECK_EQ(pthread_rwlock_rdlock(&rwlock), EDEADLK);
    CHECK_EQ(pthread_rwlock_destroy(&rwlock), EBUSY);
    CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
    CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
    CHECK_EQ(pthread_rwlock_trywrlock(&rwlock), EBUSY);
    at = soon(5);
    CHECK_EQ(pthread_rwlock_timedwrlock(&rwlock, &at), ETIMEDOUT);
    CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
}

static pthread_barrier_t barrier;
static volatile uint64_t serial, phases[THREADS];

static void *walk_in_step(void *argument)
{
    for (uint64_t i = 1; i <= 100; i++) {
        phases[(size_t)argument] = i;
        int result = pthread_barrier_wait(&barrier);
        CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
        __atomic_fetch_add(&serial, result != 0, __ATOMIC_RELAXED);
        for (size_t t = 0; t < THREADS; t++)
            CHECK(phases[t] == i || phases[t] == i + 1);
    }
    return NULL;
}

static void a_barrier_keeps_step(void)
{
    CHECK_EQ(pthread_barrier_init(&barrier, NULL, 0), EINVAL);
    CHECK_EQ(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    start_all(walk_in_step, THREADS);
    join_all(THREADS);
    CHECK_EQ(serial, 100);
}

static sem_t items, rooms;
static uint64_t posted;

static void *post(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(sem_wait(&rooms), 0);
        posted++;
        CHECK_EQ(sem_post(&items), 0);
    }
    return argument;
}

static void semaphores_count(void)
{
    struct timespec at = soon(5);
    int value;
    CHECK_EQ(sem_init(&items, 0, 0), 0);
    CHECK_EQ(sem_init(&rooms, 0, 3), 0);
    CHECK_EQ(sem_trywait(&items), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(sem_timedwait(&items, &at), -1);
    CHECK_EQ(errno, ETIMEDOUT);
    start_all(post, 1);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        CHECK_EQ(sem_wait(&items), 0);
        CHECK(posted >= i + 1 && posted <= i + 4);
        CHECK_EQ(sem_post(&rooms), 0);
    }
    join_all(1);
    CHECK_EQ(sem_getvalue(&rooms, &value), 0);
    CHECK_EQ(value, 3);
    CHECK_EQ(sem_destroy(&rooms), 0);
    CHECK_EQ(sem_post(&rooms), -1);
    CHECK_EQ(sem_init(&rooms, 1, 0), -1);
    CHECK_EQ(errno, ENOSYS);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static volatile unsigned calls;

static void only_once(void)
{
    usleep(5000);
    calls++;
}

static void *call_it(void *argument)
{
    CHECK_EQ(pthread_once(&once, only_once), 0);
    CHECK_EQ(calls, 1);
    return argument;
}

static void once_is_once(void)
{
    start_all(call_it, THREADS);
    join_all(THREADS);
}

/* Six threads in exos_wait for words of six kinds: more than one call to the kernel takes. */
static volatile uint64_t words[6];

static void *wait_for_word(void *argument)
{
    size_t i = (size_t)argument;
    struct aegis_predicate when = AEGIS_WHEN(words[i], EQ, 1);
    CHECK_EQ(exos_wait(&when, 1, AEGIS_FOREVER), 0);
    words[i] = 2;
    return NULL;
}

static void *set_words(void *argument)
{
    for (size_t i = 6; i-- > 0;) {
        usleep(3000);
        words[i] = 1;
    }
    return argument;
}

static void many_wait_for_what_is_outside(void)
{
    pthread_t setter;
    struct aegis_predicate never = AEGIS_WHEN(words[0], EQ, 99), bad = never;
    start_all(wait_for_word, 6);
    CHECK_EQ(pthread_create(&setter, NULL, set_words, NULL), 0);
    CHECK_EQ(exos_wait(&never, 1, time_after(10000000)), 1);
    bad.word = (const uint64_t *)0x40;
    int64_t result = exos_wait(&bad, 1, AEGIS_FOREVER);
    CHECK(result <= 0); /* reported as true, or the kernel's error */
    join_all(6);
    CHECK_EQ(pthread_join(setter, NULL), 0);
    for (size_t i = 0; i < 6; i++)
        CHECK_EQ(words[i], 2);
}

static volatile bool tried;

static int c11_thread(void *argument)
{
    mtx_t *m = argument;
    CHECK_EQ(mtx_trylock(m), thrd_busy);
    tried = true;
    CHECK_EQ(mtx_lock(m), thrd_success);
    CHECK_EQ(mtx_unlock(m), thrd_success);
    return 42;
}

static void c11_has_the_same(void)
{
    mtx_t m;
    thrd_t thread;
    int result = 0;
    CHECK_EQ(mtx_init(&m, mtx_plain), thrd_success);
    CHECK_EQ(mtx_lock(&m), thrd_success);
    CHECK_EQ(thrd_create(&thread, c11_thread, &m), thrd_success);
    while (!tried)
        thrd_yield();
    CHECK_EQ(mtx_unlock(&m), thrd_success);
    CHECK_EQ(thrd_join(thread, &result), thrd_success);
    CHECK_EQ(result, 42);
    mtx_destroy(&m);
}

int main(void)
{
    a_mutex_excludes();
    a_dead_holders_mutex_is_had_with_an_error();
    types_differ();
    conditions_lose_nothing();
    a_broadcast_wakes_all();
    many_read_or_one_writes();
    a_barrier_keeps_step();
    semaphores_count();
    once_is_once();
    many_wait_for_what_is_outside();
    c11_has_the_same();
    return 0;
}
