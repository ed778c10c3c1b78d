/* A request's way to the disk: the binding, the extent's range, the caller's pages, the device. */
#include "kernel/call.h"
#include "kernel/disk.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/extent.h"
#include "kernel/page.h"
#include "kernel/user.h"

/*
 * Slots that only who has nothing under way may take: as many as there can be environments. So
 * nobody is kept from the disk by others that keep it busy.
 */
#define RESERVE HARD(AEGIS_SLOTS, 4)

/* Parts of pages that a call names before others have their turn: some 250 instructions each. */
#define PARTS_MOST 128

_Static_assert(AEGIS_DISK_PAGES < BLK_PIECES, "memory may begin within a page");

/* What each operation asks of the device and of the binding. */
static const struct {
    enum blk_type type;
    uint32_t rights; /* all of them */
    bool has_memory;
} ops[AEGIS_DISK_OPS] = {
    [AEGIS_DISK_READ] = {BLK_IN, AEGIS_RIGHT_READ, true},
    [AEGIS_DISK_WRITE] = {BLK_OUT, AEGIS_RIGHT_WRITE, true},
    [AEGIS_DISK_FLUSH] = {BLK_FLUSH, 0, false},
    [AEGIS_DISK_DISCARD] = {BLK_DISCARD, AEGIS_RIGHT_WRITE, false},
    [AEGIS_DISK_ZERO] = {BLK_WRITE_ZEROES, AEGIS_RIGHT_WRITE, false},
};

/* A request's memory, as it becomes the device's. */
struct gather {
    struct disk *disk;
    struct disk_request *q;
    uint32_t slot;
    bool into; /* the device writes there */
};

/* Pins the pages of length bytes from va on, and names them to the device: 0, or a negated error.
 */
static long gather_piece(const struct gather *g, uaddr_t va, uint64_t length)
{
    const struct env *self = this_hart->env;
    struct disk_request *q = g->q;

    if ((va | length) % AEGIS_DISK_SECTOR)
        return -AEGIS_E_ALIGNMENT;
    for (uint64_t n; length; va += n, length -= n) {
        n = PAGE_SIZE - va % PAGE_SIZE;
        n = n < length ? n : length;
        const void *at =
            va < AEGIS_EXPOSED_BASE ? user_at(self, va, g->into ? PTE_R | PTE_W : PTE_R) : NULL;
        if (!at)
            return -AEGIS_E_ADDRESS;
        uint64_t physical = virt_to_phys(at);
        struct aegis_page *page = page_of(physical >> PAGE_SHIFT);
        if (page->owner != self->number)
            return -AEGIS_E_OWNER;
        if (page->state != AEGIS_PAGE_DATA || !page_can_pin(page))
            return -AEGIS_E_STATE;
        if (q->page_count == g->disk->blk.pieces_most)
            return -AEGIS_E_RANGE;
        page_pin(page); /* now, so that a page that is named often is counted as often */
        blk_piece(&g->disk->blk, g->slot, q->page_count, physical, n, g->into);
        q->pages[q->page_count++] = page;
    }
    return 0;
}

/* The same for all of a request's memory. On an error nothing stays pinned. */
static long gather(const struct gather *g, const struct aegis_disk_request *r)
{
    uaddr_t memory = (uaddr_t)r->memory;
    struct aegis_disk_piece piece;
    uint64_t left = r->length;
    long error = 0;

    if (!r->pieces)
        error = gather_piece(g, memory, r->length);
    else if (r->pieces > BLK_PIECES)
        error = -AEGIS_E_RANGE;
    else {
        for (uint32_t i = 0; i < r->pieces && !error; i++, left -= piece.length) {
            if (!user_read(&piece, memory + i * sizeof(piece), sizeof(piece)))
                error = -AEGIS_E_ADDRESS;
            else if (piece.length - 1 >= left)
                error = -AEGIS_E_RANGE;
            else
                error = gather_piece(g, (uaddr_t)piece.address, piece.length);
        }
        if (!error && left)
            error = -AEGIS_E_RANGE;
    }
    if (__builtin_expect(error != 0, 0)) {
        while (g->q->page_count > 0)
            page_unpin(g->q->pages[--g->q->page_count]);
    }
    return error;
}

