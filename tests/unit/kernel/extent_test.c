/* Extents in the kernel: changes of the table, what they leave when the disk fails, who owns and
 * who pays meanwhile. The disk offers no WRITE_ZEROES, and takes few pieces. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "disks.h"
#include "kernel/abort.h"
#include "kernel/cap.h"
#include "kernel/disk.h"
#include "kernel/extent.h"
#include "kernel/extent_call.h"
#include "kernel/quota.h"
#include "world.h"

#define BLOCK   4096UL
#define ALL     (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE)
#define PAGE(n) (DISK_AT + (n)*BLOCK)
#define SECONDS 10000000UL
#define PIECES  4  /* of data in a request to the disk */
#define STEPS   40 /* more requests than a change takes */

static uint32_t root;
static const uint8_t secret[AEGIS_SECRET_SIZE] = "nobody's guess";

static int boot(void **state)
{
    (void)state;
    disks_boot(1, DISK_SEG_MAX | DISK_FLUSH | DISK_INDIRECT | DISK_EVENT_IDX, true, PIECES);
    disks_memory();
    root = info->disks[0].extents;
    return 0;
}

static const struct aegis_extent_info *of(long number)
{
    return &extents[number];
}

/* What the accounts have, against the extents that they have it for. */
static uint64_t charged(void)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < info->extent_count; i++) {
        bool counts = extents[i].owner && i != root && extents[i].parent == root;
        if (extents[i].state == AEGIS_EXTENT_READY)
            assert_int_equal(extent_charges[i], counts ? extents[i].count : 0);
        sum += extent_charges[i];
    }
    assert_int_equal(quota_account(this_hart->env->number)->used[AEGIS_QUOTA_BLOCKS], sum);
    return sum;
}

/* All is as after boot, in memory, on the disk, and in the accounts. */
static int clean(void **state)
{
    struct extent_table table;

    (void)state;
    disks_fail(&models[0], 0, 0, 0);
    disks_settle(&models[0]);
    for (uint32_t pass = 0; pass < 16; pass++)
        for (uint32_t i = info->extent_count; i-- > root + 1;)
            if (extents[i].state == AEGIS_EXTENT_READY) {
                extents[i].owner = this_hart->env->number; /* some are nobody's */
                if (call_extent_free(i, AEGIS_EXTENT_RETURN) == 0)
                    disks_settle(&models[0]);
            }
    for (uint32_t i = root + 1; i < info->extent_count; i++)
        assert_int_equal(extents[i].state, AEGIS_EXTENT_NONE);
    assert_int_equal(extents[root].children, 0);
    assert_int_equal(disks_reread(&models[0], &table), 0);
    assert_int_equal(table.used, 1);
    for (uint32_t b = 0; b < AEGIS_DISK_BINDINGS; b++)
        (void)call_disk_unbind(b);
    return 0;
}

static long made(uint64_t parent, uint64_t first, uint64_t count)
{
    long number = disks_alloc(parent, first, count, NULL);

    disks_settle(&models[0]);
    assert_true(number > 0);
    assert_int_equal(of(number)->state, AEGIS_EXTENT_READY);
    return number;
}

static uint32_t bind(long number)
{
    long binding = call_disk_bind((uint32_t)number, ALL, 0);

    assert_in_range(binding, 0, AEGIS_DISK_BINDINGS - 1);
    return (uint32_t)binding;
}

