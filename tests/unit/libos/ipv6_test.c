/* IPv6: addresses that interfaces give themselves, datagrams and echoes, as bytes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "libos/net/datagram6.h"
#include "libos/net/echo.h"
#include "libos/net/ipv6.h"

static const uint8_t us[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56}, peer[6] = {2, 0, 0, 0, 0, 2};
static uint8_t frame[AEGIS_FRAME_MAX] __attribute__((aligned(8)));

static struct net_ipv6 at(const char *text)
{
    struct net_ipv6 address;
    assert_int_equal(inet_pton(AF_INET6, text, &address), 1);
    return address;
}

static void an_interface_gives_itself_an_address(void **state)
{
    (void)state;
    struct net_ipv6 own, wanted = at("fe80::5054:ff:fe12:3456");
    net_ipv6_link_local(us, &own);
    assert_memory_equal(&own, &wanted, sizeof own);
    assert_true(net_ipv6_identifier(us) == 0x505400fffe123456);
    assert_true(net_ipv6_identifier((const uint8_t[6]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) ==
                0xfdfffffffeffffff);
}

static void addresses_have_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool any, loopback, link, group, mapped;
    } rows[] = {
        {"::", 1, 0, 0, 0, 0},
        {"::1", 0, 1, 0, 0, 0},
        {"::2", 0, 0, 0, 0, 0},
        {"::ffff:1.2.3.4", 0, 0, 0, 0, 1},
        {"::fffe:1.2.3.4", 0, 0, 0, 0, 0},
        {"1::1", 0, 0, 0, 0, 0},
        {"fe80::1", 0, 0, 1, 0, 0},
        {"febf::1", 0, 0, 1, 0, 0},
        {"fec0::1", 0, 0, 0, 0, 0},
        {"fe7f::", 0, 0, 0, 0, 0},
        {"ff02::1", 0, 0, 0, 1, 0},
        {"ff00::", 0, 0, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_ipv6 a = at(rows[i].text);
        assert_int_equal(net_ipv6_is_any(&a), rows[i].any);
        assert_int_equal(net_ipv6_is_loopback(&a), rows[i].loopback);
        assert_int_equal(net_ipv6_is_link_local(&a), rows[i].link);
        assert_int_equal(net_ipv6_is_group(&a), rows[i].group);
        assert_int_equal(net_ipv6_is_mapped(&a), rows[i].mapped);
    }
}

static size_t datagram(size_t size)
{
    const struct net_datagram6 d = {.source = at("2001:db8::1"),
                                    .destination = at("2001:db8::2"),
                                    .source_port = htons(4000),
                                    .destination_port = htons(7),
                                    .size = size};
    for (size_t i = 0; i < size; i++)
        frame[NET_DATAGRAM6_HEADERS + i] = (uint8_t)(i * 7 + 1);
    return net_datagram6_write(frame, &d, peer, us, 64);
}

/* The sum is the one of RFC 8200's pseudo header, computed elsewhere (by scapy). */
static void a_datagram_is_as_rfc_8200_has_it(void **state)
{
    (void)state;
    static const uint8_t wanted[] = {
        2, 0, 0, 0,  0,  2,  0x52, 0x54, 0,    0x12, 0x34, 0x56, 0x86, 0xdd, 0x60, 0,
        0, 0, 0, 10, 17, 64, 0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0,    0,
        0, 0, 0, 0,  0,  1,  0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0,    0,
        0, 0, 0, 0,  0,  2,  0x0f, 0xa0, 0,    7,    0,    10,   0x93, 0xb6, 1,    8};
    assert_int_equal(datagram(2), sizeof wanted);
    assert_memory_equal(frame, wanted, sizeof wanted);

    const struct net_datagram6 d = {.service = 0xb9};
    net_datagram6_write(frame, &d, peer, us, 64);
    assert_int_equal(net_get32(frame + ETH_SIZE), 0x6b900000);
}

static void datagrams_are_read_as_they_were_written(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 33, 66, 67, NET_DATAGRAM6_MAX};
    struct net_datagram6 d;
    struct net_ipv6 from = at("2001:db8::1"), to = at("2001:db8::2");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t length = datagram(sizes[i]);
        assert_int_equal(length, NET_DATAGRAM6_HEADERS + sizes[i]);
        assert_true(net_datagram6_read(frame, length, &d));
        assert_true(net_ipv6_equal(&d.source, &from) && net_ipv6_equal(&d.destination, &to));
        assert_int_equal(d.source_port, htons(4000));
        assert_int_equal(d.destination_port, htons(7));
        assert_int_equal(d.size, sizes[i]);
        assert_ptr_equal(d.payload, frame + NET_DATAGRAM6_HEADERS);
        uint8_t *cut = malloc(length - 1);
        memcpy(cut, frame, length - 1);
        assert_false(net_datagram6_read(cut, length - 1, &d));
        free(cut);
    }
    size_t length = datagram(3);
    assert_true(net_datagram6_read(frame, length + 10, &d) && d.size == 3); /* padding */
}

