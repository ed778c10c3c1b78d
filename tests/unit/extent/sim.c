#include "sim.h"

#include <stdlib.h>
#include <string.h>

struct extent_memory sim_memory(struct sim_table *t)
{
    return (struct extent_memory){t->buffer, t->entries, t->order};
}

uint32_t sim_random(uint64_t *state, uint32_t limit)
{
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)((*state >> 33) % limit);
}

void sim_do(struct sim_disk *disk, const struct extent_step *step)
{
    if (step->kind == EXTENT_STEP_FLUSH) {
        for (int i = 0; i < disk->count; i++)
            memcpy(disk->durable[disk->pending[i].block], disk->pending[i].data, EXTENT_BLOCK);
        disk->count = 0;
        return;
    }
    if (step->block >= SIM_STORED || disk->count == SIM_PENDING)
        abort(); /* beyond the table, or no flush for ever */
    disk->pending[disk->count].block = step->block;
    memcpy(disk->pending[disk->count++].data, step->data, EXTENT_BLOCK);
}

void sim_crash(const struct sim_disk *disk, uint64_t mask, bool torn, uint64_t *state,
               sim_image *image)
{
    memcpy(image, disk->durable, sizeof *image);
    for (int i = 0; i < disk->count; i++) {
        if (!(mask >> i & 1))
            continue;
        for (int s = 0; s < EXTENT_BLOCK; s += SIM_SECTOR)
            if (!torn || sim_random(state, 2))
                memcpy(&(*image)[disk->pending[i].block][s], disk->pending[i].data + s, SIM_SECTOR);
    }
}

int sim_open(struct sim_table *t, sim_image *image, struct extent_fault *fault)
{
    struct extent_memory memory = sim_memory(t);
    struct extent_probe probe;
    int status = extent_probe(*image, SIM_BLOCKS, &probe);

    if (status != 0)
        return status;
    if (probe.table_blocks != SIM_TABLE)
        return -EXTENT_E_GEOMETRY;
    memcpy(t->entries, (*image)[probe.first], sizeof t->entries);
    return extent_open(&t->table, *image, &probe, &memory, fault);
}

void sim_commit(struct sim_table *t, struct sim_disk *disk)
{
    struct extent_step step;

    while (extent_step(&t->table, &step))
        sim_do(disk, &step);
}

void sim_create(struct sim_table *t, struct sim_disk *disk)
{
    struct extent_memory memory = sim_memory(t);

    memset(disk, 0, sizeof *disk);
    if (extent_create(&t->table, SIM_BLOCKS, SIM_TABLE, "0123456789abcdef", &memory) != 0)
        abort();
    sim_commit(t, disk);
    if (extent_refresh(&t->table) != 0)
        abort();
    sim_commit(t, disk);
}

bool sim_same(const struct extent_entry *a, const struct extent_entry *b)
{
    return memcmp(a, b, SIM_SLOTS * sizeof *a) == 0;
}

/* Mostly a slot in use. */
static uint32_t some_slot(const struct extent_table *table, uint64_t *state)
{
    return sim_random(state, 8) == 0 ? sim_random(state, table->capacity + 2)
                                     : table->order[sim_random(state, table->used)];
}

int sim_change(struct sim_table *t, uint64_t *state)
{
    struct extent_table *table = &t->table;
    uint32_t slot = some_slot(table, state);
    const struct extent_entry *entry = &table->entries[slot < table->capacity ? slot : 0];
    struct extent_new make = {.secret = sim_random(state, 2) ? "a secret, 16 b.." : NULL,
                              .label = sim_random(state, 2) ? "0123456789abcdef" : NULL,
                              .read_only = sim_random(state, 16) == 0};
    uint64_t first = entry->first + sim_random(state, (uint32_t)entry->count + 2);
    uint64_t count = sim_random(state, sim_random(state, 2) ? 12 : 200);

    switch (sim_random(state, 8)) {
    case 0:
    case 1:
        return extent_free(table, slot);
    case 2:
        return extent_split(table, slot, sim_random(state, (uint32_t)entry->count + 2), &make);
    case 3:
    case 4:
        return extent_resize(table, slot, count);
    default:
        return extent_allocate(table, slot, first, count, &make);
    }
}
