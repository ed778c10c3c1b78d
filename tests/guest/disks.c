/*
 * Disks: requests through extents that are bound, in every shape that memory can have; extents
 * made, shared, split, resized, freed and claimed again. Without a disk there is nothing to do.
 */
#include <string.h>

#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define BLOCK AEGIS_DISK_BLOCK
#define LIMIT 20000000000UL /* ns for an answer */

static struct aegis_disk_ring *ring;
static uint32_t root;
static const uint8_t secret[AEGIS_SECRET_SIZE] = "known to us only";

static const volatile struct aegis_disk_info *disk(void)
{
    return &aegis_info()->disks[aegis_extent(root)->disk];
}

/* The next completion's status; its cookie has to be the one given. */
static int64_t answer(uint64_t cookie)
{
    struct aegis_predicate come = AEGIS_WHEN(ring->head, NE, ring->tail);
    CHECK_EQ(aegis_wait(&come, 1, time_after(LIMIT)), 0);
    const struct aegis_disk_completion c = ring->entries[ring->tail % AEGIS_DISK_RING];
    ring->tail++;
    CHECK_EQ(c.cookie, cookie);
    return c.status;
}

/* One request, and its end. */
static int64_t ask(uint32_t binding, uint32_t op, uint64_t offset, void *memory, uint64_t length)
{
    static uint64_t cookie = 1000;
    const struct aegis_disk_request r = {.binding = binding,
                                         .op = op,
                                         .offset = offset,
                                         .cookie = ++cookie,
                                         .memory = memory,
                                         .length = length};
    int64_t taken = aegis_disk_submit(&r, 1);
    if (taken < 0)
        return taken;
    CHECK_EQ(taken, 1);
    return answer(cookie);
}

/* Waits until a change of the table has ended; the extent's state then. */
static uint16_t settled(uint32_t extent)
{
    struct aegis_predicate over = {.word = (const volatile uint64_t *)&disk()->block_size,
                                   .mask = (uint64_t)AEGIS_DISK_CHANGING << 32,
                                   .op = AEGIS_WAKE_EQ};
    CHECK_EQ(aegis_wait(&over, 1, time_after(LIMIT)), 0);
    return aegis_extent(extent)->state;
}

static uint32_t make(uint32_t parent, const struct aegis_cap *cap, uint64_t first, uint64_t count)
{
    struct aegis_extent_request r = {.parent = parent,
                                     .capability = cap,
                                     .first = first,
                                     .count = count,
                                     .flags = AEGIS_EXTENT_SEALED,
                                     .label = "a test's"};
    memcpy(r.secret, secret, sizeof secret);
    int64_t extent = aegis_extent_alloc(&r);
    if (extent < 0)
        FAIL("extent_alloc of %llu: %s", (unsigned long long)count, aegis_error_name(extent));
    CHECK_EQ(aegis_extent((uint32_t)extent)->owner, exos.env);
    CHECK_EQ(settled((uint32_t)extent), AEGIS_EXTENT_READY);
    return (uint32_t)extent;
}

static uint32_t bind(uint32_t extent, uint32_t rights, const struct aegis_cap *cap)
{
    int64_t binding = aegis_disk_bind(extent, rights, cap);
    if (binding < 0)
        FAIL("disk_bind: %s", aegis_error_name(binding));
    return (uint32_t)binding;
}

static void fill(uint8_t *bytes, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
}

#define BOTH (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE)

