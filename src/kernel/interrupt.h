/* Interrupts of devices: who handles which, and looking for pending ones. The kernel never enables
   them for itself: they are taken from user mode, or polled here. */
#ifndef AEGIS_KERNEL_INTERRUPT_H
#define AEGIS_KERNEL_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/rv64/csr.h"

/*
 * A device's interrupt. Returns whether anything may have changed that an application can wait for
 * (wake.h): false only if surely nothing has.
 */
typedef bool interrupt_handler(void *argument);

/* Has the PLIC deliver irq to this hart, and calls handler(argument) for it. Refuses to boot if irq
 * is none. */
void interrupt_bind(uint32_t irq, interrupt_handler *handler, void *argument);

/* Handles every device interrupt that is pending; returns what its handlers returned, or-ed. */
bool interrupt_poll(void);

/* Whether one is pending: a look that costs less than a poll. */
static inline bool interrupt_is_pending(void)
{
    return csr_read(sip) & SIE_SEIE;
}

/*
 * Waits until a device's interrupt may have changed what somebody waits for, or the timer's is
 * pending: all others need no look at who could run now. One claim each time, since what is still
 * pending ends the next wait at once.
 */
void interrupt_wait(void);

#endif
