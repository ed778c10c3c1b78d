#include "kernel/extent.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/disk.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/extent_call.h"
#include "kernel/quota.h"

#define OWN_MOST 64 /* blocks that extent_is_own looks at, some 200 instructions each */

struct aegis_extent_info *extents;
uint64_t *extent_charges, *extent_epochs; /* by number */

/* The number of a slot of a disk's table. */
static uint32_t number_of(const struct disk *disk, uint32_t slot)
{
    return disk->info->extents + slot;
}

static bool is_root(uint32_t index)
{
    return extents[index].parent == index;
}

/* Fills in what the table has of a slot. */
static void mirror(const struct disk *disk, uint32_t slot)
{
    const struct extent_entry *entry = &disk->table.table.entries[slot];
    struct aegis_extent_info *i = &extents[number_of(disk, slot)];

    i->parent = number_of(disk, entry->parent);
    i->first = entry->first;
    i->count = entry->count;
    i->disk = (uint32_t)(disk - disks);
    i->flags = entry->flags & (AEGIS_EXTENT_READ_ONLY | AEGIS_EXTENT_SEALED);
    memcpy(i->label, entry->label, sizeof(i->label));
}

static void count_children(const struct disk *disk)
{
    struct aegis_extent_info *first = &extents[disk->info->extents];

    for (uint32_t i = 0; i < disk->info->extent_count; i++)
        if (first[i].state != AEGIS_EXTENT_NONE && i != EXTENT_ROOT)
            extents[first[i].parent].children++;
}

static void init_disk(struct disk *disk)
{
    struct aegis_extent_info *root = &extents[disk->info->extents];

    if (disk->info->flags & AEGIS_DISK_DAMAGED)
        return;
    if (!disk->table.present) {
        *root = (struct aegis_extent_info){.parent = disk->info->extents,
                                           .count = disk->info->blocks,
                                           .disk = (uint32_t)(disk - disks)};
    }
    for (uint32_t slot = 0; disk->table.present && slot < disk->info->extent_count; slot++) {
        if (!extent_used(&disk->table.table, slot))
            continue;
        mirror(disk, slot);
        root[slot].state = AEGIS_EXTENT_READY;
    }
    root->parent = disk->info->extents;
    root->owner = FIRST_ENV;
    root->state = AEGIS_EXTENT_READY;
    count_children(disk);
}

