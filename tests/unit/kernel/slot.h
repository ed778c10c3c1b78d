/* One slot for a virtio device, and memory for its driver: for tests of a driver without the rest
 * of the kernel. */
#ifndef AEGIS_TESTS_SLOT_H
#define AEGIS_TESTS_SLOT_H

#include "device.h"
#include "kernel/drivers/virtio.h"

#define SLOT_BASE 0x80000000UL /* physical address of the memory */

extern struct device_model model; /* answers behind the slot's registers */
extern const struct device slot;

/* A test's set-up and its end: 32 MiB of memory, all zero, which *state keeps. */
int slot_begin(void **state);
int slot_end(void **state);

#endif
