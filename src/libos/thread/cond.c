/* Condition variables. */
#include "libos/thread/internal.h"
#include "libos/time/deadline.h"

#define DESTROYED 1

int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
{
    *condition = (pthread_cond_t){.clock = attributes ? attributes->clock : CLOCK_REALTIME};
    return 0;
}

int pthread_cond_destroy(pthread_cond_t *condition)
{
    int error = condition->flags & DESTROYED ? EINVAL : condition->waiters.first ? EBUSY : 0;
    if (!error)
        condition->flags = DESTROYED;
    return error;
}

/*
 * From before the mutex is released until the caller is in the queue nobody else runs, so that no
 * signal is missed. Of a recursive mutex the depth is kept.
 */
static int wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t deadline)
{
    struct thread *self = thread_self();
    uint32_t depth = mutex->depth;

    exos_hold();
    if (condition->flags & DESTROYED) {
        exos_release();
        return EINVAL;
    }
    mutex->depth = 0;
    int error = pthread_mutex_unlock(mutex);
    if (error) {
        mutex->depth = depth;
        exos_release();
        return error;
    }
    thread_enqueue(&condition->waiters, self);
    int64_t result = thread_block(deadline);
    exos_release();
    error = pthread_mutex_lock(mutex);
    if (error == 0 || error == EOWNERDEAD)
        mutex->depth = depth;
    return error ? error : result == THREAD_TIMEOUT ? ETIMEDOUT : 0;
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    return wait_until(condition, mutex, AEGIS_FOREVER);
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *at)
{
    uint64_t deadline;
    int error = time_deadline(clock, at, &deadline);
    return error ? error : wait_until(condition, mutex, deadline);
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                           const struct timespec *at)
{
    return pthread_cond_clockwait(condition, mutex, condition->clock, at);
}

static int wake(pthread_cond_t *condition, bool all)
{
    if (!condition->waiters.first)
        return condition->flags & DESTROYED ? EINVAL : 0;
    exos_hold();
    do {
        if (condition->waiters.first)
            thread_unblock(condition->waiters.first, 0);
    } while (all && condition->waiters.first);
    exos_release();
    return 0;
}

int pthread_cond_signal(pthread_cond_t *condition)
{
    return wake(condition, false);
}

int pthread_cond_broadcast(pthread_cond_t *condition)
{
    return wake(condition, true);
}