void extent_init(void)
{
    for (uint32_t n = 0; n < info->disk_count; n++) {
        struct disk *disk = &disks[n];
        disk->info->extents = info->extent_count;
        disk->info->extent_count = disk->table.present ? disk->table.table.capacity : 1;
        info->extent_count += disk->info->extent_count;
    }
    extents = expose_alloc((info->extent_count + 1) * sizeof(*extents), &info->extents);
    size_t bytes = (info->extent_count + 1) * sizeof(*extent_charges);
    extent_charges = boot_alloc((bytes + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    extent_epochs = boot_alloc((bytes + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    for (uint32_t n = 0; n < info->disk_count; n++)
        init_disk(&disks[n]);
}

uint32_t extent_used_count(const struct disk *disk)
{
    return disk->table.present ? disk->table.table.used : 1;
}

uint64_t extent_blocks(void)
{
    uint64_t blocks = 0;

    for (uint32_t n = 0; n < info->disk_count; n++)
        blocks += extents[disks[n].info->extents].count;
    return blocks;
}

/* Whether the blocks from .. to of an extent have some in common with [first, end) of the disk. */
static bool meets(const struct aegis_extent_info *extent, uint64_t from, uint64_t to,
                  uint64_t first, uint64_t end)
{
    return extent->first + from < end && extent->first + to >= first;
}

bool extent_is_own(const struct aegis_extent_info *extent, uint64_t from, uint64_t to)
{
    const struct disk_table *t = &disks[extent->disk].table;
    int slot = (int)(extent - extents - disks[extent->disk].info->extents);

    if (to - from >= OWN_MOST)
        return false;
    for (uint64_t block = extent->first + from; block <= extent->first + to; block++)
        if (extent_at(&t->table, block) != slot)
            return false;
    /* What is about to come back is a child's until the disk says otherwise: the change may fail.
     * And where a device is that was too late, it may write yet. */
    const struct aegis_extent_info *going = &extents[t->change.extent];
    bool goes = (t->change.kind == EXTENT_REMOVE || t->change.kind == EXTENT_RESIZE) &&
                going->parent == (uint32_t)(extent - extents);
    return !(goes && meets(extent, from, to, going->first, going->first + going->count)) &&
           !(t->late.end && meets(extent, from, to, t->late.first, t->late.end));
}

bool extent_valid(uint64_t index)
{
    return index < info->extent_count && extents[index].state != AEGIS_EXTENT_NONE;
}

uint32_t extent_owner(uint64_t index)
{
    return extents[index].owner;
}

uint64_t *extent_generation(uint64_t index)
{
    return &extents[index].generation;
}

void extent_drop(uint32_t index, uint32_t keep)
{
    uint64_t epoch = extent_epochs[index]++;

    for (uint32_t b = 0; keep && b < AEGIS_DISK_BINDINGS; b++)
        if (env_table[keep]->extents[b].extent == index &&
            env_table[keep]->extents[b].epoch == epoch)
            env_table[keep]->extents[b].epoch++;
}

/* A single step: requests of theirs that the device has go on, and reach no other extent. */
bool extent_sever(uint64_t index)
{
    extent_drop((uint32_t)index, extents[index].owner);
    return true;
}

void extent_charge(uint32_t index, uint64_t blocks)
{
    if (extents[index].owner && blocks > extent_charges[index])
        quota_add(extents[index].owner, AEGIS_QUOTA_BLOCKS, blocks - extent_charges[index]);
    else if (extents[index].owner)
        quota_subtract(extents[index].owner, AEGIS_QUOTA_BLOCKS, extent_charges[index] - blocks);
    extent_charges[index] = extents[index].owner ? blocks : 0;
}

void extent_disown(uint32_t index)
{
    extent_drop(index, 0);
    extent_charge(index, 0);
    extents[index].owner = 0;
    extents[index].generation++;
}

/* The number is free again. */
static void clear(uint32_t index)
{
    struct aegis_extent_info *i = &extents[index];

    extent_disown(index);
    extents[i->parent].children--;
    *i = (struct aegis_extent_info){.generation = i->generation, .busy = i->busy};
}

/* Extents inside the rest of a split one have moved to it. */
static void count_split(const struct disk *disk, uint32_t index, uint32_t rest)
{
    const struct extent_entry *entries = disk->table.table.entries;
    uint32_t first = disk->info->extents;

    extents[index].children = extents[rest].children = 0;
    for (uint32_t i = 1; i < disk->info->extent_count; i++) {
        if (extents[first + i].state == AEGIS_EXTENT_NONE)
            continue;
        extents[first + i].parent = first + entries[i].parent;
        if (extents[first + i].parent == index || extents[first + i].parent == rest)
            extents[extents[first + i].parent].children++;
    }
}

void extent_settled(struct disk *disk, const struct table_change *change)
{
    struct aegis_extent_info *i = &extents[change->extent];

    i->state = AEGIS_EXTENT_READY;
    switch (change->kind) {
    case EXTENT_REMOVE:
        clear(change->extent);
        break;
    case EXTENT_SPLIT:
        i->count = disk->table.table.entries[change->extent - disk->info->extents].count;
        extents[change->other].state = AEGIS_EXTENT_READY;
        count_split(disk, change->extent, change->other);
        break;
    case EXTENT_RESIZE:
        extent_charge(change->extent, change->charged);
        i->count = disk->table.table.entries[change->extent - disk->info->extents].count;
        break;
    default:
        break;
    }
}

/* It has not been split after all. If the rest was taken from its owner meanwhile, the account may
 * have no room for it any more: then all of it is nobody's. */
static void charge_whole(uint32_t index)
{
    const struct aegis_extent_info *i = &extents[index];
    uint64_t most = is_root(i->parent) ? i->count : 0, has = extent_charges[index];

    if (i->owner && most > has && !quota_allows(i->owner, AEGIS_QUOTA_BLOCKS, most - has))
        extent_disown(index);
    else
        extent_charge(index, most);
}

void extent_undone(struct disk *disk, const struct table_change *change)
{
    struct aegis_extent_info *i = &extents[change->extent];

    (void)disk;
    i->state = AEGIS_EXTENT_READY;
    switch (change->kind) {
    case EXTENT_ADD:
        clear(change->extent);
        break;
    case EXTENT_SPLIT:
        clear(change->other);
        charge_whole(change->extent);
        break;
    case EXTENT_RESIZE: /* what it was to have more was counted at once */
        if (extent_charges[change->extent] > i->count)
            extent_charge(change->extent, i->count);
        break;
    default:
        break;
    }
}

void extent_appear(struct disk *disk, uint32_t slot)
{
    uint32_t index = number_of(disk, slot);

    mirror(disk, slot);
    extents[index].owner = this_hart->env->number;
    extents[index].state = AEGIS_EXTENT_MAKING;
    extents[extents[index].parent].children++;
}

uint64_t extent_held(const struct env *env)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < info->extent_count; i++)
        count += extents[i].owner == env->number && !is_root(i);
    return count;
}

uint64_t extent_charged(uint32_t env)
{
    uint64_t blocks = 0;

    for (uint32_t i = 0; i < info->extent_count; i++)
        if (extents[i].owner == env)
            blocks += extent_charges[i];
    return blocks;
}

bool extent_take(uint32_t env, uint32_t *index)
{
    for (uint32_t i = info->extent_count; i-- > 0;)
        if (extents[i].owner == env && !is_root(i)) {
            extent_disown(i);
            *index = i;
            return true;
        }
    return false;
}

void extent_unbind_all(struct env *env)
{
    for (uint32_t b = 0; b < AEGIS_DISK_BINDINGS; b++)
        env->extents[b].rights = 0;
}
