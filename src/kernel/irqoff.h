/*
 * The longest stretch with interrupts off (design section 2.4), measured in a kernel built with
 * IRQOFF=1: in guest instructions from a trap, or from the last look at pending interrupts, to the
 * return to user mode or the next look. It counts instret, so QEMU has to run with -icount; the
 * firmware's part of an exception is not in it. Told on the log when the machine is shut down.
 */
#ifndef AEGIS_KERNEL_IRQOFF_H
#define AEGIS_KERNEL_IRQOFF_H

#include <stdint.h>

#if IRQOFF
typedef long call_function(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

/* Makes system call number, and remembers it as what the stretch is for. */
long irqoff_call(uint64_t number, call_function *function, const uint64_t r[5]);

/* The stretch is for a trap with this scause. */
void irqoff_trap(uint64_t cause);

/* The stretch ends: user mode is about to be entered, or interrupts are looked at and a new one
 * begins. */
void irqoff_end(void);

/* A stretch begins behind a wait for interrupts, or a look at them. */
void irqoff_begin(void);

/* Prints what was found. */
void irqoff_report(void);
#else
static inline void irqoff_trap(uint64_t cause)
{
    (void)cause;
}

static inline void irqoff_end(void)
{
}

static inline void irqoff_begin(void)
{
}

static inline void irqoff_report(void)
{
}
#endif

#endif
