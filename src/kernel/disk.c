#include "kernel/disk.h"

#include "kernel/boot_memory.h"
#include "kernel/call.h"
#include "kernel/charge.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/extent.h"
#include "kernel/interrupt.h"
#include "kernel/page.h"
#include "kernel/print.h"
#include "kernel/user.h"

_Static_assert(sizeof(struct aegis_disk_ring) == PAGE_SIZE, "a page");
_Static_assert(AEGIS_DISK_DEPTH < AEGIS_DISK_RING, "completions find room");

/* Answers of one entry: up to some 350 instructions each, before a step of the table. */
#define ANSWERS HARD(32, 2)

struct disk *disks;
uint64_t disk_deadline = AEGIS_FOREVER;
uint64_t disk_patience;

void disk_complete(struct env *env, uint64_t cookie, int64_t status)
{
    struct aegis_disk_ring *ring = env->disk_ring;
    uint64_t head = env->disk_head; /* the kernel's own count: the page is the application's */

    if (!ring)
        return;
    ring->entries[head % AEGIS_DISK_RING] =
        (struct aegis_disk_completion){.cookie = cookie, .status = status};
    /* The entry before the head that shows it. */
    fence(w, w);
    ring->head = env->disk_head = head + 1;
}

static int64_t error_of(enum blk_status status)
{
    return status == BLK_OK ? 0 : status == BLK_UNSUPP ? -AEGIS_E_INVALID : -AEGIS_E_DEVICE;
}

#define OWN_ANSWER                                                                                 \
    (1UL << 63) /* of take_answer: to the kernel's own request; below, the status                  \
                 */

/*
 * Takes an answer, which waits. Returns who pays for that: 0 if it has ended. What the kernel has
 * asked for itself is left to finish_own. A function that calls none: it saves no registers.
 */
static __attribute__((noinline)) uint64_t take_answer(struct disk *disk)
{
    enum blk_status status = BLK_NONE;
    uint32_t slot = 0;

    blk_next(&disk->blk, &slot, &status);
    if (__builtin_expect(slot == blk_own_slot(&disk->blk), 0))
        return OWN_ANSWER | status;
    struct disk_request *q = &disk->requests[slot];
    __asm__("" : "+r"(q)); /* or it is worked out anew wherever it is needed */
    struct env *env = q->asker;
    disk->info->done++;
    if (__builtin_expect(status != BLK_OK, 0))
        disk->info->errors++;
    for (struct aegis_page **page = q->pages, **end = page + q->page_count; page < end; page++)
        page_unpin(*page);
    q->page_count = 0;
    extents[q->extent].busy--;
    blk_release(&disk->blk, slot);
    if (!env)
        return 0;
    env->disk_requests--;
    if (!q->is_late)
        disk_complete(env, q->cookie, error_of(status));
    return env->number;
}

/* The kernel's own request, and the answers of this entry are taken. */
static __attribute__((noinline)) void finish_own(struct disk *disk, bool is_right, uint64_t clock)
{
    bool is_late = disk->requests[blk_own_slot(&disk->blk)].is_late;
    uint32_t payer = table_payer(disk);

    blk_release(&disk->blk, blk_own_slot(&disk->blk));
    table_answer(disk, is_late, is_right);
    if (payer && charge_runs())
        charge_answer(payer, clock);
}

/*
 * Takes what the device has ended; what is too much for one entry, when disk_expire is called. The
 * table's step comes last, and once an entry: it takes up to 35,000 instructions, and what it asks
 * for raises another interrupt, however fast it is answered.
 */
static inline __attribute__((always_inline)) void take_answers(struct disk *disk)
{
    uint64_t clock = charge_runs() ? time_now() : 0, own = 0;
    uint32_t left = ANSWERS;

    do
        for (; left && virtq_waits(&disk->blk.queue); left--) {
            uint64_t payer = take_answer(disk);
            if (__builtin_expect(payer & OWN_ANSWER, 0))
                own = payer;
            else if (charge_runs())
                clock = payer ? charge_answer((uint32_t)payer, clock) : time_now();
        }
    while (left && virtq_want_interrupt(&disk->blk.queue));
    if (__builtin_expect(left == 0, 0)) {
        disk->unfinished = true;
        disk_deadline = 0;
    }
    if (__builtin_expect(own != 0, 0))
        finish_own(disk, own == (OWN_ANSWER | BLK_OK), clock);
}

static bool disk_interrupt(void *argument)
{
    struct disk *disk = argument;

    virtio_acknowledge(&disk->blk.device);
    take_answers(disk);
    return true;
}

static void expire(struct disk *disk, uint32_t slot)
{
    struct disk_request *q = &disk->requests[slot];
    struct env *env = q->asker;

    q->is_late = true;
    disk->info->late++;
    if (slot == blk_own_slot(&disk->blk))
        table_late(disk);
    else if (env)
        disk_complete(env, q->cookie, -AEGIS_E_TIMEOUT);
}

void disk_expire(void)
{
    uint64_t now = time_now();

    disk_deadline = AEGIS_FOREVER;
    for (uint32_t n = 0; n < info->disk_count; n++) {
        if (disks[n].unfinished) {
            disks[n].unfinished = false;
            take_answers(&disks[n]);
        }
        for (uint32_t slot = 0; slot < disks[n].blk.slot_count; slot++) {
            struct disk_request *q = &disks[n].requests[slot];
            if (!disks[n].blk.slots[slot].is_busy || q->is_late)
                continue;
            if (now >= q->deadline)
                expire(&disks[n], slot);
            else if (q->deadline < disk_deadline)
                disk_deadline = q->deadline;
        }
    }
}

