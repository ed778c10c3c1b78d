/*
 * The record store on a disk that loses power: what was appended, and told so, is there, in order;
 * what was not told is there whole or not at all; nothing else ever is.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "apps/log/store.h"

#define SIZE    (1 << 16)
#define SECTOR  512
#define PENDING 32
#define RECORDS 200

/* A disk with a cache: writes since the last flush are pending. */
static struct {
    uint8_t durable[SIZE], seen[SIZE];
    struct {
        uint64_t offset, length;
    } pending[PENDING];
    int count;
    int fails_after; /* operations; then each fails. -1: none does */
    bool fails_half; /* a write that fails has been done */
} disk;

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(random_state >> 33) % limit;
}

static bool fails(void)
{
    return disk.fails_after >= 0 && disk.fails_after-- == 0;
}

static int64_t disk_read(void *context, uint64_t offset, void *memory, uint64_t length)
{
    (void)context;
    assert_true(offset % SECTOR == 0 && length % SECTOR == 0 && offset + length <= SIZE);
    memcpy(memory, disk.seen + offset, length);
    return 0;
}

static int64_t disk_write(void *context, uint64_t offset, const void *memory, uint64_t length)
{
    bool failed = fails();

    (void)context;
    assert_true(offset % SECTOR == 0 && length % SECTOR == 0 && offset + length <= SIZE);
    assert_true(disk.count < PENDING);
    if (!failed || disk.fails_half) {
        memcpy(disk.seen + offset, memory, length);
        disk.pending[disk.count].offset = offset;
        disk.pending[disk.count++].length = length;
    }
    return failed ? -26 : 0;
}

static int64_t disk_flush(void *context)
{
    (void)context;
    if (fails())
        return -26;
    memcpy(disk.durable, disk.seen, SIZE);
    disk.count = 0;
    return 0;
}

/* Power is lost: of what is pending, any of the sectors are on the medium. */
static void lose_power(void)
{
    for (int i = 0; i < disk.count; i++)
        for (uint64_t at = 0; at < disk.pending[i].length; at += SECTOR)
            if (random_below(2))
                memcpy(disk.durable + disk.pending[i].offset + at,
                       disk.seen + disk.pending[i].offset + at, SECTOR);
    memcpy(disk.seen, disk.durable, SIZE);
    disk.count = 0;
    disk.fails_after = -1;
}

static struct store_disk on(uint32_t unit)
{
    return (struct store_disk){disk_read, disk_write, disk_flush, NULL, SIZE, unit};
}

static uint8_t buffer[STORE_RECORD_MAX + STORE_UNIT_MAX] __attribute__((aligned(4096)));

/* What was appended, in order, and what in vain behind that: one of those may be there. */
static struct record {
    uint8_t bytes[3000];
    uint32_t length;
} told[RECORDS], tries[32], tried;
static uint64_t told_count, found;
static int try_count, try_found;

static bool is(const void *bytes, uint32_t length, const uint8_t *other, uint32_t other_length)
{
    return length == other_length && memcmp(bytes, other, length) == 0;
}

static void each(uint64_t number, const void *bytes, uint32_t length)
{
    assert_int_equal(number, ++found);
    if (number <= told_count) {
        assert_true(is(bytes, length, told[number - 1].bytes, told[number - 1].length));
        return;
    }
    assert_int_equal(number, told_count + 1);
    for (try_found = try_count - 1; try_found >= 0; try_found--)
        if (is(bytes, length, tries[try_found].bytes, tries[try_found].length))
            return;
    fail_msg("a record that was never appended");
}

static void make_record(void)
{
    tried.length = random_below(random_below(4) ? 700 : sizeof tried.bytes);
    for (uint32_t i = 0; i < tried.length; i++)
        tried.bytes[i] = (uint8_t)random_below(256);
}

