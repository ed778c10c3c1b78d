/* What the library's files share. Nothing here checks anything. */
#ifndef AEGIS_EXTENT_INTERNAL_H
#define AEGIS_EXTENT_INTERNAL_H

#include "extent/extent.h"

/* Is used slot a before used slot b in the order? */
bool extent_before(const struct extent_table *table, uint32_t a, uint32_t b);

/* How many used slots come before an extent with these blocks at this depth: its place in the
 * order. */
uint32_t extent_place(const struct extent_table *table, uint64_t first, uint64_t count,
                      uint32_t depth);

/* The place of a used slot. */
uint32_t extent_place_of(const struct extent_table *table, uint32_t slot);

/* The last child of slot that begins before block limit, which lies inside slot or is its end; -1
 * if none does. */
int extent_child_before(const struct extent_table *table, uint32_t slot, uint64_t limit);

/* What is kept of a secret under a salt. */
void extent_hash(const struct extent_header *header, const void *secret, uint8_t hash[16]);

/* The checksum of a header, its field sum taken as 0. */
uint64_t extent_header_sum(const struct extent_header *header);

static inline uint64_t extent_end(const struct extent_entry *entry)
{
    return entry->first + entry->count;
}

/* The first block of a copy's slots. */
static inline uint64_t extent_slots_at(const struct extent_header *header, uint32_t copy)
{
    return 2 + (uint64_t)copy * header->table_blocks;
}

/* The first block of the root extent. */
static inline uint64_t extent_root_at(const struct extent_header *header)
{
    return extent_slots_at(header, 2);
}

#endif
