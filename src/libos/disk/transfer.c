/* Whole transfers: requests as large as the disk takes them, several under way. */
#include "libos/disk/internal.h"

#define UNDER_WAY 8

/* Begin a request, whenever there is room for it. */
static int64_t start(const struct disk *disk, enum aegis_disk_op op, uint64_t offset, void *memory,
                     uint64_t length, struct disk_io *io)
{
    for (;;) {
        uint64_t done = aegis_info()->disks[disk->number].done;
        int64_t error = disk_start(disk, op, offset, memory, length, io);

        if (error != -AEGIS_E_FULL)
            return error;
        disk_wait_room(disk, done);
    }
}

static int64_t transfer(const struct disk *disk, enum aegis_disk_op op, uint64_t offset,
                        uint8_t *memory, uint64_t length)
{
    struct disk_io ios[UNDER_WAY];
    uint64_t begun = 0, ended = 0;
    int64_t error = 0;

    while (ended < begun || (length > 0 && !error)) {
        if (begun - ended == UNDER_WAY || length == 0 || error) {
            int64_t status = disk_wait(&ios[ended++ % UNDER_WAY]);
            error = error ?: status;
            continue;
        }
        uint64_t now = length < disk->most ? length : disk->most;
        ios[begun % UNDER_WAY] = (struct disk_io){.then = NULL};
        error = start(disk, op, offset, memory, now, &ios[begun % UNDER_WAY]);
        begun += !error;
        offset += now;
        memory += now;
        length -= now;
    }
    return error;
}

int64_t disk_read(const struct disk *disk, uint64_t offset, void *memory, uint64_t length)
{
    return transfer(disk, AEGIS_DISK_READ, offset, memory, length);
}

int64_t disk_write(const struct disk *disk, uint64_t offset, const void *memory, uint64_t length)
{
    return transfer(disk, AEGIS_DISK_WRITE, offset, (uint8_t *)(uintptr_t)memory, length);
}

int64_t disk_flush(const struct disk *disk)
{
    struct disk_io io = {.then = NULL};
    int64_t error = start(disk, AEGIS_DISK_FLUSH, 0, NULL, 0, &io);

    return error ?: disk_wait(&io);
}
