/*
 * Read-write locks. Both kinds wait in one queue in the order in which they came, so that neither
 * starves; a reader that finds a writer waiting waits behind it.
 */
#include "libos/thread/internal.h"
#include "libos/time/deadline.h"

#define DESTROYED 1
#define READER    0 /* requests */
#define WRITER    1

int pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes)
{
    (void)attributes;
    *lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
    int error = lock->flags & DESTROYED                                ? EINVAL
                : lock->readers || lock->writer || lock->waiters.first ? EBUSY
                                                                       : 0;
    if (!error)
        lock->flags = DESTROYED;
    return error;
}

static bool is_free_for(const pthread_rwlock_t *lock, uint64_t request)
{
    return !lock->writer && (request == READER || !lock->readers);
}

static void take(pthread_rwlock_t *lock, const struct thread *thread, uint64_t request)
{
    if (request == WRITER)
        lock->writer = thread->mark;
    else
        lock->readers++;
}

/* A writer alone, or all readers in front of the next writer, get the lock. */
static void pass_on(pthread_rwlock_t *lock)
{
    struct thread *first;
    while ((first = lock->waiters.first) && is_free_for(lock, first->request)) {
        take(lock, first, first->request);
        thread_unblock(first, 0);
    }
}

/* Holding. */
static int acquire(pthread_rwlock_t *lock, uint64_t request, uint64_t deadline)
{
    struct thread *self = thread_self();

    if (lock->flags & DESTROYED)
        return EINVAL;
    if (lock->writer == self->mark)
        return deadline == 0 ? EBUSY : EDEADLK;
    if (!lock->waiters.first && is_free_for(lock, request)) {
        take(lock, self, request);
        return 0;
    }
    if (deadline == 0)
        return EBUSY;
    int64_t result;
    do {
        self->request = request;
        thread_enqueue(&lock->waiters, self);
        result = thread_block(deadline);
    } while (result == THREAD_RUNG);
    if (result != THREAD_TIMEOUT)
        return 0;
    pass_on(lock); /* readers may have waited behind a writer that has given up */
    return ETIMEDOUT;
}

static int acquire_until(pthread_rwlock_t *lock, uint64_t request, uint64_t deadline)
{
    exos_hold();
    int error = acquire(lock, request, deadline);
    exos_release();
    return error;
}

static int acquire_timed(pthread_rwlock_t *lock, uint64_t request, const struct timespec *at)
{
    uint64_t deadline;
    int error = acquire_until(lock, request, 0);

    if (error != EBUSY)
        return error;
    error = time_deadline(CLOCK_REALTIME, at, &deadline);
    return error ? error : acquire_until(lock, request, deadline);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    return acquire_until(lock, READER, AEGIS_FOREVER);
}

int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    return acquire_until(lock, READER, 0);
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *at)
{
    return acquire_timed(lock, READER, at);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    return acquire_until(lock, WRITER, AEGIS_FOREVER);
}

int pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    return acquire_until(lock, WRITER, 0);
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *at)
{
    return acquire_timed(lock, WRITER, at);
}

int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    int error = 0;

    exos_hold();
    if (lock->writer == thread_self()->mark)
        lock->writer = 0;
    else if (lock->readers)
        lock->readers--;
    else
        error = lock->flags & DESTROYED ? EINVAL : EPERM;
    if (!error)
        pass_on(lock);
    exos_release();
    return error;
}
