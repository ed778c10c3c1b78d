/*
 * ExOS's interface to extents: made and given back, opened by ownership, capability and name,
 * transfers of any length, requests under way with callbacks, and more of them than there is room
 * for. Without a disk there is nothing to do.
 */
#include <stdio.h>
#include <string.h>

#include "libos/disk/disk.h"
#include "libos/vm/vm.h"
#include "test.h"

#define BLOCK  AEGIS_DISK_BLOCK
#define PAGES  80 /* of a transfer: more than one request takes, and no multiple of that */
#define BLOCKS (PAGES + 10)
#define MANY   (AEGIS_DISK_DEPTH + 10)

static uint8_t secret[AEGIS_SECRET_SIZE] = "known to us only";
static uint8_t *memory, *copy;
static uint32_t called;

static uint32_t make(void)
{
    const struct aegis_cap *cap = &exos.start->caps[TEST_CAP_DISK];
    struct aegis_extent_request request = {.parent = AEGIS_CAP_INDEX(cap->name),
                                           .capability = cap,
                                           .first = AEGIS_ANY,
                                           .count = BLOCKS,
                                           .flags = AEGIS_EXTENT_SEALED};
    memcpy(request.secret, secret, sizeof secret);
    int64_t extent = disk_allocate(&request);
    if (extent < 0)
        FAIL("disk_allocate: %s", aegis_error_name(extent));
    request.count = 1UL << 40;
    CHECK(disk_allocate(&request) < 0);
    request.parent = UINT64_MAX;
    CHECK_ERROR(disk_allocate(&request), RANGE);
    return (uint32_t)extent;
}

/* Longer than a request, in memory that begins within a page. */
static void long_transfers(const struct disk *disk)
{
    uint64_t length = PAGES * BLOCK - disk->unit;

    CHECK_EQ(disk->size, BLOCKS * BLOCK);
    CHECK(length > 2 * disk->most && length % disk->most != 0);
    for (uint64_t i = 0; i < PAGES * BLOCK / 4; i++)
        ((uint32_t *)memory)[i] = (uint32_t)i * 2654435761;
    CHECK_OK(disk_write(disk, BLOCK, memory + disk->unit, length));
    CHECK_OK(disk_read(disk, BLOCK, copy, length));
    CHECK_EQ(memcmp(memory + disk->unit, copy, length), 0);
    CHECK_OK(disk_read(disk, 0, copy, 0));
    CHECK_OK(disk_flush(disk));
    /* Beyond the end: the part before it may be moved, and the error is told. */
    CHECK_ERROR(disk_write(disk, disk->size - BLOCK, memory, 2 * BLOCK), RANGE);
    CHECK_ERROR(disk_read(disk, disk->size, copy, disk->unit), RANGE);
    CHECK_ERROR(disk_read(disk, 1, copy, disk->unit), ALIGNMENT);
}

static void count_call(struct disk_io *io)
{
    CHECK(io->done);
    CHECK_EQ(*(uint32_t *)io->context, 77);
    called++;
}

/* As many as are taken; each is done once, and waiting for one takes others' ends, too. */
static void requests_under_way(const struct disk *disk)
{
    static struct disk_io ios[MANY];
    uint32_t context = 77, begun = 0;

    for (uint32_t i = 0; i < MANY; i++) {
        ios[i] = (struct disk_io){.then = count_call, .context = &context};
        int64_t error =
            disk_start(disk, AEGIS_DISK_READ, i % 8 * BLOCK, copy + i % 8 * BLOCK, BLOCK, &ios[i]);
        if (error == -AEGIS_E_FULL) { /* as fast as the disk is, or not */
            disk_wait(&ios[i - 1]);
            i--;
            continue;
        }
        CHECK_OK(error);
        begun++;
    }
    for (uint32_t i = 0; i < MANY; i++)
        CHECK_OK(disk_wait(&ios[i]));
    CHECK_EQ(begun, MANY);
    CHECK_EQ(called, MANY);
    CHECK_EQ(disk_poll(), 0);
    CHECK_ERROR(disk_start(disk, AEGIS_DISK_OPS, 0, copy, BLOCK, &ios[0]), INVALID);
}

