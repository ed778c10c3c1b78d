/* Requests: what is checked before the device gets them, what stays pinned, and how they end. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "disks.h"
#include "invariants.h"
#include "kernel/charge.h"
#include "kernel/disk.h"
#include "kernel/extent.h"
#include "world.h"

#define BLOCK   4096UL
#define ALL     (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE)
#define PAGE(n) (DISK_AT + (n)*BLOCK)
#define SECONDS 10000000UL /* of rdtime */
#define CALLS   PAGE(DISK_PAGES - 1)
#define EXTENT  16 /* blocks of the extent that the tests use */
#define EXTENTS DISK_FIRST

static uint32_t extent, bound, read_only;

/* A disk with everything and one with nothing; the extent lies on the first. */
static int boot(void **state)
{
    (void)state;
    disks_boot(2,
               DISK_SEG_MAX | DISK_BLK_SIZE | DISK_DISCARD | DISK_ZEROES | DISK_INDIRECT |
                   DISK_EVENT_IDX | DISK_FLUSH,
               true, 126);
    disks_memory();
    long made = disks_alloc(info->disks[0].extents, EXTENTS, EXTENT, NULL);
    disks_settle(&models[0]);
    assert_true(made > 0 && extents[made].state == AEGIS_EXTENT_READY);
    assert_int_equal(models[0].types[BLK_WRITE_ZEROES], 1);
    for (size_t i = 0; i < EXTENT * BLOCK; i++)
        assert_int_equal(models[0].blocks[EXTENTS + i / BLOCK][i % BLOCK], 0);
    assert_int_equal(models[0].blocks[EXTENTS + EXTENT][0], 0xee);
    extent = (uint32_t)made;
    bound = (uint32_t)call_disk_bind(extent, ALL, 0);
    read_only = (uint32_t)call_disk_bind(extent, AEGIS_RIGHT_READ, 0);
    assert_int_equal(bound, 0);
    assert_int_equal(read_only, 1);
    return 0;
}

static struct aegis_page *page_at(uint64_t va)
{
    return page_of(virt_to_phys(user_at(this_hart->env, va, PTE_R)) >> PAGE_SHIFT);
}

static uint64_t pins(void)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < page_count; i++)
        sum += pages[i].pins;
    return sum;
}

/* The kernel's invariants, with the ring's pin. */
static void check(void)
{
    uint16_t *extra = calloc(page_count, sizeof *extra);

    extra[page_at(PAGE(DISK_PAGES - 2)) - pages] = 1;
    check_invariants(extra);
    free(extra);
}

