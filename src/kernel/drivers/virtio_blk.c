#include "kernel/drivers/virtio_blk.h"

#include "kernel/boot_memory.h"
#include "kernel/phys.h"
#include "kernel/print.h"
#include "kernel/rv64/paging.h"

/* Section 5.2.3. */
#define F_SIZE_MAX     1
#define F_SEG_MAX      2
#define F_RO           5
#define F_BLK_SIZE     6
#define F_FLUSH        9
#define F_DISCARD      13
#define F_WRITE_ZEROES 14
#define F_INDIRECT     28 /* section 6 */

/* Section 5.2.4. */
#define CONFIG_CAPACITY     0
#define CONFIG_SIZE_MAX     8
#define CONFIG_SEG_MAX      12
#define CONFIG_BLK_SIZE     20
#define CONFIG_DISCARD_MOST 36
#define CONFIG_ZERO_MOST    48

_Static_assert(BLK_STRIDE >= BLK_DESCS && BLK_QUEUE_SIZE / BLK_STRIDE >= 2,
               "without indirect descriptors each slot has some of its own");
_Static_assert(BLK_SLOTS + 1 <= BLK_QUEUE_SIZE, "with them one");

/* The device's fields, which the driver doesn't trust more than it must (section 5.2.5). */
static const char *read_config(struct blk *blk)
{
    const struct virtio *d = &blk->device;
    uint64_t sectors = virtio_config64(d, CONFIG_CAPACITY);

    blk->block_size = virtio_has(d, F_BLK_SIZE) ? virtio_config32(d, CONFIG_BLK_SIZE) : BLK_SECTOR;
    if (blk->block_size != 512 && blk->block_size != 4096)
        return "its blocks are of neither 512 nor 4096 bytes";
    uint32_t ratio = blk->block_size / BLK_SECTOR;
    blk->blocks = sectors / ratio;
    if (blk->blocks == 0 || sectors > UINT64_MAX / BLK_SECTOR)
        return "its capacity makes no sense";
    blk->pieces_most = BLK_PIECES;
    if (virtio_has(d, F_SEG_MAX) && virtio_config32(d, CONFIG_SEG_MAX) < BLK_PIECES)
        blk->pieces_most = virtio_config32(d, CONFIG_SEG_MAX);
    if (blk->pieces_most == 0 ||
        (virtio_has(d, F_SIZE_MAX) && virtio_config32(d, CONFIG_SIZE_MAX) < PAGE_SIZE))
        return "it takes no page in one piece";
    blk->is_read_only = virtio_has(d, F_RO);
    blk->has_cache = virtio_has(d, F_FLUSH);
    if (virtio_has(d, F_DISCARD))
        blk->discard_most = virtio_config32(d, CONFIG_DISCARD_MOST) / ratio;
    if (virtio_has(d, F_WRITE_ZEROES))
        blk->zero_most = virtio_config32(d, CONFIG_ZERO_MOST) / ratio;
    blk->can_discard = blk->discard_most != 0;
    blk->can_zero = blk->zero_most != 0;
    return NULL;
}

static void make_slots(struct blk *blk)
{
    uint32_t most = blk->is_indirect ? blk->queue.size : blk->queue.size / BLK_STRIDE;

    blk->slot_count = most < BLK_SLOTS + 1 ? most : BLK_SLOTS + 1;
    size_t bytes = blk->slot_count * sizeof(*blk->memory);
    blk->memory = boot_alloc((bytes + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    for (uint32_t i = 0; i < blk->slot_count; i++) {
        struct blk_slot *s = &blk->slots[i];
        struct blk_memory *m = &blk->memory[i];
        s->base = (uint16_t)(blk->is_indirect ? 0 : i * BLK_STRIDE);
        s->head = (uint16_t)(blk->is_indirect ? i : s->base);
        s->table = blk->is_indirect ? m->table : &blk->queue.desc[s->base];
        s->table[0] = (struct virtq_desc){.address = virt_to_phys(&m->header),
                                          .length = sizeof(m->header),
                                          .flags = VIRTQ_DESC_NEXT,
                                          .next = (uint16_t)(s->base + 1)};
        if (blk->is_indirect) /* section 2.7.5.3 */
            blk->queue.desc[i].address = virt_to_phys(m->table);
        s->is_busy = true; /* but for blk_release */
    }
    blk->free = blk->slot_count;
    for (uint32_t i = blk->slot_count; i-- > 0;)
        blk_release(blk, i);
}

const char *blk_init(struct blk *blk, const struct virtio *device)
{
    const char *wrong;

    *blk = (struct blk){.device = *device};
    virtio_negotiate(&blk->device, 0,
                     1UL << F_SIZE_MAX | 1UL << F_SEG_MAX | 1UL << F_RO | 1UL << F_BLK_SIZE |
                         1UL << F_FLUSH | 1UL << F_DISCARD | 1UL << F_WRITE_ZEROES |
                         1UL << F_INDIRECT | 1UL << VIRTIO_F_EVENT_IDX);
    wrong = read_config(blk);
    if (wrong) {
        virtio_reset(&blk->device);
        return wrong;
    }
    virtio_make_queue(&blk->device, 0, BLK_QUEUE_SIZE, &blk->queue);
    blk->is_indirect = virtio_has(&blk->device, F_INDIRECT);
    if (!blk->is_indirect && blk->queue.size < 2 * BLK_STRIDE) {
        virtio_reset(&blk->device);
        return "its queue is too short";
    }
    /* No chain is longer than the queue, indirect or not (section 2.7.5.3.1). */
    if (blk->pieces_most + 2 > blk->queue.size)
        blk->pieces_most = blk->queue.size > 3 ? blk->queue.size - 2U : 1;
    make_slots(blk);
    virtio_start(&blk->device);
    virtq_want_interrupt(&blk->queue);
    return NULL;
}

void blk_go(struct blk *blk, uint32_t slot, enum blk_type type, uint64_t block, uint64_t count,
            uint32_t pieces)
{
    struct blk_memory *m = &blk->memory[slot];
    uint64_t ratio = blk->block_size / BLK_SECTOR, sector = block * ratio;

    if (slot != blk_own_slot(blk)) {
        assert_kernel(slot == blk->free);
        blk_take(blk);
    }
    if (type == BLK_DISCARD || type == BLK_WRITE_ZEROES) {
        /* The range comes as data, and the header's sector means nothing (section 5.2.6). */
        m->segment.sector = sector;
        m->segment.count = (uint32_t)(count * ratio);
        blk_piece(blk, slot, pieces++, virt_to_phys(&m->segment), sizeof(m->segment), false);
        sector = 0;
    } else if (type == BLK_FLUSH) {
        sector = 0; /* section 5.2.6.1 */
    }
    blk_give(blk, slot, type, sector, pieces);
}
