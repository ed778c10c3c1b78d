/* Attributes of mutexes, conditions, read-write locks and barriers: what isn't there is refused. */
#include <pthread.h>

#include "libos/thread/internal.h"

/* int pthread_OBJECT_setFIELD and getFIELD, of a type's member; only values up to `most` exist, and
 * larger ones, up to `known`, aren't supported. */
#define ATTRIBUTE(object, name, member, most, known)                                               \
    int pthread_##object##_set##name(pthread_##object##_t *attributes, int value)                  \
    {                                                                                              \
        if (value < 0 || value > (most))                                                           \
            return value > (most) && value <= (known) ? ENOTSUP : EINVAL;                          \
        attributes->member = value;                                                                \
        return 0;                                                                                  \
    }                                                                                              \
    int pthread_##object##_get##name(const pthread_##object##_t *attributes, int *value)           \
    {                                                                                              \
        *value = attributes->member;                                                               \
        return 0;                                                                                  \
    }

#define INIT_AND_DESTROY(object, ...)                                                              \
    int pthread_##object##_init(pthread_##object##_t *attributes)                                  \
    {                                                                                              \
        *attributes = (pthread_##object##_t){__VA_ARGS__};                                         \
        return 0;                                                                                  \
    }                                                                                              \
    int pthread_##object##_destroy(pthread_##object##_t *attributes)                               \
    {                                                                                              \
        (void)attributes;                                                                          \
        return 0;                                                                                  \
    }

INIT_AND_DESTROY(mutexattr, .type = PTHREAD_MUTEX_DEFAULT)
ATTRIBUTE(mutexattr, type, type, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ERRORCHECK)
ATTRIBUTE(mutexattr, robust, robust, PTHREAD_MUTEX_ROBUST, PTHREAD_MUTEX_ROBUST)
ATTRIBUTE(mutexattr, pshared, shared, PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED)
ATTRIBUTE(mutexattr, protocol, protocol, PTHREAD_PRIO_NONE, PTHREAD_PRIO_PROTECT)
INIT_AND_DESTROY(condattr, .clock = CLOCK_REALTIME)
ATTRIBUTE(condattr, pshared, shared, PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED)
INIT_AND_DESTROY(rwlockattr, .shared = PTHREAD_PROCESS_PRIVATE)
ATTRIBUTE(rwlockattr, pshared, shared, PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED)
INIT_AND_DESTROY(barrierattr, .shared = PTHREAD_PROCESS_PRIVATE)
ATTRIBUTE(barrierattr, pshared, shared, PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED)

int pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return EINVAL;
    attributes->clock = clock;
    return 0;
}

int pthread_condattr_getclock(const pthread_condattr_t *attributes, clockid_t *clock)
{
    *clock = attributes->clock;
    return 0;
}

/* The library's ring takes no notice of priorities. */
int pthread_getschedparam(pthread_t thread, int *policy, struct sched_param *parameters)
{
    exos_hold();
    int error = thread_exists(thread) ? 0 : ESRCH;
    if (!error) {
        *policy = SCHED_OTHER;
        parameters->sched_priority = thread->priority;
    }
    exos_release();
    return error;
}

int pthread_setschedparam(pthread_t thread, int policy, const struct sched_param *parameters)
{
    if (policy != SCHED_OTHER || parameters->sched_priority < 0 ||
        parameters->sched_priority > THREAD_PRIORITY_MAX)
        return EINVAL;
    exos_hold();
    int error = thread_exists(thread) ? 0 : ESRCH;
    if (!error)
        thread->priority = parameters->sched_priority;
    exos_release();
    return error;
}
