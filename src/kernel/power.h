/* The end of the machine. */
#ifndef AEGIS_KERNEL_POWER_H
#define AEGIS_KERNEL_POWER_H

#include <stdint.h>

struct device;

/* Names the board's test device, if it has one. Before, a fixed address of QEMU's virt board is
 * used. */
void power_init(const struct device *test);

/* Ends the machine with an exit status, 0 to 255. */
_Noreturn void power_off(uint32_t status);

#endif