/* Reads all, as after a boot; what was tried in vain may have come to be. */
static void open_again(struct store *store, uint32_t unit)
{
    struct store_disk d = on(unit);

    found = 0;
    assert_int_equal(store_open(store, &d, buffer, each), 0);
    assert_true(found >= told_count);
    if (found > told_count)
        told[told_count++] = tries[try_found];
    try_count = 0;
    assert_int_equal(store->count, told_count);
}

static int lost, came; /* losses of power, and appends in vain that were there after one */

static void run(uint64_t seed, uint32_t unit)
{
    static const uint64_t epoch[2] = {1, 2};
    struct store_disk d = on(unit);
    struct store store;
    int full = 0;

    memset(&disk, 0, sizeof disk);
    disk.fails_after = -1;
    random_state = seed;
    told_count = 0;
    try_count = 0;
    assert_int_equal(store_make(&store, &d, buffer, epoch), 0);
    while (!full && told_count < RECORDS) {
        make_record();
        if (random_below(3) == 0) {
            disk.fails_after = (int)random_below(2);
            disk.fails_half = random_below(2);
        }
        int64_t number = store_append(&store, tried.bytes, tried.length);
        if (number == -STORE_E_FULL) {
            full = 1;
        } else if (number > 0) {
            assert_int_equal(number, told_count + 1);
            told[told_count++] = tried;
            try_count = 0;
        } else {
            assert_true(try_count < 32);
            tries[try_count++] = tried;
            assert_int_equal(number, -26);
            disk.fails_after = -1;
        }
        if (number < 0 ? random_below(2) : random_below(8) == 0) {
            uint64_t before = told_count;
            lose_power();
            open_again(&store, unit);
            lost++;
            came += told_count > before;
        }
    }
    assert_true(full);
    lose_power();
    open_again(&store, unit);
}

static uint64_t first_seed = 1, last_seed = 30;

static void records_outlast_losses_of_power(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed <= last_seed; seed++)
        run(seed, seed % 2 ? 512 : 4096);
    assert_true(lost > (int)(last_seed - first_seed) && came > 0);
}

static void an_append_in_vain_is_not_there_behind_the_next_one(void **state)
{
    static const uint64_t epoch[2] = {1, 2};
    struct store_disk d = on(512);
    struct store store;

    (void)state;
    memset(&disk, 0, sizeof disk);
    disk.fails_after = -1;
    told_count = 0;
    try_count = 0;
    assert_int_equal(store_make(&store, &d, buffer, epoch), 0);
    /* One of two units, whose flush fails; then a short one in its place. Its second unit begins
     * like a record. */
    memset(tried.bytes, 7, 1000);
    disk.fails_after = 1;
    assert_int_equal(store_append(&store, tried.bytes, 1000), -26);
    disk.fails_after = -1;
    assert_int_equal(store_append(&store, "short", 5), 1);
    memcpy(told[0].bytes, "short", told[0].length = 5);
    told_count = 1;
    lose_power();
    open_again(&store, 512);
    assert_int_equal(store.count, 1);
}

/* The records of an older store lie behind the new one's end, numbered right; even with the same
 * epoch. */
static void records_of_an_older_store_are_not_there(void **state)
{
    struct store_disk d = on(512);
    struct store store;

    (void)state;
    for (uint64_t other = 0; other < 2; other++) {
        memset(&disk, 0, sizeof disk);
        disk.fails_after = -1;
        assert_int_equal(store_make(&store, &d, buffer, (uint64_t[2]){1, 0}), 0);
        for (int i = 1; i <= 3; i++)
            assert_int_equal(store_append(&store, "same", 4), i);
        assert_int_equal(store_make(&store, &d, buffer, (uint64_t[2]){1, other}), 0);
        assert_int_equal(store_append(&store, other ? "same" : "not the same", other ? 4 : 12), 1);
        assert_int_equal(store_open(&store, &d, buffer, NULL), 0);
        assert_int_equal(store.count, 1);
    }
}

