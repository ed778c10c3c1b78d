/*
 * Memory before page.c rules: what the kernel takes for its tables at boot and never gives back.
 */
#ifndef AEGIS_KERNEL_BOOT_MEMORY_H
#define AEGIS_KERNEL_BOOT_MEMORY_H

#include "kernel/rv64/board.h"

/* Works out which memory is free: the board's, less firmware, kernel, device tree, initial RAM
 * disk. */
void boot_memory_init(const struct board *board);

/*
 * Takes pages physically contiguous pages, aligned to align pages (a power of two), cleared;
 * returns their address in PHYSMAP. Refuses to boot when there are none.
 */
void *boot_alloc(size_t pages, size_t align);

/* The ranges that are still free, page-aligned and ascending; *count of them. */
const struct range *boot_memory_free(size_t *count);

/* First and last + 1 physical address of all memory that the board has. */
struct range boot_memory_span(const struct board *board);

#endif
