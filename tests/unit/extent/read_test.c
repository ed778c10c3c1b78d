/* extent_probe and extent_open: what they take, and the named error of each way to be wrong; and
 * what secrets unlock. */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "extent/internal.h"
#include "sim.h"

static struct sim_table live, copy;
static struct sim_disk disk;

static const char secret[] = "sixteen bytes...";
enum { A = 1, B, INNER, LAST }; /* slots of the sample */

/* A [100, 200), INNER [120, 130) in it, B [200, 210), LAST the last 10 blocks; A and INNER have
 * secrets. */
static int make_sample(void **state)
{
    static const struct {
        uint32_t parent;
        uint64_t first, count;
        const char *secret;
    } rows[] = {{0, 100, 100, secret},
                {0, 200, 10, NULL},
                {A, 120, 10, "another secret.."},
                {0, SIM_BLOCKS - 10, 10, NULL}};

    (void)state;
    sim_create(&live, &disk);
    for (int i = 0; i < 4; i++) {
        struct extent_new make = {.secret = rows[i].secret, .label = "a label of 16 b."};

        assert_int_equal(
            extent_allocate(&live.table, rows[i].parent, rows[i].first, rows[i].count, &make),
            i + 1);
        sim_commit(&live, &disk);
    }
    return 0;
}

/* The current copy's header, and its slots. */
static struct extent_header *header(void)
{
    return (struct extent_header *)disk.durable[live.table.copy];
}

static struct extent_entry *slots(void)
{
    return (struct extent_entry *)disk.durable[2 + live.table.copy * SIM_TABLE];
}

/* Make the checksums right again. */
static void seal(void)
{
    for (int b = 0; b < SIM_TABLE; b++)
        header()->sums[b] = extent_sum(header(), slots() + (size_t)b * EXTENT_PER_BLOCK);
    header()->sum = extent_header_sum(header());
}

static struct extent_fault fault;

static int reads(void)
{
    return sim_open(&copy, &disk.durable, &fault);
}

static void a_table_reads_back(void **state)
{
    make_sample(state);
    assert_int_equal(reads(), 0);
    assert_true(sim_same(copy.entries, live.entries));
    assert_int_equal(copy.table.used, 5);
    assert_int_equal(copy.table.header.sequence, 6); /* two of the new disk, four changes */
}

static void the_older_copy_is_read_where_the_newer_has_no_whole_header(void **state)
{
    make_sample(state);
    memset(header(), 0xff, 100);
    assert_int_equal(reads(), 0);
    assert_int_equal(copy.table.used, 4);
    assert_int_equal(copy.table.header.sequence, 5);
}

static void zero_blocks(void)
{
    memset(disk.durable, 0, (size_t)2 * EXTENT_BLOCK);
}
static void foreign(void)
{
    zero_blocks();
    memcpy(disk.durable[0] + 1080, "\x53\xef", 2); /* an ext2 superblock's magic */
}
static void other_version(void)
{
    for (int c = 0; c < 2; c++)
        ((struct extent_header *)disk.durable[c])->version = 2;
}
static void both_headers(void)
{
    for (int c = 0; c < 2; c++)
        ((struct extent_header *)disk.durable[c])->salt[0]++;
}
static void swapped_headers(void)
{
    uint8_t block[EXTENT_BLOCK];

    memcpy(block, disk.durable[0], sizeof block);
    memcpy(disk.durable[0], disk.durable[1], sizeof block);
    memcpy(disk.durable[1], block, sizeof block);
}
static void no_slots(void)
{
    header()->table_blocks = 0;
}
static void many_slots(void)
{
    header()->table_blocks = EXTENT_BLOCKS_MAX + 1;
}
static void tiny(void)
{
    header()->blocks = SIM_STORED;
}
static void huge(void)
{
    header()->blocks = 1UL << 63;
}
static void longer(void)
{
    header()->blocks = SIM_BLOCKS + 1;
}
static void twins(void)
{
    header()->sequence = 5;
}

