/* Packets of IPv6 with extension headers: fragments, what is said of those that can't be, and what
 * an error looks like. Which headers pass is extension_test.c's; any order of fragments, which is
 * IPv4's as well, fragments_test.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "extension.h"
#include "packet6.h"

#define BEGIN (ETH_SIZE + IPV6_SIZE)
#define UDP   17

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};
static uint8_t data[FRAGMENTS6_DATA_MAX + 8], frame[AEGIS_FRAME_MAX], answer[ICMP_OUT_MOST];
static struct fragments_datagram whole;
static struct icmp_out error;

static int set_up(void **state)
{
    (void)state;
    fragments_forget();
    srand(1);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)rand();
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    fragments_forget();
    return 0;
}

/* Headers up to IPv6's, from sender number `source`; returns the frame's length. */
static size_t put_headers(uint8_t source, uint8_t next, size_t size)
{
    memset(frame, 0, BEGIN);
    memcpy(frame + ETH_DESTINATION, own_mac, 6);
    memcpy(frame + ETH_SOURCE, peer_mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    net_put16(frame + IPV6_LENGTH, (uint16_t)size);
    frame[IPV6_NEXT] = next;
    frame[IPV6_SOURCE] = 0x20;
    frame[IPV6_SOURCE + 15] = source;
    frame[IPV6_DESTINATION] = 0x21;
    return BEGIN + size;
}

struct part {
    uint8_t source, next;
    uint32_t id;
    size_t at, size;
    bool more;
    const uint8_t *bytes;
};

static enum packet6_event take_at(const struct part *p, uint32_t now)
{
    size_t length = put_headers(p->source, EXTENSION_FRAGMENT, 8 + p->size);
    uint8_t *header = frame + BEGIN;

    assert_true(length <= sizeof frame);
    header[0] = p->next;
    header[1] = 0;
    net_put16(header + 2, (uint16_t)(p->at | p->more));
    net_put32(header + 4, p->id);
    memcpy(header + 8, p->bytes ? p->bytes : data + p->at, p->size);
    return packet6_take(frame, length, now, &whole, &error);
}

static enum packet6_event part(uint32_t id, size_t at, size_t size, size_t total)
{
    return take_at(&(struct part){1, UDP, id, at, size, at + size < total, NULL}, 0);
}

static void check_whole(size_t skip, size_t size)
{
    assert_true(whole.size == size && whole.protocol == UDP && fragments_is_ipv6(&whole));
    assert_memory_equal(&whole.source, frame + IPV6_SOURCE, 16);
    assert_memory_equal(&whole.destination, frame + IPV6_DESTINATION, 16);
    assert_memory_equal(whole.mac, peer_mac, 6);
    assert_memory_equal(whole.data, data + skip, size);
}

static void check_problem(enum packet6_event event, uint8_t code, uint32_t pointer)
{
    assert_int_equal(event, PACKET6_PROBLEM);
    assert_true(error.type == ICMP6_OUT_PARAMETER && error.code == code && error.more == pointer);
}

static void fragments_in_any_order_are_the_datagram(void **state)
{
    static const size_t totals[] = {9, 1449, 2897, 65527, 65535};

    (void)state;
    for (uint32_t id = 0; id < sizeof totals / sizeof *totals; id++) {
        size_t total = totals[id], count = (total + 1439) / 1440;
        for (size_t i = count; i-- > 0;) {
            size_t at = i * 1440, size = total - at < 1440 ? total - at : 1440;
            if (count == 1)
                assert_int_equal(part(id, 0, 8, total), PACKET6_NOTHING);
            enum packet6_event event =
                count == 1 ? part(id, 8, total - 8, total) : part(id, at, size, total);
            assert_int_equal(event, i ? PACKET6_NOTHING : PACKET6_DATAGRAM);
        }
        check_whole(0, total);
    }
}

/* The first fragment's headers are no part of what is delivered, and say what that is. */
static void headers_behind_the_fragment_header_are_taken_off(void **state)
{
    const uint8_t options[16] = {UDP, 1, 1, 12};
    struct part last = {1, EXTENSION_OPTIONS, 7, 24, 5, false, NULL};
    struct part first = {1, EXTENSION_OPTIONS, 7, 0, 24, true, data};

    (void)state;
    memcpy(data, options, sizeof options);
    assert_int_equal(take_at(&last, 0), PACKET6_NOTHING);
    assert_int_equal(take_at(&first, 0), PACKET6_DATAGRAM);
    check_whole(16, 13);
    last.next = 99; /* the first one's counts: RFC 8200, 4.5 */
    assert_int_equal(take_at(&last, 0), PACKET6_NOTHING);
    assert_int_equal(take_at(&first, 0), PACKET6_DATAGRAM);
    check_whole(16, 13);
}

static void an_overlap_ends_the_datagram_even_of_the_same_bytes(void **state)
{
    (void)state;
    assert_int_equal(part(1, 0, 800, 1200), PACKET6_NOTHING);
    assert_int_equal(part(1, 0, 800, 1200), PACKET6_NOTHING); /* that came */
    assert_int_equal(part(1, 800, 400, 1200), PACKET6_DATAGRAM);
    assert_int_equal(part(2, 0, 800, 1200), PACKET6_NOTHING);
    assert_int_equal(part(2, 80, 80, 1200), PACKET6_NOTHING); /* a part of it */
    assert_int_equal(part(2, 800, 400, 1200), PACKET6_NOTHING);
    assert_int_equal(part(3, 0, 400, 1200), PACKET6_NOTHING);
    assert_int_equal(part(3, 400, 400, 1200), PACKET6_NOTHING);
    assert_int_equal(part(3, 0, 800, 1200), PACKET6_NOTHING); /* both together */
    assert_int_equal(part(3, 800, 400, 1200), PACKET6_NOTHING);
    assert_int_equal(part(4, 0, 400, 1200), PACKET6_NOTHING);
    assert_int_equal(part(4, 392, 808, 1200), PACKET6_NOTHING);
    assert_int_equal(part(4, 400, 800, 1200), PACKET6_NOTHING);
}

static void identifications_and_addresses_tell_datagrams_apart_and_protocols_do_not(void **state)
{
    struct part other = {2, UDP, 0x10001, 800, 400, false, NULL};

    (void)state;
    assert_int_equal(part(0x10001, 0, 800, 1200), PACKET6_NOTHING);
    assert_int_equal(part(1, 800, 400, 1200), PACKET6_NOTHING);
    assert_int_equal(take_at(&other, 0), PACKET6_NOTHING);
    other.source = 1;
    other.next = IPV4_TCP;
    assert_int_equal(take_at(&other, 0), PACKET6_DATAGRAM);
    check_whole(0, 1200);
}

/* RFC 6946: an attacker that guesses the identification changes nothing. */
static void one_that_is_no_fragment_is_taken_alone(void **state)
{
    struct part lone = {1, UDP, 5, 0, 100, false, data + 500};

    (void)state;
    assert_int_equal(part(5, 0, 800, 1200), PACKET6_NOTHING);
    assert_int_equal(take_at(&lone, 0), PACKET6_DATAGRAM);
    check_whole(500, 100);
    assert_int_equal(part(5, 800, 400, 1200), PACKET6_DATAGRAM);
    check_whole(0, 1200);
}

static void what_can_not_be_a_fragment_is_told(void **state)
{
    struct part odd = {1, UDP, 1, 0, 801, true, NULL}, far = {1, UDP, 1, 65528, 8, false, NULL};

    (void)state;
    check_problem(take_at(&odd, 0), EXTENSION_BAD_FIELD, 4);
    odd.at = 800;
    check_problem(take_at(&odd, 0), EXTENSION_BAD_FIELD, 4);
    check_problem(take_at(&far, 0), EXTENSION_BAD_FIELD, IPV6_SIZE + 2);
    far.size = 7;
    assert_int_equal(take_at(&far, 0), PACKET6_NOTHING);
    check_problem(part(2, 0, 0, 8), EXTENSION_BAD_FRAGMENT, 0);
    assert_int_equal(part(2, 8, 0, 8), PACKET6_NOTHING);
    check_problem(part(2, 0, 8 - 1, 16), EXTENSION_BAD_FRAGMENT, 0);
}

static void time_is_a_minute(void **state)
{
    const struct part first = {1, UDP, 1, 0, 800, true, NULL};
    const struct part last = {1, UDP, 1, 800, 400, false, NULL};
    uint8_t quoted[FRAGMENTS_KEPT];
    uint32_t when;
    size_t length;

    (void)state;
    assert_int_equal(take_at(&first, 100), PACKET6_NOTHING);
    assert_int_equal(take_at(&last, 159), PACKET6_DATAGRAM);
    assert_int_equal(take_at(&first, 200), PACKET6_NOTHING);
    assert_int_equal(take_at(&last, 260), PACKET6_NOTHING); /* another datagram's */
    assert_int_equal(take_at(&first, 261), PACKET6_DATAGRAM);
    assert_int_equal(take_at(&first, 300), PACKET6_NOTHING);
    assert_true(fragments_due(&when) && when == 360);
    assert_false(fragments_expire(359, quoted, &length, &error));
    assert_true(fragments_expire(360, quoted, &length, &error) && length == BEGIN + 8 + 800);
    assert_memory_equal(quoted, frame, length);
    assert_true(error.type == 3 && error.code == 1 && !error.more);
    assert_int_not_equal(icmp_out_write(answer, quoted, length, &error, own_mac), 0);
}

static void packets_that_are_no_fragments_pass_as_they_are(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 1440; size += 72) {
        size_t length = put_headers(1, EXTENSION_OPTIONS, 8 + size);
        memcpy(frame + BEGIN, (const uint8_t[]){UDP, 0, 1, 4, 0, 0, 0, 0}, 8);
        memcpy(frame + BEGIN + 8, data, size);
        assert_int_equal(packet6_take(frame, length, 0, &whole, &error), PACKET6_DATAGRAM);
        check_whole(0, size);
        assert_int_equal(packet6_take(frame, length + 3, 0, &whole, &error), PACKET6_DATAGRAM);
        check_whole(0, size); /* what fills up a frame isn't the packet's */
        assert_int_equal(packet6_take(frame, length - 1, 0, &whole, &error), PACKET6_NOTHING);
    }
}

