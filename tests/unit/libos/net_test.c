/* Reading addresses and headers, and the Internet checksum. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "libos/net/datagram.h"
#include "libos/net/headers.h"
#include "libos/net/parse.h"

static void good_addresses_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct net_address address;
    } rows[] = {
        {"10.0.2.15/24,10.0.2.2", {0x0a00020f, 0x0a000202, 24}},
        {"10.0.2.15/24", {0x0a00020f, 0, 24}},
        {"255.255.255.255/32,0.0.0.0", {0xffffffff, 0, 32}},
        {"0.0.0.0/0 trace=1", {0, 0, 0}},
        {"1.2.3.4/8,5.6.7.8 more", {0x01020304, 0x05060708, 8}},
        {"010.0.0.001/08", {0x0a000001, 0, 8}}, /* decimal, zeros or not */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_address a;
        assert_true(net_parse_address(rows[i].text, &a));
        assert_int_equal(a.address, rows[i].address.address);
        assert_int_equal(a.gateway, rows[i].address.gateway);
        assert_int_equal(a.prefix, rows[i].address.prefix);
    }
}

static void malformed_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "10.0.2.15",
        "10.0.2/24",
        "10.0.2.15/",
        "10.0.2.15/33",
        "10.0.2.256/24",
        "10.0.2.15/24,",
        "10.0.2.15/24,10.0.2",
        "10.0.2.15/24,10.0.2.2x",
        "10..2.15/24",
        ".0.2.15/24",
        "-1.0.2.15/24",
        "1.2.3.4/24;",
        "99999999999999999999.0.0.0/1",
        " 1.2.3.4/24",
        "1.2.3.4/-1",
        "1.2.3.4.5/24",
        "a.b.c.d/8",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_address a = {7, 7, 7};
        if (net_parse_address(rows[i], &a))
            fail_msg("%s was taken", rows[i]);
        assert_int_equal(a.address, 7); /* untouched */
        for (size_t cut = 0; cut < strlen(rows[i]);
             cut++) { /* and nothing is read beyond the end */
            char *exact = strndup(rows[i], cut);
            net_parse_address(exact, &a);
            free(exact);
        }
    }
}

static size_t offset_of(const uint8_t *frame, size_t length)
{
    uint8_t *exact = malloc(length ? length : 1);
    memcpy(exact, frame, length);
    size_t offset = net_udp_offset(exact, length);
    free(exact);
    return offset;
}

/* UDP of 4 bytes behind an IPv4 header of `words` words. */
static size_t make_udp(uint8_t *frame, unsigned words)
{
    memset(frame, 0, 200);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = (uint8_t)(0x40 | words);
    net_put16(frame + IPV4_LENGTH, (uint16_t)(words * 4 + UDP_SIZE + 4));
    frame[IPV4_PROTOCOL] = IPV4_UDP;
    net_put16(frame + ETH_SIZE + words * 4 + UDP_LENGTH, UDP_SIZE + 4);
    return ETH_SIZE + words * 4 + UDP_SIZE + 4;
}

static void udp_is_found_behind_any_header(void **state)
{
    (void)state;
    uint8_t frame[200];
    for (unsigned words = 5; words <= 15; words++) {
        size_t length = make_udp(frame, words);
        assert_int_equal(offset_of(frame, length), ETH_SIZE + words * 4);
        assert_int_equal(offset_of(frame, length + 18), ETH_SIZE + words * 4); /* padded */
        for (size_t cut = 0; cut < length; cut++)
            assert_int_equal(offset_of(frame, cut), 0);
    }
}

static void what_is_no_whole_udp_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } damage[] = {
        {ETH_TYPE, 0x86},
        {ETH_TYPE + 1, 6},
        {IPV4_FIRST, 0x65},
        {IPV4_FIRST, 0x44},
        {IPV4_FIRST, 0x4f},
        {IPV4_PROTOCOL, 6},
        {IPV4_FRAGMENT, 0x20},
        {IPV4_FRAGMENT + 1, 1},
        {IPV4_FRAGMENT, 0x1f},
        {IPV4_LENGTH, 1},
        {IPV4_LENGTH + 1, 27},
        {IPV4_LENGTH + 1, 0},
        {ETH_SIZE + 20 + UDP_LENGTH, 1},
        {ETH_SIZE + 20 + UDP_LENGTH + 1, 13},
        {ETH_SIZE + 20 + UDP_LENGTH + 1, 7},
        {ETH_SIZE + 20 + UDP_LENGTH + 1, 0},
    };
    uint8_t frame[200];
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        size_t length = make_udp(frame, 5);
        frame[damage[i].at] = damage[i].value;
        assert_int_equal(offset_of(frame, length), 0);
    }
    size_t length = make_udp(frame, 5);
    frame[IPV4_FRAGMENT] = 0x40; /* "don't fragment" is none */
    assert_int_not_equal(offset_of(frame, length), 0);
}

/* RFC 1071's own example, and the property that a header with its checksum in place sums to zero.
 */
static void checksum_of_the_rfc(void **state)
{
    (void)state;
    static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    uint16_t sum = net_fold(net_sum(0, example, sizeof example));
    assert_int_equal(net_get16(&sum), 0x220d); /* the complement of ddf2 */
    uint8_t bytes[64];
    unsigned seed = 1;
    for (int round = 0; round < 1000; round++) {
        size_t size = 2 + (size_t)rand_r(&seed) % 31 * 2;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(round % 3 ? rand_r(&seed) : 0xff);
        bytes[0] = bytes[1] = 0;
        sum = net_fold(net_sum(0, bytes, size));
        memcpy(bytes, &sum, 2);
        assert_int_equal(net_fold(net_sum(0, bytes, size)), 0);
        /* In two parts, the first even. */
        size_t part = size / 4 * 2;
        assert_int_equal(net_fold(net_sum(net_sum(0, bytes, part), bytes + part, size - part)), 0);
    }
    assert_int_equal(net_fold(net_sum(0, "\x12", 1)), net_fold(net_sum(0, "\x12\0", 2)));
}

