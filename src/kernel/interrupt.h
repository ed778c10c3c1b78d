/* Interrupts of devices: who handles which, and looking for pending ones. The kernel never enables
   them for itself: they are taken from user mode, or polled here. */
#ifndef AEGIS_KERNEL_INTERRUPT_H
#define AEGIS_KERNEL_INTERRUPT_H

#include <stdint.h>

/* Has the PLIC deliver irq to this hart, and calls handler(argument) for it. Refuses to boot if irq
 * is none. */
void interrupt_bind(uint32_t irq, void (*handler)(void *argument), void *argument);

/* Handles every device interrupt that is pending. */
void interrupt_poll(void);

#endif
