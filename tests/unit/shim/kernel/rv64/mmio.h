/* Registers of devices on the host: each access goes to the test's model of the device. */
#ifndef AEGIS_KERNEL_RV64_MMIO_H
#define AEGIS_KERNEL_RV64_MMIO_H

#include <stdint.h>

#include "host.h"

static inline uint8_t mmio_read8(const volatile uint8_t *at)
{
    return (uint8_t)host_mmio_read(at, sizeof(*at));
}

static inline uint16_t mmio_read16(const volatile uint16_t *at)
{
    return (uint16_t)host_mmio_read(at, sizeof(*at));
}

static inline uint32_t mmio_read(const volatile uint32_t *at)
{
    return host_mmio_read(at, sizeof(*at));
}

static inline void mmio_write(volatile uint32_t *at, uint32_t value)
{
    host_mmio_write(at, value);
}

#endif
