/* virtio entropy device (specification 1.2, section 5.4). */
#ifndef AEGIS_KERNEL_DRIVERS_VIRTIO_RNG_H
#define AEGIS_KERNEL_DRIVERS_VIRTIO_RNG_H

#include <stddef.h>

#include "kernel/drivers/virtio.h"

/*
 * Takes length bytes from the device, at boot and by polling; returns how many came within a
 * second, and leaves the device reset.
 */
size_t virtio_rng_read(struct virtio *device, void *bytes, size_t length);

#endif
