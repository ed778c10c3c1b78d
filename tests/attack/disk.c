/* Attacks on disks: ranges, memory, pages under way, secrets. */
#include <string.h>

#include "attack.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define BLOCK AEGIS_DISK_BLOCK
#define BOTH  (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE)
#define LIMIT 20000000000UL /* ns for an answer */

static struct aegis_disk_ring *ring;
static uint32_t extent, binding;

static void open_extent(enum attack_cap root, uint64_t blocks)
{
    extent = extent_made(root, blocks);
    int64_t b = aegis_disk_bind(extent, BOTH, NULL);
    CHECK(b >= 0);
    binding = (uint32_t)b;
    ring = vm_alloc(1, VM_READ_WRITE);
    CHECK_OK(aegis_disk_ring(ring));
}

static void close_extent(void)
{
    extent_gone(extent);
    CHECK_OK(aegis_disk_ring(NULL));
    vm_free(ring);
}

static int64_t submit(uint32_t op, uint64_t offset, const void *memory, uint64_t length)
{
    const struct aegis_disk_request r = {
        .binding = binding, .op = op, .offset = offset, .memory = memory, .length = length};
    return aegis_disk_submit(&r, 1);
}

/* The status of the next completion. */
static int64_t answer(void)
{
    struct aegis_predicate come = AEGIS_WHEN(ring->head, NE, ring->tail);
    CHECK_EQ(aegis_wait(&come, 1, time_after(LIMIT)), 0);
    return ring->entries[ring->tail++ % AEGIS_DISK_RING].status;
}

int64_t disk_requests_beyond_the_extent(void)
{
    open_extent(ATTACK_CAP_DISK, 4);
    uint8_t *memory = vm_alloc(8, VM_READ_WRITE);
    const uint64_t size = 4 * BLOCK, wrong[][2] = {{size, BLOCK},
                                                   {size - BLOCK, 2 * BLOCK},
                                                   {0, size + BLOCK},
                                                   {-(uint64_t)BLOCK, BLOCK},
                                                   {-(uint64_t)BLOCK, 2 * BLOCK},
                                                   {1UL << 63, BLOCK},
                                                   {BLOCK, -(uint64_t)BLOCK},
                                                   {1UL << 52, BLOCK},
                                                   {size - 512, 1024}};
    int64_t result = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (uint32_t op = 0; op < AEGIS_DISK_OPS; op++) {
            bool offered =
                op < AEGIS_DISK_FLUSH ||
                (op == AEGIS_DISK_ZERO && (aegis_info()->disks[0].flags & AEGIS_DISK_ZEROES));
            if (offered)
                CHECK_EQ(result = submit(op, wrong[i][0], memory, wrong[i][1]), -AEGIS_E_RANGE);
        }
    vm_free(memory);
    close_extent();
    return result;
}

/* Each kind of memory that the disk must not write: none of it is named by an address that counts.
 */
int64_t disk_memory_that_is_no_page_of_ones_own(void)
{
    open_extent(ATTACK_CAP_DISK, 4);
    CHECK_ERROR(submit(AEGIS_DISK_WRITE, 0, (const void *)AEGIS_EXPOSED_BASE, BLOCK), ADDRESS);
    CHECK_ERROR(submit(AEGIS_DISK_READ, 0, (const void *)AEGIS_EXPOSED_BASE, BLOCK), ADDRESS);
    CHECK_ERROR(submit(AEGIS_DISK_READ, 0, (const void *)AEGIS_WINDOW_BASE, BLOCK), ADDRESS);
    CHECK_ERROR(submit(AEGIS_DISK_READ, 0, (const void *)0xffffffff80200000, BLOCK), ADDRESS);
    /* The program's own text can be written to the disk, and not from it. */
    CHECK_ERROR(submit(AEGIS_DISK_READ, 0, (const void *)((uint64_t)submit & ~4095UL), BLOCK),
                ADDRESS);
    CHECK_EQ(submit(AEGIS_DISK_WRITE, 0, (const void *)((uint64_t)submit & ~4095UL), BLOCK), 1);
    CHECK_OK(answer());
    /* A page that became a table, the kernel's own words in it: it is mapped no more. */
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    CHECK_OK(aegis_protect(0, FREE_VA, 1, AEGIS_PROT_READ));
    CHECK_ERROR(submit(AEGIS_DISK_READ, 0, (const void *)FREE_VA, BLOCK), ADDRESS);
    page_gone(FREE_VA, page);
    CHECK_ERROR(submit(AEGIS_DISK_READ, 0, (const void *)FREE_VA, BLOCK), ADDRESS);
    /* The second of two pages is missing: nothing of the first stays pinned. */
    page = page_at(FREE_VA, VM_READ_WRITE);
    CHECK_ERROR(submit(AEGIS_DISK_READ, 0, (const void *)FREE_VA, 2 * BLOCK), ADDRESS);
    CHECK_EQ(aegis_page(page)->pins, 0);
    page_gone(FREE_VA, page);
    close_extent();
    return 0;
}

