/* Barriers, semaphores and once: counters with a queue. */
#include <semaphore.h>

#include "libos/thread/internal.h"
#include "libos/time/deadline.h"

#define DESTROYED 1

enum { NOT_YET, UNDER_WAY, DONE }; /* of pthread_once_t.state */

int pthread_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes,
                         unsigned count)
{
    (void)attributes;
    if (count == 0)
        return EINVAL;
    *barrier = (pthread_barrier_t){.count = count};
    return 0;
}

int pthread_barrier_destroy(pthread_barrier_t *barrier)
{
    int error = barrier->flags & DESTROYED ? EINVAL : barrier->arrived ? EBUSY : 0;
    if (!error)
        barrier->flags = DESTROYED;
    return error;
}

int pthread_barrier_wait(pthread_barrier_t *barrier)
{
    int result = 0;

    exos_hold();
    if (barrier->flags & DESTROYED) {
        result = EINVAL;
    } else if (++barrier->arrived == barrier->count) {
        barrier->arrived = 0;
        barrier->round++;
        while (barrier->waiters.first)
            thread_unblock(barrier->waiters.first, 0);
        result = PTHREAD_BARRIER_SERIAL_THREAD;
    } else {
        /* Who answers the doorbell meanwhile isn't in the queue, but has arrived. */
        uint64_t round = barrier->round;
        while (barrier->round == round) {
            thread_enqueue(&barrier->waiters, thread_self());
            thread_block(AEGIS_FOREVER);
        }
    }
    exos_release();
    return result;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

int sem_init(sem_t *semaphore, int shared, unsigned value)
{
    if (shared)
        return fail(ENOSYS);
    if (value > SEM_VALUE_MAX)
        return fail(EINVAL);
    *semaphore = (sem_t){.value = value};
    return 0;
}

int sem_destroy(sem_t *semaphore)
{
    if (semaphore->flags & DESTROYED)
        return fail(EINVAL);
    if (semaphore->waiters.first)
        return fail(EBUSY);
    semaphore->flags = DESTROYED;
    return 0;
}

static int down(sem_t *semaphore, uint64_t deadline)
{
    struct thread *self = thread_self();
    int error = 0;

    exos_hold();
    if (semaphore->flags & DESTROYED) {
        error = EINVAL;
    } else if (semaphore->value) {
        semaphore->value--;
    } else if (deadline == 0) {
        error = EAGAIN;
    } else {
        thread_enqueue(&semaphore->waiters, self);
        error = -(int)thread_block(deadline); /* who posts gives it to the first */
    }
    exos_release();
    return error ? fail(error) : 0;
}

int sem_wait(sem_t *semaphore)
{
    return down(semaphore, AEGIS_FOREVER);
}

int sem_trywait(sem_t *semaphore)
{
    return down(semaphore, 0);
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *at)
{
    uint64_t deadline;

    if (sem_trywait(semaphore) == 0)
        return 0;
    if (errno != EAGAIN)
        return -1;
    int error = time_deadline(clock, at, &deadline);
    return error ? fail(error) : down(semaphore, deadline);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *at)
{
    return sem_clockwait(semaphore, CLOCK_REALTIME, at);
}

int sem_post(sem_t *semaphore)
{
    int error = 0;

    exos_hold();
    if (semaphore->flags & DESTROYED)
        error = EINVAL;
    else if (semaphore->waiters.first)
        thread_unblock(semaphore->waiters.first, 0);
    else if (semaphore->value == SEM_VALUE_MAX)
        error = EOVERFLOW;
    else
        semaphore->value++;
    exos_release();
    return error ? fail(error) : 0;
}

int sem_getvalue(sem_t *semaphore, int *value)
{
    *value = (int)semaphore->value;
    return 0;
}

int pthread_once(pthread_once_t *once, void (*function)(void))
{
    if (__atomic_load_n(&once->state, __ATOMIC_ACQUIRE) == DONE)
        return 0;
    exos_hold();
    while (once->state == UNDER_WAY) {
        thread_enqueue(&once->waiters, thread_self());
        thread_block(AEGIS_FOREVER);
    }
    bool mine = once->state == NOT_YET;
    if (mine)
        once->state = UNDER_WAY;
    exos_release();
    if (!mine)
        return 0;
    function();
    exos_hold();
    once->state = DONE;
    while (once->waiters.first)
        thread_unblock(once->waiters.first, 0);
    exos_release();
    return 0;
}
