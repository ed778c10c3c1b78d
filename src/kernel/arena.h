/*
 * Memory for what applications download: one region, sized at boot, cut first-fit. It is not for
 * the kernel's own needs, and its users carve quotas from it.
 */
#ifndef AEGIS_KERNEL_ARENA_H
#define AEGIS_KERNEL_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes bytes of memory, 16-byte aligned, at boot. *unused is kept at what is free of it, headers
 * included. */
void arena_init(void *memory, size_t bytes, uint64_t *unused);

/* 16-byte aligned memory, not cleared; NULL if there is no such piece. */
void *arena_alloc(size_t bytes);

/* Gives back what arena_alloc returned; NULL is fine. */
void arena_free(void *memory);

/* Bytes of the arena that what arena_alloc returned takes, header included. */
size_t arena_bytes(const void *memory);

/* Whether memory was returned by arena_alloc and not given back; and how many such pieces there
 * are.
 */
bool arena_is_used(const void *memory);
uint64_t arena_count_used(void);

#endif
