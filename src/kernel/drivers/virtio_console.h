/* virtio console (specification 1.2, section 5.3): port 0 alone, a stream of bytes each way. */
#ifndef AEGIS_KERNEL_DRIVERS_VIRTIO_CONSOLE_H
#define AEGIS_KERNEL_DRIVERS_VIRTIO_CONSOLE_H

#include <stdint.h>

#include "kernel/drivers/virtio.h"

/* Starts the device and binds its interrupt. FIRST_ENV owns it, and has its use until somebody
 * binds it (the calls are here). */
void console_init(const struct virtio *device);

/* Gives the use of it back to FIRST_ENV if env has it. */
void console_end_env(uint32_t env);

#endif