static void bytes_go_between_pages_and_the_extents_blocks(void **state)
{
    const struct aegis_disk_piece pieces[] = {
        {(void *)(PAGE(2) + 512), 1024}, {(void *)(PAGE(5) + 3584), 1024}, {(void *)PAGE(3), 2048}};
    struct aegis_disk_request r = {.binding = bound,
                                   .op = AEGIS_DISK_READ,
                                   .offset = 8192,
                                   .memory = pieces,
                                   .length = 4096,
                                   .pieces = 3};

    (void)state;
    for (size_t i = 0; i < 3 * BLOCK; i++)
        disks_page(0)[i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(disks_submit(bound, AEGIS_DISK_WRITE, 4096, PAGE(0) + 512, 2 * BLOCK, 1), 1);
    assert_int_equal(disks_serve(&models[0], 9), 1);
    assert_int_equal(disks_taken(1), 0);
    assert_memory_equal(models[0].blocks[EXTENTS + 1], disks_page(0) + 512, 2 * BLOCK);

    memset(disks_page(2), 0, 5 * BLOCK);
    memcpy(disks_page(DISK_PAGES - 1) + 512, pieces, sizeof pieces);
    r.memory = (void *)(CALLS + 512);
    memcpy(disks_page(DISK_PAGES - 1), &r, sizeof r);
    assert_int_equal(call_disk_submit(CALLS, 1), 1);
    disks_serve(&models[0], 9);
    assert_int_equal(disks_taken(0), 0);
    const uint8_t *block = models[0].blocks[EXTENTS + 2];
    assert_memory_equal(disks_page(2) + 512, block, 1024);
    assert_memory_equal(disks_page(5) + 3584, block + 1024, 512);
    assert_memory_equal(disks_page(6), block + 1536, 512);
    assert_memory_equal(disks_page(3), block + 2048, 2048);
    assert_int_equal(disks_page(2)[511] | disks_page(2)[1536] | disks_page(3)[2048], 0);
    assert_int_equal(pins(), 1); /* the ring */
    check();
}

/* Whatever is wrong has its error, and leaves no pin, no request and nothing for the device. */
static void what_is_no_range_of_the_extent_is_refused(void **state)
{
    const struct {
        uint32_t binding, op;
        uint64_t offset, va, length;
        long error;
    } rows[] = {
        {0, AEGIS_DISK_READ, EXTENT * BLOCK, PAGE(0), 512, AEGIS_E_RANGE},
        {0, AEGIS_DISK_READ, EXTENT * BLOCK - 512, PAGE(0), 1024, AEGIS_E_RANGE},
        {0, AEGIS_DISK_READ, 0, PAGE(0), 0, AEGIS_E_RANGE},
        {0, AEGIS_DISK_READ, -512UL, PAGE(0), 512, AEGIS_E_RANGE},
        {0, AEGIS_DISK_READ, -512UL, PAGE(0), 1024, AEGIS_E_RANGE},
        {0, AEGIS_DISK_READ, 512, PAGE(0), -512UL, AEGIS_E_RANGE},
        {0, AEGIS_DISK_READ, 0, PAGE(0), 33 * BLOCK, AEGIS_E_RANGE},
        {0, AEGIS_DISK_WRITE, 1UL << 63, PAGE(0), 512, AEGIS_E_RANGE},
        {0, AEGIS_DISK_READ, 256, PAGE(0), 512, AEGIS_E_ALIGNMENT},
        {0, AEGIS_DISK_READ, 0, PAGE(0), 100, AEGIS_E_ALIGNMENT},
        {0, AEGIS_DISK_READ, 0, PAGE(0) + 8, 512, AEGIS_E_ALIGNMENT},
        {0, AEGIS_DISK_READ, 0, PAGE(DISK_PAGES + 9), 512, AEGIS_E_ADDRESS},
        {0, AEGIS_DISK_READ, 0, PAGE(DISK_PAGES - 1), 2 * BLOCK, AEGIS_E_ADDRESS},
        {0, AEGIS_DISK_READ, 0, AEGIS_EXPOSED_BASE, 512, AEGIS_E_ADDRESS},
        {0, AEGIS_DISK_READ, 0, -512UL, 512, AEGIS_E_ADDRESS},
        {0, AEGIS_DISK_OPS, 0, PAGE(0), 512, AEGIS_E_INVALID},
        {0, UINT32_MAX, 0, PAGE(0), 512, AEGIS_E_INVALID},
        {1, AEGIS_DISK_WRITE, 0, PAGE(0), 512, AEGIS_E_RIGHTS},
        {1, AEGIS_DISK_ZERO, 0, 0, 512, AEGIS_E_RIGHTS},
        {1, AEGIS_DISK_DISCARD, 0, 0, 512, AEGIS_E_RIGHTS},
        {2, AEGIS_DISK_READ, 0, PAGE(0), 512, AEGIS_E_RANGE},
        {AEGIS_DISK_BINDINGS, AEGIS_DISK_READ, 0, PAGE(0), 512, AEGIS_E_RANGE},
        {UINT32_MAX, AEGIS_DISK_READ, 0, PAGE(0), 512, AEGIS_E_RANGE},
        {0, AEGIS_DISK_FLUSH, 512, 0, 0, AEGIS_E_RANGE},
        {0, AEGIS_DISK_FLUSH, 0, 0, 512, AEGIS_E_RANGE},
        {0, AEGIS_DISK_ZERO, 0, 0, 65 * BLOCK, AEGIS_E_RANGE},
        {0, AEGIS_DISK_DISCARD, (EXTENT - 1) * BLOCK, 0, 2 * BLOCK, AEGIS_E_RANGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        long result = disks_submit(rows[i].binding, rows[i].op, rows[i].offset, rows[i].va,
                                   rows[i].length, 7);
        if (result != -rows[i].error)
            fail_msg("row %zu gives %ld, not %ld", i, result, -rows[i].error);
    }
    assert_int_equal(disks_serve(&models[0], 1), 0);
    assert_int_equal(pins(), 1);
    assert_int_equal(this_hart->env->disk_requests, 0);
    check();
}

static void what_is_no_list_of_pieces_is_refused(void **state)
{
    const struct {
        uint64_t list;
        uint32_t count;
        uint64_t lengths[2], length;
        long error;
    } rows[] = {
        {CALLS + 512, 2, {512, 512}, 512, AEGIS_E_RANGE},
        {CALLS + 512, 2, {512, 512}, 2048, AEGIS_E_RANGE},
        {CALLS + 512, 2, {0, 512}, 512, AEGIS_E_RANGE},
        {CALLS + 512, 2, {-512UL, 1024}, 512, AEGIS_E_RANGE},
        {CALLS + 512, 34, {512, 512}, 1024, AEGIS_E_RANGE},
        {CALLS + 512, UINT32_MAX, {512, 512}, 1024, AEGIS_E_RANGE},
        {PAGE(DISK_PAGES + 3), 2, {512, 512}, 1024, AEGIS_E_ADDRESS},
        {CALLS + BLOCK - 16, 2, {512, 512}, 1024, AEGIS_E_ADDRESS},
        {CALLS + 512, 2, {512, 256}, 768, AEGIS_E_ALIGNMENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct aegis_disk_request r = {.op = AEGIS_DISK_READ,
                                             .memory = (void *)rows[i].list,
                                             .length = rows[i].length,
                                             .pieces = rows[i].count};
        const struct aegis_disk_piece pieces[] = {{(void *)PAGE(0), rows[i].lengths[0]},
                                                  {(void *)PAGE(1), rows[i].lengths[1]}};
        uint8_t *page = disks_page(DISK_PAGES - 1);
        memcpy(page, &r, sizeof r);
        memcpy(page + 512, pieces, sizeof pieces);
        memcpy(page + BLOCK - 16, pieces, 16);
        long result = call_disk_submit(CALLS, 1);
        if (result != -rows[i].error)
            fail_msg("row %zu gives %ld, not %ld", i, result, -rows[i].error);
    }
    assert_int_equal(pins(), 1);
    assert_int_equal(this_hart->env->disk_requests, 0);
}

static void memory_is_data_pages_of_the_callers_own(void **state)
{
    uint32_t child = world_child("other"), first = this_hart->env->number;
    uint64_t pte = *map_entry(this_hart->env, PAGE(1), 0, NULL);

    (void)state;
    /* Mapped, but another's. */
    uint64_t given = world_page();
    world_map(PAGE(DISK_PAGES + 1), given, ALL);
    page_of(given)->owner = child; /* as after page_give, with the mapping left */
    assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(DISK_PAGES + 1), 512, 1),
                     -AEGIS_E_OWNER);
    page_of(given)->owner = first;
    /* No data. */
    page_of(given)->state = AEGIS_PAGE_RING;
    assert_int_equal(disks_submit(bound, AEGIS_DISK_WRITE, 0, PAGE(DISK_PAGES + 1), 512, 1),
                     -AEGIS_E_STATE);
    page_of(given)->state = AEGIS_PAGE_DATA;
    /* Only read. */
    *map_entry(this_hart->env, PAGE(1), 0, NULL) = pte & ~(uint64_t)PTE_W;
    assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(1), 512, 1), -AEGIS_E_ADDRESS);
    assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), 2 * BLOCK, 1),
                     -AEGIS_E_ADDRESS); /* the page before isn't left pinned */
    assert_int_equal(pins(), 1);
    assert_int_equal(disks_submit(bound, AEGIS_DISK_WRITE, 0, PAGE(1), 512, 1), 1);
    disks_settle(&models[0]);
    assert_int_equal(disks_taken(1), 0);
    *map_entry(this_hart->env, PAGE(1), 0, NULL) = pte;
    assert_int_equal(call_unmap(0, PAGE(DISK_PAGES + 1), 1), 0);
    assert_int_equal(call_page_free(given), 0);
    world_end(child);
    check();
}

