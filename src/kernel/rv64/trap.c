/* Traps that entry.S doesn't finish itself. */
#include "kernel/charge.h"
#include "kernel/env.h"
#include "kernel/fpu.h"
#include "kernel/interrupt.h"
#include "kernel/irqoff.h"
#include "kernel/map.h"
#include "kernel/panic.h"
#include "kernel/print.h"
#include "kernel/slice.h"
#include "kernel/slice_round.h"
#include "kernel/trace.h"
#include "kernel/upcall.h"

_Noreturn void trap_user(struct env *env, uint64_t cause, uint64_t value);
_Noreturn void trap_in_kernel_panic(uint64_t cause);

/* Interrupts of devices, in somebody's slice, which they don't shorten, but for answers to its own
 * requests. */
static void serve_devices(void)
{
    uint64_t began = time_now();

    charge_begin();
    this_hart->payer = this_hart->epilogue ? 0 : slice_slots[this_hart->slot].env;
    this_hart->paid = 0;
    interrupt_poll();
    this_hart->payer = 0;
    charge_end();
    slice_extend(time_now() - began - this_hart->paid);
}

/* From user mode, all registers saved in env (entry.S). */
void trap_user(struct env *env, uint64_t cause, uint64_t value)
{
    irqoff_trap(cause);
    switch (cause) {
    case CAUSE_TIMER:
        slice_timer(env);
    case CAUSE_EXTERNAL:
        serve_devices();
        env_enter(env);
    case CAUSE_ILLEGAL:
        if (fpu_take(env))
            env_enter(env);
        break;
    case CAUSE_FETCH_PAGE_FAULT:
    case CAUSE_LOAD_PAGE_FAULT:
    case CAUSE_STORE_PAGE_FAULT:
        if (map_mend_fault(env, value, cause))
            env_enter(env);
        break;
    default:
        break;
    }
    if (cause & CAUSE_INTERRUPT)
        panic("interrupt %lu, which is not enabled", cause & ~CAUSE_INTERRUPT);
    trace_exception(cause, env->pc, value);
    upcall_exception(env, cause, value);
}

void trap_in_kernel_panic(uint64_t cause)
{
    panic_trap(cause, this_hart->panic_regs);
}
