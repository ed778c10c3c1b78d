/*
 * The ends and beginnings of a program's slices, as its own affair (SOSP 1995, section 5.1.1;
 * design section 4).
 *
 * Without them the kernel keeps all registers where a slice ends, which is right for most programs.
 * A program that schedules threads of its own learns from them when it is about to lose the
 * processor, and goes on with whomever it likes when it has it again.
 */
#ifndef EXOS_SLICE_SLICE_H
#define EXOS_SLICE_SLICE_H

#include <stdint.h>

#include "abi/abi.h"

/*
 * What was interrupted: x[n - 1] is register n. The floating-point registers
 * are as they were, and stay so until a hook uses them: they are in no context.
 */
typedef void (*slice_hook)(struct aegis_context *context);

/*
 * Call ends when a slice is over, and begins when the next one comes; either may be NULL. Both run
 * between any two instructions of the program, on a stack of their own, and must not wait, nor use
 * what takes the heap's lock.
 *
 * ends has info.epilogue ticks, its entry included; what it takes beyond is taken off the next
 * slices, and the kernel interrupts it where it is. begins may change the context, or exchange it
 * for another's, and so choose what goes on. A slice ends without them while the program handles a
 * revocation, or has no free upcall frame.
 *
 * Both NULL: the kernel does it again. Returns 0 or a negated error: STATE, the upcall page could
 * not be bound.
 */
int64_t slice_set(slice_hook ends, slice_hook begins);

/* How many slices ended in the program's epilogue. */
uint64_t slice_ends(void);

#endif