static void pages_stay_pinned_until_the_device_has_answered(void **state)
{
    struct aegis_page *page = page_at(PAGE(4));
    uint64_t ppn = first_ppn + (uint64_t)(page - pages);

    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, i * BLOCK, PAGE(4) + 512, 1024, i),
                         1);
    assert_int_equal(page->pins, 3);
    assert_int_equal(extents[extent].busy, 3);
    assert_int_equal(call_unmap(0, PAGE(4), 1), 0);
    assert_int_equal(call_page_free(ppn), -AEGIS_E_PINNED);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(disks_serve(&models[0], 1), 1);
        assert_int_equal(page->pins, 2 - i);
        assert_int_equal(disks_taken(i), 0);
    }
    assert_int_equal(extents[extent].busy, 0);
    assert_int_equal(call_map(0, PAGE(4), ppn, ALL << 0, 0), 0);
    check();
}

static void a_device_error_is_the_askers_alone(void **state)
{
    uint64_t errors = info->disks[0].errors;

    (void)state;
    disks_fail(&models[0], 1, 1, BLK_IOERR);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(disks_submit(bound, AEGIS_DISK_WRITE, i * BLOCK, PAGE(i), BLOCK, i), 1);
    disks_settle(&models[0]);
    assert_int_equal(disks_taken(0), 0);
    assert_int_equal(disks_taken(1), -AEGIS_E_DEVICE);
    assert_int_equal(disks_taken(2), 0);
    disks_fail(&models[0], 0, 1, BLK_UNSUPP);
    assert_int_equal(disks_submit(bound, AEGIS_DISK_DISCARD, 0, 0, BLOCK, 3), 1);
    disks_settle(&models[0]);
    assert_int_equal(disks_taken(3), -AEGIS_E_INVALID);
    assert_int_equal(info->disks[0].errors, errors + 2);
    assert_int_equal(pins(), 1);
}