static void a_new_extent_is_zero_on_the_disk_and_then_its_owners(void **state)
{
    struct extent_table table;

    (void)state;
    memset(models[0].blocks[100], 0xee, 10 * BLOCK);
    models[0].longest = 0;
    long number = disks_alloc(root, 100, 10, secret);
    assert_true(number > 0);
    assert_int_equal(of(number)->state, AEGIS_EXTENT_MAKING);
    uint32_t binding = bind(number);
    assert_int_equal(disks_submit(binding, AEGIS_DISK_READ, 0, PAGE(0), 512, 0), -AEGIS_E_STATE);
    assert_int_equal(disks_alloc(root, 200, 1, NULL), -AEGIS_E_BUSY);
    assert_int_equal(disks_claim(0, 100, 10, secret), -AEGIS_E_STATE);
    /* Each step in its order: nobody finds the extent before its blocks are zero. */
    while (of(number)->state == AEGIS_EXTENT_MAKING) {
        assert_int_equal(disks_reread(&models[0], &table), 0);
        if (extent_find(&table, 100, 10) >= 0)
            for (size_t i = 0; i < 10 * BLOCK; i++)
                assert_int_equal(models[0].blocks[100 + i / BLOCK][i % BLOCK], 0);
        assert_int_equal(disks_serve(&models[0], 1), 1);
    }
    assert_int_equal(of(number)->state, AEGIS_EXTENT_READY);
    assert_int_equal(models[0].longest, PIECES); /* what the device takes, and no more */
    assert_int_equal(models[0].blocks[99][0] & models[0].blocks[110][0], 0xee);
    assert_int_equal(disks_reread(&models[0], &table), 0);
    assert_true(extent_unlock(&table, 100, 10, secret) > 0);
    assert_int_equal(disks_submit(binding, AEGIS_DISK_READ, 0, PAGE(0), 512, 0), 1);
    disks_settle(&models[0]);
    assert_int_equal(disks_taken(0), 0);
    assert_int_equal(charged(), 10);
}

/* What a change is, for a disk that fails its k-th request, for each k: begun, and told apart. */
static long begin_add(long number)
{
    (void)number;
    return disks_alloc(root, 300, 9, NULL);
}

static long begin_free(long number)
{
    return call_extent_free((uint32_t)number, AEGIS_EXTENT_RETURN);
}

static long begin_split(long number)
{
    return call_extent_split((uint32_t)number, 3, 0);
}

static long begin_grow(long number)
{
    return call_extent_resize((uint32_t)number, 19, 0);
}

static long begin_shrink(long number)
{
    return call_extent_resize((uint32_t)number, 2, 0);
}

static void a_change_that_fails_half_way_leaves_what_was_before(void **state)
{
    long (*const changes[])(long) = {begin_add, begin_free, begin_split, begin_grow, begin_shrink};
    const uint32_t used[] = {2, -1U, 1, 0, 0}; /* slots more, once done */

    (void)state;
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        bool failed = true;
        for (uint64_t k = 0; failed; k++) {
            assert_true(k < STEPS);
            long number = made(root, 400, 10);
            struct aegis_extent_info before = *of(number);
            struct extent_table table;
            uint64_t failures = info->disks[0].failed, blocks = charged();
            uint32_t slots = disks[0].table.table.used, children = of(root)->children;
            disks_fail(&models[0], k, 1, BLK_IOERR);
            assert_true(changes[c](number) >= 0);
            disks_settle(&models[0]);
            failed = info->disks[0].failed != failures;
            assert_int_equal(info->disks[0].flags & AEGIS_DISK_CHANGING, 0);
            if (failed) {
                assert_memory_equal(of(number), &before, sizeof before);
                assert_int_equal(disks[0].table.table.used, slots);
                assert_int_equal(of(root)->children, children);
                assert_int_equal(charged(), blocks);
                /* The disk has the table before or after; in any case it is whole. */
                assert_int_equal(disks_reread(&models[0], &table), 0);
                assert_true(extent_find(&table, 400, 10) >= 0 || table.used != slots || c > 2);
            } else if (c == 0) {
                assert_int_equal(disks[0].table.table.used, slots + used[c] - 1);
            } else {
                assert_int_equal(disks[0].table.table.used, slots + used[c]);
            }
            charged();
            clean(NULL);
        }
    }
}

