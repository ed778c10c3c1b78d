/* The frame layer: stuffing, CRC, and what is not a frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/frame.h"

static uint8_t wire[CONTROL_FRAME_MAX];
static uint8_t memory[64];
static struct control_receiver receiver;

/* Feeds bytes; the size of the last good frame's data among them, or -1. */
static int feed(const uint8_t *bytes, size_t size, const uint8_t **data)
{
    int last = -1;

    for (size_t i = 0; i < size; i++) {
        int n = control_frame_take(&receiver, bytes[i], data);

        last = n >= 0 ? n : last;
    }
    return last;
}

static int setup(void **state)
{
    (void)state;
    control_receiver_init(&receiver, memory, sizeof memory);
    return 0;
}

static void crc_has_the_standard_check_value(void **state)
{
    (void)state;
    assert_int_equal(control_crc32(0, (const uint8_t *)"123456789", 9), 0xcbf43926);
    assert_int_equal(
        control_crc32(control_crc32(0, (const uint8_t *)"1234", 4), (const uint8_t *)"56789", 5),
        0xcbf43926);
}

/* Zeros, none, a zero at each place around the length of a full run: all that stuffing has to tell
 * apart. */
static uint8_t pattern(int kind, size_t i)
{
    switch (kind) {
    case 0:
        return 0;
    case 1:
        return 0xff;
    case 2:
        return (uint8_t)(i % 253 == 0 ? 0 : i);
    case 3:
        return (uint8_t)(i % 254 == 0 ? 0 : 1);
    case 4:
        return (uint8_t)(i % 255 == 0 ? 0 : 2);
    default:
        return (uint8_t)(i * 167 + 13);
    }
}

static void every_size_of_every_pattern_comes_back(void **state)
{
    static uint8_t data[CONTROL_DATA_MAX];
    const uint8_t *got;

    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        for (size_t size = 0; size <= sizeof data; size++) {
            size_t head = size < 16 ? size : 16, n;

            for (size_t i = 0; i < size; i++) {
                data[i] = pattern(kind, i);
            }
            n = control_frame_put(wire, data, head, data + head, size - head);
            assert_true(n <= CONTROL_FRAME_MAX);
            assert_int_equal(wire[0], 0);
            assert_int_equal(wire[n - 1], 0);
            assert_null(memchr(wire + 1, 0, n - 2));
            assert_int_equal(feed(wire, n, &got), size);
            assert_memory_equal(got, data, size);
        }
    }
    assert_int_equal(receiver.bad_frames, 0);
}

static void no_flipped_bit_passes_and_the_next_frame_does(void **state)
{
    uint8_t data[40], good[CONTROL_FRAME_MAX];
    const uint8_t *got;
    size_t n, m;

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i % 7);
    }
    n = control_frame_put(wire, data, sizeof data, NULL, 0);
    m = control_frame_put(good, data, 5, NULL, 0);
    for (size_t bit = 0; bit < n * 8; bit++) {
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
        setup(NULL);
        assert_int_equal(feed(wire, n, &got), -1);
        assert_int_equal(feed(good, m, &got), 5);
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void a_frame_cut_anywhere_does_not_hide_the_next(void **state)
{
    static uint8_t data[CONTROL_DATA_MAX];
    uint8_t good[CONTROL_FRAME_MAX];
    const uint8_t *got;
    size_t n, m;

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = pattern(5, i);
    }
    n = control_frame_put(wire, data, sizeof data, NULL, 0);
    m = control_frame_put(good, data, 9, NULL, 0);
    for (size_t cut = 0; cut < n - 1; cut++) {
        setup(NULL);
        assert_int_equal(feed(wire, cut, &got), -1);
        assert_int_equal(feed(good, m, &got), 9);
        assert_memory_equal(got, data, 9);
    }
}

static void endless_noise_stays_in_bounds_and_is_counted_once(void **state)
{
    uint8_t good[CONTROL_FRAME_MAX], data[3] = {1, 0, 2};
    const uint8_t *got;
    size_t m = control_frame_put(good, data, 3, NULL, 0);

    (void)state;
    feed((const uint8_t *)"\0", 1, &got);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(control_frame_take(&receiver, (uint8_t)(i % 255 + 1), &got), -1);
    }
    assert_int_equal(feed(good, m, &got), 3);
    assert_int_equal(receiver.bad_frames, 1);
    assert_int_equal(receiver.frames, 1);
}

/* Right in length and CRC, but of some other protocol: the two bytes of the magic are changed by
 * hand. */
static void another_magic_is_refused(void **state)
{
    uint8_t plain[12] = {0x91, 0xa3, 4, 1, 1, 1, 1, 1}, frame[16] = {0};
    const uint8_t *got;

    (void)state;
    for (int changed = 0; changed < 2; changed++) {
        uint32_t crc;

        setup(NULL);
        plain[0] ^= (uint8_t)changed;
        plain[3] = 0;
        crc = control_crc32(0, plain, 8);
        memcpy(plain + 8, &crc, 4);
        frame[1] = 4; /* three bytes, then the length's upper zero, */
        memcpy(frame + 2, plain, 3);
        frame[5] = 9; /* then eight without a zero */
        memcpy(frame + 6, plain + 4, 8);
        assert_null(memchr(plain + 4, 0, 8));
        assert_int_equal(feed(frame, 15, &got), changed ? -1 : 4);
    }
}

/* Frames whose outside is right but whose inside is not: too short, wrong magic, wrong length. */
static void frames_of_the_wrong_shape_are_refused(void **state)
{
    static const uint8_t two_bytes[] = {0, 3, 0x91, 0xa3, 0};
    static const uint8_t run_beyond_end[] = {0, 200, 0x91, 0xa3, 1, 1, 0};
    uint8_t data[8] = {7, 7, 7, 7, 7, 7, 7, 7};
    const uint8_t *got;
    size_t n;

    (void)state;
    assert_int_equal(feed(two_bytes, sizeof two_bytes, &got), -1);
    assert_int_equal(feed(run_beyond_end, sizeof run_beyond_end, &got), -1);
    assert_int_equal(receiver.bad_frames, 2);
    n = control_frame_put(wire, data, sizeof data, NULL, 0);
    wire[n - 1] = 9; /* a byte too many before the end, with a CRC that was right */
    assert_int_equal(feed(wire, n, &got), -1);
    assert_int_equal(feed((const uint8_t *)"\0", 1, &got), -1);
    assert_int_equal(receiver.frames, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(crc_has_the_standard_check_value, setup),
        cmocka_unit_test_setup(every_size_of_every_pattern_comes_back, setup),
        cmocka_unit_test_setup(no_flipped_bit_passes_and_the_next_frame_does, setup),
        cmocka_unit_test_setup(a_frame_cut_anywhere_does_not_hide_the_next, setup),
        cmocka_unit_test_setup(endless_noise_stays_in_bounds_and_is_counted_once, setup),
        cmocka_unit_test_setup(another_magic_is_refused, setup),
        cmocka_unit_test_setup(frames_of_the_wrong_shape_are_refused, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
