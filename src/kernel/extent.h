/*
 * Extents: runs of a disk's blocks, owned, nested, shared by capability, and outlasting the power
 * (design section 6). The array of struct aegis_extent_info is exposed.
 *
 * Invariant: for each extent but a root, [first, first + count) lies in its parent's and is
 * disjoint from that of each other child of the parent; children counts those; charge is what its
 * owner's account has for it: its blocks, if it lies directly in a root, else nothing.
 */
#ifndef AEGIS_KERNEL_EXTENT_H
#define AEGIS_KERNEL_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"
#include "kernel/env.h"

struct disk;
struct table_change;

extern struct aegis_extent_info *extents; /* info->extent_count of them */

/* By number: how often all bindings to it were undone. However many there are, that is one step. */
extern uint64_t *extent_epochs;

/* The rights of one of env's bindings; 0: it is free. */
static inline uint32_t extent_rights(const struct env *env, uint32_t binding)
{
    return env->extents[binding].epoch == extent_epochs[env->extents[binding].extent]
               ? env->extents[binding].rights
               : 0;
}

/* Makes the array, of what is in the disks' tables; roots become FIRST_ENV's. */
void extent_init(void);

/* How many are in use on a disk. */
uint32_t extent_used_count(const struct disk *disk);

/* Blocks of all roots. */
uint64_t extent_blocks(void);

/*
 * Whether the blocks from .. to of an extent, counted from its beginning, are in none of its
 * children. False also beyond 64 blocks: the look would take too long.
 */
bool extent_is_own(const struct aegis_extent_info *extent, uint64_t from, uint64_t to);

/* A change of the table is on the disk; or it has failed, and memory is as before. */
void extent_settled(struct disk *disk, const struct table_change *change);
void extent_undone(struct disk *disk, const struct table_change *change);

/* For cap.c: by extent number. */
bool extent_valid(uint64_t index);
uint32_t extent_owner(uint64_t index);
uint64_t *extent_generation(uint64_t index);
bool extent_sever(uint64_t index);

/* Extents that env owns, apart from roots; and the blocks that its account has for them. */
uint64_t extent_held(const struct env *env);
uint64_t extent_charged(uint32_t env);

/* Takes the ownership of one from env, and all bindings to it; its data stay. The youngest number
 * goes: false if there is none. */
bool extent_take(uint32_t env, uint32_t *index);

/* Forgets env's bindings; it ends. */
void extent_unbind_all(struct env *env);

#endif
