/* virtio console (specification 1.2, section 5.3): port 0 alone, a stream of bytes each way. */
#ifndef AEGIS_KERNEL_DRIVERS_VIRTIO_CONSOLE_H
#define AEGIS_KERNEL_DRIVERS_VIRTIO_CONSOLE_H

#include "kernel/drivers/virtio.h"

/* Starts the device and binds its interrupt. Its owner is FIRST_ENV (console.c's calls are here).
 */
void console_init(const struct virtio *device);

#endif
