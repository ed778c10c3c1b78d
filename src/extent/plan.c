/*
 * Bringing a change to the disk. The current copy is never written; the other one gets its blocks
 * of slots, and behind a flush its header, whose sequence number then makes it current:
 *
 *      [wipe header, flush]  slots...  flush  header  flush
 *
 * Until the header is on the disk whole, the other copy has no header, or one with a lower number
 * than the current copy's, so the table before the change is read; from then on, its slots are
 * there, as the flush before says, so the one after it is. That does not rest on checksums, but for
 * a header that is torn. docs/disk.md goes through the cases.
 *
 * A header that was handed out in vain (extent_undo) may be on the disk, with a higher number than
 * the current one's: it is wiped before its slots change.
 */
#include <string.h>

#include "extent/internal.h"

static uint32_t target(const struct extent_table *table)
{
    return 1 - table->copy;
}

static bool flush(struct extent_table *table, struct extent_step *step)
{
    *step = (struct extent_step){.kind = EXTENT_STEP_FLUSH};
    table->phase++;
    return true;
}

static bool write(struct extent_step *step, uint64_t block, const void *data)
{
    *step = (struct extent_step){.kind = EXTENT_STEP_WRITE, .block = block, .data = data};
    return true;
}

/* Wipe the next header that must go, or false. */
static bool wipe_next(struct extent_table *table, struct extent_step *step)
{
    while (table->at < 2 && !(table->wipe & 1U << table->at))
        table->at++;
    if (table->at == 2)
        return false;
    memset(table->buffer, 0, EXTENT_BLOCK);
    return write(step, table->at++, table->buffer);
}

/* Write the next block of slots that the copy has an older one of, or false. */
static bool write_next(struct extent_table *table, struct extent_step *step)
{
    uint64_t stale = table->stale[target(table)];
    const struct extent_entry *slots;
    uint32_t b;

    while (table->at < table->header.table_blocks && !(stale & 1UL << table->at))
        table->at++;
    if (table->at == table->header.table_blocks)
        return false;
    b = table->at++;
    slots = table->entries + (size_t)b * EXTENT_PER_BLOCK;
    table->header.sums[b] = extent_sum(&table->header, slots);
    return write(step, extent_slots_at(&table->header, target(table)) + b, slots);
}

static bool write_header(struct extent_table *table, struct extent_step *step)
{
    struct extent_header header = table->header;

    table->stale[target(table)] = 0;
    table->wipe |= 1U << target(table);
    header.sequence++;
    header.copy = target(table);
    header.sum = extent_header_sum(&header);
    memset(table->buffer, 0, EXTENT_BLOCK);
    memcpy(table->buffer, &header, sizeof header);
    table->phase = EXTENT_HEADER_WRITTEN;
    return write(step, target(table), table->buffer);
}

static void commit(struct extent_table *table)
{
    table->copy = target(table);
    table->wipe &= ~(1U << table->copy);
    table->header.sequence++;
    table->header.copy = table->copy;
    table->undo.kind = EXTENT_NONE;
    table->phase = EXTENT_IDLE;
}

/* The writes are given while there are some; behind the last one the flush. */
bool extent_step(struct extent_table *table, struct extent_step *step)
{
    switch (table->phase) {
    case EXTENT_IDLE:
        break;
    case EXTENT_BEGIN:
        table->at = 0;
        table->phase = table->wipe != 0 ? EXTENT_WIPE : EXTENT_SLOTS;
        return extent_step(table, step);
    case EXTENT_WIPE:
        return wipe_next(table, step) || flush(table, step);
    case EXTENT_WIPED:
        table->wipe = 0;
        table->at = 0;
        table->phase = EXTENT_SLOTS;
        return extent_step(table, step);
    case EXTENT_SLOTS:
        return write_next(table, step) || flush(table, step);
    case EXTENT_SLOTS_WRITTEN:
        return write_header(table, step);
    case EXTENT_HEADER_WRITTEN:
        return flush(table, step);
    case EXTENT_COMMITTED:
        commit(table);
        break;
    }
    return false;
}
