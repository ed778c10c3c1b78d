#include "kernel/boot_memory.h"

#include <string.h>

#include "kernel/phys.h"
#include "kernel/print.h"

#define FREE_RANGES (2 * BOARD_RANGES + 8)
#define MINIMUM     (32UL << 20)

extern char kernel_start[], kernel_end[];

static struct range free_ranges[FREE_RANGES];
static size_t free_count;

/* Adds a range to those that are free; one that begins where another ends makes that longer. */
static void insert_free(struct range range)
{
    size_t at = free_count;

    range.start = (range.start + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    range.end &= ~(uint64_t)(PAGE_SIZE - 1);
    if (range.start >= range.end)
        return;
    while (at > 0 && free_ranges[at - 1].start > range.start)
        at--;
    if (at > 0 && free_ranges[at - 1].end == range.start) {
        free_ranges[at - 1].end = range.end;
        return;
    }
    if (free_count == FREE_RANGES)
        refuse("device tree: memory is cut into more than %d pieces", FREE_RANGES);
    memmove(&free_ranges[at + 1], &free_ranges[at], (free_count - at) * sizeof(range));
    free_ranges[at] = range;
    free_count++;
}

/* Takes range out of what is free; pages that it touches only partly too. */
static void exclude(struct range range)
{
    struct range old[FREE_RANGES];
    size_t count = free_count;

    if (range.start >= range.end)
        return;
    range.start &= ~(uint64_t)(PAGE_SIZE - 1);
    range.end = (range.end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    memcpy(old, free_ranges, sizeof(old));
    free_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct range r = old[i];
        if (range.end <= r.start || r.end <= range.start) {
            insert_free(r);
            continue;
        }
        if (r.start < range.start)
            insert_free((struct range){r.start, range.start});
        if (range.end < r.end)
            insert_free((struct range){range.end, r.end});
    }
}

void boot_memory_init(const struct board *board)
{
    uint64_t total = 0;

    free_count = 0;
    for (size_t i = 0; i < board->memory_count; i++) {
        exclude(board->memory[i]); /* what two entries name is there once */
        insert_free(board->memory[i]);
    }
    for (size_t i = 0; i < free_count; i++)
        total += free_ranges[i].end - free_ranges[i].start;
    if (total < MINIMUM)
        refuse("the machine has %lu MiB of memory, and %lu are needed: start QEMU with -m %lu",
               total >> 20, MINIMUM >> 20, MINIMUM >> 20);
    for (size_t i = 0; i < board->reserved_count; i++)
        exclude(board->reserved[i]);
    exclude((struct range){image_to_phys(kernel_start), image_to_phys(kernel_end)});
    exclude(board->tree);
    exclude(board->initrd);
    /* The firmware sits below the kernel, on boards whose tree doesn't say so too. */
    exclude((struct range){board->memory[0].start, image_to_phys(kernel_start)});
}

void *boot_alloc(size_t pages, size_t align)
{
    uint64_t size = pages * PAGE_SIZE, mask = align * PAGE_SIZE - 1;

    assert_kernel(pages > 0);

    for (size_t i = 0; i < free_count; i++) {
        struct range r = free_ranges[i];
        uint64_t start = (r.start + mask) & ~mask;
        if (start < r.start || start + size > r.end)
            continue;
        exclude((struct range){start, start + size});
        return memset(phys_to_virt(start), 0, size);
    }
    refuse("no %lu KiB of contiguous memory for the kernel's tables", size >> 10);
}

const struct range *boot_memory_free(size_t *count)
{
    *count = free_count;
    return free_ranges;
}

struct range boot_memory_span(const struct board *board)
{
    struct range span = board->memory[0];

    for (size_t i = 1; i < board->memory_count; i++) {
        if (board->memory[i].start < span.start)
            span.start = board->memory[i].start;
        if (board->memory[i].end > span.end)
            span.end = board->memory[i].end;
    }
    return span;
}
