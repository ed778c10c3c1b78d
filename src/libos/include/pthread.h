/*
 * POSIX threads, as ExOS has them: threads of one process, switched and scheduled by the library
 * itself (libos/thread/thread.h, docs/exos.md). Functions return 0 or an errno value, and set
 * errno never.
 *
 * Where POSIX leaves open what happens: locking a mutex of the default type twice is EDEADLK, and
 * unlocking another's EPERM; destroying what somebody waits for or holds is EBUSY, and using it
 * after that EINVAL; a mutex whose holder has ended is had with EOWNERDEAD by the next, robust or
 * not; a handler of an exception that would have to wait for one gets EDEADLK. There is no
 * cancellation and nothing is shared between processes: attributes that ask for that get ENOTSUP.
 */
#ifndef EXOS_PTHREAD_H
#define EXOS_PTHREAD_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct thread;
typedef struct thread *pthread_t;

typedef struct {
    size_t stack_size, guard_size;
    void *stack; /* its lowest address, or NULL: the library makes one */
    int detached;
    struct sched_param parameters;
} pthread_attr_t;

/* Threads that wait for the same thing, first come first served. */
struct thread_queue {
    struct thread *first, *last;
};

typedef struct {
    uint64_t owner; /* its mark; bit 0: somebody waits. 0: free */
    uint32_t depth; /* beyond the first lock */
    uint16_t type, flags;
    struct thread_queue waiters;
} pthread_mutex_t;

typedef struct {
    int type, robust, shared, protocol;
} pthread_mutexattr_t;

typedef struct {
    uint64_t flags;
    clockid_t clock;
    struct thread_queue waiters;
} pthread_cond_t;

typedef struct {
    clockid_t clock;
    int shared;
} pthread_condattr_t;

typedef struct {
    uint64_t readers, writer, flags; /* writer: its mark */
    struct thread_queue waiters;     /* of both kinds, in the order in which they came */
} pthread_rwlock_t;

typedef struct {
    int shared;
} pthread_rwlockattr_t;

typedef struct {
    uint64_t count, arrived, round, flags;
    struct thread_queue waiters;
} pthread_barrier_t;

typedef struct {
    int shared;
} pthread_barrierattr_t;

typedef volatile uint64_t pthread_spinlock_t;
typedef struct {
    uint64_t state;
    struct thread_queue waiters;
} pthread_once_t;
typedef unsigned pthread_key_t;

#define PTHREAD_MUTEX_DEFAULT         0
#define PTHREAD_MUTEX_NORMAL          1
#define PTHREAD_MUTEX_RECURSIVE       2
#define PTHREAD_MUTEX_ERRORCHECK      3
#define PTHREAD_MUTEX_STALLED         0
#define PTHREAD_MUTEX_ROBUST          1
#define PTHREAD_PRIO_NONE             0
#define PTHREAD_PRIO_INHERIT          1
#define PTHREAD_PRIO_PROTECT          2
#define PTHREAD_PROCESS_PRIVATE       0
#define PTHREAD_PROCESS_SHARED        1
#define PTHREAD_CREATE_JOINABLE       0
#define PTHREAD_CREATE_DETACHED       1
#define PTHREAD_SCOPE_PROCESS         0
#define PTHREAD_SCOPE_SYSTEM          1
#define PTHREAD_BARRIER_SERIAL_THREAD (-1)
#define PTHREAD_STACK_MIN             8192
#define PTHREAD_KEYS_MAX              128
#define PTHREAD_DESTRUCTOR_ITERATIONS 4