static void a_request_that_is_late_is_told_once_and_keeps_its_page(void **state)
{
    uint64_t late = info->disks[0].late;

    (void)state;
    assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), BLOCK, 5), 1);
    assert_int_equal(disk_deadline, host_csr_time + 30 * SECONDS);
    host_csr_time += 30 * SECONDS - 1;
    disk_expire();
    assert_int_equal(disks_ring()->head, disks_ring()->tail);
    host_csr_time++;
    disk_expire();
    assert_int_equal(disks_taken(5), -AEGIS_E_TIMEOUT);
    assert_int_equal(disk_deadline, AEGIS_FOREVER);
    disk_expire();
    assert_int_equal(page_at(PAGE(0))->pins, 1);
    assert_int_equal(info->disks[0].late, late + 1);
    assert_int_equal(extents[extent].busy, 1);
    assert_int_equal(disks_serve(&models[0], 1), 1);
    assert_int_equal(disks_ring()->head, disks_ring()->tail); /* not told again */
    assert_int_equal(pins(), 1);
    assert_int_equal(extents[extent].busy, 0);
}

static void who_ends_leaves_its_pages_to_the_device(void **state)
{
    uint32_t first = this_hart->env->number, child = world_child("asker");
    struct aegis_page *mine = page_at(PAGE(0));
    struct disk_request *q;

    (void)state;
    /* A request of the first's, made over to the child: what the kernel knows of it is the same. */
    assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), BLOCK, 1), 1);
    q = &disks[0].requests[0];
    for (uint32_t slot = 0; !disks[0].blk.slots[slot].is_busy; slot++)
        q = &disks[0].requests[slot + 1];
    q->asker = env_table[child];
    this_hart->env->disk_requests--;
    env_table[child]->disk_requests++;
    world_end(child);
    uint64_t head = disks_ring()->head;
    assert_int_equal(mine->pins, 1);
    assert_int_equal(disks_serve(&models[0], 1), 1);
    assert_int_equal(mine->pins, 0);
    assert_int_equal(extents[extent].busy, 0);
    assert_int_equal(disks_ring()->head, head);
    assert_int_equal(this_hart->env->number, first);
}

