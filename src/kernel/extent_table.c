#include "kernel/extent_table.h"

#include "kernel/boot_memory.h"
#include "kernel/disk.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/extent.h"
#include "kernel/page.h"
#include "kernel/print.h"
#include "kernel/rv64/paging.h"

_Static_assert(EXTENT_BLOCK == AEGIS_DISK_BLOCK && EXTENT_BLOCK == PAGE_SIZE, "blocks are pages");
_Static_assert(EXTENT_SECRET == AEGIS_SECRET_SIZE && EXTENT_LABEL == AEGIS_SECRET_SIZE, "names");
_Static_assert((int)EXTENT_READ_ONLY == AEGIS_EXTENT_READ_ONLY &&
                   (int)EXTENT_SEALED == AEGIS_EXTENT_SEALED,
               "flags");

#define HEADERS 2 /* blocks that hold headers */
#define ZERO_REPEAT                                                                                \
    32 /* blocks that one write of zeroes takes, where the device can't do better                  \
        */

static void *zeroes; /* a page */

/* Reads the blocks [first, first + count); whether the device gave them. */
static bool read_blocks(struct disk *disk, uint64_t first, uint64_t count, uint8_t *to)
{
    for (uint64_t i = 0; i < count; i++) {
        enum blk_status status =
            disk_ask_now(disk, BLK_IN, first + i, to + i * AEGIS_DISK_BLOCK, AEGIS_DISK_BLOCK);
        if (status != BLK_OK)
            return false;
    }
    return true;
}

static void call_damaged(struct disk *disk, uint32_t number, const char *why)
{
    disk->info->flags |= AEGIS_DISK_DAMAGED;
    print("aegis: disk%u: %s: it is left alone (aegisctl disk check says more)\n", number, why);
}

/* The copy that the headers name. Its memory is taken for good. */
static void open_table(struct disk *disk, uint32_t number, const void *headers,
                       const struct extent_probe *probe)
{
    struct disk_table *t = &disk->table;
    uint32_t n = probe->table_blocks;
    size_t order = (n * EXTENT_PER_BLOCK * sizeof(uint16_t) + PAGE_SIZE - 1) / PAGE_SIZE;
    const struct extent_memory memory = {
        .buffer = boot_alloc(1, 1), .entries = boot_alloc(n, 1), .order = boot_alloc(order, 1)};
    struct extent_fault fault;

    if (!read_blocks(disk, probe->first, n, (uint8_t *)memory.entries)) {
        call_damaged(disk, number, "its table of extents can't be read");
        return;
    }
    int error = extent_open(&t->table, headers, probe, &memory, &fault);
    if (error) {
        call_damaged(disk, number, extent_strerror(error));
        return;
    }
    t->present = true;
    disk->info->flags |= AEGIS_DISK_TABLE;
}

void table_read(struct disk *disk, uint32_t number)
{
    uint8_t *headers = boot_alloc(HEADERS, 1);
    struct extent_probe probe;

    if (!zeroes)
        zeroes = boot_alloc(1, 1);
    if (disk->info->blocks <= HEADERS)
        return;
    if (!read_blocks(disk, 0, HEADERS, headers)) {
        call_damaged(disk, number, "its first blocks can't be read");
        return;
    }
    int error = extent_probe(headers, disk->info->blocks, &probe);
    if (!error)
        open_table(disk, number, headers, &probe);
    else if (error != -EXTENT_E_BLANK && error != -EXTENT_E_FOREIGN)
        call_damaged(disk, number, extent_strerror(error));
}

bool table_is_idle(const struct disk *disk)
{
    return disk->table.change.kind == EXTENT_NONE && disk_may_ask(disk);
}

/* The change is over. */
static void end(struct disk *disk, bool is_done)
{
    struct table_change change = disk->table.change;

    disk->table.change.kind = EXTENT_NONE;
    disk->info->flags &= ~(uint32_t)AEGIS_DISK_CHANGING;
    if (is_done) {
        extent_settled(disk, &change);
    } else {
        extent_undo(&disk->table.table);
        extent_undone(disk, &change);
        disk->info->failed++;
    }
    disk->info->changes++;
}

/* Asks the device for the next of what the change needs; if there is nothing left, it is done. */
static void advance(struct disk *disk)
{
    struct table_change *c = &disk->table.change;
    struct extent_step step;

    if (c->zero < c->zero_end) {
        uint64_t most = disk->blk.can_zero ? disk->info->zero_most / AEGIS_DISK_BLOCK : 0;
        uint64_t pieces = disk->blk.pieces_most < ZERO_REPEAT ? disk->blk.pieces_most : ZERO_REPEAT;
        uint64_t left = c->zero_end - c->zero, repeat = most ? most : pieces;
        c->zeroing = left < repeat ? left : repeat;
        if (most)
            disk_ask(disk, BLK_WRITE_ZEROES, c->zero, NULL, 0, c->zeroing);
        else
            disk_ask(disk, BLK_OUT, c->zero, zeroes, AEGIS_DISK_BLOCK, c->zeroing);
        return;
    }
    while (extent_step(&disk->table.table, &step)) {
        if (step.kind == EXTENT_STEP_WRITE) {
            disk_ask(disk, BLK_OUT, step.block, (void *)(uintptr_t)step.data, AEGIS_DISK_BLOCK, 1);
            return;
        }
        if (disk->blk.has_cache) {
            disk_ask(disk, BLK_FLUSH, 0, NULL, 0, 0);
            return;
        }
        /* Without a cache, what is completed is safe (section 5.2.5.1). */
    }
    end(disk, true);
}

void table_begin(struct disk *disk, const struct table_change *change)
{
    disk->table.change = *change;
    disk->table.change.env = this_hart->env->number;
    disk->table.change.serial = this_hart->env->info->serial;
    disk->info->flags |= AEGIS_DISK_CHANGING;
    advance(disk);
}

uint32_t table_payer(const struct disk *disk)
{
    const struct table_change *c = &disk->table.change;

    return c->kind != EXTENT_NONE && env_infos[c->env].serial == c->serial ? c->env : 0;
}

void table_answer(struct disk *disk, bool is_late, bool is_right)
{
    struct table_change *c = &disk->table.change;

    if (disk->table.late.end) {
        extents[disk->table.late.parent].children--;
        disk->table.late.end = 0;
    }
    if (is_late || c->kind == EXTENT_NONE)
        return;
    c->zero += c->zeroing;
    c->zeroing = 0;
    if (is_right)
        advance(disk);
    else
        end(disk, false);
}

void table_late(struct disk *disk)
{
    const struct table_change c = disk->table.change;

    if (c.zeroing) {
        disk->table.late.first = c.zero;
        disk->table.late.end = c.zero + c.zeroing;
        disk->table.late.parent = extents[c.extent].parent;
        extents[disk->table.late.parent].children++;
    }
    end(disk, false);
}
