/*
 * A machine for tests of the kernel's parts: 32 MiB of memory, the tables that main.c makes in its
 * order, environments that call. One a process.
 */
#ifndef AEGIS_TESTS_WORLD_H
#define AEGIS_TESTS_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "host.h"
#include "kernel/call.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/map.h"
#include "kernel/page.h"

struct virtio;

#define WORLD_SIZE (32UL << 20)

/* Boots with nics devices, which may be NULL if nics is 0, and makes FIRST_ENV, which calls from
 * then on. */
void world_boot(struct virtio *devices, size_t nics);

/* Called at the place where devices take their memory, unless NULL. */
extern void (*world_before_free)(void);

/* The board that world_boot uses: memory, firmware, device tree, initial RAM disk. Allocates the
 * memory. */
struct board world_board(void);

/* env calls from now on. */
void world_call_as(uint32_t env);

/* A new environment, owned by the caller, live; the caller stays. Ends the test if it can't be had.
 */
uint32_t world_child(const char *name);

/* A page of the caller's, by number. Ends the test if there is none. */
uint64_t world_page(void);

/* Makes the tables that va needs in the caller's space. */
void world_tables(uint64_t va);

/* Maps a page of the caller's at va, with tables where they are missing. */
void world_map(uint64_t va, uint64_t ppn, uint32_t prot);

/* count new pages at va, readable and writable, physically side by side; the host's address of the
 * first. */
void *world_memory(uint64_t va, size_t count);

/* Ends env, which is not the caller, by as many steps as it takes. */
void world_end(uint32_t env);

#endif
