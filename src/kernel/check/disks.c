/* Extents, the bindings to them, and what the disks have under way. */
#include "kernel/check/internal.h"
#include "kernel/check/mutate.h"

#include "kernel/disk.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/extent.h"
#include "kernel/extent_call.h"

static bool env_lives(uint32_t env)
{
    return env < ENV_COUNT && env_table[env];
}

/* Whether two extents have a block in common. The halves of one that is being split have, until the
 * disk has it; neither takes requests. */
static bool meet(const struct aegis_extent_info *a, const struct aegis_extent_info *b)
{
    bool is_split = (a->state == AEGIS_EXTENT_MAKING && b->state == AEGIS_EXTENT_CHANGING) ||
                    (b->state == AEGIS_EXTENT_MAKING && a->state == AEGIS_EXTENT_CHANGING);

    if (is_split)
        return false;
    return a->first < b->first + b->count && b->first < a->first + a->count;
}

/* Children of an extent: inside it, apart from each other, and counted. */
static void check_children(uint32_t parent)
{
    const struct aegis_extent_info *p = &extents[parent];
    uint32_t end = disks[p->disk].info->extents + disks[p->disk].info->extent_count, count = 0;

    for (uint32_t i = disks[p->disk].info->extents; i < end && count < p->children + 1; i++) {
        const struct aegis_extent_info *e = &extents[i];
        if (e->state == AEGIS_EXTENT_NONE || e->parent != parent || i == parent)
            continue;
        count++;
        HOLDS(extent_inside,
              e->first >= p->first && e->count <= p->count &&
                  e->first - p->first <= p->count - e->count,
              "%u lies not in %u", i, parent);
        for (uint32_t k = i + 1; k < end; k++)
            HOLDS(extent_inside,
                  extents[k].state == AEGIS_EXTENT_NONE || extents[k].parent != parent ||
                      k == parent || !meet(e, &extents[k]),
                  "%u and %u have blocks in common", i, k);
    }
    const struct disk_table *t = &disks[p->disk].table;
    count += t->late.end && t->late.parent == parent; /* what a device may write to yet */
    HOLDS(extent_inside, count == p->children, "%u has %u inside, not %u", parent, count,
          p->children);
}

static void check_extent(uint32_t i)
{
    const struct aegis_extent_info *e = &extents[i];
    bool is_root = e->parent == i;

    HOLDS(extent_owner, e->owner == 0 || (e->state != AEGIS_EXTENT_NONE && env_lives(e->owner)),
          "%u, in state %u, is %u's", i, e->state, e->owner);
    if (e->state == AEGIS_EXTENT_NONE) {
        HOLDS(extent_charge, extent_charges[i] == 0, "free %u is charged", i);
        return;
    }
    bool is_charged = e->owner && !is_root && extents[e->parent].parent == e->parent &&
                      e->state == AEGIS_EXTENT_READY;
    HOLDS(extent_charge, !is_charged || extent_charges[i] == e->count,
          "%u of %lu blocks is charged %lu", i, e->count, extent_charges[i]);
    HOLDS(extent_charge, e->owner || extent_charges[i] == 0, "nobody's %u is charged", i);
    if (e->children)
        check_children(i);
}

