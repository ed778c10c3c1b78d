/* The block driver: what it takes for a disk, the chains that it makes of a request, and slots that
 * come back once each. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "host.h"
#include "kernel/drivers/virtio_blk.h"
#include "kernel/phys.h"
#include "random.h"
#include "slot.h"

/* Feature bits, section 5.2.3 and 6. */
#define SIZE_MAX_BIT (1UL << 1)
#define SEG_MAX      (1UL << 2)
#define RO           (1UL << 5)
#define BLK_SIZE     (1UL << 6)
#define FLUSH        (1UL << 9)
#define DISCARD      (1UL << 13)
#define ZEROES       (1UL << 14)
#define INDIRECT     (1UL << 28)
#define EVENT_IDX    (1UL << 29)
#define VERSION_1    (1UL << 32)

static struct virtio device;
static struct blk blk;
static const char *wrong;

static void config32(uint32_t offset, uint32_t value)
{
    memcpy(model.config + offset, &value, sizeof value);
}

/* A device of so many sectors that offers features, with queues of at most size entries. */
static void offer(uint64_t features, uint32_t size, uint32_t sectors)
{
    device_init(&model, VIRTIO_ID_BLOCK, VERSION_1 | features, size);
    config32(0, sectors);
    config32(20, 512);
    config32(12, 126);
    config32(36, 1000);
    config32(48, 2000);
}

static void init(void *unused)
{
    (void)unused;
    assert_true(virtio_probe(&device, &slot));
    wrong = blk_init(&blk, &device);
}

static void start(void)
{
    assert_int_equal(host_run(init, NULL), HOST_RETURNED);
}

static void what_the_configuration_says_is_taken(void **state)
{
    (void)state;
    offer(RO | BLK_SIZE | FLUSH | DISCARD | ZEROES | SEG_MAX | INDIRECT | EVENT_IDX, 1024, 8008);
    config32(4, 1); /* capacity: 2^32 + 8008 sectors */
    config32(20, 4096);
    config32(12, 10);
    model.config_changes = 2;
    start();
    assert_null(wrong);
    assert_true(blk.is_read_only && blk.has_cache && blk.can_discard && blk.can_zero);
    assert_int_equal(blk.blocks, ((1UL << 32) + 8008) / 8);
    assert_int_equal(blk.block_size, 4096);
    assert_int_equal(blk.pieces_most, 10);
    assert_int_equal(blk.discard_most, 125);
    assert_int_equal(blk.zero_most, 250);
    assert_int_equal(model.config_changes, 0);
    assert_int_equal(blk.slot_count, BLK_SLOTS + 1);
}

static void a_device_that_offers_nothing_is_a_plain_disk(void **state)
{
    (void)state;
    offer(0, 1024, 100);
    start();
    assert_null(wrong);
    assert_false(blk.is_read_only || blk.has_cache || blk.can_discard || blk.can_zero);
    assert_int_equal(blk.block_size, 512);
    assert_int_equal(blk.blocks, 100);
    assert_int_equal(blk.slot_count, 1024 / BLK_STRIDE);
}

static void what_makes_no_sense_is_left_alone_by_name(void **state)
{
    const struct {
        uint64_t features;
        uint32_t size, offset, value;
        const char *why;
    } rows[] = {
        {BLK_SIZE, 1024, 20, 1024, "neither"}, {BLK_SIZE, 1024, 20, 0, "neither"},
        {0, 1024, 0, 0, "capacity"},           {0, 1024, 4, 1U << 31, "capacity"},
        {SEG_MAX, 1024, 12, 0, "no page"},     {SIZE_MAX_BIT, 1024, 8, 2048, "no page"},
        {0, BLK_STRIDE, 20, 512, "queue"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        offer(rows[i].features, rows[i].size, 100);
        config32(rows[i].offset, rows[i].value);
        start();
        assert_non_null(wrong);
        assert_non_null(strstr(wrong, rows[i].why));
        assert_int_equal(model.status, 0); /* it was reset: it uses no memory */
    }
}

/* The pieces of the next request that the device gets, by section 5.2.6; *head is to be given back.
 */
static size_t get(struct device_piece *pieces, uint16_t *head, uint32_t type, uint64_t sector)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    size_t count;

    virtq_publish(&blk.queue);
    assert_true(device_take(&model, 0, head, pieces, BLK_DESCS, &count));
    assert_true(count >= 2 && pieces[0].length == sizeof header && !pieces[0].is_written);
    memcpy(&header, pieces[0].memory, sizeof header);
    assert_int_equal(header.type, type);
    assert_int_equal(header.sector, sector);
    assert_int_equal(header.reserved, 0);
    assert_true(pieces[count - 1].length == 1 && pieces[count - 1].is_written);
    return count;
}

/* Ends a request with a status; the driver says the same of the same slot, once. */
static void finish(const struct device_piece *pieces, size_t count, uint16_t head, uint8_t status,
                   uint32_t wanted)
{
    enum blk_status got;
    uint32_t number;

    assert_false(blk_next(&blk, &number, &got));
    *pieces[count - 1].memory = status;
    device_use(&model, 0, head, 1);
    assert_true(blk_next(&blk, &number, &got));
    assert_int_equal(number, wanted);
    assert_int_equal(got, status);
    blk_release(&blk, number);
    assert_false(blk_next(&blk, &number, &got));
}