bool disk_may_ask(const struct disk *disk)
{
    return !disk->blk.slots[blk_own_slot(&disk->blk)].is_busy;
}

void disk_ask(struct disk *disk, enum blk_type type, uint64_t block, void *memory, uint64_t length,
              uint64_t count)
{
    struct blk *blk = &disk->blk;
    uint32_t slot = blk_own_slot(blk), ratio = AEGIS_DISK_BLOCK / blk->block_size;

    assert_kernel(disk_may_ask(disk));
    disk->requests[slot] = (struct disk_request){0};
    uint32_t pieces = length ? (uint32_t)count : 0;
    for (uint32_t i = 0; i < pieces; i++)
        blk_piece(blk, slot, i, virt_to_phys(memory), length, type == BLK_IN);
    blk_go(blk, slot, type, block * ratio, count * ratio, pieces);
    disk_set_deadline(&disk->requests[slot]);
    virtq_publish(&blk->queue);
}

enum blk_status disk_ask_now(struct disk *disk, enum blk_type type, uint64_t block, void *memory,
                             uint64_t length)
{
    enum blk_status status;
    uint32_t slot;

    disk_ask(disk, type, block, memory, length, 1);
    while (!blk_next(&disk->blk, &slot, &status))
        if (time_now() >= disk->requests[blk_own_slot(&disk->blk)].deadline) {
            disk->requests[blk_own_slot(&disk->blk)].is_late = true;
            return BLK_NONE;
        }
    blk_release(&disk->blk, slot);
    return status;
}

static void show(uint32_t number, const struct virtio *device)
{
    const struct disk *disk = &disks[number];
    const struct aegis_disk_info *i = disk->info;

    print("aegis: disk%u: %lu MiB, %u-byte blocks%s, %u extents%s, irq %u\n", number,
          i->blocks * AEGIS_DISK_BLOCK >> 20, i->block_size,
          i->flags & AEGIS_DISK_READ_ONLY ? ", read-only" : "", extent_used_count(disk),
          i->flags & AEGIS_DISK_TABLE ? "" : " (no table)", device->irq);
}

static void init_one(uint32_t number, const struct virtio *device)
{
    struct disk *disk = &disks[number];
    const struct blk *blk = &disk->blk;
    struct aegis_disk_info *i = &info->disks[number];

    disk->info = i;
    i->block_size = blk->block_size;
    i->blocks = blk->blocks / (AEGIS_DISK_BLOCK / blk->block_size);
    i->pieces = blk->pieces_most;
    i->discard_most = blk->is_read_only ? 0 : blk->discard_most * blk->block_size;
    i->zero_most = blk->is_read_only ? 0 : blk->zero_most * blk->block_size;
    i->flags =
        (blk->is_read_only ? AEGIS_DISK_READ_ONLY : 0U) | (blk->has_cache ? AEGIS_DISK_CACHE : 0U) |
        (i->discard_most ? AEGIS_DISK_DISCARDS : 0U) | (i->zero_most ? AEGIS_DISK_ZEROES : 0U);
    table_read(disk, number);
    interrupt_bind(device->irq, disk_interrupt, disk);
    /* What table_read asked for was answered with interrupts that nobody heard: the line is still
     * up, and would not rise again, and the next is wished for from the first answer on. */
    disk_interrupt(disk);
}

void disk_init(struct virtio *devices, size_t count, uint64_t seconds)
{
    struct virtio *used[AEGIS_DISKS_MAX];

    disk_patience = seconds * info->timebase;
    disks = boot_alloc(((count + 1) * sizeof(*disks) + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    for (size_t i = 0; i < count; i++) {
        const char *wrong = blk_init(&disks[info->disk_count].blk, &devices[i]);
        if (wrong)
            print("aegis: a disk at irq %u is left alone: %s\n", devices[i].irq, wrong);
        else
            used[info->disk_count++] = &devices[i];
    }
    for (uint32_t n = 0; n < info->disk_count; n++)
        init_one(n, used[n]);
    extent_init();
    for (uint32_t n = 0; n < info->disk_count; n++)
        show(n, used[n]);
}

void disk_forget(struct env *env)
{
    if (env->disk_ring)
        page_unpin(page_of(virt_to_phys(env->disk_ring) >> PAGE_SHIFT));
    env->disk_ring = NULL;
    for (uint32_t n = 0; env->disk_requests && n < info->disk_count; n++)
        for (uint32_t slot = 0; slot < disks[n].blk.slot_count; slot++)
            if (disks[n].blk.slots[slot].is_busy && disks[n].requests[slot].asker == env) {
                disks[n].requests[slot].asker = NULL;
                env->disk_requests--;
            }
}

long call_disk_ring(uaddr_t address)
{
    struct env *self = this_hart->env;

    if (self->disk_requests)
        return -AEGIS_E_BUSY;
    if (address == 0) {
        disk_forget(self);
        return 0;
    }
    if (address % PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    struct aegis_disk_ring *ring = user_at(self, address, PTE_R | PTE_W);
    if (!ring || address >= AEGIS_EXPOSED_BASE)
        return -AEGIS_E_ADDRESS;
    struct aegis_page *page = page_of(virt_to_phys(ring) >> PAGE_SHIFT);
    if (page->owner != self->number || page->state != AEGIS_PAGE_DATA || !page_can_pin(page))
        return -AEGIS_E_ADDRESS;

    page_pin(page);
    disk_forget(self);
    self->disk_ring = ring;
    self->disk_head = 0;
    ring->head = 0;
    ring->tail = 0;
    return 0;
}
