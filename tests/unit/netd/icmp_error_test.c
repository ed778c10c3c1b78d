/* ICMPv6's errors: which are believed, and what of them. Those of ICMP are in tests/system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "icmp_error.h"
#include "libos/net/parse.h"

#define ICMP  (ETH_SIZE + IPV6_SIZE)
#define QUOTE (ICMP + 8)
#define MOST  (QUOTE + 1232)

static uint8_t frame[MOST];
static const uint8_t own[16] = {0xfe, 0x80, [15] = 1}, peer[16] = {0x20, 1, [15] = 2},
                     router[16] = {0xfe, 0x80, [15] = 9};

struct error {
    uint8_t type, code, protocol;
    uint32_t mtu;
    size_t quoted, had; /* bytes that are quoted, and that the packet had, header included */
};

static const struct error good = {1, 4, IPV4_TCP, 0, 60, 60};

static void put_sum(size_t size)
{
    net_put16(frame + ICMP + 2, 0);
    uint16_t sum = net_ipv6_sum(frame, frame + ICMP, size, IPV6_ICMP);
    memcpy(frame + ICMP + 2, &sum, 2);
}

/* Makes its frame; returns the length. */
static size_t make(const struct error *e)
{
    uint8_t *quote = frame + QUOTE;

    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (uint8_t)rand();
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    net_put32(frame + IPV6_FIRST, 0x60000000);
    net_put16(frame + IPV6_LENGTH, (uint16_t)(8 + e->quoted));
    frame[IPV6_NEXT] = IPV6_ICMP;
    memcpy(frame + IPV6_SOURCE, router, 16);
    memcpy(frame + IPV6_DESTINATION, own, 16);
    frame[ICMP] = e->type;
    frame[ICMP + 1] = e->code;
    net_put32(frame + ICMP + 4, e->mtu);
    net_put32(quote, 0x60000000);
    net_put16(quote + 4, (uint16_t)(e->had - IPV6_SIZE));
    quote[6] = e->protocol;
    memcpy(quote + 8, own, 16);
    memcpy(quote + 24, peer, 16);
    net_put16(quote + IPV6_SIZE, 4000);
    net_put16(quote + IPV6_SIZE + 2, 80);
    net_put32(quote + IPV6_SIZE + 4, 0xfedcba98);
    put_sum(8 + e->quoted);
    return QUOTE + e->quoted;
}

static void what_it_is_about_is_read(void **state)
{
    (void)state;
    const struct error errors[] = {good,
                                   {1, 0, IPV4_UDP, 0, 48, 1500},
                                   {2, 0, IPV4_TCP, 1280, 1232, 1500},
                                   {3, 0, IPV4_UDP, 0, 100, 100},
                                   {4, 1, IPV4_TCP, 6, 1232, 1400}};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        const struct error *e = &errors[i];
        struct net_note n;
        size_t length = make(e);
        assert_true(icmp_error_read(frame, length, &n));
        assert_true(n.kind == NOTE_ERROR && n.type == e->type && n.code == e->code);
        assert_int_equal(n.protocol, e->protocol);
        assert_int_equal(n.mtu, e->type == 2 ? e->mtu : 0);
        assert_memory_equal(&n.source, peer, 16);
        assert_memory_equal(&n.destination, own, 16);
        assert_true(n.destination_port == NET_WIRE16(4000) && n.source_port == NET_WIRE16(80));
        assert_int_equal(n.sequence, e->protocol == IPV4_TCP ? 0xfedcba98 : 0);
        for (size_t cut = 0; cut < length; cut++)
            assert_false(icmp_error_read(frame, cut, &n));
    }
}

static void expect_refused(const struct error *e)
{
    struct net_note n;
    assert_false(icmp_error_read(frame, make(e), &n));
}

static void what_is_no_error_is_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct error e = good;
        struct net_note n;
        e.type = (uint8_t)type;
        e.had = e.mtu = 1400;
        e.mtu -= type == 2;
        bool is_one = type >= 1 && type <= 4;
        assert_int_equal(icmp_error_read(frame, make(&e), &n), is_one);
    }
    expect_refused(&(struct error){3, 1, IPV4_UDP, 0, 60, 60});       /* of a reassembly */
    expect_refused(&(struct error){1, 4, IPV6_ICMP, 0, 60, 60});      /* of no port's */
    expect_refused(&(struct error){1, 4, 44, 0, 60, 60});             /* of a fragment */
    expect_refused(&(struct error){1, 4, IPV4_UDP, 0, 47, 60});       /* cut off */
    expect_refused(&(struct error){2, 0, IPV4_UDP, 1279, 100, 1500}); /* RFC 8201, section 4 */
    expect_refused(&(struct error){2, 0, IPV4_UDP, 1400, 100, 1400}); /* it would have fitted */
    expect_refused(&(struct error){2, 0, IPV4_UDP, 70000, 100, 1500});
}

static void each_wrong_byte_is_noticed(void **state)
{
    (void)state;
    size_t length = make(&good);
    struct net_note n;

    for (size_t at = IPV6_SOURCE; at < length; at++) {
        frame[at] ^= 0x10;
        assert_false(icmp_error_read(frame, length, &n));
        frame[at] ^= 0x10;
    }
    const size_t mine[] = {QUOTE + 8 + 15, QUOTE, IPV6_DESTINATION}; /* with a right sum */
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++) {
        make(&good);
        frame[mine[i]] ^= 0x40;
        put_sum(8 + good.quoted);
        assert_false(icmp_error_read(frame, length, &n));
    }
}

static void what_has_not_left_the_machine_is_known(void **state)
{
    (void)state;
    const struct net_ipv6 own6 = {{NET_WIRE32(0xfe800000), 0, 5, 6}},
                          peers6[] = {own6, {{1, 2, 5, 6}}, {{0, 0, 0, NET_WIRE32(1)}}},
                          outside6[] = {{{NET_WIRE32(0xfe800000), 0, 5, 7}},
                                        {{NET_WIRE32(0xfe800000), 0, 4, 6}},
                                        {{NET_WIRE32(0x20010db8), 0, 0, NET_WIRE32(1)}}};
    const uint32_t own4 = NET_WIRE32(0x0a00020f),
                   peers4[] = {own4, NET_WIRE32(0x7f000001), NET_WIRE32(0x7fffffff)},
                   outside4[] = {NET_WIRE32(0x0a00020e), NET_WIRE32(0x80000001)};

    for (size_t i = 0; i < 3; i++) {
        struct net_note n = {.source = peers6[i], .destination = own6};
        assert_true(icmp_error_is_inside(&n));
        n.source = outside6[i];
        assert_false(icmp_error_is_inside(&n));
        n.source = net_ipv6_mapped(peers4[i]);
        n.destination = net_ipv6_mapped(own4);
        assert_true(icmp_error_is_inside(&n));
        n.source = net_ipv6_mapped(outside4[i % 2]);
        assert_false(icmp_error_is_inside(&n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_is_about_is_read),
        cmocka_unit_test(what_is_no_error_is_refused),
        cmocka_unit_test(each_wrong_byte_is_noticed),
        cmocka_unit_test(what_has_not_left_the_machine_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