/* An IPv4 address in disguise would be taken for IPv4's own datagrams. */
static void addresses_that_no_packet_has_are_nobodys(void **state)
{
    const struct net_ipv6 mapped = net_ipv6_mapped(1), any = {{0}}, group = {{0xff}};
    size_t length = put_headers(1, UDP, 8);

    (void)state;
    assert_int_equal(packet6_take(frame, length, 0, &whole, &error), PACKET6_DATAGRAM);
    for (const struct net_ipv6 *a = &mapped; a; a = a == &mapped ? &any
                                                    : a == &any  ? &group
                                                                 : NULL) {
        memcpy(frame + IPV6_SOURCE, a, sizeof *a);
        assert_int_equal(packet6_take(frame, length, 0, &whole, &error), PACKET6_NOTHING);
    }
    put_headers(1, UDP, 8);
    memcpy(frame + IPV6_DESTINATION, &mapped, sizeof mapped);
    assert_int_equal(packet6_take(frame, length, 0, &whole, &error), PACKET6_NOTHING);
}

static void an_error_quotes_what_it_is_about(void **state)
{
    const struct icmp_out problem = {ICMP6_OUT_PARAMETER, 2, 45};

    (void)state;
    for (size_t size = 8; size <= 1460; size += 4) {
        size_t length = put_headers(1, 47, size), quoted = length - ETH_SIZE;
        memcpy(frame + BEGIN, data, size);
        size_t got = icmp_out_write(answer, frame, length, &problem, own_mac);
        quoted = quoted < 1232 ? quoted : 1232;
        assert_int_equal(got, BEGIN + 8 + quoted);
        assert_memory_equal(answer + ETH_DESTINATION, peer_mac, 6);
        assert_memory_equal(answer + ETH_SOURCE, own_mac, 6);
        assert_memory_equal(answer + IPV6_SOURCE, frame + IPV6_DESTINATION, 16);
        assert_memory_equal(answer + IPV6_DESTINATION, frame + IPV6_SOURCE, 16);
        assert_memory_equal(answer + BEGIN + 8, frame + ETH_SIZE, quoted);
        assert_true(answer[BEGIN] == 4 && answer[BEGIN + 1] == 2 &&
                    net_get32(answer + BEGIN + 4) == 45);
        assert_int_equal(net_get16(answer + IPV6_LENGTH), 8 + quoted);
        assert_int_equal(net_ipv6_sum(answer, answer + BEGIN, 8 + quoted, IPV6_ICMP), 0);
    }
}

