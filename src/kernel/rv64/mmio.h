/* Registers of devices: each access is one load or store, in program order (I/O memory, PMA). */
#ifndef AEGIS_KERNEL_RV64_MMIO_H
#define AEGIS_KERNEL_RV64_MMIO_H

#include <stdint.h>

static inline uint8_t mmio_read8(const volatile uint8_t *at)
{
    return *at;
}

static inline uint16_t mmio_read16(const volatile uint16_t *at)
{
    return *at;
}

static inline uint32_t mmio_read(const volatile uint32_t *at)
{
    return *at;
}

static inline void mmio_write(volatile uint32_t *at, uint32_t value)
{
    *at = value;
}

#endif
