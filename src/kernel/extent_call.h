/* What the calls about extents need of extent.c. */
#ifndef AEGIS_KERNEL_EXTENT_CALL_H
#define AEGIS_KERNEL_EXTENT_CALL_H

#include <stdint.h>

struct disk;

extern uint64_t *extent_charges; /* blocks in the owner's account, by number */

/* The caller's new extent, in a slot of the table: MAKING. */
void extent_appear(struct disk *disk, uint32_t slot);

/* Sets what the owner's account has for an extent, if it has an owner; quota_allows it. */
void extent_charge(uint32_t index, uint64_t blocks);

/* It belongs to nobody: no binding, no charge, capabilities are stale. Its data stay. */
void extent_disown(uint32_t index);

/* Undoes all bindings to it but those of environment keep (0: none). */
void extent_drop(uint32_t index, uint32_t keep);

#endif
