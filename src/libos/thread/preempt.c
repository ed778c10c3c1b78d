/*
 * Preemption: where a slice begins, another thread may go on than the one whose slice ended. All
 * registers of that one go below its tp; the kernel then resumes at thread_load with the other's
 * tp, as if there had been a switch.
 */
#include <string.h>

#include "libos/slice/slice.h"
#include "libos/thread/internal.h"

#define X_SP 1 /* in aegis_context.x, whose first is register 1 */
#define X_TP 3
#define X_A0 9

void thread_save_floating(uint64_t f[32]); /* switch.S */

/* The modes and flags of the next; those of who was interrupted. */
static uint64_t exchange_fcsr(uint64_t fcsr)
{
    uint64_t before;
    __asm__ volatile("fscsr %0, %1" : "=r"(before) : "r"(fcsr));
    return before;
}

static void begins(struct aegis_context *context)
{
    struct thread *self = thread_at(context->x[X_TP]);

    if (context->x[X_TP] == thread_scheduler || exos_stopped || exos_held_back(EXOS_HELD_THREADS))
        return;
    uint64_t next = thread_preempted(self);
    if (!next)
        return;
    self->x[0] = context->pc;
    memcpy(&self->x[1], context->x, sizeof context->x);
    thread_save_floating(self->f);
    self->resume = (uint64_t)thread_whole;
    self->fcsr = exchange_fcsr(thread_at(next)->fcsr);
    context->pc = (uint64_t)thread_load;
    context->x[X_TP] = next;
    context->x[X_A0] = 0; /* what sched_yield returns, if it is in that */
}

/* The slice began while something was held: now is as good a time. */
static void catch_up(void)
{
    exos_hold();
    uint64_t next = thread_preempted(thread_self());
    if (next)
        thread_switch(next);
    else
        exos_release();
}

int64_t thread_preempt(void)
{
    static struct slice_listener listener = {.begins = begins, .is_last = true};
    int64_t error = slice_listen(&listener);

    if (error == 0)
        exos_held_hooks[EXOS_HELD_THREADS] = catch_up;
    return error;
}