static const struct {
    void (*damage)(void);
    int error;
    bool sealed;
} headers[] = {
    {zero_blocks, EXTENT_E_BLANK, false},
    {foreign, EXTENT_E_FOREIGN, false},
    {other_version, EXTENT_E_VERSION, false},
    {both_headers, EXTENT_E_HEADERS, false},
    {swapped_headers, EXTENT_E_HEADERS, false},
    {no_slots, EXTENT_E_GEOMETRY, true},
    {many_slots, EXTENT_E_GEOMETRY, true},
    {tiny, EXTENT_E_GEOMETRY, true},
    {huge, EXTENT_E_GEOMETRY, true},
    {longer, EXTENT_E_SHORT, true},
    {twins, EXTENT_E_TWINS, true},
};

static void each_fault_of_the_headers_has_its_error(void **state)
{
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        make_sample(state);
        headers[i].damage();
        if (headers[i].sealed)
            header()->sum = extent_header_sum(header());
        assert_int_equal(reads(), -headers[i].error);
    }
}

static void every_damaged_byte_of_the_slots_is_noticed(void **state)
{
    make_sample(state);
    for (size_t at = 0; at < (size_t)SIM_TABLE * EXTENT_BLOCK; at += at < 400 ? 1 : 509) {
        ((uint8_t *)slots())[at] ^= 0x10;
        assert_int_equal(reads(), -EXTENT_E_SUM);
        assert_int_equal(fault.copy, live.table.copy);
        assert_int_equal(fault.block, at / EXTENT_BLOCK);
        ((uint8_t *)slots())[at] ^= 0x10;
    }
    assert_int_equal(reads(), 0);
}

/* A change of one slot, sealed: from somebody who writes tables of his own. */
static const struct {
    uint32_t slot;
    struct extent_entry is; /* first, count, parent, depth, flags, reserved; other fields: 0 */
    int error;
    uint32_t other;
} entries[] = {
#define U EXTENT_USED
    {0, {0}, EXTENT_E_ROOT, 0},
    {0, {.first = 9, .count = SIM_BLOCKS - 9, .flags = U}, EXTENT_E_ROOT, 0},
    {0, {.first = 8, .count = SIM_BLOCKS, .flags = U}, EXTENT_E_ROOT, 0},
    {0, {.first = 8, .count = SIM_BLOCKS - 8, .flags = U, .depth = 1}, EXTENT_E_ROOT, 0},
    {0, {.first = 8, .count = SIM_BLOCKS - 8, .flags = U, .parent = 1}, EXTENT_E_ROOT, 0},
    {9, {.count = 1}, EXTENT_E_UNUSED, 0},
    {9, {.first = 300, .count = 1, .flags = U | 8, .depth = 1}, EXTENT_E_FLAGS, 0},
    {9, {.first = 300, .count = 1, .flags = U, .depth = 1, .reserved = 1}, EXTENT_E_FLAGS, 0},
    {9, {.first = 300, .flags = U, .depth = 1}, EXTENT_E_EMPTY, 0},
    {9, {.first = 300, .count = 1, .flags = U, .depth = 0}, EXTENT_E_PARENT, 0},
    {9, {.first = 300, .count = 1, .flags = U, .depth = 2}, EXTENT_E_PARENT, 0},
    {9, {.first = 300, .count = 1, .flags = U, .depth = 16}, EXTENT_E_PARENT, 0},
    {9, {.first = 300, .count = 1, .flags = U, .depth = 1, .parent = 9}, EXTENT_E_PARENT, 9},
    {9, {.first = 300, .count = 1, .flags = U, .depth = 1, .parent = 10}, EXTENT_E_PARENT, 10},
    {9,
     {.first = 300, .count = 1, .flags = U, .depth = 1, .parent = 60000},
     EXTENT_E_PARENT,
     60000},
    {9, {.first = 300, .count = 1, .flags = U, .depth = 2, .parent = A}, EXTENT_E_OUTSIDE, A},
    {9, {.first = 199, .count = 2, .flags = U, .depth = 2, .parent = A}, EXTENT_E_OUTSIDE, A},
    {9, {.first = 7, .count = 1, .flags = U, .depth = 1}, EXTENT_E_OUTSIDE, 0},
    {9, {.first = SIM_BLOCKS - 1, .count = 2, .flags = U, .depth = 1}, EXTENT_E_OUTSIDE, 0},
    {9, {.first = SIM_BLOCKS, .count = 1, .flags = U, .depth = 1}, EXTENT_E_OUTSIDE, 0},
    {9, {.first = 300, .count = UINT64_MAX, .flags = U, .depth = 1}, EXTENT_E_OUTSIDE, 0},
    {9, {.first = 209, .count = 2, .flags = U, .depth = 1}, EXTENT_E_OVERLAP, B},
    {9, {.first = 200, .count = 10, .flags = U, .depth = 1}, EXTENT_E_OVERLAP, B},
    {9, {.first = 130, .count = 1, .flags = U, .depth = 1}, EXTENT_E_OVERLAP, A},
    {9, {.first = 125, .count = 1, .flags = U, .depth = 2, .parent = A}, EXTENT_E_OVERLAP, INNER},
    {9, {.first = 130, .count = 1, .flags = U, .depth = 2, .parent = A}, 0, 0},
    {9, {.first = 120, .count = 10, .flags = U, .depth = 3, .parent = INNER}, 0, 0},
#undef U
};

