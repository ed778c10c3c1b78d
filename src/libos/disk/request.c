/* Requests, and the one ring of completions that a program has for all its disks. */
#include "libos/disk/internal.h"
#include "libos/vm/vm.h"

static struct aegis_disk_ring *ring;

int64_t disk_make_ring(void)
{
    if (ring)
        return 0;
    struct aegis_disk_ring *page = vm_alloc(1, VM_READ_WRITE);
    if (!page)
        return -AEGIS_E_NO_PAGE;
    int64_t error = aegis_disk_ring(page);
    if (error < 0) {
        vm_free(page);
        return error;
    }
    ring = page;
    return 0;
}

int64_t disk_start(const struct disk *disk, enum aegis_disk_op op, uint64_t offset, void *memory,
                   uint64_t length, struct disk_io *io)
{
    const struct aegis_disk_request request = {.binding = disk->binding,
                                               .op = op,
                                               .offset = offset,
                                               .cookie = (uintptr_t)io,
                                               .memory = memory,
                                               .length = length};
    io->done = false;
    int64_t taken = aegis_disk_submit(&request, 1);
    return taken < 0 ? taken : 0;
}

uint32_t disk_poll(void)
{
    uint32_t count = 0;
    uint64_t tail;

    while (ring && (tail = ring->tail) != __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE)) {
        struct aegis_disk_completion end = ring->entries[tail % AEGIS_DISK_RING];
        struct disk_io *io = (struct disk_io *)(uintptr_t)end.cookie;

        __atomic_thread_fence(__ATOMIC_RELEASE); /* the entry is read before it is given back */
        ring->tail = tail + 1;
        io->status = end.status;
        io->done = true;
        if (io->then)
            io->then(io);
        count++;
    }
    return count;
}

struct aegis_predicate disk_when_ended(void)
{
    return AEGIS_WHEN(ring->head, NE, ring->tail);
}

int64_t disk_wait(struct disk_io *io)
{
    while (!io->done) {
        struct aegis_predicate ended = disk_when_ended();
        if (disk_poll() == 0)
            aegis_wait(&ended, 1, AEGIS_FOREVER);
    }
    return io->status;
}

/* What is full is this program's ring or the disk: wait until a request of anybody's has ended. */
void disk_wait_room(const struct disk *disk, uint64_t done)
{
    struct aegis_predicate when[] = {disk_when_ended(),
                                     AEGIS_WHEN(aegis_info()->disks[disk->number].done, NE, done)};
    if (disk_poll() == 0)
        aegis_wait(when, 2, AEGIS_FOREVER);
}
