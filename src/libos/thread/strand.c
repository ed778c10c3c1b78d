/*
 * Blocking, unblocking, and the scheduler: a strand without a state that chooses who goes on when a
 * neighbour in the ring won't do: nobody can run, something outside is due, a thread has ended, or
 * the program schedules.
 */
#include "libos/start/calls.h"
#include "libos/thread/internal.h"
#include "libos/vm/vm.h"
#include "libos/wait/wait.h"

#define STACK_PAGES 4

/* Why the scheduler was gone to; a yield comes by `next` and says nothing. */
static enum why { YIELDED, PREEMPTED, BLOCKED } why;
static struct thread *running; /* as the scheduler knows: right while the program schedules */

/* One region: a stack, the structure, and a TLS block for errno, which functions set that it calls.
 */
int thread_make_scheduler(void)
{
    if (thread_scheduler)
        return 0;
    size_t tls = thread_tls_size();
    uint8_t *memory = vm_alloc(STACK_PAGES, VM_READ_WRITE);
    if (!memory)
        return EAGAIN;
    if (thread_preempt() < 0) {
        vm_free(memory);
        return EAGAIN;
    }
    uint64_t tp = (uint64_t)memory + STACK_PAGES * AEGIS_PAGE_SIZE - tls;
    struct thread *scheduler = thread_at(tp), *self = thread_self();

    _init_tls((void *)tp);
    scheduler->resume = (uint64_t)thread_arrive;
    scheduler->x[2] = (uint64_t)scheduler;
    thread_scheduler = tp;
    exos_wait_hooks.give_away = thread_give_away;
    exos_wait_hooks.threads = &thread_live;
    self->is_runnable = true;
    thread_events->unblock(&self->strand);
    return 0;
}

/* The neighbour, unless there is something to look at first. */
static uint64_t whom_to_go_to(const struct thread *self)
{
    if (thread_is_waiting_due() || thread_has_discarded()) {
        why = BLOCKED;
        return thread_scheduler;
    }
    why = self->next == thread_scheduler ? BLOCKED : YIELDED;
    return self->next;
}

/* A handler of a signal may be due that nobody else would run: exos_wait does that for its callers.
 */
static void answer_bell(void)
{
    exos_release();
    if (exos_wait_hooks.rung)
        exos_wait_hooks.rung();
    exos_hold();
}

int64_t thread_block(uint64_t deadline)
{
    struct thread *self = thread_self();
    uint64_t next = whom_to_go_to(self);

    self->is_runnable = false;
    thread_time(self, deadline);
    thread_events->block(&self->strand);
    thread_switch(next);
    exos_hold();
    if (self->result == THREAD_RUNG)
        answer_bell();
    return self->result;
}

void thread_unblock(struct thread *thread, int64_t result)
{
    if (thread->is_runnable)
        return;
    thread_untime(thread);
    thread_unwait(thread);
    if (thread->queue)
        thread_dequeue(thread);
    thread->result = result;
    thread->is_runnable = true;
    thread_events->unblock(&thread->strand);
}

_Noreturn void thread_leave(void)
{
    struct thread *self = thread_self();

    self->is_runnable = false;
    why = BLOCKED;
    thread_events->block(&self->strand);
    thread_switch(thread_scheduler);
    __builtin_unreachable();
}

/* Everything runnable is told to the new scheduler, the caller too, which goes on when it is
 * chosen. */
int strand_schedule(const struct strand_events *events)
{
    exos_hold();
    int error = thread_make_scheduler();
    if (error) {
        exos_release();
        return error;
    }
    for (struct thread *t = thread_all; t; t = t->all) {
        t->strand.left = t->strand.right = NULL;
        t->next = thread_scheduler;
    }
    thread_set_events(events);
    for (struct thread *t = thread_all; t; t = t->all)
        if (t->is_runnable)
            thread_events->unblock(&t->strand);
    why = BLOCKED; /* nobody is to be checkpointed */
    thread_switch(thread_scheduler);
    return 0;
}

/* Of the listener of slices: whom to go on with, or 0 if nobody else is there. */
uint64_t thread_preempted(const struct thread *self)
{
    if (thread_is_ring() && !thread_is_waiting_due() && !thread_has_discarded())
        return self->next == thread_scheduler ? 0 : self->next;
    why = PREEMPTED;
    running = (struct thread *)(uintptr_t)self;
    return thread_scheduler;
}

/* The running one may go on: tells its scheduler, unless it has blocked. Returns it if it yielded.
 */
static struct thread *put_back(enum why reason)
{
    if (reason == BLOCKED)
        return NULL;
    struct strand *alone = thread_is_ring() && reason == YIELDED ? thread_events->resume() : NULL;
    if (alone)
        return thread_of(alone);
    thread_events->checkpoint(&running->strand);
    return reason == YIELDED ? running : NULL;
}

/* Requests for pages that came while something was held, and that nobody has looked at since. */
static void give_pages(void)
{
    if (exos_held_pending & 1UL << EXOS_HELD_PAGES) {
        exos_held_pending &= ~(1UL << EXOS_HELD_PAGES);
        exos_held_hooks[EXOS_HELD_PAGES]();
    }
}

/* On its own stack, holding. */
_Noreturn void thread_schedule(void)
{
    enum why reason = why;
    why = YIELDED;
    struct thread *yielded = put_back(reason);
    struct strand *next;

    for (;;) {
        thread_free_discarded();
        give_pages();
        thread_poll();
        next = thread_events->resume();
        if (!next) {
            thread_wait_idly();
            continue;
        }
        running = thread_of(next);
        if (running != yielded)
            thread_run(thread_tp(running));
        aegis_yield(0); /* nobody else wants to run here: perhaps somebody elsewhere */
        thread_run_alone(thread_tp(running));
    }
}
