/*
 * Any bytes as a disk's table. What is taken holds the invariant, as a look at each pair of slots
 * says, and bears changes; what is refused has a name. An input that begins with an odd byte is the
 * disk's first blocks as they are; another is a list of edits (slot, byte, value) of a good table
 * whose checksums are then made right, which gets behind them.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "extent/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCKS 400 /* of the disk; one block of slots */
#define STORED 4

static uint8_t image[STORED][EXTENT_BLOCK], buffer[EXTENT_BLOCK];
static struct extent_entry entries[EXTENT_PER_BLOCK];
static uint16_t order[EXTENT_PER_BLOCK];

static bool inside(const struct extent_entry *a, const struct extent_entry *b)
{
    return a->first >= b->first && a->first < b->first + b->count && a->count >= 1 &&
           a->count <= b->first + b->count - a->first;
}

static bool apart(const struct extent_entry *a, const struct extent_entry *b)
{
    return a->first >= b->first + b->count || b->first >= a->first + a->count;
}

/* The invariant by its words. */
static bool holds(const struct extent_entry *table)
{
    static const struct extent_entry zero;

    if (!(table[0].flags & EXTENT_USED) || table[0].first != STORED ||
        table[0].count != BLOCKS - STORED || table[0].depth != 0 || table[0].parent != 0)
        return false;
    for (int s = 0; s < EXTENT_PER_BLOCK; s++) {
        const struct extent_entry *e = &table[s];

        if (!(e->flags & EXTENT_USED) ? memcmp(e, &zero, sizeof zero) != 0
                                      : e->flags > 7 || e->reserved != 0)
            return false;
        if (s == 0 || !(e->flags & EXTENT_USED))
            continue;
        if (e->parent >= EXTENT_PER_BLOCK || !(table[e->parent].flags & EXTENT_USED) ||
            e->depth != table[e->parent].depth + 1 || e->depth >= EXTENT_DEPTH ||
            !inside(e, &table[e->parent]))
            return false;
        for (int o = 1; o < s; o++)
            if ((table[o].flags & EXTENT_USED) && table[o].parent == e->parent &&
                !apart(e, &table[o]))
                return false;
    }
    return true;
}

/* A table that was taken bears what callers do to it. */
static void use(struct extent_table *table, const uint8_t *data, size_t size)
{
    struct extent_new make = {0};
    struct extent_step step;

    for (size_t i = 0; i + 3 < size && i < 400; i += 4) {
        uint32_t slot = data[i + 1];

        switch (data[i] % 4) {
        case 0:
            (void)extent_allocate(table, slot, data[i + 2], data[i + 3], &make);
            break;
        case 1:
            (void)extent_free(table, slot);
            break;
        case 2:
            (void)extent_split(table, slot, data[i + 2], &make);
            break;
        case 3:
            (void)extent_resize(table, slot, data[i + 2]);
            break;
        }
        (void)extent_gap(table, slot, data[i + 3]);
        (void)extent_at(table, data[i + 2]);
        if (data[i] & 0x80)
            extent_undo(table);
        else
            while (extent_step(table, &step))
                assert(step.kind == EXTENT_STEP_FLUSH || step.block < STORED);
        assert(holds(table->entries));
    }
}

static void check(const uint8_t *data, size_t size)
{
    struct extent_memory memory = {buffer, entries, order};
    struct extent_probe probe;
    struct extent_table table;
    struct extent_fault fault;
    int status = extent_probe(image, BLOCKS, &probe);

    if (status == 0 && probe.table_blocks == 1 && probe.blocks == BLOCKS) {
        memcpy(entries, image[probe.first], sizeof entries);
        status = extent_open(&table, image, &probe, &memory, &fault);
        assert(status == -EXTENT_E_SUM || (status == 0) == holds(entries));
        if (status == 0)
            use(&table, data, size);
    }
    assert(status == 0 || strcmp(extent_error_name(status), "NONE") != 0);
}

/* A good table: extents in extents, beside each other, and one as large as its parent. */
static void make_good(void)
{
    static const struct {
        uint32_t parent;
        uint64_t first, count;
    } rows[] = {{0, 20, 200}, {1, 20, 100}, {2, 30, 50},   {3, 30, 50},
                {0, 230, 10}, {0, 240, 10}, {1, 120, 100}, {7, 125, 5}};
    struct extent_memory memory = {buffer, entries, order};
    struct extent_new make = {.secret = "sixteen bytes..."};
    struct extent_table table;
    struct extent_step step;

    assert(extent_create(&table, BLOCKS, 1, "0123456789abcdef", &memory) == 0);
    for (size_t i = 0;; i++) {
        while (extent_step(&table, &step))
            if (step.kind == EXTENT_STEP_WRITE)
                memcpy(image[step.block], step.data, EXTENT_BLOCK);
        if (i == sizeof rows / sizeof *rows)
            break;
        assert(extent_allocate(&table, rows[i].parent, rows[i].first, rows[i].count, &make) > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(image, 0, sizeof image);
    if (size > 0 && (data[0] & 1)) {
        memcpy(image, data + 1, size - 1 < sizeof image ? size - 1 : sizeof image);
        check(data, size);
        return 0;
    }
    make_good();
    struct extent_header *header = (struct extent_header *)image[0]; /* of the ninth write */
    struct extent_entry *slots = (struct extent_entry *)image[2 + header->copy];
    for (size_t i = 1; i + 2 < size && i < 200; i += 3)
        ((uint8_t *)&slots[data[i] % 16])[data[i + 1] % 64] = data[i + 2];
    header->sums[0] = extent_sum(header, slots);
    header->sum = extent_header_sum(header);
    check(data, size);
    return 0;
}