static void play_requests(uint64_t features)
{
    struct device_piece pieces[BLK_DESCS];
    uint16_t head;

    offer(features | BLK_SIZE | FLUSH | DISCARD | ZEROES, 1024, 80000);
    config32(20, 4096);
    start();
    assert_null(wrong);
    /* Pieces in their order, for reading and for writing. */
    for (int into = 0; into < 2; into++) {
        uint32_t number = blk.free;
        for (uint64_t i = 0; i < BLK_PIECES; i++)
            blk_piece(&blk, number, i, SLOT_BASE + 0x100000 + i * 8192, 512 + 8 * i, into);
        blk_go(&blk, number, into ? BLK_IN : BLK_OUT, 7, 0, BLK_PIECES);
        size_t count = get(pieces, &head, into ? 0 : 1, 56);
        assert_int_equal(count, BLK_DESCS);
        for (size_t i = 0; i < BLK_PIECES; i++) {
            assert_ptr_equal(pieces[i + 1].memory, host_memory + 0x100000 + i * 8192);
            assert_int_equal(pieces[i + 1].length, 512 + 8 * i);
            assert_int_equal(pieces[i + 1].is_written, into);
        }
        finish(pieces, count, head, into ? BLK_IOERR : BLK_OK, number);
    }
    uint32_t number = blk.free;
    blk_go(&blk, number, BLK_FLUSH, 99, 0, 0);
    size_t count = get(pieces, &head, 4, 0);
    assert_int_equal(count, 2);
    finish(pieces, count, head, BLK_UNSUPP, number);
    for (int zero = 0; zero < 2; zero++) {
        struct {
            uint64_t sector;
            uint32_t count, flags;
        } segment;
        number = blk.free;
        blk_go(&blk, number, zero ? BLK_WRITE_ZEROES : BLK_DISCARD, 5, 3, 0);
        count = get(pieces, &head, zero ? 13 : 11, 0);
        assert_true(count == 3 && pieces[1].length == sizeof segment && !pieces[1].is_written);
        memcpy(&segment, pieces[1].memory, sizeof segment);
        assert_true(segment.sector == 40 && segment.count == 24 && segment.flags == 0);
        finish(pieces, count, head, BLK_OK, number);
    }
}

static void requests_are_the_specifications(void **state)
{
    (void)state;
    play_requests(0);
    play_requests(INDIRECT);
    play_requests(INDIRECT | EVENT_IDX);
}

/* All slots at once, answered in any order, many times: each is there again, the kernel's own never
 * among them. */
static void slots_come_back_once_each(void **state)
{
    struct device_piece pieces[BLK_DESCS];
    uint16_t heads[BLK_SLOTS + 1];
    uint8_t *statuses[BLK_SLOTS + 1];

    (void)state;
    seed_random(3);
    offer(INDIRECT | EVENT_IDX, 1024, 80000);
    start();
    for (int round = 0; round < 50; round++) {
        uint32_t most = blk.free_count;
        bool seen[BLK_SLOTS + 1] = {false};
        assert_int_equal(most, BLK_SLOTS);
        for (uint32_t i = 0; i < most; i++) {
            assert_true(blk.free < blk_own_slot(&blk) && !seen[blk.free]);
            seen[blk.free] = true;
            blk_piece(&blk, blk.free, 0, SLOT_BASE + 0x100000, 512, true);
            blk_go(&blk, blk.free, BLK_IN, i, 0, 1);
        }
        assert_int_equal(blk.free, blk.slot_count);
        for (uint32_t i = 0; i < most; i++) {
            size_t count = get(pieces, &heads[i], 0, i);
            statuses[i] = pieces[count - 1].memory;
        }
        for (uint32_t left = most; left > 0; left--) {
            uint32_t i = (uint32_t)random_below(left), number;
            enum blk_status status;
            *statuses[i] = BLK_OK;
            device_use(&model, 0, heads[i], 513);
            heads[i] = heads[left - 1];
            statuses[i] = statuses[left - 1];
            assert_true(blk_next(&blk, &number, &status) && seen[number]);
            seen[number] = false;
            blk_release(&blk, number);
        }
    }
}

static void take_one(void *unused)
{
    enum blk_status status;
    uint32_t number;

    (void)unused;
    blk_next(&blk, &number, &status);
}

static void an_answer_to_nothing_is_a_panic_by_name(void **state)
{
    (void)state;
    offer(INDIRECT, 1024, 80000);
    start();
    device_use(&model, 0, 3, 1); /* the device hasn't got that slot */
    assert_int_equal(host_run(take_one, NULL), HOST_PANICKED);
    assert_non_null(strstr(host_text, "returned descriptor 3"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, slot_begin, slot_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_configuration_says_is_taken),
        TEST(a_device_that_offers_nothing_is_a_plain_disk),
        TEST(what_makes_no_sense_is_left_alone_by_name),
        TEST(requests_are_the_specifications),
        TEST(slots_come_back_once_each),
        TEST(an_answer_to_nothing_is_a_panic_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