static void errors_and_what_many_get_beget_no_error(void **state)
{
    const struct icmp_out problem = {ICMP6_OUT_PARAMETER, 0, 4};
    size_t length = put_headers(1, IPV6_ICMP, 100);

    (void)state;
    frame[BEGIN] = 128;
    assert_int_not_equal(icmp_out_write(answer, frame, length, &problem, own_mac), 0);
    frame[BEGIN] = 1;
    assert_int_equal(icmp_out_write(answer, frame, length, &problem, own_mac), 0);
    frame[BEGIN] = 128;
    frame[ETH_DESTINATION] = 0x33;
    assert_int_equal(icmp_out_write(answer, frame, length, &problem, own_mac), 0);
    frame[ETH_DESTINATION] = 2;
    frame[IPV6_DESTINATION] = 0xff;
    assert_int_equal(icmp_out_write(answer, frame, length, &problem, own_mac), 0);
}

static void an_error_in_ipv4_quotes_28_bytes(void **state)
{
    const struct icmp_out late = {ICMP_OUT_TIME_EXCEEDED, ICMP_OUT_REASSEMBLY, 0};
    const size_t icmp = ETH_SIZE + IPV4_LEAST;

    (void)state;
    memset(frame, 0, BEGIN);
    memcpy(frame + ETH_DESTINATION, own_mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    frame[IPV4_PROTOCOL] = UDP;
    net_put16(frame + IPV4_FRAGMENT, 0x2000);
    net_put32(frame + IPV4_SOURCE, 0x0a000202);
    net_put32(frame + IPV4_DESTINATION, 0x0a00020f);
    assert_int_equal(icmp_out_write(answer, frame, 1000, &late, own_mac), icmp + 8 + 28);
    assert_memory_equal(answer + icmp + 8, frame + ETH_SIZE, 28);
    assert_true(net_get32(answer + IPV4_SOURCE) == 0x0a00020f &&
                net_get32(answer + IPV4_DESTINATION) == 0x0a000202);
    assert_true(answer[icmp] == 11 && answer[icmp + 1] == 1);
    assert_int_equal(net_fold(net_sum(0, answer + ETH_SIZE, IPV4_LEAST)), 0);
    assert_int_equal(net_fold(net_sum(0, answer + icmp, 36)), 0);
    frame[IPV4_PROTOCOL] = IPV4_ICMP;
    for (unsigned type = 0; type < 20; type++) {
        frame[icmp] = (uint8_t)type;
        bool is_told = type == 0 || type == 8 || type >= 13;
        assert_int_equal(icmp_out_write(answer, frame, 1000, &late, own_mac) != 0, is_told);
    }
    frame[IPV4_PROTOCOL] = UDP;
    net_put16(frame + IPV4_FRAGMENT, 1);
    assert_int_equal(icmp_out_write(answer, frame, 1000, &late, own_mac), 0);
    net_put16(frame + IPV4_FRAGMENT, 0);
    assert_int_equal(icmp_out_write(answer, frame, icmp + 7, &late, own_mac), 0);
}

static void a_second_has_so_many_errors(void **state)
{
    (void)state;
    for (uint64_t second = 5; second < 8; second++) {
        for (int i = 0; i < ICMP_OUT_SECOND; i++)
            assert_true(icmp_out_may(second));
        assert_false(icmp_out_may(second));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fragments_in_any_order_are_the_datagram),
        TEST(headers_behind_the_fragment_header_are_taken_off),
        TEST(an_overlap_ends_the_datagram_even_of_the_same_bytes),
        TEST(identifications_and_addresses_tell_datagrams_apart_and_protocols_do_not),
        TEST(one_that_is_no_fragment_is_taken_alone),
        TEST(what_can_not_be_a_fragment_is_told),
        TEST(time_is_a_minute),
        TEST(packets_that_are_no_fragments_pass_as_they_are),
        TEST(addresses_that_no_packet_has_are_nobodys),
        TEST(an_error_quotes_what_it_is_about),
        TEST(errors_and_what_many_get_beget_no_error),
        TEST(an_error_in_ipv4_quotes_28_bytes),
        TEST(a_second_has_so_many_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
