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

#include <stdbool.h>
#include <stddef.h>
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

/*
 * What a part of the library wants to know of beginnings of slices: threads change over there, and
 * signals are looked for. Parts are asked in the order in which they came, behind the program's own
 * hook, and with the same duties as that; who finds the program holding something
 * (libos/upcall/hold.h) comes back later.
 *
 * They are left out where what was interrupted has to go on by itself: inside handlers of
 * exceptions, whose stack is the program's only one, and in code of section .text.whole, which goes
 * from one stack to another. The next slice has to do then.
 */
struct slice_listener {
    slice_hook begins;
    bool is_last;                /* it exchanges the context: nobody is asked behind it */
    struct slice_listener *next; /* the library's */
};

/* Adds one, which stays. Returns 0 or slice_set's errors. */
int64_t slice_listen(struct slice_listener *listener);

/* In a fork's child, which the kernel knows nothing of: names its epilogue and prologue again. */
void slice_in_child(void);

/* How many slices ended in the program's epilogue. */
uint64_t slice_ends(void);

#endif