static void each_fault_of_a_slot_has_its_error_and_names_it(void **state)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        make_sample(state);
        slots()[entries[i].slot] = entries[i].is;
        seal();
        assert_int_equal(reads(), -entries[i].error);
        if (entries[i].error == 0)
            continue;
        /* Of two that overlap, the one that begins first may be either. */
        assert_true(fault.slot == entries[i].slot || fault.other == entries[i].slot);
        if (entries[i].other != 0)
            assert_true(fault.slot == entries[i].other || fault.other == entries[i].other);
    }
}

static void extents_nest_fifteen_deep_and_no_deeper(void **state)
{
    int slot = INNER;

    make_sample(state);
    for (int depth = 3; depth < EXTENT_DEPTH; depth++) {
        slot = extent_allocate(&live.table, (uint32_t)slot, 120, 10, &(struct extent_new){0});
        assert_true(slot > 0);
        sim_commit(&live, &disk);
    }
    assert_int_equal(extent_allocate(&live.table, (uint32_t)slot, 120, 10, &(struct extent_new){0}),
                     -EXTENT_E_DEPTH);
    assert_int_equal(reads(), 0);
    slots()[slot + 1] = (struct extent_entry){.first = 120,
                                              .count = 1,
                                              .parent = (uint16_t)slot,
                                              .depth = EXTENT_DEPTH,
                                              .flags = EXTENT_USED};
    seal();
    assert_int_equal(reads(), -EXTENT_E_PARENT);
    assert_int_equal(fault.slot, slot + 1);
}

static void a_secret_unlocks_its_own_extent_alone(void **state)
{
    make_sample(state);
    assert_int_equal(reads(), 0);
    assert_int_equal(extent_unlock(&copy.table, 100, 100, secret), A);
    assert_int_equal(extent_unlock(&copy.table, 120, 10, "another secret.."), INNER);
    assert_int_equal(extent_unlock(&copy.table, 100, 100, "another secret.."), -EXTENT_E_NOT_FOUND);
    assert_int_equal(extent_unlock(&copy.table, 100, 99, secret), -EXTENT_E_NOT_FOUND);
    for (size_t i = 0; i < EXTENT_SECRET; i++) {
        char wrong[sizeof secret];

        memcpy(wrong, secret, sizeof wrong);
        wrong[i] ^= 1;
        assert_int_equal(extent_unlock(&copy.table, 100, 100, wrong), -EXTENT_E_NOT_FOUND);
    }
    /* B has none: not even zeros, whose hash it might seem to hold. */
    static const char zeros[EXTENT_SECRET];
    assert_int_equal(extent_unlock(&copy.table, 200, 10, zeros), -EXTENT_E_NOT_FOUND);
}

