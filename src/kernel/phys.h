/* Between physical addresses, the physical map, and the kernel's image. */
#ifndef AEGIS_KERNEL_PHYS_H
#define AEGIS_KERNEL_PHYS_H

#include <stdint.h>

#include "kernel/rv64/layout.h"

static inline void *phys_to_virt(uint64_t physical)
{
    return (void *)(PHYSMAP_BASE + physical);
}

/* Of an address in PHYSMAP. */
static inline uint64_t virt_to_phys(const void *virtual)
{
    return (uintptr_t) virtual - PHYSMAP_BASE;
}

static inline void *ppn_to_virt(uint64_t ppn)
{
    return phys_to_virt(ppn << PAGE_SHIFT);
}

/* Of an address in the kernel's image. */
static inline uint64_t image_to_phys(const void *address)
{
    return (uintptr_t)address - KERNEL_VIRTUAL + KERNEL_LOAD;
}

#endif
