/* Programs' datagrams in pieces, as netd puts them together to send them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libos/net/note.h"
#include "outgoing.h"

static uint8_t data[65535], frame[AEGIS_FRAME_MAX];
static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
static struct fragments_datagram d;

static int set_up(void **state)
{
    (void)state;
    outgoing_forget();
    srand(1);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)rand();
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    outgoing_forget();
    return 0;
}

static struct net_note piece(bool is_six, uint16_t port)
{
    const struct net_ipv6 own = {{NET_WIRE32(0x20010db8), 0, 0, 1}}, peer = {{9, 9, 9, 9}};

    return (struct net_note){.kind = NOTE_PIECE,
                             .protocol = IPV4_UDP,
                             .source = is_six ? own : net_ipv6_mapped(1),
                             .destination = is_six ? peer : net_ipv6_mapped(2),
                             .source_port = port,
                             .destination_port = 53};
}

/* The piece of a datagram of `total` bytes that begins at a place. */
static bool take(struct net_note note, size_t at, size_t total)
{
    note.at = (uint16_t)at;
    note.total = (uint16_t)total;
    note.size = total - at < NOTE_PIECE_MAX ? total - at : NOTE_PIECE_MAX;
    note.payload = data + at;
    size_t length = net_note_write(frame, &note);
    memcpy(frame + ETH_DESTINATION, mac, sizeof mac);
    return outgoing_take(frame, length, &d);
}

static bool take_all(const struct net_note *note, size_t total)
{
    size_t at = 0;

    for (; at + NOTE_PIECE_MAX < total; at += NOTE_PIECE_MAX)
        assert_false(take(*note, at, total));
    return take(*note, at, total);
}

static void pieces_are_a_datagram_with_a_right_sum(void **state)
{
    static const size_t sizes[] = {1, 1440, 1441, 5000, 34560, 65507};

    (void)state;
    for (int is_six = 0; is_six < 2; is_six++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct net_note note = piece(is_six, 5);
            assert_true(take_all(&note, sizes[i]));
            assert_int_equal(d.size, UDP_SIZE + sizes[i]);
            assert_memory_equal(d.data + UDP_SIZE, data, sizes[i]);
            assert_memory_equal(d.data + UDP_SOURCE, &note.source_port, 2);
            assert_memory_equal(d.data + UDP_DESTINATION, &note.destination_port, 2);
            assert_memory_equal(&d.source, &note.destination, 16); /* as if answered */
            assert_memory_equal(&d.destination, &note.source, 16);
            assert_memory_equal(d.mac, mac, 6);
            assert_true(net_get16(d.data + UDP_CHECKSUM) && fragments_sum(&d) == 0);
        }
    struct net_note note = piece(false, 5);
    assert_false(take_all(&note, 65508)); /* IPv4's length ends there */
}

static void senders_do_not_get_into_each_others_way(void **state)
{
    struct net_note a = piece(false, 5), b = piece(false, 6), c = piece(true, 5);

    (void)state;
    assert_false(take(a, 0, 2000) || take(b, 0, 2000) || take(c, 0, 2000));
    assert_true(take(a, 1440, 2000) && take(b, 1440, 2000) && take(c, 1440, 2000));
    assert_false(take(a, 1440, 2000)); /* the end of none */
}

static void who_begins_many_ends_his_own_alone(void **state)
{
    struct net_note a = piece(false, 5), b = piece(false, 6), many = piece(false, 7);

    (void)state;
    assert_false(take(a, 0, 2000) || take(b, 0, 2000));
    for (uint16_t to = 1; to < 20; to++) {
        many.destination_port = to;
        assert_false(take(many, 0, 2000));
    }
    assert_true(take(a, 1440, 2000) && take(b, 1440, 2000) && take(many, 1440, 2000));
    many.destination_port = 18;
    assert_false(take(many, 1440, 2000));
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    for (uint16_t port = 1; port <= OUTGOING_DATAGRAMS + 1; port++)
        assert_false(take(piece(false, port), 0, 2000));
    assert_false(take(piece(false, 1), 1440, 2000));
    for (uint16_t port = 2; port <= OUTGOING_DATAGRAMS + 1; port++)
        assert_true(take(piece(false, port), 1440, 2000));
}

static void what_is_no_piece_of_udp_is_not_sent(void **state)
{
    struct net_note error = piece(false, 5), tcp = error;

    (void)state;
    error.kind = NOTE_ERROR;
    tcp.protocol = IPV4_TCP;
    assert_false(take(error, 0, 100) || take(tcp, 0, 100));
    assert_false(take(piece(false, 5), 1440, 5000)); /* without a beginning */
    assert_false(take(piece(false, 5), 0, 5000));
    assert_false(take(piece(false, 5), 2880, 5000)); /* one is missing */
    assert_false(take(piece(false, 5), 4320, 5000));
    assert_false(outgoing_take(frame, 10, &d));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pieces_are_a_datagram_with_a_right_sum), TEST(senders_do_not_get_into_each_others_way),
        TEST(who_begins_many_ends_his_own_alone),     TEST(the_oldest_makes_room),
        TEST(what_is_no_piece_of_udp_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
