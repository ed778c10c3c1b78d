/* Physical addresses on the host: an offset into a buffer; the image is where its symbols are
 * (host.c). */
#ifndef AEGIS_KERNEL_PHYS_H
#define AEGIS_KERNEL_PHYS_H

#include <stdint.h>

#include "host.h"
#include "kernel/rv64/layout.h"

static inline void *phys_to_virt(uint64_t physical)
{
    return host_at(physical, 1);
}

static inline uint64_t virt_to_phys(const void *virtual)
{
    return (uint64_t)((const uint8_t *)virtual - host_memory) + host_base;
}

static inline void *ppn_to_virt(uint64_t ppn)
{
    return host_at(ppn << PAGE_SHIFT, PAGE_SIZE);
}

extern char kernel_start[];

static inline uint64_t image_to_phys(const void *address)
{
    return KERNEL_LOAD + (uint64_t)((const char *)address - kernel_start);
}

#endif
