/*
 * Exposed pages: what the kernel knows, readable by every environment at AEGIS_EXPOSED_BASE without
 * a call (SOSP '95, section 3.1, "expose information").
 */
#ifndef AEGIS_KERNEL_EXPOSE_H
#define AEGIS_KERNEL_EXPOSE_H

#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"
#include "kernel/rv64/board.h"

extern struct aegis_info *info; /* the first exposed page */

/* Makes the info page, and fills in what is known of the board. */
void expose_init(const struct board *board);

/* Memory of size bytes, cleared, that is exposed from now on; *exposed is its address there. Only
 * at boot. */
void *expose_alloc(size_t size, uint64_t *exposed);

/* Exposes memory that is there already, whole pages; returns its address there. Only at boot. */
uint64_t expose_memory(uint64_t physical, size_t size);

#endif