/* Data comes back as it went, whatever the memory's shape; new blocks are zero. */
static void reads_and_writes(uint32_t extent)
{
    uint32_t b = bind(extent, BOTH, NULL), unit = disk()->block_size;
    uint8_t *memory = vm_alloc(40, VM_READ_WRITE), *copy = vm_alloc(40, VM_READ_WRITE);

    memset(copy, 1, BLOCK);
    CHECK_OK(ask(b, AEGIS_DISK_READ, 0, copy, BLOCK));
    for (size_t i = 0; i < BLOCK; i++)
        CHECK_EQ(copy[i], 0);
    /* All pages that a request may have; and as many parts, from within a page on. */
    uint64_t most = disk()->pieces * BLOCK;
    most = most < AEGIS_DISK_PAGES * BLOCK ? most : AEGIS_DISK_PAGES * BLOCK;
    fill(memory, 40 * BLOCK, 7);
    CHECK_OK(ask(b, AEGIS_DISK_WRITE, BLOCK, memory, most));
    CHECK_OK(ask(b, AEGIS_DISK_READ, BLOCK, copy + 512, most));
    CHECK_EQ(memcmp(memory, copy + 512, most), 0);
    CHECK_OK(ask(b, AEGIS_DISK_FLUSH, 0, NULL, 0));
    /* The last blocks, and not one more. */
    uint64_t size = aegis_extent(extent)->count * BLOCK;
    CHECK_OK(ask(b, AEGIS_DISK_WRITE, size - unit, memory, unit));
    CHECK_ERROR(ask(b, AEGIS_DISK_WRITE, size, memory, unit), RANGE);
    CHECK_ERROR(ask(b, AEGIS_DISK_READ, size - unit, copy, 2 * unit), RANGE);
    CHECK_ERROR(ask(b, AEGIS_DISK_READ, unit - 1, copy, unit), ALIGNMENT);
    /* Pieces out of order, one across a page, one page twice. */
    struct aegis_disk_piece pieces[] = {
        {memory + 5 * BLOCK + 512, 4096}, {memory + 1536, 512}, {memory, 3584}};
    struct aegis_disk_request r = {.binding = b,
                                   .op = AEGIS_DISK_WRITE,
                                   .cookie = 3,
                                   .memory = pieces,
                                   .length = 8192,
                                   .pieces = 3};
    CHECK_EQ(aegis_disk_submit(&r, 1), 1);
    CHECK_OK(answer(3));
    CHECK_OK(ask(b, AEGIS_DISK_READ, 0, copy, 8192));
    CHECK_EQ(memcmp(copy, memory + 5 * BLOCK + 512, 4096), 0);
    CHECK_EQ(memcmp(copy + 4096, memory + 1536, 512), 0);
    CHECK_EQ(memcmp(copy + 4608, memory, 3584), 0);
    CHECK_OK(aegis_disk_unbind(b));
    vm_free(memory);
    vm_free(copy);
}

/* Many at once: each is answered once, and what is taken never exceeds the ring. */
static void many_in_flight(uint32_t extent)
{
    uint32_t b = bind(extent, BOTH, NULL);
    uint8_t *memory = vm_alloc(AEGIS_DISK_SUBMIT, VM_READ_WRITE);
    uint64_t asked = 0, answered = 0, seen = 0;
    struct aegis_disk_request r[AEGIS_DISK_SUBMIT];

    while (answered < 500) {
        for (uint64_t i = 0; i < AEGIS_DISK_SUBMIT; i++)
            r[i] = (struct aegis_disk_request){.binding = b,
                                               .op = AEGIS_DISK_READ,
                                               .offset = (asked + i) % 8 * BLOCK,
                                               .cookie = asked + i,
                                               .memory = memory + i * BLOCK,
                                               .length = BLOCK};
        int64_t taken = asked < 500 ? aegis_disk_submit(r, AEGIS_DISK_SUBMIT) : -AEGIS_E_FULL;
        if (taken > 0)
            asked += (uint64_t)taken;
        else
            CHECK_ERROR(taken, FULL);
        if (taken == AEGIS_DISK_SUBMIT)
            continue;
        struct aegis_predicate come = AEGIS_WHEN(ring->head, NE, ring->tail);
        CHECK_EQ(aegis_wait(&come, 1, time_after(LIMIT)), 0);
        for (; ring->tail != ring->head; ring->tail++, answered++) {
            CHECK_OK(ring->entries[ring->tail % AEGIS_DISK_RING].status);
            seen += ring->entries[ring->tail % AEGIS_DISK_RING].cookie;
        }
        if (asked >= 500 && answered == asked)
            break;
    }
    CHECK_EQ(seen, asked * (asked - 1) / 2);
    CHECK_OK(aegis_disk_unbind(b));
    vm_free(memory);
}

static void zeroes_and_discards(uint32_t extent)
{
    uint32_t b = bind(extent, BOTH, NULL);
    uint8_t *memory = vm_alloc(2, VM_READ_WRITE);

    if (disk()->flags & AEGIS_DISK_ZEROES) {
        memset(memory, 7, 2 * BLOCK);
        CHECK_OK(ask(b, AEGIS_DISK_WRITE, 0, memory, 2 * BLOCK));
        CHECK_OK(ask(b, AEGIS_DISK_ZERO, BLOCK, NULL, BLOCK));
        CHECK_OK(ask(b, AEGIS_DISK_READ, 0, memory, 2 * BLOCK));
        CHECK_EQ(memory[BLOCK - 1], 7);
        CHECK_EQ(memory[BLOCK] | memory[2 * BLOCK - 1], 0);
    } else {
        CHECK_ERROR(ask(b, AEGIS_DISK_ZERO, BLOCK, NULL, BLOCK), INVALID);
    }
    if (disk()->flags & AEGIS_DISK_DISCARDS)
        CHECK_OK(ask(b, AEGIS_DISK_DISCARD, 0, NULL, BLOCK));
    CHECK_OK(aegis_disk_unbind(b));
    vm_free(memory);
}

