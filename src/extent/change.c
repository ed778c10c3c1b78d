/* Changes of a table in memory: each function checks everything, then acts, and leaves what undoes
 * it. */
#include <string.h>

#include "extent/internal.h"

/* A slot that was changed: what either copy has of its block is older. */
static void mark(struct extent_table *table, uint32_t slot)
{
    uint64_t bit = 1UL << (slot / EXTENT_PER_BLOCK);

    table->stale[0] |= bit;
    table->stale[1] |= bit;
}

static void insert(struct extent_table *table, uint32_t slot, const struct extent_entry *entry)
{
    uint32_t place = extent_place(table, entry->first, entry->count, entry->depth);

    memmove(table->order + place + 1, table->order + place,
            (table->used - place) * sizeof *table->order);
    table->order[place] = (uint16_t)slot;
    table->used++;
    table->entries[slot] = *entry;
    mark(table, slot);
}

static void take_out(struct extent_table *table, uint32_t slot)
{
    uint32_t place = extent_place_of(table, slot);

    table->used--;
    memmove(table->order + place, table->order + place + 1,
            (table->used - place) * sizeof *table->order);
    memset(&table->entries[slot], 0, sizeof table->entries[slot]);
    if (slot < table->free_from)
        table->free_from = slot;
    mark(table, slot);
}

/* A change begins, which touches slot, as it is now, and other. */
static void begin(struct extent_table *table, enum extent_change kind, uint32_t slot,
                  uint32_t other)
{
    table->undo.kind = kind;
    table->undo.slot = slot;
    table->undo.other = other;
    table->undo.saved = table->entries[slot];
    table->phase = EXTENT_BEGIN;
}

/* The lowest free slot; there is one. */
static uint32_t free_slot(struct extent_table *table)
{
    while (table->entries[table->free_from].flags & EXTENT_USED)
        table->free_from++;
    return table->free_from;
}

static struct extent_entry make_entry(const struct extent_table *table,
                                      const struct extent_new *make, uint64_t first, uint64_t count,
                                      uint32_t parent)
{
    struct extent_entry entry = {.first = first,
                                 .count = count,
                                 .born = table->header.sequence + 1,
                                 .parent = (uint16_t)parent,
                                 .depth = (uint8_t)(table->entries[parent].depth + 1),
                                 .flags = EXTENT_USED};

    if (make->secret != NULL) {
        extent_hash(&table->header, make->secret, entry.hash);
        entry.flags |= EXTENT_SEALED;
    }
    if (make->label != NULL)
        memcpy(entry.label, make->label, sizeof entry.label);
    if (make->read_only)
        entry.flags |= EXTENT_READ_ONLY;
    return entry;
}

/* Does a child of parent have one of these blocks, which lie inside it? */
static bool is_taken(const struct extent_table *table, uint32_t parent, uint64_t first,
                     uint64_t count)
{
    int child = extent_child_before(table, parent, first + count);

    return child >= 0 && extent_end(&table->entries[child]) > first;
}

int extent_allocate(struct extent_table *table, uint32_t parent, uint64_t first, uint64_t count,
                    const struct extent_new *make)
{
    const struct extent_entry *outer;
    struct extent_entry entry;
    uint32_t slot;

    if (table->phase != EXTENT_IDLE)
        return -EXTENT_E_BUSY;
    if (!extent_used(table, parent))
        return -EXTENT_E_NOT_FOUND;
    outer = &table->entries[parent];
    if (count == 0)
        return -EXTENT_E_RANGE;
    if (first < outer->first || first >= extent_end(outer) || count > extent_end(outer) - first)
        return -EXTENT_E_NOT_CONTAINED;
    if (outer->flags & EXTENT_READ_ONLY)
        return -EXTENT_E_READ_ONLY;
    if (outer->depth + 1 >= EXTENT_DEPTH)
        return -EXTENT_E_DEPTH;
    if (is_taken(table, parent, first, count))
        return -EXTENT_E_TAKEN;
    if (table->used == table->capacity)
        return -EXTENT_E_FULL;

    slot = free_slot(table);
    begin(table, EXTENT_ADD, slot, slot);
    entry = make_entry(table, make, first, count, parent);
    insert(table, slot, &entry);
    return (int)slot;
}

