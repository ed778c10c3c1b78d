/*
 * The slice vector: 64 slots of 10 ms a round, whose order is the schedule (SOSP '95,
 * section 5.1.1). Each environment has one slot in this version (docs/limits.md).
 */
#ifndef AEGIS_KERNEL_SLICE_H
#define AEGIS_KERNEL_SLICE_H

#include <stdbool.h>
#include <stdint.h>

struct env;

void slice_init(void);

/* Whether a slot is free. */
bool slice_is_free(void);

/* Gives env a free slot; false if there is none. */
bool slice_grant(uint32_t env);

/* Whose slot number index is; 0 if it is free. */
uint32_t slice_slot(uint32_t index);

/* Frees env's slots. */
void slice_revoke(uint32_t env);

/*
 * Gives the processor to the next slot of the round whose environment can run, ending environments
 * and devices having their turn; waits for an interrupt when there is none. Starts on a fresh
 * stack.
 */
_Noreturn void slice_next(void);

/* The timer came: ends the slice if its time is over, else goes back to env. */
_Noreturn void slice_timer(struct env *env);

#endif