/* A page that the disk is to write is the caller's, and can't go before the disk has ended. */
static void pages_are_pinned(uint32_t extent)
{
    uint32_t b = bind(extent, BOTH, NULL);
    uint8_t *memory = vm_alloc(1, VM_READ_WRITE);
    uint64_t ppn = (uint64_t)vm_page_at(memory);
    const struct aegis_disk_request r = {
        .binding = b, .op = AEGIS_DISK_READ, .memory = memory, .length = BLOCK};

    CHECK_EQ(aegis_disk_submit(&r, 1), 1);
    CHECK_OK(aegis_unmap(0, (uint64_t)memory, 1));
    int64_t error = aegis_page_free(ppn); /* unless it has ended already */
    if (error == 0) {
        CHECK_EQ(ring->head, ring->tail + 1);
        ppn = test_page();
    } else {
        CHECK_ERROR(error, PINNED);
    }
    CHECK_OK(answer(0));
    CHECK_OK(aegis_map(0, (uint64_t)memory, ppn, VM_READ_WRITE, NULL));
    CHECK_EQ(aegis_page(ppn)->pins, 0);
    vm_free(memory);
    CHECK_OK(aegis_disk_unbind(b));
}

/* Capabilities: their rights, and how they are taken back. */
static void shared(uint32_t extent)
{
    struct aegis_cap cap;
    uint8_t *memory = vm_alloc(1, VM_READ_WRITE);

    CHECK_OK(aegis_cap_mint(AEGIS_KIND_EXTENT, extent, AEGIS_RIGHT_READ, &cap));
    CHECK_ERROR(aegis_disk_bind(extent, BOTH, &cap), RIGHTS);
    uint32_t b = bind(extent, AEGIS_RIGHT_READ, &cap);
    CHECK_ERROR(ask(b, AEGIS_DISK_WRITE, 0, memory, BLOCK), RIGHTS);
    CHECK_OK(ask(b, AEGIS_DISK_READ, 0, memory, BLOCK));
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_EXTENT, extent, AEGIS_REVOKE_SEVER));
    CHECK_OK(ask(b, AEGIS_DISK_READ, 0, memory, BLOCK)); /* the owner's own stay */
    CHECK_ERROR(aegis_disk_bind(extent, AEGIS_RIGHT_READ, &cap), CAPABILITY);
    CHECK_OK(aegis_disk_unbind(b));
    CHECK_ERROR(aegis_disk_unbind(b), RANGE);
    vm_free(memory);
}

