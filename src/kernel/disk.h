/*
 * Disks: requests of applications, between extents that they have bound and pages of their own
 * (design section 6).
 *
 * Invariant: a page is pinned once for each part of it that a request names which the device has;
 * a request lies in an extent that its environment had bound, and in none of that extent's
 * children; completions under way and those unread fit into their ring.
 */
#ifndef AEGIS_KERNEL_DISK_H
#define AEGIS_KERNEL_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"
#include "kernel/drivers/virtio_blk.h"
#include "kernel/extent_table.h"
#include "kernel/rv64/csr.h"

struct env;

/* What is known of the request in a slot of the device's. */
struct disk_request {
    uint64_t cookie;
    uint64_t deadline; /* rdtime */
    struct env *asker; /* whose it is; NULL: the kernel's own, or it has ended */
    uint32_t extent;
    uint16_t page_count;
    bool is_late;                         /* its owner was told that it hasn't been answered */
    struct aegis_page *pages[BLK_PIECES]; /* pinned */
};

struct disk {
    struct aegis_disk_info *info;
    struct blk blk;
    struct disk_table table;
    bool unfinished; /* answers wait whose turn is when disk_expire is called */
    struct disk_request requests[BLK_SLOTS + 1]; /* by slot */
};

extern struct disk *disks; /* info->disk_count of them */

/*
 * rdtime at which disk_expire is due; AEGIS_FOREVER while the devices have nothing; 0: at once.
 * Looked at whenever the processor changes hands.
 */
extern uint64_t disk_deadline;

/* Makes a disk of each of count block devices, which have so many seconds for an answer, reads
 * their tables, and gives their roots to FIRST_ENV. */
void disk_init(struct virtio *devices, size_t count, uint64_t seconds);

/* Goes on with answers that were too many for one interrupt, and tells the owners of requests that
 * were not answered in time. */
void disk_expire(void);

/*
 * Has the device do something for the kernel, in its own slot, which is free: moves length bytes
 * between memory, in one piece (length 0: none), and block (of AEGIS_DISK_BLOCK) and, for BLK_OUT,
 * the count - 1 blocks behind it; count is also the blocks of BLK_WRITE_ZEROES. table_answer
 * (extent_table.h) hears of its end.
 */
void disk_ask(struct disk *disk, enum blk_type type, uint64_t block, void *memory, uint64_t length,
              uint64_t count);

/* The same, and waits for its end: at boot alone. */
enum blk_status disk_ask_now(struct disk *disk, enum blk_type type, uint64_t block, void *memory,
                             uint64_t length);

/* Whether the kernel's own slot is free. */
bool disk_may_ask(const struct disk *disk);

/* Puts a completion into env's ring, if it has one still. */
void disk_complete(struct env *env, uint64_t cookie, int64_t status);

extern uint64_t disk_patience; /* ticks until a request is late */

/* Notes when a request that is given to the device now is late. */
static inline void disk_set_deadline(struct disk_request *q)
{
    q->deadline = time_now() + disk_patience;
    if (q->deadline < disk_deadline)
        disk_deadline = q->deadline;
}

/* Forgets env's ring; it ends. Its requests go on. */
void disk_forget(struct env *env);

#endif