/* The sum as RFC 1071's section 1 defines it: 16-bit words, high byte first. */
static uint16_t plain_sum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void checksums_dont_depend_on_where_bytes_lie(void **state)
{
    (void)state;
    static uint8_t memory[1600] __attribute__((aligned(8)));
    unsigned seed = 3;
    for (size_t i = 0; i < sizeof memory; i++)
        memory[i] = (uint8_t)rand_r(&seed);
    memset(memory + 300, 0xff, 600);
    for (int round = 0; round < 4000; round++) {
        size_t at = (size_t)rand_r(&seed) % 1000;
        size_t size = (size_t)rand_r(&seed) % (round % 2 ? 600 : 40);
        uint16_t sum = net_fold(net_sum(0, memory + at, size)),
                 plain = plain_sum(memory + at, size);
        uint16_t wanted = (uint16_t)~plain;
        /* 0 and 0xffff are the same number of the ring; which one, its sum decides. */
        assert_true(net_get16(&sum) == wanted || (plain == 0xffff && net_get16(&sum) == 0));
    }
}

static size_t make_datagram(uint8_t *frame, size_t size)
{
    static const uint8_t to[6] = {2, 0, 0, 0, 0, 1}, from[6] = {2, 0, 0, 0, 0, 2};
    const struct net_datagram d = {.source = 0x0f02000a,
                                   .destination = 0x0202000a,
                                   .source_port = NET_WIRE16(7),
                                   .destination_port = NET_WIRE16(0x1234),
                                   .size = size,
                                   .service = 0xb8};
    return net_datagram_write(frame, &d, to, from, 64);
}

static void datagrams_are_read_as_they_were_written(void **state)
{
    (void)state;
    static uint8_t memory[2048] __attribute__((aligned(8)));
    uint8_t *frame = memory + AEGIS_SLOT_FRAME;
    struct net_datagram d;
    unsigned seed = 5;
    for (size_t size = 0; size <= NET_DATAGRAM_MAX; size += size < 100 ? 1 : 61) {
        for (size_t i = 0; i < size; i++)
            frame[NET_DATAGRAM_HEADERS + i] = (uint8_t)(size % 3 ? rand_r(&seed) : 0xff);
        size_t length = make_datagram(frame, size);
        assert_int_equal(length, NET_DATAGRAM_HEADERS + size);
        assert_int_equal(plain_sum(frame + IPV4_FIRST, IPV4_LEAST), 0xffff);
        assert_int_equal(frame[IPV4_FIRST + 1], 0xb8);
        assert_true(net_datagram_read(frame, length, &d));
        assert_true(d.source == 0x0f02000a && d.destination == 0x0202000a);
        assert_true(d.source_port == NET_WIRE16(7) && d.destination_port == NET_WIRE16(0x1234) &&
                    d.size == size);
        assert_ptr_equal(d.payload, frame + NET_DATAGRAM_HEADERS);
        memset(frame + length, 0x55, 18); /* what pads short frames isn't the datagram's */
        assert_true(net_datagram_read(frame, length + 18, &d) && d.size == size);
        assert_false(net_datagram_read(frame, length - 1, &d));
    }
}

/* Any bit of what the sums cover, and none of Ethernet's addresses. */
static void a_flipped_bit_is_found(void **state)
{
    (void)state;
    static uint8_t memory[256] __attribute__((aligned(8)));
    uint8_t *frame = memory + AEGIS_SLOT_FRAME;
    struct net_datagram d;
    for (size_t i = 0; i < 33; i++)
        frame[NET_DATAGRAM_HEADERS + i] = (uint8_t)(i * 5);
    size_t length = make_datagram(frame, 33);
    for (size_t bit = 0; bit < length * 8; bit++) {
        frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(net_datagram_read(frame, length, &d), bit / 8 < ETH_TYPE);
        frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    net_put16(frame + ETH_SIZE + IPV4_LEAST + UDP_CHECKSUM, 0);
    assert_true(net_datagram_read(frame, length, &d)); /* it says that it has none */
}

static void a_sum_of_zero_is_sent_as_ones(void **state)
{
    (void)state;
    static uint8_t memory[256] __attribute__((aligned(8)));
    uint8_t *frame = memory + AEGIS_SLOT_FRAME;
    struct net_datagram d;
    uint8_t *sum = frame + ETH_SIZE + IPV4_LEAST + UDP_CHECKSUM;
    size_t length = make_datagram(frame, 2);
    memcpy(frame + NET_DATAGRAM_HEADERS, sum, 2); /* what is missing to all ones */
    length = make_datagram(frame, 2);
    assert_int_equal(net_get16(sum), 0xffff);
    assert_true(net_datagram_read(frame, length, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses_are_read),
        cmocka_unit_test(malformed_addresses_are_refused),
        cmocka_unit_test(udp_is_found_behind_any_header),
        cmocka_unit_test(what_is_no_whole_udp_is_refused),
        cmocka_unit_test(checksum_of_the_rfc),
        cmocka_unit_test(checksums_dont_depend_on_where_bytes_lie),
        cmocka_unit_test(datagrams_are_read_as_they_were_written),
        cmocka_unit_test(a_flipped_bit_is_found),
        cmocka_unit_test(a_sum_of_zero_is_sent_as_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