/* While the disk writes a page, it is unmapped, and a table: PINNED; and another takes its address,
 * which stays as it was. */
int64_t disk_page_remapped_during_dma(void)
{
    open_extent(ATTACK_CAP_SLOW, 4);
    uint64_t first = page_at(FREE_VA, VM_READ_WRITE), links = test_page();
    memset((void *)FREE_VA, 0x55, BLOCK);
    CHECK_EQ(submit(AEGIS_DISK_WRITE, 0, (void *)FREE_VA, BLOCK), 1);
    CHECK_OK(answer());
    memset((void *)FREE_VA, 0, BLOCK);
    for (int i = 0; i < 3; i++) /* the last waits for its turn */
        CHECK_EQ(submit(AEGIS_DISK_READ, 0, (void *)FREE_VA, BLOCK), 1);
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    CHECK_ERROR(aegis_page_free(first), PINNED);
    CHECK_ERROR(aegis_table_insert(0, FREE_VA + (1UL << 30), 1, first, links), PINNED);
    CHECK_ERROR(aegis_page_give(first, exos.env), PINNED);
    uint64_t second = page_at(FREE_VA, VM_READ_WRITE);
    memset((void *)FREE_VA, 0x77, BLOCK);
    for (int i = 0; i < 3; i++)
        CHECK_OK(answer());
    for (size_t i = 0; i < BLOCK; i++)
        CHECK_EQ(((uint8_t *)FREE_VA)[i], 0x77);
    page_gone(FREE_VA, second);
    CHECK_OK(aegis_map(0, FREE_VA, first, VM_READ_WRITE, NULL));
    CHECK_EQ(*(uint8_t *)(FREE_VA + BLOCK - 1), 0x55);
    page_gone(FREE_VA, first);
    CHECK_OK(aegis_page_free(links));
    close_extent();
    return 0;
}

int64_t disk_page_freed_while_it_writes(void)
{
    open_extent(ATTACK_CAP_SLOW, 1);
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(submit(AEGIS_DISK_READ, 0, (void *)FREE_VA, BLOCK), 1);
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    int64_t result = aegis_page_free(page);
    for (int i = 0; i < 4; i++)
        CHECK_OK(answer());
    CHECK_OK(aegis_page_free(page));
    close_extent();
    return result;
}

/* It ends with requests under way: its pages go when the disk is done, and not before. What it made
 * has no owner then: the next takes it by its secret. */
int64_t disk_end_while_it_writes(void)
{
    open_extent(ATTACK_CAP_SLOW, 1);
    page_at(FREE_VA, VM_READ_WRITE);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(submit(AEGIS_DISK_READ, 0, (void *)FREE_VA, BLOCK), 1);
    aegis_env_end(0, 0);
    return 0;
}