/* What lies inside an extent is not reached through it; resizing, splitting, giving back. */
static void nested(uint32_t extent)
{
    uint64_t first = aegis_extent(extent)->first, count = aegis_extent(extent)->count;
    uint32_t b = bind(extent, BOTH, NULL), inner = make(extent, NULL, first + 4, 2);
    uint8_t *memory = vm_alloc(8, VM_READ_WRITE);

    CHECK_EQ(aegis_extent(extent)->children, 1);
    CHECK_ERROR(ask(b, AEGIS_DISK_WRITE, 4 * BLOCK, memory, BLOCK), OWNER);
    CHECK_ERROR(ask(b, AEGIS_DISK_READ, 3 * BLOCK, memory, 4 * BLOCK), OWNER);
    CHECK_OK(ask(b, AEGIS_DISK_WRITE, 2 * BLOCK, memory, 2 * BLOCK));
    CHECK_OK(ask(b, AEGIS_DISK_READ, 6 * BLOCK, memory, BLOCK));
    CHECK_ERROR(aegis_extent_free(extent, AEGIS_EXTENT_RETURN), IN_USE);
    CHECK_OK(aegis_extent_resize(inner, 4, NULL));
    CHECK_EQ(settled(inner), AEGIS_EXTENT_READY);
    CHECK_EQ(aegis_extent(inner)->count, 4);
    CHECK_ERROR(ask(b, AEGIS_DISK_READ, 7 * BLOCK, memory, BLOCK), OWNER);
    int64_t rest = aegis_extent_split(inner, 1, secret);
    CHECK(rest > 0);
    CHECK_EQ(aegis_extent((uint32_t)rest)->state, AEGIS_EXTENT_MAKING);
    CHECK_ERROR(aegis_extent_free((uint32_t)rest, AEGIS_EXTENT_RETURN), STATE);
    CHECK_EQ(settled((uint32_t)rest), AEGIS_EXTENT_READY);
    CHECK_EQ(aegis_extent(inner)->count, 1);
    CHECK_EQ(aegis_extent((uint32_t)rest)->first, first + 5);
    CHECK_EQ(aegis_extent((uint32_t)rest)->count, 3);
    CHECK_EQ(aegis_extent(extent)->children, 2);
    CHECK_OK(aegis_extent_free((uint32_t)rest, AEGIS_EXTENT_RETURN));
    CHECK_EQ(settled((uint32_t)rest), AEGIS_EXTENT_NONE);
    CHECK_OK(aegis_extent_free(inner, AEGIS_EXTENT_RETURN));
    CHECK_EQ(settled(inner), AEGIS_EXTENT_NONE);
    CHECK_EQ(aegis_extent(extent)->children, 0);
    CHECK_OK(ask(b, AEGIS_DISK_READ, 0, memory, 8 * BLOCK));
    CHECK_EQ(aegis_extent(extent)->count, count);
    CHECK_OK(aegis_disk_unbind(b));
    vm_free(memory);
}

/* Given up, it keeps its data, for who shows the secret. */
static void claimed(uint32_t extent)
{
    const uint8_t wrong[AEGIS_SECRET_SIZE] = "known to us onlY";
    uint32_t number = aegis_extent(extent)->disk, b = bind(extent, BOTH, NULL);
    uint64_t first = aegis_extent(extent)->first, count = aegis_extent(extent)->count;
    uint8_t *memory = vm_alloc(1, VM_READ_WRITE);
    uint64_t used = aegis_account(exos.env)->used[AEGIS_QUOTA_BLOCKS];

    memset(memory, 42, BLOCK);
    CHECK_OK(ask(b, AEGIS_DISK_WRITE, 0, memory, BLOCK));
    CHECK_ERROR(aegis_extent_claim(number, first, count, secret), IN_USE);
    CHECK_OK(aegis_extent_free(extent, AEGIS_EXTENT_FORGET));
    CHECK_EQ(aegis_extent(extent)->owner, 0);
    CHECK_EQ(aegis_account(exos.env)->used[AEGIS_QUOTA_BLOCKS], used - count);
    CHECK_ERROR(ask(b, AEGIS_DISK_READ, 0, memory, BLOCK), RANGE); /* the binding is gone */
    CHECK_ERROR(aegis_extent_claim(number, first, count, wrong), CAPABILITY);
    CHECK_ERROR(aegis_extent_claim(number, first, count - 1, secret), CAPABILITY);
    CHECK_EQ(aegis_extent_claim(number, first, count, secret), extent);
    CHECK_EQ(aegis_account(exos.env)->used[AEGIS_QUOTA_BLOCKS], used);
    b = bind(extent, BOTH, NULL);
    memset(memory, 0, BLOCK);
    CHECK_OK(ask(b, AEGIS_DISK_READ, 0, memory, BLOCK));
    CHECK_EQ(memory[BLOCK - 1], 42);
    vm_free(memory);
}

int main(void)
{
    const struct aegis_cap *cap = &exos.start->caps[TEST_CAP_DISK];

    if (aegis_info()->disk_count == 0)
        return 0;
    root = (uint32_t)AEGIS_CAP_INDEX(cap->name);
    ring = vm_alloc(1, VM_READ_WRITE);
    CHECK_OK(aegis_disk_ring(ring));
    uint32_t extent = make(root, cap, AEGIS_ANY, 50);
    reads_and_writes(extent);
    many_in_flight(extent);
    zeroes_and_discards(extent);
    pages_are_pinned(extent);
    shared(extent);
    nested(extent);
    claimed(extent);
    CHECK_OK(aegis_extent_free(extent, AEGIS_EXTENT_RETURN));
    CHECK_EQ(settled(extent), AEGIS_EXTENT_NONE);
    CHECK_OK(aegis_disk_ring(NULL));
    return 0;
}