static void equal_secrets_of_two_disks_have_different_hashes(void **state)
{
    uint8_t first[16];

    make_sample(state);
    memcpy(first, live.entries[A].hash, sizeof first);
    live.table.header.salt[1] ^= 1;
    extent_hash(&live.table.header, secret, live.entries[A].hash);
    assert_memory_not_equal(first, live.entries[A].hash, sizeof first);
    assert_memory_not_equal(first, first + 8, 8);
}

static void a_change_under_way_refuses_others(void **state)
{
    struct extent_step step;

    make_sample(state);
    assert_int_equal(extent_free(&live.table, B), 0);
    for (bool more = true; more; more = extent_step(&live.table, &step)) {
        assert_int_equal(extent_free(&live.table, LAST), -EXTENT_E_BUSY);
        assert_int_equal(extent_split(&live.table, LAST, 1, &(struct extent_new){0}),
                         -EXTENT_E_BUSY);
        assert_int_equal(extent_resize(&live.table, LAST, 1), -EXTENT_E_BUSY);
        assert_int_equal(extent_refresh(&live.table), -EXTENT_E_BUSY);
        assert_int_equal(extent_allocate(&live.table, 0, 300, 1, &(struct extent_new){0}),
                         -EXTENT_E_BUSY);
    }
    assert_int_equal(extent_free(&live.table, LAST), 0);
}

static void a_small_change_writes_one_block_of_slots(void **state)
{
    struct extent_step step;
    int writes = 0, flushes = 0;

    make_sample(state);
    assert_int_equal(extent_free(&live.table, B), 0);
    while (extent_step(&live.table, &step))
        *(step.kind == EXTENT_STEP_WRITE ? &writes : &flushes) += 1;
    assert_int_equal(writes, 2); /* slots, header */
    assert_int_equal(flushes, 2);
}

static void create_refuses_what_cannot_be(void **state)
{
    struct extent_memory memory = sim_memory(&copy);

    (void)state;
    assert_int_equal(extent_create(&copy.table, 100, 0, "0123456789abcdef", &memory),
                     -EXTENT_E_GEOMETRY);
    assert_int_equal(
        extent_create(&copy.table, 100, EXTENT_BLOCKS_MAX + 1, "0123456789abcdef", &memory),
        -EXTENT_E_GEOMETRY);
    assert_int_equal(extent_create(&copy.table, 4, 1, "0123456789abcdef", &memory),
                     -EXTENT_E_GEOMETRY);
    assert_int_equal(extent_create(&copy.table, 5, 1, "0123456789abcdef", &memory), 0);
    assert_int_equal(extent_create(&copy.table, UINT64_MAX, 1, "0123456789abcdef", &memory),
                     -EXTENT_E_RANGE);
}

static void each_error_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a <= EXTENT_E_READ_ONLY; a++)
        for (int b = a + 1; b <= EXTENT_E_READ_ONLY; b++)
            if (strcmp(extent_error_name(-a), "NONE") != 0) {
                assert_string_not_equal(extent_strerror(-a), extent_strerror(-b));
                assert_string_not_equal(extent_error_name(-a), extent_error_name(-b));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_reads_back),
        cmocka_unit_test(the_older_copy_is_read_where_the_newer_has_no_whole_header),
        cmocka_unit_test(each_fault_of_the_headers_has_its_error),
        cmocka_unit_test(every_damaged_byte_of_the_slots_is_noticed),
        cmocka_unit_test(each_fault_of_a_slot_has_its_error_and_names_it),
        cmocka_unit_test(extents_nest_fifteen_deep_and_no_deeper),
        cmocka_unit_test(a_secret_unlocks_its_own_extent_alone),
        cmocka_unit_test(equal_secrets_of_two_disks_have_different_hashes),
        cmocka_unit_test(a_change_under_way_refuses_others),
        cmocka_unit_test(a_small_change_writes_one_block_of_slots),
        cmocka_unit_test(create_refuses_what_cannot_be),
        cmocka_unit_test(each_error_has_a_sentence_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