static void blocks_that_go_to_the_parent_are_nobodys_until_the_disk_says_so(void **state)
{
    long outer = made(root, 500, 40), inner = made((uint64_t)outer, 510, 20);
    uint32_t binding = bind(outer);
    uint64_t last = (529 - 500) * BLOCK; /* block 529, of the parent */

    (void)state;
    assert_int_equal(disks_submit(binding, AEGIS_DISK_WRITE, last, PAGE(0), 512, 1),
                     -AEGIS_E_OWNER);
    for (int frees = 0; frees < 2; frees++) {
        disks_fail(&models[0], 0, 1, BLK_IOERR);
        if (frees)
            assert_int_equal(call_extent_free((uint32_t)inner, AEGIS_EXTENT_RETURN), 0);
        else
            assert_int_equal(call_extent_resize((uint32_t)inner, 10, 0), 0);
        assert_int_equal(disks_submit(binding, AEGIS_DISK_WRITE, last, PAGE(0), 512, 1),
                         -AEGIS_E_OWNER);
        assert_int_equal(disks_submit(binding, AEGIS_DISK_ZERO, last - BLOCK, 0, 3 * BLOCK, 1),
                         -AEGIS_E_INVALID);
        disks_settle(&models[0]);
        assert_int_equal(of(inner)->count, 20); /* it failed: they are the child's still */
    }
    assert_int_equal(call_extent_resize((uint32_t)inner, 10, 0), 0);
    disks_settle(&models[0]);
    assert_int_equal(disks_submit(binding, AEGIS_DISK_WRITE, last, PAGE(0), 512, 1), 1);
    assert_int_equal(disks_submit(binding, AEGIS_DISK_WRITE, 19 * BLOCK, PAGE(0), 512, 1),
                     -AEGIS_E_OWNER);
    disks_settle(&models[0]);
    assert_int_equal(disks_taken(1), 0);
}

static void blocks_that_a_late_device_may_still_zero_take_no_requests(void **state)
{
    long outer = made(root, 600, 40);
    uint32_t binding = bind(outer);
    uint64_t late = info->disks[0].late;

    (void)state;
    long inner = disks_alloc((uint64_t)outer, 610, 3, NULL);
    assert_true(inner > 0);
    host_csr_time += 31 * SECONDS;
    disk_expire();
    assert_int_equal(info->disks[0].late, late + 1);
    assert_int_equal(of(inner)->state, AEGIS_EXTENT_NONE);
    assert_int_equal(info->disks[0].flags & AEGIS_DISK_CHANGING, 0);
    /* Where the device is, whatever is written now might be gone later. */
    assert_int_equal(disks_submit(binding, AEGIS_DISK_WRITE, 10 * BLOCK, PAGE(0), 512, 2),
                     -AEGIS_E_OWNER);
    assert_int_equal(disks_submit(binding, AEGIS_DISK_WRITE, 9 * BLOCK, PAGE(0), 2 * BLOCK, 2),
                     -AEGIS_E_OWNER);
    assert_int_equal(disks_submit(binding, AEGIS_DISK_WRITE, 13 * BLOCK, PAGE(0), 512, 2), 1);
    assert_int_equal(disks_alloc((uint64_t)outer, 620, 3, NULL), -AEGIS_E_BUSY);
    assert_int_equal(call_extent_free((uint32_t)outer, AEGIS_EXTENT_RETURN), -AEGIS_E_IN_USE);
    disks_settle(&models[0]);
    assert_int_equal(disks_taken(2), 0);
    assert_int_equal(of(outer)->children, 0);
    assert_int_equal(disks_submit(binding, AEGIS_DISK_WRITE, 10 * BLOCK, PAGE(0), 512, 3), 1);
    disks_settle(&models[0]);
    assert_int_equal(disks_taken(3), 0);
}