static void a_damaged_record_is_the_end(void **state)
{
    struct store_disk d = on(512);
    struct store store;

    (void)state;
    memset(&disk, 0, sizeof disk);
    disk.fails_after = -1;
    assert_int_equal(store_make(&store, &d, buffer, (uint64_t[2]){1, 0}), 0);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(store_append(&store, "0123456789", 10), i);
    for (size_t at = 0; at < 32 + 10; at++)
        for (int bit = 0; bit < 8; bit++) {
            disk.seen[1024 + at] ^= (uint8_t)(1 << bit);
            assert_int_equal(store_open(&store, &d, buffer, NULL), 0);
            assert_int_equal(store.count, 1);
            disk.seen[1024 + at] ^= (uint8_t)(1 << bit);
        }
    assert_int_equal(store_open(&store, &d, buffer, NULL), 0);
    assert_int_equal(store.count, 3);
}

static void what_is_no_store_is_told(void **state)
{
    struct store_disk d = on(512);
    struct store store;

    (void)state;
    memset(&disk, 0, sizeof disk);
    disk.fails_after = -1;
    assert_int_equal(store_open(&store, &d, buffer, NULL), -STORE_E_NONE);
    disk.seen[300] = 1;
    assert_int_equal(store_open(&store, &d, buffer, NULL), -STORE_E_OTHER);
    disk.seen[300] = 0;
    assert_int_equal(store_make(&store, &d, buffer, (uint64_t[2]){3, 4}), 0);
    assert_int_equal(store_open(&store, &d, buffer, NULL), 0);
    for (size_t at = 0; at < 40; at++) {
        disk.seen[at] ^= 1;
        assert_int_equal(store_open(&store, &d, buffer, NULL), -STORE_E_OTHER);
        disk.seen[at] ^= 1;
    }
    d = on(4096); /* made for another device */
    assert_int_equal(store_open(&store, &d, buffer, NULL), -STORE_E_OTHER);
}

static void what_does_not_fit_is_refused_and_harms_nothing(void **state)
{
    static uint8_t large[STORE_RECORD_MAX];
    struct store_disk d = on(512);
    struct store store;

    (void)state;
    memset(&disk, 0, sizeof disk);
    disk.fails_after = -1;
    assert_int_equal(store_make(&store, &d, buffer, (uint64_t[2]){3, 4}), 0);
    assert_int_equal(store_append(&store, large, STORE_RECORD_MAX), -STORE_E_LENGTH);
    assert_int_equal(store_append(&store, large, UINT32_MAX), -STORE_E_LENGTH);
    assert_int_equal(store_append(&store, large, STORE_RECORD_MAX - 32), -STORE_E_FULL);
    /* The last unit is used. */
    assert_int_equal(store_append(&store, large, SIZE - 512 - 512 - 32), 1);
    assert_int_equal(store_append(&store, large, 481), -STORE_E_FULL);
    assert_int_equal(store_append(&store, large, 480), 2);
    assert_int_equal(store_append(&store, large, 0), -STORE_E_FULL);
    assert_int_equal(store_open(&store, &d, buffer, NULL), 0);
    assert_int_equal(store.count, 2);
    assert_int_equal(store.tail, SIZE);
    disk.seen[SIZE - 512 + 4] ^= 1; /* its length: 481 bytes, which would end behind the disk */
    assert_int_equal(store_open(&store, &d, buffer, NULL), 0);
    assert_int_equal(store.count, 1);
}

int main(int argc, char **argv)
{
    if (argc == 3) { /* store_test FROM TO: seeds */
        first_seed = strtoull(argv[1], NULL, 10);
        last_seed = strtoull(argv[2], NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_outlast_losses_of_power),
        cmocka_unit_test(an_append_in_vain_is_not_there_behind_the_next_one),
        cmocka_unit_test(records_of_an_older_store_are_not_there),
        cmocka_unit_test(a_damaged_record_is_the_end),
        cmocka_unit_test(what_is_no_store_is_told),
        cmocka_unit_test(what_does_not_fit_is_refused_and_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
