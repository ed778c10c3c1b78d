/* Looking at a table in memory. */
#include <string.h>

#include "extent/internal.h"
#include "siphash/siphash.h"

/* The order of slots: by first block, the larger first, the outer first. */
static bool before(const struct extent_entry *entry, uint64_t first, uint64_t count, uint32_t depth)
{
    if (entry->first != first)
        return entry->first < first;
    if (entry->count != count)
        return entry->count > count;
    return entry->depth < depth;
}

bool extent_before(const struct extent_table *table, uint32_t a, uint32_t b)
{
    const struct extent_entry *entry = &table->entries[b];

    return before(&table->entries[a], entry->first, entry->count, entry->depth);
}

uint32_t extent_place(const struct extent_table *table, uint64_t first, uint64_t count,
                      uint32_t depth)
{
    uint32_t low = 0, high = table->used;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (before(&table->entries[table->order[middle]], first, count, depth))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t extent_place_of(const struct extent_table *table, uint32_t slot)
{
    const struct extent_entry *entry = &table->entries[slot];

    return extent_place(table, entry->first, entry->count, entry->depth);
}

int extent_child_before(const struct extent_table *table, uint32_t slot, uint64_t limit)
{
    uint32_t depth = table->entries[slot].depth;
    /* What comes last before limit is slot, or lies in the child that is asked for, as children are
     * disjoint. */
    uint32_t place = extent_place(table, limit, UINT64_MAX, 0);
    uint32_t found = table->order[place - 1];

    if (table->entries[found].depth <= depth)
        return -1;
    while (table->entries[found].depth > depth + 1)
        found = table->entries[found].parent;
    return (int)found;
}

bool extent_used(const struct extent_table *table, uint32_t slot)
{
    return slot < table->capacity && (table->entries[slot].flags & EXTENT_USED);
}

int extent_find(const struct extent_table *table, uint64_t first, uint64_t count)
{
    uint32_t behind = extent_place(table, first, count, EXTENT_DEPTH);
    const struct extent_entry *entry;

    if (behind == 0)
        return -EXTENT_E_NOT_FOUND;
    entry = &table->entries[table->order[behind - 1]];
    if (entry->first != first || entry->count != count)
        return -EXTENT_E_NOT_FOUND;
    return table->order[behind - 1];
}

static bool same(const uint8_t *a, const uint8_t *b, size_t length)
{
    uint8_t difference = 0;

    for (size_t i = 0; i < length; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

int extent_unlock(const struct extent_table *table, uint64_t first, uint64_t count,
                  const void *secret)
{
    uint8_t hash[16];

    extent_hash(&table->header, secret, hash);
    for (uint32_t place = extent_place(table, first, count, 0); place < table->used; place++) {
        const struct extent_entry *entry = &table->entries[table->order[place]];

        if (entry->first != first || entry->count != count)
            break;
        if ((entry->flags & EXTENT_SEALED) && same(entry->hash, hash, sizeof hash))
            return table->order[place];
    }
    return -EXTENT_E_NOT_FOUND;
}

int extent_at(const struct extent_table *table, uint64_t block)
{
    const struct extent_entry *root = &table->entries[EXTENT_ROOT];
    uint32_t slot;

    if (block < root->first || block >= extent_end(root))
        return -EXTENT_E_NOT_FOUND;
    slot = table->order[extent_place(table, block, 0, 0) - 1];
    while (block >= extent_end(&table->entries[slot]))
        slot = table->entries[slot].parent;
    return (int)slot;
}

int64_t extent_gap(const struct extent_table *table, uint32_t parent, uint64_t count)
{
    const struct extent_entry *outer, *entry;
    uint64_t at;

    if (!extent_used(table, parent))
        return -EXTENT_E_NOT_FOUND;
    if (count == 0)
        return -EXTENT_E_RANGE;
    outer = &table->entries[parent];
    at = outer->first;
    for (const uint16_t *next = table->order + extent_place_of(table, parent) + 1,
                        *end = table->order + table->used;
         next < end; next++) {
        entry = &table->entries[*next];
        if (entry->depth <= outer->depth)
            break;
        if (entry->parent != parent)
            continue; /* deeper, within the child before */
        if (entry->first - at >= count)
            break;
        at = extent_end(entry);
    }
    return extent_end(outer) - at >= count ? (int64_t)at : -EXTENT_E_NO_ROOM;
}

void extent_hash(const struct extent_header *header, const void *secret, uint8_t hash[16])
{
    struct siphash_key key = {header->salt[0], header->salt[1]};
    uint64_t words[2];

    words[0] = siphash(&key, secret, EXTENT_SECRET);
    key.k1 ^=
        0x7465726365732032; /* another function: the second half is independent of the first */
    words[1] = siphash(&key, secret, EXTENT_SECRET);
    memcpy(hash, words, sizeof words);
}