/* By capability, and only as far as that goes. */
static void opened_by_others(uint32_t extent)
{
    struct aegis_cap cap;
    struct disk disk;

    CHECK_OK(aegis_cap_mint(AEGIS_KIND_EXTENT, extent, AEGIS_RIGHT_READ, &cap));
    CHECK_ERROR(disk_open(&disk, extent, DISK_READ_WRITE, &cap), RIGHTS);
    CHECK_OK(disk_open(&disk, extent, DISK_READ_ONLY, &cap));
    CHECK_OK(disk_read(&disk, BLOCK, copy, BLOCK));
    CHECK_ERROR(disk_write(&disk, BLOCK, copy, BLOCK), RIGHTS);
    disk_close(&disk);
}

/* Given up, it is opened again by its name alone. */
static void opened_by_name(uint32_t extent)
{
    const volatile struct aegis_extent_info *info = aegis_extent(extent);
    static const char *const wrong[] = {"",         "0",       "0,1,2", "0,1,2,3",
                                        "0,1,2,zz", "-1,1,1,", "0,,1,"};
    char name[120], digits[2 * AEGIS_SECRET_SIZE + 1];
    struct disk disk;

    for (size_t i = 0; i < AEGIS_SECRET_SIZE; i++)
        snprintf(digits + 2 * i, 3, "%02X", secret[i]);
    snprintf(name, sizeof name, "%u,%llu,%llu,%s", (unsigned)info->disk,
             (unsigned long long)info->first, (unsigned long long)info->count, digits);
    CHECK_ERROR(disk_open_name(&disk, name, DISK_READ_ONLY), IN_USE);
    CHECK_OK(aegis_extent_free(extent, AEGIS_EXTENT_FORGET));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ERROR(disk_open_name(&disk, wrong[i], DISK_READ_ONLY), INVALID);
    CHECK_OK(disk_open_name(&disk, name, DISK_READ_WRITE));
    CHECK_EQ(disk.extent, extent);
    memset(copy, 0, BLOCK);
    CHECK_OK(disk_read(&disk, BLOCK, copy, BLOCK));
    CHECK_EQ(memcmp(memory + disk.unit, copy, BLOCK), 0);
    name[strlen(name) - 1] ^= 1;
    CHECK_OK(aegis_extent_free(extent, AEGIS_EXTENT_FORGET));
    CHECK_ERROR(disk_open_name(&disk, name, DISK_READ_ONLY), CAPABILITY);
    name[strlen(name) - 1] ^= 1;
    CHECK_OK(disk_open_name(&disk, name, DISK_READ_WRITE));
    disk_close(&disk);
}

static void changed(uint32_t extent)
{
    CHECK_OK(disk_resize(extent, BLOCKS - 5, NULL));
    CHECK_EQ(aegis_extent(extent)->count, BLOCKS - 5);
    CHECK_OK(disk_resize(extent, BLOCKS, &exos.start->caps[TEST_CAP_DISK]));
    CHECK_ERROR(disk_resize(extent, 0, NULL), RANGE);
    int64_t rest = disk_split(extent, 10, secret);
    CHECK(rest > 0);
    CHECK_EQ(aegis_extent((uint32_t)rest)->count, BLOCKS - 10);
    CHECK_ERROR(disk_split(extent, 10, NULL), RANGE);
    CHECK_OK(disk_release((uint32_t)rest));
    CHECK_ERROR(disk_release(UINT32_MAX), RANGE);
    CHECK_ERROR(disk_resize(UINT32_MAX, 1, NULL), RANGE);
    CHECK_ERROR(disk_split(UINT32_MAX, 1, NULL), RANGE);
}

int main(void)
{
    struct disk disk;

    if (aegis_info()->disk_count == 0)
        return 0;
    memory = vm_alloc(PAGES, VM_READ_WRITE);
    copy = vm_alloc(PAGES, VM_READ_WRITE);
    uint32_t extent = make();
    CHECK_OK(disk_open(&disk, extent, DISK_READ_WRITE, NULL));
    long_transfers(&disk);
    requests_under_way(&disk);
    disk_close(&disk);
    opened_by_others(extent);
    opened_by_name(extent);
    changed(extent);
    CHECK_OK(disk_release(extent));
    CHECK_OK(vm_free(memory));
    CHECK_OK(vm_free(copy));
    return 0;
}