static void taking_half_of_what_is_being_split_leaves_the_rest_paid_for(void **state)
{
    (void)state;
    for (int is_first = 0; is_first < 2; is_first++)
        for (uint64_t fails = 0; fails < 2; fails++) {
            /* The highest number is taken first: the rest's is lower if a lower one is free. */
            long before = is_first ? made(root, 60, 1) : 0, number = made(root, 700, 30);
            uint32_t taken;
            if (is_first) {
                assert_int_equal(begin_free(before), 0);
                disks_settle(&models[0]);
            }
            long rest = call_extent_split((uint32_t)number, 12, 0);
            assert_true(rest > 0);
            assert_int_equal(quota_account(FIRST_ENV)->used[AEGIS_QUOTA_BLOCKS], 30);
            assert_true(extent_take(FIRST_ENV, &taken));
            assert_int_equal(taken, is_first ? number : rest);
            disks_fail(&models[0], 0, fails, BLK_IOERR);
            disks_settle(&models[0]);
            assert_int_equal(of(rest)->state, fails ? AEGIS_EXTENT_NONE : AEGIS_EXTENT_READY);
            assert_int_equal(of(number)->count, fails ? 30 : 12);
            assert_int_equal(of(number)->owner, is_first ? 0 : FIRST_ENV);
            charged(); /* what is FIRST_ENV's is in its account, and nothing else */
            clean(NULL);
        }
}