/* What a disk has under way, counted by extent and by environment at once. */
static void check_requests(const struct disk *disk, uint32_t number, uint64_t *of_env)
{
    const struct blk *blk = &disk->blk;
    uint32_t free = 0;
    uint64_t busy = 0;

    for (uint32_t i = blk->free; i != blk->slot_count && free <= blk->slot_count; free++) {
        HOLDS(disk_requests, i < blk_own_slot(blk) && !blk->slots[i].is_busy,
              "disk %u: free slot %u", number, i);
        i = blk->slots[i].next_free;
    }
    for (uint32_t i = 0; i < blk->slot_count; i++) {
        const struct disk_request *q = &disk->requests[i];
        if (!blk->slots[i].is_busy)
            continue;
        if (i == blk_own_slot(blk)) {
            HOLDS(disk_requests, !q->asker, "disk %u: the kernel's slot is %u's", number,
                  q->asker->number);
            continue;
        }
        busy++;
        for (uint32_t n = 0; n < q->page_count; n++)
            shadow_of(q->pages[n])->pins++;
        HOLDS(disk_requests, q->extent < info->extent_count && extents[q->extent].busy,
              "disk %u: a request goes to %u", number, q->extent);
        if (!q->asker)
            continue;
        HOLDS(disk_requests, env_lives(q->asker->number) && env_table[q->asker->number] == q->asker,
              "disk %u: a request is %u's, who has ended", number, q->asker->number);
        of_env[q->asker->number]++;
    }
    HOLDS(disk_requests, free == blk->free_count && busy + free + 1 == blk->slot_count,
          "disk %u: %u slots are free, not %u, and %lu busy", number, free, blk->free_count, busy);
    for (uint32_t i = 0; i < disk->info->extent_count; i++)
        busy -= extents[disk->info->extents + i].busy;
    HOLDS(disk_requests, busy == 0, "disk %u: its extents count others", number);
    HOLDS(table_change,
          (disk->table.change.kind != EXTENT_NONE) == !!(disk->info->flags & AEGIS_DISK_CHANGING),
          "disk %u: change %u, flags 0x%x", number, disk->table.change.kind, disk->info->flags);
}

static void check_bindings(const struct env *env)
{
    for (uint32_t b = 0; b < AEGIS_DISK_BINDINGS; b++) {
        uint32_t rights = extent_rights(env, b), extent = env->extents[b].extent;
        if (!rights)
            continue;
        HOLDS(extent_binding,
              !(rights & ~(uint32_t)(AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE)) &&
                  extent < info->extent_count && extents[extent].state != AEGIS_EXTENT_NONE &&
                  extents[extent].state != AEGIS_EXTENT_ENDING && extents[extent].owner,
              "%u has bound %u with rights %u", env->number, extent, rights);
        HOLDS(extent_binding,
              !(rights & AEGIS_RIGHT_WRITE) || !(extents[extent].flags & AEGIS_EXTENT_READ_ONLY),
              "%u may write to %u, which is read-only", env->number, extent);
    }
}

void check_disks(void)
{
    static uint64_t of_env[ENV_COUNT];

    for (uint32_t n = 0; n < ENV_COUNT; n++)
        of_env[n] = 0;
    for (uint32_t n = 0; n < info->disk_count; n++)
        check_requests(&disks[n], n, of_env);
    for (uint32_t i = 0; i < info->extent_count; i++)
        check_extent(i);
    for (uint32_t n = 1; n < ENV_COUNT; n++) {
        if (!env_table[n])
            continue;
        HOLDS(disk_requests, env_table[n]->disk_requests == of_env[n],
              "%u has %lu requests under way, not %lu", n, of_env[n], env_table[n]->disk_requests);
        check_bindings(env_table[n]);
    }
}

/* A way to break each of them: mutate.h. */

static struct aegis_extent_info *child_extent(void)
{
    for (uint32_t i = 0; i < info->extent_count; i++)
        if (extents[i].state == AEGIS_EXTENT_READY && extents[i].parent != i && extents[i].owner)
            return &extents[i];
    return NULL;
}

bool break_extent_inside(void)
{
    struct aegis_extent_info *e = child_extent();

    if (e)
        extents[e->parent].children++;
    return e;
}

bool break_extent_owner(void)
{
    if (info->extent_count) /* a root, which no account has */
        extents[0].owner = ENV_COUNT - 1;
    return info->extent_count;
}

bool break_extent_charge(void)
{
    struct aegis_extent_info *e = child_extent();

    if (!e || extent_charges[e - extents] == 0)
        return false;
    e->count--;
    return true;
}

bool break_extent_binding(void)
{
    for (uint32_t n = 1; n < ENV_COUNT && info->extent_count; n++)
        if (env_table[n]) {
            env_table[n]->extents[0].rights = AEGIS_RIGHT_DELEGATE;
            env_table[n]->extents[0].epoch = extent_epochs[env_table[n]->extents[0].extent];
            return true;
        }
    return false;
}

bool break_disk_requests(void)
{
    if (info->disk_count)
        disks[0].blk.free_count++;
    return info->disk_count;
}

bool break_table_change(void)
{
    if (info->disk_count)
        disks[0].info->flags |= AEGIS_DISK_CHANGING;
    return info->disk_count;
}