/* clang-format off: aggregates that stand in initialisers */
#define PTHREAD_MUTEX_INITIALIZER                                                                  \
    {                                                                                              \
        0, 0, PTHREAD_MUTEX_DEFAULT, 0,                                                            \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
#define PTHREAD_RECURSIVE_MUTEX_INITIALIZER                                                        \
    {                                                                                              \
        0, 0, PTHREAD_MUTEX_RECURSIVE, 0,                                                          \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
#define PTHREAD_ERRORCHECK_MUTEX_INITIALIZER                                                       \
    {                                                                                              \
        0, 0, PTHREAD_MUTEX_ERRORCHECK, 0,                                                         \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
#define PTHREAD_COND_INITIALIZER                                                                   \
    {                                                                                              \
        0, CLOCK_REALTIME,                                                                         \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
#define PTHREAD_RWLOCK_INITIALIZER                                                                 \
    {                                                                                              \
        0, 0, 0,                                                                                   \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
#define PTHREAD_ONCE_INIT                                                                          \
    {                                                                                              \
        0,                                                                                         \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
/* clang-format on */

/* ENOMEM-like shortness is EAGAIN, as POSIX has it. The thread inherits the floating-point modes.
 */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument);
/* ESRCH for what is no thread any more; EDEADLK for oneself; EINVAL for one that is detached or
 * that somebody joins. */
int pthread_join(pthread_t thread, void **value);
int pthread_tryjoin_np(pthread_t thread, void **value); /* EBUSY: it runs */
int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *deadline);
int pthread_detach(pthread_t thread);
_Noreturn void pthread_exit(void *value);
pthread_t pthread_self(void);
int pthread_equal(pthread_t one, pthread_t other);
int pthread_once(pthread_once_t *once, void (*function)(void));
/* What fork runs, the last registered first before it, in their order after it. ENOMEM. */
int pthread_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));
int pthread_setname_np(pthread_t thread, const char *name); /* ERANGE beyond 15 characters */
int pthread_getname_np(pthread_t thread, char *name, size_t size);

int pthread_attr_init(pthread_attr_t *attributes);
int pthread_attr_destroy(pthread_attr_t *attributes);
int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size);
int pthread_attr_getstacksize(const pthread_attr_t *attributes, size_t *size);
int pthread_attr_setguardsize(pthread_attr_t *attributes, size_t size);
int pthread_attr_getguardsize(const pthread_attr_t *attributes, size_t *size);
int pthread_attr_setstack(pthread_attr_t *attributes, void *stack, size_t size);
int pthread_attr_getstack(const pthread_attr_t *attributes, void **stack, size_t *size);
int pthread_attr_setdetachstate(pthread_attr_t *attributes, int detached);
int pthread_attr_getdetachstate(const pthread_attr_t *attributes, int *detached);
int pthread_attr_setschedparam(pthread_attr_t *attributes, const struct sched_param *parameters);
int pthread_attr_getschedparam(const pthread_attr_t *attributes, struct sched_param *parameters);

/* Policy SCHED_OTHER; priorities 0 to 31 are noted for a scheduler of the program's own. */
int pthread_getschedparam(pthread_t thread, int *policy, struct sched_param *parameters);
int pthread_setschedparam(pthread_t thread, int policy, const struct sched_param *parameters);

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int pthread_mutex_destroy(pthread_mutex_t *mutex);
int pthread_mutex_lock(pthread_mutex_t *mutex);
int pthread_mutex_trylock(pthread_mutex_t *mutex);
int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *deadline);
int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                            const struct timespec *deadline);
int pthread_mutex_unlock(pthread_mutex_t *mutex);
int pthread_mutex_consistent(pthread_mutex_t *mutex);
int pthread_mutexattr_init(pthread_mutexattr_t *attributes);
int pthread_mutexattr_destroy(pthread_mutexattr_t *attributes);
int pthread_mutexattr_settype(pthread_mutexattr_t *attributes, int type);
int pthread_mutexattr_gettype(const pthread_mutexattr_t *attributes, int *type);
int pthread_mutexattr_setrobust(pthread_mutexattr_t *attributes, int robust);
int pthread_mutexattr_getrobust(const pthread_mutexattr_t *attributes, int *robust);
int pthread_mutexattr_setpshared(pthread_mutexattr_t *attributes, int shared);
int pthread_mutexattr_getpshared(const pthread_mutexattr_t *attributes, int *shared);
int pthread_mutexattr_setprotocol(pthread_mutexattr_t *attributes, int protocol);
int pthread_mutexattr_getprotocol(const pthread_mutexattr_t *attributes, int *protocol);

int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes);
int pthread_cond_destroy(pthread_cond_t *condition);
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                           const struct timespec *deadline);
int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *deadline);
int pthread_cond_signal(pthread_cond_t *condition);
int pthread_cond_broadcast(pthread_cond_t *condition);
int pthread_condattr_init(pthread_condattr_t *attributes);
int pthread_condattr_destroy(pthread_condattr_t *attributes);
int pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock);
int pthread_condattr_getclock(const pthread_condattr_t *attributes, clockid_t *clock);
int pthread_condattr_setpshared(pthread_condattr_t *attributes, int shared);
int pthread_condattr_getpshared(const pthread_condattr_t *attributes, int *shared);

int pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes);
int pthread_rwlock_destroy(pthread_rwlock_t *lock);
int pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock);
int pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *deadline);
int pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int pthread_rwlock_trywrlock(pthread_rwlock_t *lock);
int pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *deadline);
int pthread_rwlock_unlock(pthread_rwlock_t *lock);
int pthread_rwlockattr_init(pthread_rwlockattr_t *attributes);
int pthread_rwlockattr_destroy(pthread_rwlockattr_t *attributes);
int pthread_rwlockattr_setpshared(pthread_rwlockattr_t *attributes, int shared);
int pthread_rwlockattr_getpshared(const pthread_rwlockattr_t *attributes, int *shared);

int pthread_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes,
                         unsigned count);
int pthread_barrier_destroy(pthread_barrier_t *barrier);
int pthread_barrier_wait(pthread_barrier_t *barrier);
int pthread_barrierattr_init(pthread_barrierattr_t *attributes);
int pthread_barrierattr_destroy(pthread_barrierattr_t *attributes);
int pthread_barrierattr_setpshared(pthread_barrierattr_t *attributes, int shared);
int pthread_barrierattr_getpshared(const pthread_barrierattr_t *attributes, int *shared);

/* A spin lock gives its slice to other threads while it is taken. */
int pthread_spin_init(pthread_spinlock_t *lock, int shared);
int pthread_spin_destroy(pthread_spinlock_t *lock);
int pthread_spin_lock(pthread_spinlock_t *lock);
int pthread_spin_trylock(pthread_spinlock_t *lock);
int pthread_spin_unlock(pthread_spinlock_t *lock);

int pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int pthread_key_delete(pthread_key_t key);
int pthread_setspecific(pthread_key_t key, const void *value);
void *pthread_getspecific(pthread_key_t key);

/* What pthread_exit runs that a thread has pushed and not popped, the last first. */
struct pthread_cleanup {
    void (*function)(void *);
    void *argument;
    struct pthread_cleanup *before;
};
void pthread_cleanup_add(struct pthread_cleanup *cleanup);
void pthread_cleanup_take(struct pthread_cleanup *cleanup, int execute);
#define pthread_cleanup_push(function, argument)                                                   \
    do {                                                                                           \
        struct pthread_cleanup pthread_cleanup_ = {(function), (argument), 0};                     \
    pthread_cleanup_add(&pthread_cleanup_)
#define pthread_cleanup_pop(execute)                                                               \
    pthread_cleanup_take(&pthread_cleanup_, (execute));                                            \
    }                                                                                              \
    while (0)

#endif