static void what_is_taken_keeps_its_data_and_is_claimed_anew(void **state)
{
    uint8_t wrong[AEGIS_SECRET_SIZE];
    uint32_t taken;

    (void)state;
    long number = disks_alloc(root, 800, 5, secret);
    disks_settle(&models[0]);
    uint32_t binding = bind(number);
    memset(disks_page(0), 0x5a, BLOCK);
    assert_int_equal(disks_submit(binding, AEGIS_DISK_WRITE, 0, PAGE(0), BLOCK, 1), 1);
    assert_int_equal(extent_held(this_hart->env), 1);
    assert_true(extent_take(FIRST_ENV, &taken)); /* with a request under way, which goes on */
    assert_int_equal(taken, number);
    assert_int_equal(charged(), 0);
    assert_int_equal(disks_submit(binding, AEGIS_DISK_READ, 0, PAGE(0), 512, 2), -AEGIS_E_RANGE);
    assert_int_equal(call_disk_bind((uint32_t)number, ALL, 0), -AEGIS_E_OWNER);
    assert_int_equal(call_extent_free((uint32_t)number, AEGIS_EXTENT_RETURN), -AEGIS_E_BUSY);
    disks_settle(&models[0]);
    assert_int_equal(disks_taken(1), 0);
    assert_int_equal(models[0].blocks[800][17], 0x5a);
    assert_false(extent_take(FIRST_ENV, &taken)); /* roots aren't taken */
    for (size_t bit = 0; bit < 128; bit++) {
        memcpy(wrong, secret, sizeof wrong);
        wrong[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(disks_claim(0, 800, 5, wrong), -AEGIS_E_CAPABILITY);
    }
    assert_int_equal(disks_claim(0, 800, 4, secret), -AEGIS_E_CAPABILITY);
    assert_int_equal(disks_claim(1, 800, 5, secret), -AEGIS_E_RANGE);
    assert_int_equal(disks_claim(0, 800, 5, secret), number);
    assert_int_equal(disks_claim(0, 800, 5, secret), -AEGIS_E_IN_USE);
    assert_int_equal(charged(), 5);
}

static void a_request_to_what_is_changed_keeps_the_change_away(void **state)
{
    long number = made(root, 900, 10);
    uint32_t binding = bind(number);

    (void)state;
    assert_int_equal(disks_submit(binding, AEGIS_DISK_READ, 0, PAGE(0), 512, 1), 1);
    assert_int_equal(begin_free(number), -AEGIS_E_BUSY);
    assert_int_equal(begin_split(number), -AEGIS_E_BUSY);
    assert_int_equal(begin_grow(number), -AEGIS_E_BUSY);
    assert_int_equal(disks_alloc((uint64_t)number, AEGIS_ANY, 1, NULL), -AEGIS_E_BUSY);
    disks_settle(&models[0]);
    assert_int_equal(disks_taken(1), 0);
    assert_int_equal(begin_free(number), 0);
    assert_int_equal(disks_submit(binding, AEGIS_DISK_READ, 0, PAGE(0), 512, 1), -AEGIS_E_RANGE);
    disks_settle(&models[0]);
    assert_int_equal(of(number)->state, AEGIS_EXTENT_NONE);
    assert_int_equal(call_disk_bind((uint32_t)number, ALL, 0), -AEGIS_E_RANGE);
}

static void places_that_wrap_or_leave_the_parent_are_refused(void **state)
{
    long number = made(root, 200, 10);
    const struct {
        uint64_t parent, first, count;
        long error;
    } rows[] = {
        {root, DISK_FIRST - 1, 1, AEGIS_E_RANGE},
        {root, 0, 1, AEGIS_E_RANGE},
        {root, DISK_BLOCKS, 1, AEGIS_E_RANGE},
        {root, DISK_BLOCKS - 1, 2, AEGIS_E_RANGE},
        {root, DISK_BLOCKS - 1, -1UL, AEGIS_E_RANGE},
        {root, -2UL, 3, AEGIS_E_RANGE},
        {root, 300, -299UL, AEGIS_E_RANGE},
        {root, 300, 0, AEGIS_E_RANGE},
        {root, 205, 1, AEGIS_E_IN_USE},
        {root, 195, 6, AEGIS_E_IN_USE},
        {root, 190, 40, AEGIS_E_IN_USE},
        {root, AEGIS_ANY, 1000, AEGIS_E_NO_SPACE},
        {root, AEGIS_ANY, -1UL, AEGIS_E_QUOTA},
        {root + 99, 300, 1, AEGIS_E_RANGE},
        {-1UL, 300, 1, AEGIS_E_RANGE},
        {1UL << 32 | root, 300, 1, AEGIS_E_RANGE},
        {(uint64_t)number, 199, 1, AEGIS_E_RANGE},
        {(uint64_t)number, 209, 2, AEGIS_E_RANGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        long result = disks_alloc(rows[i].parent, rows[i].first, rows[i].count, NULL);
        /* More than the account has, or more than the parent: both are refusals of the amount. */
        if (result != -rows[i].error && !(result == -AEGIS_E_QUOTA && rows[i].count > DISK_BLOCKS))
            fail_msg("row %zu gives %ld, not %ld", i, result, -rows[i].error);
    }
    assert_int_equal(call_extent_resize((uint32_t)number, -1UL, 0), -AEGIS_E_QUOTA);
    assert_int_equal(call_extent_resize((uint32_t)number, 0, 0), -AEGIS_E_RANGE);
    assert_int_equal(call_extent_split((uint32_t)number, 10, 0), -AEGIS_E_RANGE);
    assert_int_equal(call_extent_split((uint32_t)number, -1UL, 0), -AEGIS_E_RANGE);
    assert_int_equal(charged(), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_new_extent_is_zero_on_the_disk_and_then_its_owners, clean),
        cmocka_unit_test_teardown(a_change_that_fails_half_way_leaves_what_was_before, clean),
        cmocka_unit_test_teardown(blocks_that_go_to_the_parent_are_nobodys_until_the_disk_says_so,
                                  clean),
        cmocka_unit_test_teardown(blocks_that_a_late_device_may_still_zero_take_no_requests, clean),
        cmocka_unit_test_teardown(taking_half_of_what_is_being_split_leaves_the_rest_paid_for,
                                  clean),
        cmocka_unit_test_teardown(what_is_taken_keeps_its_data_and_is_claimed_anew, clean),
        cmocka_unit_test_teardown(a_request_to_what_is_changed_keeps_the_change_away, clean),
        cmocka_unit_test_teardown(places_that_wrap_or_leave_the_parent_are_refused, clean),
    };

    return cmocka_run_group_tests(tests, boot, NULL);
}
