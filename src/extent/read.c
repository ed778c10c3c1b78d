/* From a disk's bytes, which may be anything, to a table whose invariant holds; and the first table
 * of a new disk. */
#include <string.h>

#include "extent/internal.h"
#include "siphash/siphash.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format's numbers are the machine's");

#define BLOCKS_MAX (1UL << 48) /* of a disk: no sum of two of them wraps */

uint64_t extent_sum(const struct extent_header *header, const void *block)
{
    struct siphash_key key = {header->salt[0], header->salt[1]};

    return siphash(&key, block, EXTENT_BLOCK);
}

uint64_t extent_header_sum(const struct extent_header *header)
{
    struct siphash_key key = {header->salt[0], header->salt[1]};
    struct extent_header copy = *header;

    copy.sum = 0;
    return siphash(&key, &copy, sizeof copy);
}

static bool has_magic(const struct extent_header *header)
{
    return memcmp(header->magic, EXTENT_MAGIC, sizeof header->magic) == 0;
}

/* Why neither header is whole. */
static int explain(const uint8_t *blocks, const struct extent_header headers[2])
{
    size_t zeros = 0;

    while (zeros < (size_t)2 * EXTENT_BLOCK && blocks[zeros] == 0)
        zeros++;
    if (zeros == (size_t)2 * EXTENT_BLOCK)
        return -EXTENT_E_BLANK;
    for (int c = 0; c < 2; c++)
        if (has_magic(&headers[c]))
            return headers[c].version != EXTENT_VERSION ? -EXTENT_E_VERSION : -EXTENT_E_HEADERS;
    return -EXTENT_E_FOREIGN;
}

static int check_geometry(const struct extent_header *header, uint64_t disk_blocks)
{
    if (header->table_blocks == 0 || header->table_blocks > EXTENT_BLOCKS_MAX ||
        header->blocks > BLOCKS_MAX || header->blocks <= extent_root_at(header))
        return -EXTENT_E_GEOMETRY;
    return header->blocks > disk_blocks ? -EXTENT_E_SHORT : 0;
}

int extent_probe(const void *blocks, uint64_t disk_blocks, struct extent_probe *probe)
{
    struct extent_header headers[2];
    int status;

    for (uint32_t c = 0; c < 2; c++) {
        memcpy(&headers[c], (const uint8_t *)blocks + (size_t)c * EXTENT_BLOCK, sizeof headers[c]);
        probe->whole[c] = has_magic(&headers[c]) && headers[c].version == EXTENT_VERSION &&
                          headers[c].copy == c && headers[c].sum == extent_header_sum(&headers[c]);
    }
    if (!probe->whole[0] && !probe->whole[1])
        return explain(blocks, headers);
    if (probe->whole[0] && probe->whole[1] && headers[0].sequence == headers[1].sequence)
        return -EXTENT_E_TWINS;
    probe->copy =
        !probe->whole[0] || (probe->whole[1] && headers[1].sequence > headers[0].sequence);
    status = check_geometry(&headers[probe->copy], disk_blocks);
    if (status != 0)
        return status;
    probe->table_blocks = headers[probe->copy].table_blocks;
    probe->sequence = headers[probe->copy].sequence;
    probe->blocks = headers[probe->copy].blocks;
    probe->first = extent_slots_at(&headers[probe->copy], probe->copy);
    return 0;
}

static bool is_zero(const struct extent_entry *entry)
{
    static const struct extent_entry zero;

    return memcmp(entry, &zero, sizeof zero) == 0;
}

/* What one slot says, taken alone; its blocks lie on the disk. */
static int check_slot(const struct extent_table *table, uint32_t slot)
{
    const struct extent_entry *entry = &table->entries[slot];
    uint64_t low = extent_root_at(&table->header), high = table->header.blocks;

    if (!(entry->flags & EXTENT_USED))
        return is_zero(entry) ? (slot == EXTENT_ROOT ? -EXTENT_E_ROOT : 0) : -EXTENT_E_UNUSED;
    if (entry->flags & ~(EXTENT_USED | EXTENT_READ_ONLY | EXTENT_SEALED) || entry->reserved != 0)
        return -EXTENT_E_FLAGS;
    if (slot == EXTENT_ROOT)
        return entry->first == low && extent_end(entry) == high && entry->count < high &&
                       entry->parent == EXTENT_ROOT && entry->depth == 0
                   ? 0
                   : -EXTENT_E_ROOT;
    if (entry->count == 0)
        return -EXTENT_E_EMPTY;
    if (entry->depth == 0 || entry->depth >= EXTENT_DEPTH)
        return -EXTENT_E_PARENT;
    if (entry->first < low || entry->first >= high || entry->count > high - entry->first)
        return -EXTENT_E_OUTSIDE;
    return 0;
}

/* Put what lies below place where it belongs in a heap of count slots, the last in order on top. */
static void sift(struct extent_table *table, uint32_t place, uint32_t count)
{
    for (;;) {
        uint32_t last = place;

        for (uint32_t below = 2 * place + 1; below <= 2 * place + 2 && below < count; below++)
            if (extent_before(table, table->order[last], table->order[below]))
                last = below;
        if (last == place)
            return;
        uint16_t moved = table->order[place];
        table->order[place] = table->order[last];
        table->order[last] = moved;
        place = last;
    }
}

