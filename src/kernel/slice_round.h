/*
 * Going round the slice vector: who runs, for how long, and what an environment owes.
 *
 * A slice ends in the environment's epilogue (SOSP '95, section 5.1.1), if it has bound one: an
 * upcall that saves what it wants saved and yields within info.epilogue ticks; the next slice
 * begins in its prologue. Without one, the kernel keeps all registers. Whoever doesn't yield in
 * time is interrupted all the same, since the kernel can save registers too; what it took beyond
 * its slice it owes.
 *
 * env_infos[n].debt are ticks that n has had in advance: overrun epilogues, and what the kernel did
 * for its bindings (charge.h). A slot that comes up pays up to a slice of it. So does one whose
 * environment sleeps: it would have had that time, and with nobody else to run the round goes so
 * fast that nothing is owed for long.
 */
#ifndef AEGIS_KERNEL_SLICE_ROUND_H
#define AEGIS_KERNEL_SLICE_ROUND_H

#include <stdint.h>

#include "kernel/hart.h"

struct env;

/*
 * Gives the processor to the next slot of the round whose environment can run, ending environments
 * and devices having their turn; waits for an interrupt when there is none. Starts on a fresh
 * stack.
 */
_Noreturn void run_on_stack(uint64_t top, void (*function)(void)); /* entry.S */
_Noreturn void slice_schedule(void);                               /* schedule.c */
static inline __attribute__((always_inline)) _Noreturn void slice_next(void)
{
    run_on_stack(this_hart->stack, slice_schedule);
}

/* The timer came: ends the slice if its time is over, else goes back to env. */
_Noreturn void slice_timer(struct env *env);

/* The slice under way lasts longer by what the kernel took of it for others: ticks. */
void slice_extend(uint64_t ticks);

/* env, whose call this is, gives the processor away: if it does so in its epilogue, that has ended
 * in time. */
void slice_epilogue_ends(struct env *env);

#endif