/* What each change of an extent that exists asks first. */
static int check_own(const struct extent_table *table, uint32_t slot)
{
    if (table->phase != EXTENT_IDLE)
        return -EXTENT_E_BUSY;
    if (!extent_used(table, slot))
        return -EXTENT_E_NOT_FOUND;
    return slot == EXTENT_ROOT ? -EXTENT_E_IS_ROOT : 0;
}

int extent_free(struct extent_table *table, uint32_t slot)
{
    int status = check_own(table, slot);

    if (status != 0)
        return status;
    if (extent_child_before(table, slot, extent_end(&table->entries[slot])) >= 0)
        return -EXTENT_E_CHILDREN;

    begin(table, EXTENT_REMOVE, slot, slot);
    take_out(table, slot);
    return 0;
}

/* The children of slot from that come after place become those of slot to. */
static void move_children(struct extent_table *table, uint32_t place, uint32_t from, uint32_t to)
{
    for (; place < table->used; place++) {
        struct extent_entry *entry = &table->entries[table->order[place]];

        if (entry->depth <= table->entries[to].depth)
            break;
        if (entry->parent == from && entry->depth == table->entries[to].depth + 1) {
            entry->parent = (uint16_t)to;
            mark(table, table->order[place]);
        }
    }
}

int extent_split(struct extent_table *table, uint32_t slot, uint64_t keep,
                 const struct extent_new *make)
{
    int status = check_own(table, slot), child;
    struct extent_entry *entry, rest;
    uint32_t other;

    if (status != 0)
        return status;
    entry = &table->entries[slot];
    if (keep == 0 || keep >= entry->count)
        return -EXTENT_E_RANGE;
    child = extent_child_before(table, slot, entry->first + keep);
    if (child >= 0 && extent_end(&table->entries[child]) > entry->first + keep)
        return -EXTENT_E_CHILDREN;
    if (table->used == table->capacity)
        return -EXTENT_E_FULL;

    other = free_slot(table);
    begin(table, EXTENT_SPLIT, slot, other);
    rest = make_entry(table, make, entry->first + keep, entry->count - keep, entry->parent);
    rest.flags |= entry->flags & EXTENT_READ_ONLY;
    entry->count = keep;
    mark(table, slot);
    insert(table, other, &rest);
    move_children(table, extent_place_of(table, other) + 1, slot, other);
    return (int)other;
}

int extent_resize(struct extent_table *table, uint32_t slot, uint64_t count)
{
    int status = check_own(table, slot), child;
    const struct extent_entry *outer;
    struct extent_entry *entry;

    if (status != 0)
        return status;
    entry = &table->entries[slot];
    outer = &table->entries[entry->parent];
    if (count == 0 || count == entry->count)
        return -EXTENT_E_RANGE;
    if (count > extent_end(outer) - entry->first)
        return -EXTENT_E_NOT_CONTAINED;
    if (count > entry->count &&
        is_taken(table, entry->parent, extent_end(entry), count - entry->count))
        return -EXTENT_E_TAKEN;
    child = extent_child_before(table, slot, extent_end(entry));
    if (child >= 0 && extent_end(&table->entries[child]) > entry->first + count)
        return -EXTENT_E_CHILDREN;

    begin(table, EXTENT_RESIZE, slot, slot);
    entry->count = count; /* its place stays: children and siblings are as they were around it */
    mark(table, slot);
    return 0;
}

int extent_refresh(struct extent_table *table)
{
    if (table->phase != EXTENT_IDLE)
        return -EXTENT_E_BUSY;
    begin(table, EXTENT_REFRESH, EXTENT_ROOT, EXTENT_ROOT);
    return 0;
}

void extent_undo(struct extent_table *table)
{
    uint32_t slot = table->undo.slot, other = table->undo.other;

    switch (table->undo.kind) {
    case EXTENT_ADD:
        take_out(table, slot);
        break;
    case EXTENT_REMOVE:
        insert(table, slot, &table->undo.saved);
        break;
    case EXTENT_SPLIT:
        /* Before the sibling goes: its depth says how far its children reach. */
        move_children(table, extent_place_of(table, other) + 1, other, slot);
        take_out(table, other);
        table->entries[slot].count = table->undo.saved.count;
        mark(table, slot);
        break;
    case EXTENT_RESIZE:
        table->entries[slot].count = table->undo.saved.count;
        mark(table, slot);
        break;
    case EXTENT_REFRESH:
    case EXTENT_NONE:
        break;
    }
    table->undo.kind = EXTENT_NONE;
    table->phase = EXTENT_IDLE;
}