static void as_many_as_fit_the_ring_are_under_way(void **state)
{
    uint64_t count = 0;
    long result;

    (void)state;
    while ((result = disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), 512, count)) == 1)
        count++;
    assert_int_equal(result, -AEGIS_E_FULL);
    assert_in_range(count, 1, AEGIS_DISK_DEPTH);
    /* Others' first one is taken all the same: slots are reserved for it. */
    assert_true(disks[0].blk.free_count >= 1);
    disks_settle(&models[0]);
    /* Nothing was taken of the ring; when it is full nothing is begun that it had no room for. */
    while (disks_ring()->head - disks_ring()->tail < AEGIS_DISK_RING) {
        assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), 512, count++), 1);
        disks_settle(&models[0]);
    }
    assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), 512, count), -AEGIS_E_FULL);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(disks_taken(i), 0);
    /* A tail that makes no sense harms nobody: full, or not. */
    uint64_t tail = disks_ring()->tail;
    disks_ring()->tail = tail + 1;
    assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), 512, 0), -AEGIS_E_FULL);
    disks_ring()->tail = tail;
}

static void answers_that_are_too_many_for_an_entry_come_with_the_next(void **state)
{
    uint64_t head = disks_ring()->head;

    (void)state;
    for (uint64_t i = 0; i < 40; i++)
        assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), 512, i), 1);
    assert_int_equal(disks_serve(&models[0], 40), 40);
    assert_int_equal(disks_ring()->head, head + 32);
    assert_int_equal(disk_deadline, 0); /* at once */
    disk_expire();
    assert_int_equal(disks_ring()->head, head + 40);
    for (uint64_t i = 0; i < 40; i++)
        assert_int_equal(disks_taken(i), 0);
    assert_int_equal(pins(), 1);
}

static void several_in_a_call_end_at_the_first_that_is_wrong(void **state)
{
    struct aegis_disk_request r[8] = {0};
    uint8_t *page = disks_page(DISK_PAGES - 1);

    (void)state;
    for (uint64_t i = 0; i < 8; i++)
        r[i] = (struct aegis_disk_request){.op = AEGIS_DISK_READ,
                                           .offset = i == 3 ? EXTENT * BLOCK : i * 512,
                                           .cookie = i,
                                           .memory = (void *)PAGE(i),
                                           .length = 512};
    memcpy(page, r, sizeof r);
    assert_int_equal(call_disk_submit(CALLS, 8), 3);
    assert_int_equal(call_disk_submit(CALLS + 3 * sizeof *r, 5), -AEGIS_E_RANGE);
    assert_int_equal(call_disk_submit(CALLS, 0), -AEGIS_E_RANGE);
    assert_int_equal(call_disk_submit(CALLS, 9), -AEGIS_E_RANGE);
    assert_int_equal(call_disk_submit(CALLS + BLOCK - 40, 1), -AEGIS_E_ADDRESS);
    assert_int_equal(call_disk_submit(-8UL, 1), -AEGIS_E_ADDRESS);
    /* Across a page's end, and at no multiple of a word. */
    memcpy(disks_page(DISK_PAGES - 4) + BLOCK - 24, &r[4], sizeof *r);
    assert_int_equal(call_disk_submit(PAGE(DISK_PAGES - 3) - 24, 1), 1);
    memcpy(page + 3, &r[5], sizeof *r);
    assert_int_equal(call_disk_submit(CALLS + 3, 1), 1);
    disks_settle(&models[0]);
    for (uint64_t i = 0; i < 6; i++)
        if (i != 3)
            assert_int_equal(disks_taken(i), 0);
    /* Many parts of pages: the rest of the call's requests are the next one's. */
    for (uint64_t i = 0; i < 8; i++)
        r[i] = (struct aegis_disk_request){
            .op = AEGIS_DISK_READ, .cookie = i, .memory = (void *)PAGE(0), .length = 16 * BLOCK};
    memcpy(page, r, sizeof r);
    assert_int_equal(call_disk_submit(CALLS, 8), 8);
    disks_settle(&models[0]);
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(disks_taken(i), 0);
}

/* An answer is read behind such a fence: taking one takes 5 ticks. */
static void pass_time(const char *before, const char *after)
{
    if (!strcmp(before, "r") && !strcmp(after, "r"))
        host_csr_time += 5;
}

