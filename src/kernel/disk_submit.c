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
    uint8_t type;   /* enum blk_type */
    uint8_t rights; /* all of them */
    bool has_memory;
    bool unused; /* four bytes: an index is a shift */
} ops[AEGIS_DISK_OPS] = {
    [AEGIS_DISK_READ] = {BLK_IN, AEGIS_RIGHT_READ, true, false},
    [AEGIS_DISK_WRITE] = {BLK_OUT, AEGIS_RIGHT_WRITE, true, false},
    [AEGIS_DISK_FLUSH] = {BLK_FLUSH, 0, false, false},
    [AEGIS_DISK_DISCARD] = {BLK_DISCARD, AEGIS_RIGHT_WRITE, false, false},
    [AEGIS_DISK_ZERO] = {BLK_WRITE_ZEROES, AEGIS_RIGHT_WRITE, false, false},
};

/* A request's memory, as it becomes the device's. */
struct gather {
    struct env *self;
    struct disk *disk;
    struct disk_request *q;
    uint32_t slot;
    bool into; /* the device writes there */
};

/* Pins the page of the n bytes from va on, which lie in one, and names them to the device as part
 * number count: 0, or a negated error. */
static inline __attribute__((always_inline)) long gather_part(const struct gather *g, uaddr_t va,
                                                              uint64_t n, uint64_t count)
{
    struct disk_request *q = g->q;

    if (va >= AEGIS_EXPOSED_BASE)
        return -AEGIS_E_ADDRESS;
    const void *at =
        g->into ? user_look(g->self, va, PTE_R | PTE_W) : user_look(g->self, va, PTE_R);
    if (!at)
        return -AEGIS_E_ADDRESS;
    uint64_t physical = virt_to_phys(at);
    struct aegis_page *page = page_of(physical >> PAGE_SHIFT);
    if (page->owner != g->self->number)
        return -AEGIS_E_OWNER;
    if (page->state != AEGIS_PAGE_DATA || !page_can_pin(page))
        return -AEGIS_E_STATE;
    if (count && count == g->disk->blk.pieces_most)
        return -AEGIS_E_RANGE;
    page_pin(page); /* now, so that a page that is named often is counted as often */
    blk_piece(&g->disk->blk, g->slot, count, physical, n, g->into);
    q->pages[count] = page;
    q->page_count = (uint16_t)(count + 1);
    return 0;
}

/* The same of length bytes, in however many pages. */
static long gather_piece(const struct gather *g, uaddr_t va, uint64_t length)
{
    long error = 0;

    if ((va | length) % AEGIS_DISK_SECTOR)
        return -AEGIS_E_ALIGNMENT;
    for (uint64_t n; length && !error; va += n, length -= n) {
        n = PAGE_SIZE - va % PAGE_SIZE;
        n = n < length ? n : length;
        error = gather_part(g, va, n, g->q->page_count);
    }
    return error;
}

/* The same of pieces that the caller lists. */
static long gather_pieces(const struct gather *g, uaddr_t list, uint64_t length, uint32_t pieces)
{
    struct aegis_disk_piece piece;
    uint64_t left = length;

    if (pieces > BLK_PIECES)
        return -AEGIS_E_RANGE;
    for (uint32_t i = 0; i < pieces; i++, left -= piece.length) {
        if (!user_read(&piece, list + i * sizeof(piece), sizeof(piece)))
            return -AEGIS_E_ADDRESS;
        if (piece.length - 1 >= left)
            return -AEGIS_E_RANGE;
        long error = gather_piece(g, (uaddr_t)piece.address, piece.length);
        if (error)
            return error;
    }
    return left ? -AEGIS_E_RANGE : 0;
}

/* What is several pages, or pieces. On an error nothing stays pinned. */
static long __attribute__((noinline))
gather_many(const struct gather *g, uaddr_t memory, uint64_t length, uint32_t pieces)
{
    long error;

    g->q->page_count = 0;
    error = pieces ? gather_pieces(g, memory, length, pieces) : gather_piece(g, memory, length);
    if (__builtin_expect(error != 0, 0)) {
        while (g->q->page_count > 0)
            page_unpin(g->q->pages[--g->q->page_count]);
    }
    return error ? error : g->q->page_count;
}

/* All of a request's memory; most are one page, or within one. Returns how many parts it has. */
static inline __attribute__((always_inline)) long gather(struct env *self, struct disk *disk,
                                                         struct disk_request *q,
                                                         const struct aegis_disk_request *r)
{
    uaddr_t va = (uaddr_t)r->memory;

    if (r->pieces == 0 && r->length <= PAGE_SIZE - va % PAGE_SIZE &&
        (va | r->length) % AEGIS_DISK_SECTOR == 0) {
        const struct gather one = {self, disk, q, disk->blk.free, r->op == AEGIS_DISK_READ};
        long error = gather_part(&one, va, r->length, 0);
        return error ? error : 1;
    }
    const struct gather g = {self, disk, q, disk->blk.free, r->op == AEGIS_DISK_READ};
    return gather_many(&g, va, r->length, r->pieces);
}

