/*
 * Mutexes. `owner` is 0, or the holder's mark, with bit 0 set while others wait: so taking a free
 * one and releasing one that nobody waits for are a compare-and-swap each, and all else is done
 * while holding.
 *
 * Who releases a mutex wakes the first that waits, which then competes for it with whoever runs: a
 * thread that locks and unlocks often isn't stopped each time by one that had to wait once. Who has
 * been woken in vain before gets the mutex itself.
 */
#include <string.h>

#include "libos/thread/internal.h"
#include "libos/time/deadline.h"
#include "libos/upcall/upcall.h"

#define WAITED    1UL
#define DESTROYED 1 /* flags */
#define ROBUST    2
#define DEAD      4 /* had from a holder that ended, and not made consistent */
#define LOST      8 /* and given back so: nobody gets it any more */

#define WOKEN 1 /* results of who waits */
#define GIVEN 2

static bool try_take(pthread_mutex_t *mutex, uint64_t mark)
{
    uint64_t free = 0;
    return __atomic_compare_exchange_n(&mutex->owner, &free, mark, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* The caller has it already. */
static int take_again(pthread_mutex_t *mutex)
{
    if (mutex->type != PTHREAD_MUTEX_RECURSIVE)
        return EDEADLK;
    if (mutex->depth == UINT32_MAX)
        return EAGAIN;
    mutex->depth++;
    return 0;
}

/* Of one that has ended: the caller gets it, and is told. */
static int take_over(pthread_mutex_t *mutex, struct thread *self)
{
    mutex->owner = self->mark | (mutex->owner & WAITED);
    mutex->depth = 0;
    if (mutex->flags & ROBUST)
        mutex->flags |= DEAD;
    return EOWNERDEAD;
}

static int refusal(const pthread_mutex_t *mutex)
{
    return mutex->flags & DESTROYED ? EINVAL : mutex->flags & LOST ? ENOTRECOVERABLE : 0;
}

/* Holding; the mutex isn't free, or wasn't a moment ago. */
static int take_slowly(pthread_mutex_t *mutex, struct thread *self, uint64_t deadline)
{
    bool woken = false;

    for (;;) {
        int error = refusal(mutex);
        if (error)
            return error;
        uint64_t owner = mutex->owner & ~WAITED;
        if (!owner) {
            mutex->owner |= self->mark;
            return 0;
        }
        if (owner != self->mark && !thread_marked(owner))
            return take_over(mutex, self);
        if (deadline == 0)
            return EBUSY;
        if (upcall_is_inside())
            return EDEADLK; /* a handler's stack can't be left for another thread's */
        mutex->owner |= WAITED;
        self->wanted = mutex;
        self->request = woken;
        thread_enqueue(&mutex->waiters, self);
        int64_t result = thread_block(deadline);
        self->wanted = NULL;
        if (!mutex->waiters.first)
            mutex->owner &= ~WAITED;
        if (result == GIVEN)
            return 0;
        if (result == THREAD_TIMEOUT)
            return ETIMEDOUT;
        woken = result == WOKEN;
    }
}

static int lock(pthread_mutex_t *mutex, uint64_t deadline)
{
    struct thread *self = thread_self();

    if (!(mutex->flags & (DESTROYED | LOST)) && try_take(mutex, self->mark))
        return 0;
    if ((mutex->owner & ~WAITED) == self->mark &&
        (mutex->type != PTHREAD_MUTEX_NORMAL || deadline == 0)) {
        int error = take_again(mutex);
        return error == EDEADLK && deadline == 0 ? EBUSY : error;
    }
    exos_hold();
    int error = take_slowly(mutex, self, deadline);
    exos_release();
    return error;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    return lock(mutex, AEGIS_FOREVER);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    return lock(mutex, 0);
}

int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *at)
{
    uint64_t deadline;
    int error = pthread_mutex_trylock(mutex);

    if (error != EBUSY)
        return error;
    error = time_deadline(clock, at, &deadline);
    return error ? error : lock(mutex, deadline);
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *at)
{
    return pthread_mutex_clocklock(mutex, CLOCK_REALTIME, at);
}

/* Holding: the mutex gets another owner, or none and a thread that looks for it. */
static void pass_on(pthread_mutex_t *mutex)
{
    struct thread *first = mutex->waiters.first;

    mutex->owner = 0;
    if (!first)
        return;
    bool give = first->request && !(mutex->flags & LOST);
    thread_unblock(first, give ? GIVEN : WOKEN);
    if (give)
        mutex->owner = first->mark;
    if (mutex->waiters.first)
        mutex->owner |= WAITED;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    struct thread *self = thread_self();
    uint64_t owner = self->mark;

    if ((mutex->owner & ~WAITED) != owner)
        return mutex->flags & DESTROYED ? EINVAL : EPERM;
    if (mutex->depth) {
        mutex->depth--;
        return 0;
    }
    if (!(mutex->flags & DEAD) && __atomic_compare_exchange_n(&mutex->owner, &owner, 0, false,
                                                              __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        return 0;
    exos_hold();
    if (mutex->flags & DEAD)
        mutex->flags = LOST | ROBUST;
    pass_on(mutex);
    exos_release();
    return 0;
}

int pthread_mutex_consistent(pthread_mutex_t *mutex)
{
    if (!(mutex->flags & DEAD) || (mutex->owner & ~WAITED) != thread_self()->mark)
        return EINVAL;
    mutex->flags &= (uint16_t)~DEAD;
    return 0;
}

/* Those who wait for a mutex of the caller's, which ends, look again who has it. */
void thread_end_mutexes(struct thread *self)
{
    for (struct thread *t = thread_all; t; t = t->all)
        if (t->wanted && (t->wanted->owner & ~WAITED) == self->mark)
            thread_unblock(t, WOKEN);
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    static const pthread_mutexattr_t usual;
    const pthread_mutexattr_t *a = attributes ? attributes : &usual;

    *mutex = (pthread_mutex_t){.type = (uint16_t)a->type, .flags = a->robust ? ROBUST : 0};
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    int error = 0;

    exos_hold();
    if (mutex->flags & DESTROYED)
        error = EINVAL;
    else if (mutex->waiters.first || (mutex->owner && thread_marked(mutex->owner & ~WAITED)))
        error = EBUSY;
    else
        *mutex = (pthread_mutex_t){.flags = DESTROYED};
    exos_release();
    return error;
}
