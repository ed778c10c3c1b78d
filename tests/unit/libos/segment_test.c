/* Segments of TCP in frames: lengths, sums, and every bit of them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "libos/net/segment.h"

static uint8_t memory[2048] __attribute__((aligned(8)));
static uint8_t *const frame = memory + NET_FRAME_LEAD;

/* A segment with `options` words of options and `data` bytes; returns the frame's length. */
static size_t make(unsigned options, size_t data)
{
    size_t size = IPV4_LEAST + TCP_LEAST + options * 4 + data;
    memset(memory, 0, sizeof memory);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = 0x45;
    net_put16(frame + IPV4_LENGTH, (uint16_t)size);
    frame[IPV4_PROTOCOL] = IPV4_TCP;
    net_put32(frame + IPV4_SOURCE, 0x0a000202);
    net_put32(frame + IPV4_DESTINATION, 0xfffffffe);
    uint8_t *tcp = frame + ETH_SIZE + IPV4_LEAST;
    tcp[TCP_OFFSET] = (uint8_t)((5 + options) << 4);
    for (size_t i = 0; i < data; i++)
        tcp[TCP_LEAST + options * 4 + i] = (uint8_t)(i * 37 + 250);
    net_segment_sum(frame, size);
    return ETH_SIZE + size;
}

/* RFC 1071 as its section 1 has it. */
static uint32_t plain_sum(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void what_was_summed_is_read(void **state)
{
    (void)state;
    struct net_segment s;
    for (unsigned options = 0; options <= 10; options++) {
        for (size_t data = 0; data <= 1420; data += data < 20 ? 1 : 103) {
            size_t length = make(options, data);
            assert_true(net_segment_read(frame, length, &s));
            assert_ptr_equal(s.ip, frame + ETH_SIZE);
            assert_ptr_equal(s.tcp, frame + ETH_SIZE + IPV4_LEAST);
            assert_int_equal(s.size, length - ETH_SIZE);
            assert_int_equal(s.length, s.size - IPV4_LEAST);
            assert_int_equal(s.data, data);
            assert_int_equal(plain_sum(0, s.ip, IPV4_LEAST), 0xffff);
            uint32_t pseudo = plain_sum(IPV4_TCP + (uint32_t)s.length, frame + IPV4_SOURCE, 8);
            assert_int_equal(plain_sum(pseudo, s.tcp, s.length), 0xffff);
            assert_true(net_segment_read(frame, length + 18, &s)); /* padded */
            assert_false(net_segment_read(frame, length - 1, &s));
        }
    }
}

static void a_flipped_bit_is_found(void **state)
{
    (void)state;
    struct net_segment s;
    size_t length = make(3, 33);
    for (size_t bit = ETH_SIZE * 8; bit < length * 8; bit++) {
        frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (net_segment_read(frame, length, &s))
            fail_msg("bit %zu", bit);
        frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(net_segment_read(frame, length, &s));
}

static void headers_that_dont_fit_are_refused(void **state)
{
    (void)state;
    struct net_segment s;
    size_t length = make(0, 4);
    for (size_t cut = 0; cut < length; cut++)
        assert_false(net_segment_read(frame, cut, &s));
    for (unsigned words = 0; words < 16; words++) { /* with sums that are right for it */
        make(0, 4);
        frame[ETH_SIZE + IPV4_LEAST + TCP_OFFSET] = (uint8_t)(words << 4);
        memset(frame + ETH_SIZE + 10, 0, 2);
        memset(frame + ETH_SIZE + IPV4_LEAST + TCP_CHECKSUM, 0, 2);
        net_segment_sum(frame, length - ETH_SIZE);
        assert_int_equal(net_segment_read(frame, length, &s), words == 5 || words == 6);
    }
}

/* The same in IPv6; returns the frame's length. */
static size_t make6(unsigned options, size_t data)
{
    size_t size = IPV6_SIZE + TCP_LEAST + options * 4 + data;
    memset(memory, 0, sizeof memory);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    net_put16(frame + IPV6_LENGTH, (uint16_t)(size - IPV6_SIZE));
    frame[IPV6_NEXT] = IPV4_TCP;
    for (size_t i = 0; i < 32; i++)
        frame[IPV6_SOURCE + i] = (uint8_t)(i * 91 + 0x20);
    uint8_t *tcp = frame + ETH_SIZE + IPV6_SIZE;
    tcp[TCP_OFFSET] = (uint8_t)((5 + options) << 4);
    for (size_t i = 0; i < data; i++)
        tcp[TCP_LEAST + options * 4 + i] = (uint8_t)(i * 37 + 250);
    net_segment6_sum(frame, size);
    return ETH_SIZE + size;
}

static void what_was_summed_in_ipv6_is_read(void **state)
{
    (void)state;
    struct net_segment s;
    for (unsigned options = 0; options <= 10; options++)
        for (size_t data = 0; data <= 1400; data += data < 20 ? 1 : 103) {
            size_t length = make6(options, data);
            assert_true(net_segment6_read(frame, length, &s));
            assert_ptr_equal(s.ip, frame + ETH_SIZE);
            assert_ptr_equal(s.tcp, frame + ETH_SIZE + IPV6_SIZE);
            assert_int_equal(s.size, length - ETH_SIZE);
            assert_int_equal(s.length, s.size - IPV6_SIZE);
            assert_int_equal(s.data, data);
            uint32_t pseudo = plain_sum(IPV4_TCP + (uint32_t)s.length, frame + IPV6_SOURCE, 32);
            assert_int_equal(plain_sum(pseudo, s.tcp, s.length), 0xffff);
            assert_true(net_segment6_read(frame, length + 18, &s)); /* padded */
            assert_false(net_segment6_read(frame, length - 1, &s));
            assert_false(net_segment_read(frame, length, &s));
        }
}

/* But of the class, the flow and the hop limit, which no sum has. */
static void a_flipped_bit_in_ipv6_is_found(void **state)
{
    (void)state;
    struct net_segment s;
    size_t length = make6(2, 33);
    for (size_t at = ETH_TYPE; at < length; at++)
        for (int bit = 0; bit < 8; bit++) {
            bool is_free = at == IPV6_HOP_LIMIT || (at > IPV6_FIRST && at < IPV6_LENGTH) ||
                           (at == IPV6_FIRST && bit < 4);
            frame[at] ^= (uint8_t)(1 << bit);
            if (net_segment6_read(frame, length, &s) != is_free)
                fail_msg("byte %zu, bit %d", at, bit);
            frame[at] ^= (uint8_t)(1 << bit);
        }
    for (unsigned words = 0; words < 16; words++) {
        length = make6(0, 8);
        frame[ETH_SIZE + IPV6_SIZE + TCP_OFFSET] = (uint8_t)(words << 4);
        memset(frame + ETH_SIZE + IPV6_SIZE + TCP_CHECKSUM, 0, 2);
        net_segment6_sum(frame, length - ETH_SIZE);
        assert_int_equal(net_segment6_read(frame, length, &s), words >= 5 && words <= 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_summed_is_read),
        cmocka_unit_test(a_flipped_bit_is_found),
        cmocka_unit_test(headers_that_dont_fit_are_refused),
        cmocka_unit_test(what_was_summed_in_ipv6_is_read),
        cmocka_unit_test(a_flipped_bit_in_ipv6_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