int64_t extent_capability_gone_stale(void)
{
    const struct aegis_cap *theirs = &exos.start->caps[ATTACK_CAP_EXTENT];
    struct aegis_cap cap;
    for (unsigned bit = 0; bit < 8 * sizeof(struct aegis_cap); bit++) {
        struct aegis_cap forged = *theirs;
        ((uint8_t *)&forged)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_ERROR(
            aegis_disk_bind((uint32_t)AEGIS_CAP_INDEX(theirs->name), AEGIS_RIGHT_READ, &forged),
            CAPABILITY);
    }
    uint32_t own = extent_made(ATTACK_CAP_DISK, 1);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_EXTENT, own, BOTH, &cap));
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_EXTENT, own, AEGIS_REVOKE_STALE));
    int64_t result = aegis_disk_bind(own, BOTH, &cap);
    extent_gone(own);
    uint32_t next = extent_made(ATTACK_CAP_DISK, 1); /* the same number, and blocks */
    CHECK_EQ(next, own);
    CHECK_ERROR(aegis_disk_bind(next, BOTH, &cap), CAPABILITY);
    extent_gone(next);
    return result;
}

int64_t extent_secrets_guessed(void)
{
    uint32_t own = extent_made(ATTACK_CAP_DISK, 1), seed = 1;
    uint64_t first = aegis_extent(own)->first;
    uint8_t secret[AEGIS_SECRET_SIZE];
    CHECK_OK(aegis_extent_free(own, AEGIS_EXTENT_FORGET));
    for (unsigned i = 0; i < 8 * sizeof secret + 50; i++) {
        memcpy(secret, SECRET, sizeof secret);
        secret[i / 8 % sizeof secret] ^= (uint8_t)(1 << i % 8);
        if (i >= 8 * sizeof secret)
            for (size_t k = 0; k < sizeof secret; k++)
                secret[k] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
        CHECK_ERROR(aegis_extent_claim(0, first, 1, secret), CAPABILITY);
    }
    CHECK_EQ(aegis_extent_claim(0, first, 1, (const uint8_t *)SECRET), own);
    extent_gone(own);
    return -AEGIS_E_CAPABILITY;
}

/* Everything that is free is taken, a run at a time; what others have stays theirs. */
int64_t disk_filled(void)
{
    static uint32_t made[64];
    uint32_t count = 0,
             theirs = (uint32_t)AEGIS_CAP_INDEX(exos.start->caps[ATTACK_CAP_EXTENT].name);
    uint32_t root = aegis_extent(theirs)->parent;
    uint64_t taken = 0, run = aegis_extent(root)->count;
    int64_t result = 0;
    while (run > 0) {
        int64_t more = extent_make(ATTACK_CAP_DISK, run);
        if (more < 0) {
            CHECK_EQ(result = more, -AEGIS_E_NO_SPACE);
            run /= 2;
            continue;
        }
        CHECK(count < sizeof made / sizeof *made);
        extent_settle(made[count++] = (uint32_t)more);
        taken += run;
    }
    CHECK_EQ(taken, aegis_extent(root)->count - aegis_extent(theirs)->count);
    CHECK(aegis_extent(theirs)->owner == exos.parent);
    while (count > 0)
        extent_gone(made[--count]);
    return result;
}

int64_t extent_data_of_the_last_owner(void)
{
    uint8_t *memory = vm_alloc(4, VM_READ_WRITE);
    open_extent(ATTACK_CAP_DISK, 4);
    uint64_t first = aegis_extent(extent)->first;
    memset(memory, 0xdd, 4 * BLOCK);
    CHECK_EQ(submit(AEGIS_DISK_WRITE, 0, memory, 4 * BLOCK), 1);
    CHECK_OK(answer());
    close_extent();
    open_extent(ATTACK_CAP_DISK, 2);
    CHECK_EQ(aegis_extent(extent)->first, first);
    CHECK_OK(aegis_extent_resize(extent, 4, &exos.start->caps[ATTACK_CAP_DISK]));
    extent_settle(extent);
    CHECK_EQ(submit(AEGIS_DISK_READ, 0, memory, 4 * BLOCK), 1);
    CHECK_OK(answer());
    for (size_t i = 0; i < 4 * BLOCK; i++)
        CHECK_EQ(memory[i], 0);
    close_extent();
    vm_free(memory);
    return 0;
}
