/* Extension headers of IPv6: what passes, what is dropped, and what the sender is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "extension.h"
#include "libos/net/headers.h"

#define UDP 17
#define TCP 6

static uint8_t packet[1500];
static struct extension e;

/* An IPv6 packet with such a first next header and so many bytes behind its header. */
static enum extension_verdict walk(uint8_t next, const void *bytes, size_t size)
{
    uint8_t *exact = malloc(IPV6_SIZE + size); /* so that a byte beyond is seen by the sanitizer */
    enum extension_verdict verdict;

    memset(exact, 0, IPV6_SIZE);
    exact[0] = 0x60;
    exact[6] = next;
    exact[24] = packet[24];
    memcpy(exact + IPV6_SIZE, bytes, size);
    verdict = extension_walk(exact, IPV6_SIZE + size, &e);
    free(exact);
    return verdict;
}

#define WALK(next, ...)                                                                            \
    walk(next, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define EIGHT 0, 0, 0, 0, 0, 0, 0, 0

static int set_up(void **state)
{
    (void)state;
    memset(packet, 0, sizeof packet);
    return 0;
}

static void check_passes(enum extension_verdict verdict, uint8_t protocol, size_t at)
{
    assert_int_equal(verdict, EXTENSION_PASSES);
    assert_int_equal(e.protocol, protocol);
    assert_int_equal(e.at, IPV6_SIZE + at);
}

static void check_problem(enum extension_verdict verdict, uint8_t code, uint32_t pointer)
{
    assert_int_equal(verdict, EXTENSION_PROBLEM);
    assert_int_equal(e.code, code);
    assert_int_equal(e.pointer, pointer);
}

static void what_has_no_extension_header_passes(void **state)
{
    (void)state;
    check_passes(WALK(UDP, EIGHT), UDP, 0);
    check_passes(WALK(TCP, EIGHT), TCP, 0);
    check_passes(WALK(IPV6_ICMP, EIGHT), IPV6_ICMP, 0);
    assert_false(e.is_fragment);
    assert_int_equal(WALK(EXTENSION_NOTHING, 1, 2), EXTENSION_DROPS);
}

static void headers_are_passed_in_any_order_and_any_number(void **state)
{
    static const uint8_t kinds[] = {EXTENSION_OPTIONS, EXTENSION_ROUTING, EXTENSION_FRAGMENT};
    uint8_t bytes[1400];

    (void)state;
    srand(1);
    for (int turn = 0; turn < 1000; turn++) {
        size_t at = 0, count = (size_t)rand() % 20, named = 6;
        uint8_t first = UDP, *next = &first;
        for (size_t i = 0; i < count; i++) {
            uint8_t kind = i || turn % 2 ? kinds[rand() % 3] : EXTENSION_HOPS;
            size_t units = kind == EXTENSION_FRAGMENT ? 0 : (size_t)rand() % 8;
            memset(bytes + at, 0, (units + 1) * 8);
            bytes[at + 1] = kind == EXTENSION_FRAGMENT ? (uint8_t)rand() : (uint8_t)units;
            bytes[at + 4] = (uint8_t)rand() & (kind == EXTENSION_FRAGMENT ? 255 : 0);
            *next = kind;
            next = &bytes[at];
            named = IPV6_SIZE + at;
            at += (units + 1) * 8;
        }
        *next = TCP;
        check_passes(walk(first, bytes, at), TCP, at);
        *next = 47;
        check_problem(walk(first, bytes, at), EXTENSION_BAD_HEADER, (uint32_t)named);
        *next = EXTENSION_NOTHING;
        assert_int_equal(walk(first, bytes, at), EXTENSION_DROPS);
    }
}

static void hop_by_hop_options_come_first(void **state)
{
    (void)state;
    check_passes(WALK(EXTENSION_HOPS, UDP, 0, 1, 4, 0, 0, 0, 0, EIGHT), UDP, 8);
    check_problem(WALK(EXTENSION_HOPS, 0, 0, 1, 4, 0, 0, 0, 0, UDP, 0, 1, 4, 0, 0, 0, 0),
                  EXTENSION_BAD_HEADER, 40);
    check_problem(WALK(EXTENSION_ROUTING, 0, 0, 0, 0, 0, 0, 0, 0, UDP, 0, 1, 4, 0, 0, 0, 0),
                  EXTENSION_BAD_HEADER, 40);
}

/* The option stands behind a padding of one byte and one of two. */
static enum extension_verdict option(uint8_t kind, uint8_t option, uint8_t size)
{
    return WALK(kind, UDP, 1, 0, 1, 0, option, size, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void an_unknown_option_says_itself_what_becomes_of_the_packet(void **state)
{
    static const uint8_t kinds[] = {EXTENSION_HOPS, EXTENSION_OPTIONS};

    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (unsigned kind = 2; kind < 256; kind++) {
            packet[24] = 0xff;
            enum extension_verdict to_group = option(kinds[i], (uint8_t)kind, 9);
            if (kind >> 6 == 2)
                check_problem(to_group, EXTENSION_BAD_OPTION, 45);
            else
                assert_int_equal(to_group, kind >> 6 ? EXTENSION_DROPS : EXTENSION_PASSES);
            packet[24] = 0x20;
            enum extension_verdict verdict = option(kinds[i], (uint8_t)kind, 9);
            if (kind >> 6 >= 2)
                check_problem(verdict, EXTENSION_BAD_OPTION, 45);
            else
                assert_int_equal(verdict, kind >> 6 ? EXTENSION_DROPS : EXTENSION_PASSES);
        }
}

static void an_option_ends_where_its_header_ends(void **state)
{
    (void)state;
    check_passes(option(EXTENSION_OPTIONS, 1, 9), UDP, 16);
    check_problem(option(EXTENSION_OPTIONS, 1, 10), EXTENSION_BAD_FIELD, 46);
    check_problem(option(EXTENSION_OPTIONS, 5, 255), EXTENSION_BAD_FIELD, 46);
    check_problem(WALK(EXTENSION_OPTIONS, UDP, 0, 1, 3, 0, 0, 0, 1), EXTENSION_BAD_FIELD, 47);
}

static void a_routing_header_with_segments_left_is_not_for_this_machine(void **state)
{
    (void)state;
    for (uint8_t type = 0; type < 5; type++) {
        check_passes(WALK(EXTENSION_ROUTING, UDP, 0, type, 0, 9, 9, 9, 9), UDP, 8);
        check_problem(WALK(EXTENSION_ROUTING, UDP, 0, type, 1, 0, 0, 0, 0), EXTENSION_BAD_FIELD,
                      42);
    }
}

static void a_header_ends_where_the_packet_ends(void **state)
{
    (void)state;
    check_problem(WALK(EXTENSION_OPTIONS, UDP, 0, 1, 3, 0, 0, 0), EXTENSION_BAD_FIELD, 4);
    check_problem(WALK(EXTENSION_FRAGMENT, UDP, 0, 0, 8, 0, 0, 0), EXTENSION_BAD_FIELD, 4);
    check_problem(WALK(EXTENSION_OPTIONS, UDP, 1, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
                  EXTENSION_BAD_FIELD, 41);
    check_problem(walk(EXTENSION_ROUTING, "", 0), EXTENSION_BAD_FIELD, 4);
}

static void a_fragment_is_told_by_its_place_or_by_what_is_missing(void **state)
{
    (void)state;
    check_passes(WALK(EXTENSION_FRAGMENT, UDP, 0, 0, 1, 1, 2, 3, 4, EIGHT), UDP, 8);
    assert_true(e.is_fragment && !e.offset && !e.is_last && e.id == 0x01020304 && e.fragment == 40);
    check_passes(WALK(EXTENSION_OPTIONS, 44, 0, 1, 4, 0, 0, 0, 0, UDP, 0, 0xff, 0xfe, 0, 0, 0, 9),
                 UDP, 16);
    assert_true(e.is_fragment && e.offset == 0xfff8 && e.is_last && e.id == 9 && e.fragment == 48);
    check_passes(WALK(EXTENSION_FRAGMENT, UDP, 0, 0, 6, 0, 0, 0, 1), UDP, 8); /* none: RFC 6946 */
    assert_false(e.is_fragment);
}

static void what_follows_in_a_later_fragment_is_no_header(void **state)
{
    (void)state;
    check_passes(WALK(EXTENSION_FRAGMENT, 60, 0, 0, 8, 0, 0, 0, 1, 0xff, 0xff), 60, 8);
    check_passes(WALK(EXTENSION_FRAGMENT, 47, 0, 0, 8, 0, 0, 0, 1), 47, 8);
    check_passes(WALK(EXTENSION_FRAGMENT, 59, 0, 0, 9, 0, 0, 0, 1), 59, 8);
}

static void a_fragment_of_a_fragment_is_dropped(void **state)
{
    (void)state;
    assert_int_equal(
        WALK(EXTENSION_FRAGMENT, 44, 0, 0, 1, 0, 0, 0, 1, UDP, 0, 0, 1, 0, 0, 0, 2, EIGHT),
        EXTENSION_DROPS);
    check_passes(WALK(EXTENSION_FRAGMENT, 44, 0, 0, 0, 0, 0, 0, 1, UDP, 0, 0, 1, 0, 0, 0, 2, EIGHT),
                 UDP, 16);
    assert_true(e.is_fragment && e.fragment == 48);
}

/* RFC 7112: nobody else could tell what it is a fragment of. */
static void a_first_fragment_has_all_headers(void **state)
{
    uint8_t bytes[8 + 60] = {TCP, 0, 0, 1};

    (void)state;
    check_problem(WALK(EXTENSION_FRAGMENT, UDP, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7),
                  EXTENSION_BAD_FRAGMENT, 0);
    check_problem(WALK(EXTENSION_FRAGMENT, 60, 0, 0, 1, 0, 0, 0, 1), EXTENSION_BAD_FRAGMENT, 0);
    check_problem(WALK(EXTENSION_FRAGMENT, 60, 0, 0, 1, 0, 0, 0, 1, UDP, 1, 1, 4, 0, 0, 0, 0),
                  EXTENSION_BAD_FRAGMENT, 0);
    check_problem(WALK(EXTENSION_FRAGMENT, 60, 0, 0, 1, 0, 0, 0, 1, UDP, 0, 1, 4, 0, 0, 0, 0),
                  EXTENSION_BAD_FRAGMENT, 0);
    check_passes(WALK(EXTENSION_FRAGMENT, 60, 0, 0, 1, 0, 0, 0, 1, UDP, 0, 1, 4, 0, 0, 0, 0, EIGHT),
                 UDP, 16);
    for (size_t size = 0; size <= 60; size++)
        for (uint8_t words = 0; words < 16; words++) {
            bytes[8 + 12] = (uint8_t)(words << 4);
            enum extension_verdict verdict = walk(EXTENSION_FRAGMENT, bytes, 8 + size);
            if (size >= 20 && size >= words * 4U)
                check_passes(verdict, TCP, 8);
            else
                check_problem(verdict, EXTENSION_BAD_FRAGMENT, 0);
        }
}

static bool is_error(uint8_t next, const uint8_t *bytes, size_t size)
{
    memset(packet, 0, IPV6_SIZE);
    packet[6] = next;
    memcpy(packet + IPV6_SIZE, bytes, size);
    return extension_is_error(packet, IPV6_SIZE + size);
}

static void errors_are_seen_behind_headers(void **state)
{
    uint8_t bytes[] = {60, 0, 1, 4, 0, 0, 0, 0, IPV6_ICMP, 0, 0, 1, 0, 0, 0, 0, EIGHT};

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        bytes[16] = (uint8_t)type;
        bool wanted = type < 128 || type == 137;
        assert_int_equal(is_error(IPV6_ICMP, bytes + 16, 8), wanted);
        bytes[0] = EXTENSION_FRAGMENT;
        assert_int_equal(is_error(EXTENSION_OPTIONS, bytes, sizeof bytes), wanted);
        bytes[0] = UDP;
        assert_false(is_error(EXTENSION_OPTIONS, bytes, sizeof bytes));
    }
    bytes[0] = EXTENSION_FRAGMENT;
    bytes[16] = 1;
    bytes[11] = 8; /* a later fragment begins anywhere */
    assert_false(is_error(EXTENSION_OPTIONS, bytes, sizeof bytes));
    assert_false(is_error(IPV6_ICMP, bytes, 0));
    assert_false(is_error(EXTENSION_OPTIONS, bytes, 12));
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_has_no_extension_header_passes),
        TEST(headers_are_passed_in_any_order_and_any_number),
        TEST(hop_by_hop_options_come_first),
        TEST(an_unknown_option_says_itself_what_becomes_of_the_packet),
        TEST(an_option_ends_where_its_header_ends),
        TEST(a_routing_header_with_segments_left_is_not_for_this_machine),
        TEST(a_header_ends_where_the_packet_ends),
        TEST(a_fragment_is_told_by_its_place_or_by_what_is_missing),
        TEST(what_follows_in_a_later_fragment_is_no_header),
        TEST(a_fragment_of_a_fragment_is_dropped),
        TEST(a_first_fragment_has_all_headers),
        TEST(errors_are_seen_behind_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
