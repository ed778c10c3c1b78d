/*
 * What the kernel does for a binding is paid by the binding's owner (design section 2.7; SOSP '95
 * leaves it open): the time of classifying, copying and handling a frame, or of taking a disk's
 * answer, becomes a debt, which the owner's next slices pay, and the slice that the interrupt came
 * into lasts longer by the same time.
 *
 * While nobody can run (wfi) nothing is charged: what is done then costs nobody anything.
 */
#ifndef AEGIS_KERNEL_CHARGE_H
#define AEGIS_KERNEL_CHARGE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"
#include "kernel/hart.h"
#include "kernel/rv64/csr.h"

/* From here on somebody could run instead of what is done for devices, until charge_end. */
static inline void charge_begin(void)
{
    this_hart->charging = true;
}

static inline void charge_end(void)
{
    this_hart->charging = false;
}

static inline bool charge_runs(void)
{
    return this_hart->charging;
}

/* The time since the clock stood at since was for a frame or a request of env's, who owes it, up to
 * a sixteenth of a slice. Returns what it shows now. */
uint64_t charge_work(uint32_t env, uint64_t since);

/*
 * The same for an answer to a request of env's. In its own slice that pays at once: nothing is
 * owed, and the slice doesn't last longer for it. So who asks much keeps others waiting no longer.
 */
uint64_t charge_answer(uint32_t env, uint64_t since);

/* env owes ticks more, up to a limit: who was flooded comes back some day. */
void charge_owe(uint32_t env, uint64_t ticks);

/* Whether frames of env's pass its handlers by: half a slice is owed. */
bool charge_credit_is_spent(uint32_t env);

/* Whether frames of env's are dropped once they are classified: a slice is owed. */
bool charge_is_broke(uint32_t env);

#endif
