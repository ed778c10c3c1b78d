/*
 * The first program of a machine with a disk: changes the disk's table of extents at random, one
 * change after the other, marks the blocks of each extent as its own, and tells in the log what it
 * has done, so that the disk can be compared with that whenever the power was lost. Boot argument:
 * churn=SEED,CHANGES. tests/system/test_disk_crash.py reads what it tells:
 *
 *   churn: alloc ID FIRST COUNT PARENT    PARENT: an ID, 0 is the root
 *   churn: free ID
 *   churn: resize ID COUNT NEW            from now on its mark is NEW
 *   churn: split ID KEEP NEW REST         likewise; the rest's is REST
 *   churn: done; N changes failed
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/disk/disk.h"
#include "libos/start/error.h"

#define OWN_MAX    24
#define BLOCKS_MAX 24 /* of one extent */

static struct own {
    uint32_t extent; /* 0: free */
    uint32_t id;
    uint32_t parent; /* index, or OWN_MAX for the root */
} owns[OWN_MAX];
static uint64_t state;
static uint32_t next_id = 1, root;
static uint8_t marks[BLOCKS_MAX][AEGIS_DISK_BLOCK] __attribute__((aligned(AEGIS_PAGE_SIZE)));

static uint32_t below(uint32_t limit)
{
    state = state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(state >> 33) % limit;
}

static _Noreturn void die(const char *what, int64_t error)
{
    fprintf(stderr, "churn: %s: %s\n", what, aegis_strerror(error));
    aegis_shutdown(1);
    abort();
}

/* Write an extent's mark into each of its blocks, to stay. What has extents inside is left alone.
 */
static void mark(const struct own *own)
{
    const volatile struct aegis_extent_info *info = aegis_extent(own->extent);
    struct disk disk;

    if (info->children)
        return;
    for (uint64_t b = 0; b < info->count; b++)
        for (size_t i = 0; i < AEGIS_DISK_BLOCK; i += 4)
            memcpy(&marks[b][i], &own->id, 4);
    int64_t error = disk_open(&disk, own->extent, DISK_READ_WRITE, NULL);
    if (!error)
        error = disk_write(&disk, 0, marks, disk.size);
    if (!error && below(2) && disk_flush(&disk) == -AEGIS_E_DEVICE)
        error = disk_flush(&disk); /* the test has the disk fail some, once each */
    if (error)
        die("mark", error);
    disk_close(&disk);
}

static struct own *some(bool used)
{
    struct own *own = &owns[below(OWN_MAX)];

    return !own->extent == !used ? own : NULL;
}

static bool alloc(void)
{
    struct own *own = some(false), *parent = below(3) ? NULL : some(true);

    if (!own)
        return false;
    struct aegis_extent_request request = {.parent = parent ? parent->extent : root,
                                           .first = AEGIS_ANY,
                                           .count = 1 + below(parent ? 4 : BLOCKS_MAX)};
    if (below(2))
        request.first = aegis_extent((uint32_t)request.parent)->first +
                        below((uint32_t)aegis_extent((uint32_t)request.parent)->count);
    int64_t extent = disk_allocate(&request);
    if (extent < 0)
        return false;
    *own = (struct own){(uint32_t)extent, next_id++, parent ? (uint32_t)(parent - owns) : OWN_MAX};
    printf("churn: alloc %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu32 "\n", own->id,
           aegis_extent(own->extent)->first, aegis_extent(own->extent)->count,
           parent ? parent->id : 0);
    mark(own);
    return true;
}

static bool release(void)
{
    struct own *own = some(true);

    if (!own || disk_release(own->extent) < 0)
        return false;
    printf("churn: free %" PRIu32 "\n", own->id);
    own->extent = 0;
    return true;
}

static bool resize(void)
{
    struct own *own = some(true);
    uint64_t count = 1 + below(BLOCKS_MAX);

    if (!own || disk_resize(own->extent, count, NULL) < 0)
        return false;
    printf("churn: resize %" PRIu32 " %" PRIu64 " %" PRIu32 "\n", own->id, count, next_id);
    own->id = next_id++;
    mark(own);
    return true;
}

static bool split(void)
{
    struct own *own = some(true), *rest = some(false);
    uint64_t keep = 1 + below(BLOCKS_MAX);

    if (!own || !rest || aegis_extent(own->extent)->children)
        return false;
    int64_t extent = disk_split(own->extent, keep, NULL);
    if (extent < 0)
        return false;
    printf("churn: split %" PRIu32 " %" PRIu64 " %" PRIu32 " %" PRIu32 "\n", own->id, keep, next_id,
           next_id + 1);
    own->id = next_id++;
    *rest = (struct own){(uint32_t)extent, next_id++, own->parent};
    mark(own);
    mark(rest);
    return true;
}

int main(void)
{
    static bool (*const changes[])(void) = {alloc, alloc, release, resize, split};
    char arguments[AEGIS_BOOTARGS_SIZE + 1] = "", *end;

    for (size_t i = 0; i < AEGIS_BOOTARGS_SIZE; i++)
        arguments[i] = aegis_info()->bootargs[i];
    const char *own = strstr(arguments, "churn=");
    if (!own || aegis_info()->disk_count == 0)
        die("churn=SEED,CHANGES, or a disk, is missing", -AEGIS_E_INVALID);
    state = strtoull(own + 6, &end, 10);
    uint64_t count = strtoull(end + 1, NULL, 10);
    root = aegis_info()->disks[0].extents;
    while (count > 0)
        count -= changes[below(sizeof changes / sizeof *changes)]();
    printf("churn: done; %" PRIu64 " changes failed\n", aegis_info()->disks[0].failed);
    fflush(stdout);
    aegis_shutdown(0);
    return 0;
}
