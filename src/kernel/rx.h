/* One frame's way in: device, classifier, the owner's ring. */
#ifndef AEGIS_KERNEL_RX_H
#define AEGIS_KERNEL_RX_H

#include <stdbool.h>

/* The interrupt of an interface (struct netif); see interrupt_handler. */
bool rx_interrupt(void *netif);

/*
 * Goes on with interfaces that had more frames than one entry may handle; called at slice
 * boundaries and before waiting. Returns whether there are still more.
 */
bool rx_continue(void);

#endif
