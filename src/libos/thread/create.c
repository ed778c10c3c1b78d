/* Making threads, ending them, and waiting for their ends. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libos/start/start.h"
#include "libos/thread/internal.h"
#include "libos/time/deadline.h"
#include "libos/vm/vm.h"

static const pthread_attr_t usual = {.stack_size = THREAD_STACK, .guard_size = AEGIS_PAGE_SIZE};

/*
 * From the lowest address: the guard, the stack, struct thread, the TLS block. Returns the tp, 0 if
 * there is no memory; *memory is what the library has to free.
 */
static uint64_t place(const pthread_attr_t *attributes, void **memory)
{
    size_t top = thread_tls_size();
    *memory = NULL;
    if (attributes->stack)
        return (((uint64_t)attributes->stack + attributes->stack_size) & ~15UL) - top;
    uint64_t size = vm_pages(attributes->stack_size + THREAD_SIZE + top) * AEGIS_PAGE_SIZE;
    void *stack = thread_map_stack(size, attributes->guard_size, memory);
    return stack ? (uint64_t)stack + size - top : 0;
}

static void prepare(struct thread *t, const pthread_attr_t *attributes, void *(*start)(void *),
                    void *argument)
{
    uint64_t fcsr;
    __asm__("frcsr %0" : "=r"(fcsr));
    memset(t, 0, sizeof *t);
    t->resume = (uint64_t)thread_begin;
    t->x[2] = (uint64_t)t;
    t->x[8] = (uint64_t)start;
    t->x[9] = (uint64_t)argument;
    t->fcsr = fcsr;
    t->deadline = AEGIS_FOREVER;
    t->is_detached = attributes->detached;
    t->priority = attributes->parameters.sched_priority;
    t->next = thread_scheduler;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    const pthread_attr_t *a = attributes ? attributes : &usual;
    void *memory;

    exos_hold();
    int error = thread_make_scheduler();
    exos_release();
    if (error)
        return error;
    uint64_t tp = place(a, &memory);
    if (!tp)
        return EAGAIN;
    struct thread *t = thread_at(tp);
    prepare(t, a, start, argument);
    t->memory = memory;
    _init_tls((void *)tp);
    *thread = t;
    exos_hold();
    thread_add(t);
    t->is_runnable = true;
    thread_events->unblock(&t->strand);
    exos_release();
    return 0;
}

/* The last thread's end is the process's. */
_Noreturn void pthread_exit(void *value)
{
    struct thread *self = thread_self();

    while (self->cleanup)
        pthread_cleanup_take(self->cleanup, 1);
    thread_end_keys(self);
    exos_hold();
    if (thread_live == 1) {
        exos_release();
        exit(0);
    }
    thread_live--;
    self->value = value;
    self->has_ended = true;
    thread_end_mutexes(self);
    if (self->joiner)
        thread_unblock(self->joiner, 0);
    else if (self->is_detached)
        thread_discard(self);
    thread_leave();
}

static int join(pthread_t thread, void **value, uint64_t deadline)
{
    struct thread *self = thread_self();
    int64_t result = deadline ? 0 : THREAD_TIMEOUT; /* who only tries is nobody's joiner */

    if (thread == self)
        return EDEADLK;
    exos_hold();
    int error = !thread_exists(thread) ? ESRCH : thread->is_detached || thread->joiner ? EINVAL : 0;
    while (!error && !thread->has_ended && result != THREAD_TIMEOUT) {
        thread->joiner = self;
        result = thread_block(deadline);
        thread->joiner = NULL;
    }
    if (!error && !thread->has_ended)
        error = ETIMEDOUT;
    if (!error) {
        if (value)
            *value = thread->value;
        thread_discard(thread);
        thread_free_discarded();
    }
    exos_release();
    return error;
}

int pthread_join(pthread_t thread, void **value)
{
    return join(thread, value, AEGIS_FOREVER);
}

int pthread_tryjoin_np(pthread_t thread, void **value)
{
    int error = join(thread, value, 0);
    return error == ETIMEDOUT ? EBUSY : error;
}

int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *at)
{
    uint64_t deadline;
    int error = time_deadline(CLOCK_REALTIME, at, &deadline);
    return error ? error : join(thread, value, deadline);
}

int pthread_detach(pthread_t thread)
{
    exos_hold();
    int error = !thread_exists(thread) ? ESRCH : thread->is_detached || thread->joiner ? EINVAL : 0;
    if (!error) {
        thread->is_detached = true;
        if (thread->has_ended)
            thread_discard(thread);
    }
    exos_release();
    return error;
}

pthread_t pthread_self(void)
{
    return thread_self();
}

int pthread_equal(pthread_t one, pthread_t other)
{
    return one == other;
}

void pthread_cleanup_add(struct pthread_cleanup *cleanup)
{
    struct thread *self = thread_self();
    cleanup->before = self->cleanup;
    self->cleanup = cleanup;
}

void pthread_cleanup_take(struct pthread_cleanup *cleanup, int execute)
{
    thread_self()->cleanup = cleanup->before;
    if (execute)
        cleanup->function(cleanup->argument);
}

static int name_of(pthread_t thread, char **name)
{
    *name = thread->name;
    return thread_exists(thread) ? 0 : ESRCH;
}

int pthread_setname_np(pthread_t thread, const char *name)
{
    char *at;
    if (strlen(name) >= THREAD_NAME)
        return ERANGE;
    exos_hold();
    int error = name_of(thread, &at);
    if (!error)
        strcpy(at, name);
    exos_release();
    return error;
}

int pthread_getname_np(pthread_t thread, char *name, size_t size)
{
    char *at;
    exos_hold();
    int error = name_of(thread, &at);
    if (!error && strlen(at) >= size)
        error = ERANGE;
    if (!error)
        strcpy(name, at);
    exos_release();
    return error;
}