/* Whether a request's range is in order: 0, or a negated error. */
static long check_range(const struct disk *disk, const struct aegis_extent_info *extent,
                        const struct aegis_disk_request *r)
{
    uint64_t size = extent->count * AEGIS_DISK_BLOCK, most = AEGIS_DISK_PAGES * PAGE_SIZE;

    if (r->op == AEGIS_DISK_FLUSH)
        return r->length || r->offset ? -AEGIS_E_RANGE : 0;
    if ((r->offset | r->length) & (disk->blk.block_size - 1))
        return -AEGIS_E_ALIGNMENT;
    if (!ops[r->op].has_memory) {
        most = r->op == AEGIS_DISK_DISCARD ? disk->info->discard_most : disk->info->zero_most;
        if (!most)
            return -AEGIS_E_INVALID;
    }
    /* No sum that could wrap: what is left behind the offset is compared. */
    if (r->length - 1 >= most || r->offset > size || r->length > size - r->offset)
        return -AEGIS_E_RANGE;
    if (__builtin_expect(extent->children != 0, 0) &&
        !extent_is_own(extent, r->offset / AEGIS_DISK_BLOCK,
                       (r->offset + r->length - 1) / AEGIS_DISK_BLOCK))
        return -AEGIS_E_OWNER;
    return 0;
}

/* Checks one request and gives it to its disk's queue: 0, or why not. */
static long submit(struct env *self, const struct aegis_disk_request *r)
{
    if (r->binding >= AEGIS_DISK_BINDINGS || !self->extents[r->binding].rights)
        return -AEGIS_E_RANGE;
    uint32_t index = self->extents[r->binding].extent;
    struct aegis_extent_info *extent = &extents[index];
    struct disk *disk = &disks[extent->disk];
    struct blk *blk = &disk->blk;

    if (r->op >= AEGIS_DISK_OPS)
        return -AEGIS_E_INVALID;
    if (ops[r->op].rights & ~self->extents[r->binding].rights)
        return -AEGIS_E_RIGHTS;
    if (extent->state != AEGIS_EXTENT_READY || !self->disk_ring)
        return -AEGIS_E_STATE;
    long error = check_range(disk, extent, r);
    if (error)
        return error;
    /* tail is the owner's: any value of it makes the ring look full or not, and nothing worse. */
    if (self->disk_requests >= AEGIS_DISK_DEPTH ||
        self->disk_head + self->disk_requests - self->disk_ring->tail >= AEGIS_DISK_RING ||
        blk->free_count <= (self->disk_requests ? RESERVE : 0))
        return -AEGIS_E_FULL;
    if (r->op == AEGIS_DISK_FLUSH && !blk->has_cache) {
        disk_complete(self, r->cookie, 0); /* what is completed is safe (section 5.2.5.1) */
        return 0;
    }
    struct disk_request *q = &disk->requests[blk->free];
    const struct gather g = {disk, q, blk->free, r->op == AEGIS_DISK_READ};
    q->page_count = 0;
    error = ops[r->op].has_memory ? gather(&g, r) : 0;
    if (error)
        return error;

    q->cookie = r->cookie;
    q->env = self->number;
    q->serial = self->info->serial;
    q->extent = index;
    q->is_late = false;
    disk_set_deadline(q);
    extent->busy++;
    self->disk_requests++;
    uint32_t shift = blk->block_size == AEGIS_DISK_BLOCK ? 12 : 9;
    blk_go(blk, blk->free, ops[r->op].type, (extent->first * AEGIS_DISK_BLOCK + r->offset) >> shift,
           r->length >> shift, q->page_count);
    return 0;
}

long call_disk_submit(uaddr_t requests, uint64_t count)
{
    struct env *self = this_hart->env;
    struct aegis_disk_request r;
    uint64_t taken, parts = 0;
    long error = 0;

    if (count - 1 >= AEGIS_DISK_SUBMIT)
        return -AEGIS_E_RANGE;
    for (taken = 0; taken < count && !error && parts < PARTS_MOST; taken += !error) {
        error = user_read(&r, requests + taken * sizeof(r), sizeof(r)) ? submit(self, &r)
                                                                       : -AEGIS_E_ADDRESS;
        parts += error ? 0 : r.length / PAGE_SIZE + r.pieces;
    }
    if (taken)
        for (uint32_t n = 0; n < info->disk_count; n++)
            virtq_publish(&disks[n].blk.queue);
    return taken ? (long)taken : error;
}