/* Heapsort: no recursion, no more memory, n log n whatever the disk says. */
static void sort(struct extent_table *table)
{
    for (uint32_t place = table->used / 2; place-- > 0;)
        sift(table, place, table->used);
    for (uint32_t count = table->used; count-- > 1;) {
        uint16_t last = table->order[0];

        table->order[0] = table->order[count];
        table->order[count] = last;
        sift(table, 0, count);
    }
}

/*
 * One walk in order, which meets parents before what is in them. All extents of one depth seen so
 * far are disjoint: their parents are, or they are siblings, of which each was compared with the
 * one before it. That one is the last of its depth: had another come between, it would lie in
 * another parent, behind all of this one.
 */
static int check_nesting(const struct extent_table *table, struct extent_fault *fault)
{
    uint32_t last[EXTENT_DEPTH] = {EXTENT_ROOT}; /* seen of each depth; the root: none yet */

    for (uint32_t place = 1; place < table->used; place++) {
        uint32_t slot = table->order[place];
        const struct extent_entry *entry = &table->entries[slot], *parent, *sibling;

        *fault = (struct extent_fault){.slot = slot, .other = entry->parent};
        if (!extent_used(table, entry->parent) ||
            table->entries[entry->parent].depth + 1 != entry->depth)
            return -EXTENT_E_PARENT;
        parent = &table->entries[entry->parent];
        if (entry->first < parent->first || extent_end(entry) > extent_end(parent))
            return -EXTENT_E_OUTSIDE;
        sibling = &table->entries[last[entry->depth]];
        if (last[entry->depth] != EXTENT_ROOT && sibling->parent == entry->parent &&
            extent_end(sibling) > entry->first) {
            fault->other = last[entry->depth];
            return -EXTENT_E_OVERLAP;
        }
        last[entry->depth] = slot;
    }
    return 0;
}

static int check_sums(const struct extent_table *table, struct extent_fault *fault)
{
    for (uint32_t b = 0; b < table->header.table_blocks; b++) {
        *fault = (struct extent_fault){.copy = table->copy, .block = b};
        if (extent_sum(&table->header, table->entries + (size_t)b * EXTENT_PER_BLOCK) !=
            table->header.sums[b])
            return -EXTENT_E_SUM;
    }
    return 0;
}

static void start(struct extent_table *table, const struct extent_memory *memory)
{
    table->entries = memory->entries;
    table->order = memory->order;
    table->buffer = memory->buffer;
    table->capacity = table->header.table_blocks * EXTENT_PER_BLOCK;
}

int extent_open(struct extent_table *table, const void *headers, const struct extent_probe *probe,
                const struct extent_memory *memory, struct extent_fault *fault)
{
    int status;

    *table = (struct extent_table){.copy = probe->copy, .phase = EXTENT_IDLE, .free_from = 1};
    memcpy(&table->header, (const uint8_t *)headers + (size_t)probe->copy * EXTENT_BLOCK,
           sizeof table->header);
    start(table, memory);
    /* What the other copy holds is unknown: a change may have been on its way. */
    table->stale[1 - probe->copy] = UINT64_MAX >> (64 - probe->table_blocks);
    status = check_sums(table, fault);
    for (uint32_t slot = 0; status == 0 && slot < table->capacity; slot++) {
        *fault = (struct extent_fault){.slot = slot};
        status = check_slot(table, slot);
        if (status == 0 && extent_used(table, slot))
            table->order[table->used++] = (uint16_t)slot;
    }
    if (status != 0)
        return status;
    sort(table);
    return check_nesting(table, fault);
}

int extent_create(struct extent_table *table, uint64_t blocks, uint32_t table_blocks,
                  const void *salt, const struct extent_memory *memory)
{
    if (blocks > BLOCKS_MAX)
        return -EXTENT_E_RANGE;
    *table = (struct extent_table){
        .header = {.version = EXTENT_VERSION, .table_blocks = table_blocks, .blocks = blocks},
        .copy = 1, /* so that the first to be written is copy 0 */
        .used = 1,
        .free_from = 1,
        .wipe = 3,
        .phase = EXTENT_BEGIN};
    memcpy(table->header.magic, EXTENT_MAGIC, sizeof table->header.magic);
    memcpy(table->header.salt, salt, sizeof table->header.salt);
    if (check_geometry(&table->header, blocks) != 0)
        return -EXTENT_E_GEOMETRY;
    start(table, memory);
    table->stale[0] = table->stale[1] = UINT64_MAX >> (64 - table_blocks);
    memset(table->entries, 0, (size_t)table_blocks * EXTENT_BLOCK);
    table->entries[EXTENT_ROOT] =
        (struct extent_entry){.first = extent_root_at(&table->header),
                              .count = blocks - extent_root_at(&table->header),
                              .born = 1,
                              .flags = EXTENT_USED};
    table->order[0] = EXTENT_ROOT;
    return 0;
}