/* But in the addresses of Ethernet, the class, the flow and the hop limit, which no sum has. */
static void any_wrong_bit_of_a_datagram_is_seen(void **state)
{
    (void)state;
    struct net_datagram6 d;
    size_t length = datagram(33);
    for (size_t at = ETH_TYPE; at < length; at++)
        for (int bit = 0; bit < 8; bit++) {
            bool is_free = at == IPV6_HOP_LIMIT || (at > IPV6_FIRST && at < IPV6_LENGTH) ||
                           (at == IPV6_FIRST && bit < 4);
            frame[at] ^= (uint8_t)(1 << bit);
            if (net_datagram6_read(frame, length, &d) != is_free)
                fail_msg("byte %zu, bit %d", at, bit);
            frame[at] ^= (uint8_t)(1 << bit);
        }
    memset(frame + ETH_SIZE + IPV6_SIZE + UDP_CHECKSUM, 0, 2); /* there has to be one */
    assert_false(net_datagram6_read(frame, length, &d));
}

/* Nobody sends from a group, nor from no address, and IPv4's addresses are IPv4's. */
static void a_datagram_comes_from_one_machine_of_ipv6(void **state)
{
    (void)state;
    static const char *const nobody[] = {"::", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.2.2"};
    struct net_datagram6 d;
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++) {
        const struct net_datagram6 from = {.source = at(nobody[i]),
                                           .destination = at("2001:db8::2"),
                                           .source_port = htons(4000),
                                           .destination_port = htons(7)};
        size_t length = net_datagram6_write(frame, &from, peer, us, 64);
        if (net_datagram6_read(frame, length, &d))
            fail_msg("from %s", nobody[i]);
    }
}

static size_t reply(size_t size)
{
    const struct net_echo e = {.source6 = at("2001:db8::2"),
                               .destination6 = at("2001:db8::1"),
                               .id = 0x1234,
                               .sequence = 7,
                               .ttl = 63,
                               .size = size};
    uint8_t *icmp = frame + ETH_SIZE + IPV6_SIZE;
    size_t length = net_echo6_write(frame, &e, us, peer);
    assert_int_equal(icmp[0], 128);
    assert_int_equal(net_ipv6_sum(frame, icmp, 8 + size, IPV6_ICMP), 0);
    icmp[0] = 129;
    memset(icmp + 2, 0, 2);
    uint16_t sum = net_ipv6_sum(frame, icmp, 8 + size, IPV6_ICMP);
    memcpy(icmp + 2, &sum, 2);
    return length;
}

static void a_whole_echo_reply_is_read_and_any_wrong_bit_is_seen(void **state)
{
    (void)state;
    struct net_ipv6 from = at("2001:db8::2");
    struct net_echo e;
    size_t length = reply(55);
    assert_int_equal(length, ECHO6_HEADERS + 55);
    assert_true(net_echo6_read(frame, length, &e));
    assert_true(net_ipv6_equal(&e.source6, &from) && e.id == 0x1234 && e.sequence == 7);
    assert_true(e.ttl == 63 && e.size == 55 && e.payload == frame + ECHO6_HEADERS);
    for (size_t at = ETH_TYPE; at < length; at++) {
        if (at >= IPV6_FIRST && at < IPV6_LENGTH)
            continue;
        frame[at] ^= 0x11;
        if (net_echo6_read(frame, length, &e) != (at == IPV6_HOP_LIMIT))
            fail_msg("byte %zu", at);
        frame[at] ^= 0x11;
    }
    for (size_t cut = 0; cut < length; cut++)
        assert_false(net_echo6_read(frame, cut, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interface_gives_itself_an_address),
        cmocka_unit_test(addresses_have_kinds),
        cmocka_unit_test(a_datagram_is_as_rfc_8200_has_it),
        cmocka_unit_test(datagrams_are_read_as_they_were_written),
        cmocka_unit_test(any_wrong_bit_of_a_datagram_is_seen),
        cmocka_unit_test(a_datagram_comes_from_one_machine_of_ipv6),
        cmocka_unit_test(a_whole_echo_reply_is_read_and_any_wrong_bit_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
