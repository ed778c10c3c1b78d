/* ICMP's echoes: requests that are made, and replies that are believed. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "libos/net/echo.h"
#include "libos/net/parse.h"

static const uint8_t us[6] = {2, 0, 0, 0, 0, 1}, peer[6] = {2, 0, 0, 0, 0, 2};
static uint8_t frame[AEGIS_FRAME_MAX] __attribute__((aligned(8)));

static size_t request(size_t size)
{
    const struct net_echo e = {.source = 0x0f02000a,
                               .destination = 0x0202000a,
                               .id = 0x1234,
                               .sequence = 7,
                               .ttl = 64,
                               .size = size};
    for (size_t i = 0; i < size; i++)
        frame[ECHO_HEADERS + i] = (uint8_t)(i * 7);
    return net_echo_write(frame, &e, peer, us);
}

/* A request as its reply: type 0, and the sum that goes with it. */
static size_t reply(size_t size)
{
    size_t length = request(size);
    uint8_t *icmp = frame + ETH_SIZE + IPV4_LEAST;
    memset(icmp, 0, 4);
    uint16_t sum = net_fold(net_sum(0, icmp, 8 + size));
    memcpy(icmp + 2, &sum, 2);
    return length;
}

static void a_request_is_as_rfc_792_has_it(void **state)
{
    (void)state;
    static const uint8_t wanted[] = {
        2,  0, 0,    0,    0,  2, 2, 0,  0,  0, 0, 1, 8, 0, 0x45, 0,    0,    30,   0, 0, 0x40, 0,
        64, 1, 0x22, 0xcf, 10, 0, 2, 15, 10, 0, 2, 2, 8, 0, 0xe5, 0xbd, 0x12, 0x34, 0, 7, 0,    7};
    assert_int_equal(request(2), sizeof wanted);
    assert_memory_equal(frame, wanted, sizeof wanted);
}

static void a_whole_reply_is_read_and_any_wrong_bit_is_seen(void **state)
{
    (void)state;
    struct net_echo e;
    static const size_t sizes[] = {0, 1, 2, 55, 56, ECHO_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t length = reply(sizes[i]);
        assert_int_equal(length, ECHO_HEADERS + sizes[i]);
        assert_true(net_echo_read(frame, length, &e));
        assert_int_equal(e.id, 0x1234);
        assert_int_equal(e.sequence, 7);
        assert_int_equal(e.ttl, 64);
        assert_int_equal(e.source, 0x0f02000a);
        assert_int_equal(e.destination, 0x0202000a);
        assert_int_equal(e.size, sizes[i]);
        assert_ptr_equal(e.payload, frame + ECHO_HEADERS);
        for (size_t at = ETH_TYPE; at < length && i < 5; at++)
            for (int bit = 0; bit < 8; bit++) {
                frame[at] ^= (uint8_t)(1 << bit);
                if (net_echo_read(frame, length, &e))
                    fail_msg("byte %zu, bit %d", at, bit);
                frame[at] ^= (uint8_t)(1 << bit);
            }
        uint8_t *cut = malloc(length - 1);
        memcpy(cut, frame, length - 1);
        assert_false(net_echo_read(cut, length - 1, &e));
        free(cut);
    }
    size_t length = reply(3);
    assert_true(net_echo_read(frame, length + 10, &e) && e.size == 3); /* padding */
    assert_false(net_echo_read(frame, request(3), &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_as_rfc_792_has_it),
        cmocka_unit_test(a_whole_reply_is_read_and_any_wrong_bit_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