static void answers_are_paid_by_who_asked(void **state)
{
    uint32_t self = this_hart->env->number;
    uint64_t charged = env_infos[self].charged;

    (void)state;
    env_infos[self].debt = 0;
    host_on_fence = pass_time;
    assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), 512, 0), 1);
    disks_settle(&models[0]); /* while nobody can run it costs nobody anything */
    assert_int_equal(env_infos[self].charged, charged);
    charge_begin();
    for (uint64_t i = 1; i < 4; i++)
        assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), 512, i), 1);
    disks_settle(&models[0]);
    assert_int_equal(env_infos[self].charged, charged + 15);
    /* The change of a table: the caller pays for the steps of its own. */
    assert_true(disks_alloc(info->disks[1].extents, AEGIS_ANY, 1, NULL) > 0);
    disks_settle(&models[1]);
    assert_true(env_infos[self].charged >= charged + 15 + 25);
    assert_int_equal(env_infos[self].debt, env_infos[self].charged - charged);
    charge_end();
    host_on_fence = NULL;
    env_infos[self].debt = 0;
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(disks_taken(i), 0);
}

static void a_ring_is_a_page_of_ones_own_and_changed_at_rest(void **state)
{
    (void)state;
    assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), 512, 0), 1);
    assert_int_equal(call_disk_ring(0), -AEGIS_E_BUSY);
    disks_settle(&models[0]);
    assert_int_equal(disks_taken(0), 0);
    assert_int_equal(call_disk_ring(PAGE(0) + 8), -AEGIS_E_ALIGNMENT);
    assert_int_equal(call_disk_ring(PAGE(DISK_PAGES + 5)), -AEGIS_E_ADDRESS);
    assert_int_equal(call_disk_ring(AEGIS_EXPOSED_BASE), -AEGIS_E_ADDRESS);
    assert_int_equal(call_disk_ring(0), 0);
    assert_int_equal(pins(), 0);
    assert_int_equal(disks_submit(bound, AEGIS_DISK_READ, 0, PAGE(0), 512, 0), -AEGIS_E_STATE);
    assert_int_equal(call_disk_ring(PAGE(DISK_PAGES - 2)), 0);
    assert_int_equal(call_disk_ring(PAGE(DISK_PAGES - 2)), 0); /* again: pinned once */
    assert_int_equal(pins(), 1);
}

static void a_disk_without_a_cache_flushes_at_once(void **state)
{
    (void)state;
    uint64_t taken = models[0].taken;
    disks[0].blk.has_cache = false;
    assert_int_equal(disks_submit(bound, AEGIS_DISK_FLUSH, 0, 0, 0, 9), 1);
    assert_int_equal(disks_taken(9), 0);
    disks[0].blk.has_cache = true;
    assert_int_equal(disks_submit(read_only, AEGIS_DISK_FLUSH, 0, 0, 0, 10), 1);
    disks_settle(&models[0]);
    assert_int_equal(models[0].taken, taken + 1);
    assert_int_equal(disks_taken(10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_between_pages_and_the_extents_blocks),
        cmocka_unit_test(what_is_no_range_of_the_extent_is_refused),
        cmocka_unit_test(what_is_no_list_of_pieces_is_refused),
        cmocka_unit_test(memory_is_data_pages_of_the_callers_own),
        cmocka_unit_test(pages_stay_pinned_until_the_device_has_answered),
        cmocka_unit_test(a_device_error_is_the_askers_alone),
        cmocka_unit_test(a_request_that_is_late_is_told_once_and_keeps_its_page),
        cmocka_unit_test(who_ends_leaves_its_pages_to_the_device),
        cmocka_unit_test(as_many_as_fit_the_ring_are_under_way),
        cmocka_unit_test(answers_that_are_too_many_for_an_entry_come_with_the_next),
        cmocka_unit_test(several_in_a_call_end_at_the_first_that_is_wrong),
        cmocka_unit_test(answers_are_paid_by_who_asked),
        cmocka_unit_test(a_ring_is_a_page_of_ones_own_and_changed_at_rest),
        cmocka_unit_test(a_disk_without_a_cache_flushes_at_once),
    };

    return cmocka_run_group_tests(tests, boot, NULL);
}