/* Whether a request's range is in order: 0, or a negated error. */
static inline __attribute__((always_inline)) long
check_range(const struct disk *disk, const struct aegis_extent_info *extent,
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

/* What is to be known of a request before its memory is looked at: 0, or why it can't be made. */
static inline __attribute__((always_inline)) long
check(const struct env *self, const struct disk *disk, const struct aegis_extent_info *extent,
      const struct aegis_disk_request *r, uint32_t rights)
{
    if (r->op >= AEGIS_DISK_OPS)
        return -AEGIS_E_INVALID;
    if (ops[r->op].rights & ~rights)
        return -AEGIS_E_RIGHTS;
    if (extent->state != AEGIS_EXTENT_READY || !self->disk_ring)
        return -AEGIS_E_STATE;
    long error = check_range(disk, extent, r);
    if (error)
        return error;
    /* tail is the owner's: any value of it makes the ring look full or not, and nothing worse. */
    if (self->disk_requests >= AEGIS_DISK_DEPTH ||
        self->disk_head + self->disk_requests - self->disk_ring->tail >= AEGIS_DISK_RING ||
        disk->blk.free_count <= (self->disk_requests ? RESERVE : 0))
        return -AEGIS_E_FULL;
    return 0;
}

/* Gives the device what check and gather have found good. */
static inline __attribute__((always_inline)) void
give(struct env *self, struct disk *disk, struct disk_request *q, struct aegis_extent_info *extent,
     const struct aegis_disk_request *r, uint64_t parts)
{
    struct blk *blk = &disk->blk;
    uint64_t at = extent->first * AEGIS_DISK_BLOCK + r->offset;

    q->cookie = r->cookie;
    q->asker = self;
    q->extent = self->extents[r->binding].extent;
    q->is_late = false;
    disk_set_deadline(q);
    extent->busy++;
    self->disk_requests++;
    if (__builtin_expect(ops[r->op].has_memory, 1))
        blk_give(blk, blk_take(blk), ops[r->op].type, at / BLK_SECTOR, parts);
    else
        blk_go(blk, blk->free, ops[r->op].type, at / blk->block_size, r->length / blk->block_size,
               0);
}

/* Checks the request at an address, and gives it to its disk's queue: 0, or why not. *which is that
 * disk then, and *parts grows by the request's parts. */
static inline __attribute__((always_inline)) long submit(struct env *self, uaddr_t address,
                                                         struct disk **which, uint64_t *parts)
{
    struct aegis_disk_request copy;
    const volatile struct aegis_disk_request *asked = user_words(address, sizeof(copy), &copy);

    if (!asked)
        return -AEGIS_E_ADDRESS;
    const struct aegis_disk_request r = {.binding = asked->binding,
                                         .op = asked->op,
                                         .offset = asked->offset,
                                         .cookie = asked->cookie,
                                         .memory = asked->memory,
                                         .length = asked->length,
                                         .pieces = asked->pieces};
    uint32_t rights = r.binding < AEGIS_DISK_BINDINGS ? extent_rights(self, r.binding) : 0;
    if (!rights)
        return -AEGIS_E_RANGE;
    struct aegis_extent_info *extent = &extents[self->extents[r.binding].extent];
    struct disk *disk = &disks[extent->disk];
    long error = check(self, disk, extent, &r, rights);
    if (error)
        return error;
    if (r.op == AEGIS_DISK_FLUSH && !disk->blk.has_cache) {
        disk_complete(self, r.cookie, 0); /* what is completed is safe (section 5.2.5.1) */
        return 0;
    }
    struct disk_request *q = &disk->requests[disk->blk.free];
    __asm__("" : "+r"(q)); /* or it is worked out anew wherever it is needed */
    long gathered = 0;
    if (ops[r.op].has_memory)
        gathered = gather(self, disk, q, &r);
    else
        q->page_count = 0;
    if (gathered < 0)
        return gathered;

    give(self, disk, q, extent, &r, (uint64_t)gathered);
    *which = disk;
    *parts += r.length / PAGE_SIZE + r.pieces;
    return 0;
}

/* Several requests: each disk is told once of those in a row that are its own. */
static __attribute__((noinline)) long submit_many(uaddr_t requests, uint64_t count)
{
    struct disk *disk = NULL, *shown = NULL; /* the last request's, and the one before's */
    uint64_t taken = 0, parts = 0;
    long error;

    do {
        error = submit(this_hart->env, requests + taken * sizeof(struct aegis_disk_request), &disk,
                       &parts);
        if (error)
            break;
        if (shown && shown != disk)
            virtq_publish(&shown->blk.queue);
        shown = disk;
        taken++;
    } while (taken < count && parts < PARTS_MOST);
    if (shown)
        virtq_publish(&shown->blk.queue);
    return taken ? (long)taken : error;
}

long call_disk_submit(uaddr_t requests, uint64_t count)
{
    struct disk *disk = NULL;
    uint64_t parts = 0;

    if (count - 1 >= AEGIS_DISK_SUBMIT)
        return -AEGIS_E_RANGE;
    if (count > 1)
        return submit_many(requests, count);
    long error = submit(this_hart->env, requests, &disk, &parts);
    if (error)
        return error;
    if (disk)
        virtq_show(&disk->blk.queue);
    return 1;
}
