/*
 * The linear window on an environment's own PTEs (design section 3): tables whose entries map page
 * tables, read-only, where AEGIS_WINDOW_PTE says.
 *
 * Invariant: entry g of the window's level-1 table leads to a table that the environment donated
 * for GiB g, or to the one shared by all whose entries show zeroes; entry k of such a table shows
 * the level-0 table k of GiB g, or zeroes without one. Table 255 shows level-1 tables in the same
 * way.
 */
#ifndef AEGIS_KERNEL_MAP_WINDOW_H
#define AEGIS_KERNEL_MAP_WINDOW_H

#include <stdbool.h>

#include "kernel/env.h"
#include "kernel/rv64/paging.h"

#define WINDOW_INDEX pte_index(AEGIS_WINDOW_BASE, ROOT_LEVEL)

/* Makes what all windows share; once, at boot. */
void window_init(void);

/* Fills a donated table of the window, of a level, for the address va in it, and links it at entry.
 */
void window_insert_table(const struct env *env, pte_t *entry, struct aegis_page *table,
                         unsigned int level, uint64_t va);

/* Whether a table of the window shows what every table shows when it is made: then it may go. */
bool window_is_empty(const pte_t *table, unsigned int level);

/* What stands in place of a table of the window: the shared one, or nothing. */
pte_t window_without(unsigned int level);

/* Shows a table of a level that came for va, or zeroes in its place, if the window has that part.
 */
void window_show(const struct env *env, uint64_t va, unsigned int level,
                 const struct aegis_page *table);

#endif
