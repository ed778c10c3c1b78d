/*
 * virtio block device (specification 1.2, section 5.2): one queue, many requests in flight, data
 * moved straight between the disk and the pieces of memory that a request names.
 *
 * Invariant: each slot is on the free list, or holds one request that the device has; the last slot
 * is the kernel's own and never on the list.
 */
#ifndef AEGIS_KERNEL_DRIVERS_VIRTIO_BLK_H
#define AEGIS_KERNEL_DRIVERS_VIRTIO_BLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/check/hard.h"
#include "kernel/drivers/virtio.h"
#include "kernel/phys.h"

#define BLK_SECTOR                                                                                 \
    512 /* bytes of what the device counts in, whatever its blocks (section 5.2.6)                 \
         */
#define BLK_PIECES     33 /* of one request: 32 pages' worth of memory that may begin within a page */
#define BLK_DESCS      (BLK_PIECES + 2) /* and the header before, the status behind */
#define BLK_STRIDE     64               /* descriptors from one slot's first to the next one's */
#define BLK_QUEUE_SIZE 1024
#define BLK_SLOTS      HARD(128, 8)

/* What a request does (section 5.2.6). */
enum blk_type {
    BLK_IN = 0,
    BLK_OUT = 1,
    BLK_FLUSH = 4,
    BLK_DISCARD = 11,
    BLK_WRITE_ZEROES = 13,
};

/* How it ended (section 5.2.6); NONE: the device hasn't said. */
enum blk_status {
    BLK_OK = 0,
    BLK_IOERR = 1,
    BLK_UNSUPP = 2,
    BLK_NONE = 0xff,
};

/* What the device reads and writes for one request, beside the data. */
struct blk_memory {
    struct virtq_desc table[BLK_DESCS]; /* the request's descriptors, if they are indirect */
    struct {
        uint32_t type;
        uint32_t reserved;
        uint64_t sector;
    } header;
    struct {
        uint64_t sector;
        uint32_t count;
        uint32_t flags;
    } segment;               /* of DISCARD and WRITE_ZEROES */
    volatile uint8_t status; /* enum blk_status; the device's */
} __attribute__((aligned(128)));
_Static_assert(offsetof(struct blk_memory, header) % 16 == 0, "one piece of memory");

struct blk_slot {
    struct virtq_desc *table; /* of its descriptors: memory's own, or a part of the queue's */
    uint16_t base;            /* what a chain calls table[0] */
    uint16_t head;            /* the descriptor that the queue knows it by */
    uint16_t next_free;
    bool is_busy; /* the device has it */
};

struct blk {
    struct virtio device;
    struct virtq queue;
    struct blk_memory *memory; /* by slot */
    uint32_t free;             /* first free slot, or slot_count */
    uint32_t free_count;
    uint32_t slot_count; /* the kernel's own included */
    bool is_indirect;
    bool is_read_only;
    bool has_cache; /* what was written is lost with the power until a flush (section 5.2.5.1) */
    bool can_discard, can_zero;
    uint32_t block_size;              /* bytes: 512 or 4,096 */
    uint64_t blocks;                  /* of that size */
    uint32_t pieces_most;             /* of a request, at most BLK_PIECES */
    uint64_t discard_most, zero_most; /* blocks of a request; 0 if it can't */
    struct blk_slot slots[BLK_SLOTS + 1];
};

/*
 * Takes a block device into service. NULL, or what is wrong with it: then it was reset, and is left
 * alone.
 */
const char *blk_init(struct blk *blk, const struct virtio *device);

/* The slot that the kernel alone uses. */
static inline uint32_t blk_own_slot(const struct blk *blk)
{
    return blk->slot_count - 1;
}

/* Makes piece number n of a slot's request; into: the device writes there, else it reads. */
static inline void blk_piece(struct blk *blk, uint32_t slot, uint64_t n, uint64_t physical,
                             uint64_t length, bool into)
{
    const struct blk_slot *s = &blk->slots[slot];
    uint64_t flags = into ? VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE : VIRTQ_DESC_NEXT;
    struct virtq_desc *desc = &s->table[n + 1];

    desc->address = physical;
    desc->rest = length | flags << 32 | (s->base + n + 2) << 48;
}

/*
 * Gives the device the request of slot, which is taken off the free list if it isn't the kernel's
 * own: blk->free, that is. block and count are of block_size bytes; count is of DISCARD and
 * WRITE_ZEROES alone, the others' is what their pieces hold. virtq_publish shows it.
 */
void blk_go(struct blk *blk, uint32_t slot, enum blk_type type, uint64_t block, uint64_t count,
            uint32_t pieces);

/* The next request that the device has ended: false if there is none. Its slot is still taken. */
static inline bool blk_next(struct blk *blk, uint32_t *slot, enum blk_status *status)
{
    struct virtq_used used;

    if (!virtq_take(&blk->queue, &used))
        return false;
    *slot = (uint32_t)(blk->is_indirect ? used.head : used.head / BLK_STRIDE);
    if (__builtin_expect(*slot >= blk->slot_count || !blk->slots[*slot].is_busy, 0))
        virtq_bad_head(&blk->queue, (uint32_t)used.head);
    *status = blk->memory[*slot].status;
    return true;
}

/* Takes blk->free, which is a slot, off the list; returns it. */
static inline uint32_t blk_take(struct blk *blk)
{
    uint32_t slot = blk->free;

    blk->free = blk->slots[slot].next_free;
    blk->free_count--;
    return slot;
}

/*
 * blk_go for a slot that was taken, and a request with no segment (IN, OUT, FLUSH) that begins at a
 * sector of BLK_SECTOR bytes.
 */
static inline void blk_give(struct blk *blk, uint32_t slot, enum blk_type type, uint64_t sector,
                            uint64_t pieces)
{
    struct blk_slot *s = &blk->slots[slot];
    struct blk_memory *m = &blk->memory[slot];
    struct virtq_desc *last = &s->table[pieces + 1];

    s->is_busy = true;
    m->header.type = type;
    m->header.sector = sector;
    m->status = BLK_NONE;
    last->address = virt_to_phys((const void *)&m->status);
    last->rest = sizeof(m->status) | (uint64_t)VIRTQ_DESC_WRITE << 32;
    if (blk->is_indirect)
        blk->queue.desc[slot].rest = (pieces + 2) * sizeof(*last) | (uint64_t)VIRTQ_DESC_INDIRECT
                                                                        << 32;
    virtq_add(&blk->queue, s->head);
}

/* Its slot may be used again. */
static inline void blk_release(struct blk *blk, uint32_t slot)
{
    blk->slots[slot].is_busy = false;
    if (slot == blk_own_slot(blk))
        return;
    blk->slots[slot].next_free = (uint16_t)blk->free;
    blk->free = slot;
    blk->free_count++;
}

#endif
