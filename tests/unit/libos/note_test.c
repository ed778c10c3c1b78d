/* Notes: what is written is read; what isn't one is refused. And the pieces of a datagram. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "libos/net/parse.h"
#include "libos/net/pieces.h"

static uint8_t frame[AEGIS_FRAME_MAX], payload[NOTE_PIECE_MAX];

/* An address of either family, as a note has it. */
static struct net_ipv6 address(bool is_six, uint8_t last)
{
    if (!is_six)
        return net_ipv6_mapped(0x000a | (uint32_t)last << 24);
    return (struct net_ipv6){{NET_WIRE32(0x20010db8), 0, last, NET_WIRE32(0x12345678)}};
}

static struct net_note piece(bool is_six, uint16_t at, size_t size, uint16_t total)
{
    return (struct net_note){.kind = NOTE_PIECE,
                             .protocol = IPV4_UDP,
                             .source = address(is_six, 2),
                             .destination = address(is_six, 15),
                             .source_port = 0x1234,
                             .destination_port = 0x0700,
                             .at = at,
                             .total = total,
                             .payload = payload + at % 7,
                             .size = size};
}

static void expect_same(const struct net_note *a, const struct net_note *b)
{
    assert_true(a->kind == b->kind && a->protocol == b->protocol && a->type == b->type &&
                a->code == b->code && a->mtu == b->mtu && a->at == b->at && a->total == b->total);
    assert_true(net_ipv6_equal(&a->source, &b->source) &&
                net_ipv6_equal(&a->destination, &b->destination));
    assert_true(a->source_port == b->source_port && a->destination_port == b->destination_port);
    assert_true(a->sequence == b->sequence && a->size == b->size);
    assert_int_equal(net_note_is_ipv6(a), net_note_is_ipv6(b));
}

static void a_piece_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (int is_six = 0; is_six < 2; is_six++)
        for (size_t size = 1; size <= NOTE_PIECE_MAX; size += size < 9 ? 1 : 97) {
            struct net_note in = piece(is_six, 1460, size, 40000), out;
            size_t headers = is_six ? NOTE6_HEADERS : NOTE_HEADERS;
            size_t length = net_note_write(frame, &in);
            assert_int_equal(length, headers + size);
            assert_true(net_is_note(frame) && net_note_read(frame, length, &out));
            assert_memory_equal(out.payload, in.payload, size);
            expect_same(&in, &out);
            assert_true(is_six || net_fold(net_sum(0, frame + ETH_SIZE, 32)) == 0);
            for (size_t cut = 0; cut < length; cut += cut < headers ? 1 : 50)
                assert_false(net_note_read(frame, cut, &out));
        }
}

static struct net_note error(bool is_six)
{
    return (struct net_note){.kind = NOTE_ERROR,
                             .protocol = IPV4_TCP,
                             .type = is_six ? NOTE6_TOO_BIG : 3,
                             .code = is_six ? 0 : 4,
                             .mtu = 1280,
                             .source = address(is_six, 1),
                             .destination = address(is_six, 2),
                             .source_port = 3,
                             .destination_port = 4,
                             .sequence = 0xfedcba98};
}

static void an_error_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (int is_six = 0; is_six < 2; is_six++) {
        struct net_note in = error(is_six), out;
        size_t length = net_note_write(frame, &in);
        assert_true(net_is_note(frame) && net_note_read(frame, length, &out));
        expect_same(&in, &out);
    }
}

/* To who doesn't know notes: neither TCP's offset nor UDP's length may be one. */
static void in_ipv6_it_is_neither_a_segment_nor_a_datagram(void **state)
{
    (void)state;
    struct net_note in = error(true), long_one = piece(true, 0xfff0, 10, 0xfffa);

    net_note_write(frame, &in);
    assert_int_equal(frame[ETH_SIZE + IPV6_SIZE + 12] >> 4, 0);
    net_note_write(frame, &long_one);
    assert_int_equal(net_get16(frame + ETH_SIZE + IPV6_SIZE + UDP_LENGTH), 0);
}

static void a_path_is_no_narrower_than_a_link_may_be(void **state)
{
    (void)state;
    struct net_note in = error(true), out;

    in.mtu = NOTE6_MTU_LEAST - 1;
    assert_false(net_note_read(frame, net_note_write(frame, &in), &out));
    in.type = NOTE6_UNREACHABLE;
    assert_true(net_note_read(frame, net_note_write(frame, &in), &out));
}

/* Each byte of what makes it a note, changed. */
static void what_is_no_note_is_refused(void **state)
{
    (void)state;
    static const struct {
        bool is_six;
        size_t at;
    } bytes[] = {{false, ETH_TYPE},      {false, IPV4_FIRST},    {false, ETH_SIZE + 20},
                 {false, ETH_SIZE + 21}, {false, ETH_SIZE + 22}, {true, ETH_TYPE},
                 {true, IPV6_FIRST},     {true, IPV6_FIRST + 3}, {true, ETH_SIZE + IPV6_SIZE + 8}};
    struct net_note out;

    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        struct net_note note = piece(bytes[i].is_six, 0, 10, 10);
        size_t length = net_note_write(frame, &note);
        frame[bytes[i].at] ^= 0x84;
        assert_false(net_note_read(frame, length, &out));
        frame[bytes[i].at] ^= 0x84;
        assert_true(net_note_read(frame, length, &out));
        note = piece(bytes[i].is_six, 5, 10, 14); /* beyond its datagram's end */
        length = net_note_write(frame, &note);
        assert_false(net_note_read(frame, length, &out));
    }
    struct net_note mapped = piece(true, 0, 10, 10);
    mapped.destination = net_ipv6_mapped(1);
    size_t length = net_note_write(frame, &mapped);
    memcpy(frame + IPV6_SOURCE, frame + IPV6_DESTINATION, 16);
    assert_false(net_note_read(frame, length, &out));
}

static void errors_mean_what_posix_has_for_them(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, code;
        int error;
    } rows[] = {{3, 0, ENETUNREACH},
                {3, 1, EHOSTUNREACH},
                {3, 2, ECONNREFUSED},
                {3, 3, ECONNREFUSED},
                {3, 4, EMSGSIZE},
                {3, 13, EHOSTUNREACH},
                {3, 16, EHOSTUNREACH},
                {3, 255, EHOSTUNREACH},
                {11, 0, EHOSTUNREACH},
                {12, 0, EPROTO},
                {4, 0, 0},
                {0, 0, 0}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_note note = error(false);
        note.type = rows[i].type;
        note.code = rows[i].code;
        assert_int_equal(net_note_errno(&note), rows[i].error);
    }
    static const struct {
        uint8_t type, code;
        int error;
    } rows6[] = {{1, 0, ENETUNREACH},
                 {1, 1, EACCES},
                 {1, 2, EHOSTUNREACH},
                 {1, 3, EHOSTUNREACH},
                 {1, 4, ECONNREFUSED},
                 {1, 5, EACCES},
                 {1, 6, EACCES},
                 {1, 7, EHOSTUNREACH},
                 {1, 255, EHOSTUNREACH},
                 {2, 0, EMSGSIZE},
                 {3, 0, EHOSTUNREACH},
                 {4, 1, EPROTO},
                 {0, 0, 0},
                 {5, 0, 0},
                 {128, 0, 0}};
    for (size_t i = 0; i < sizeof rows6 / sizeof *rows6; i++) {
        struct net_note note = error(true);
        note.type = rows6[i].type;
        note.code = rows6[i].code;
        assert_int_equal(net_note_errno(&note), rows6[i].error);
    }
    assert_int_equal(net_note_errno(&(struct net_note){.kind = NOTE_PIECE, .type = 3}), 0);
}

static void expect_a_datagram_of(bool is_six)
{
    struct net_pieces pieces = {0};
    struct net_datagram d;
    struct net_note a = piece(is_six, 0, 7, 20), b = piece(is_six, 7, 7, 20),
                    c = piece(is_six, 14, 6, 20), other = b, others = b;

    other.source_port++;
    others.source.words[is_six ? 0 : 3]++;
    b.payload = payload + 7;
    c.payload = payload + 14;
    assert_false(net_pieces_whole(&pieces, &d));
    net_pieces_take(&pieces, &b); /* no beginning */
    net_pieces_take(&pieces, &c);
    assert_null(pieces.bytes);
    const struct net_note *const wrong[] = {&c, &a, &other, &others};
    for (size_t i = 0; i < 4; i++) { /* a gap; anew; another's */
        net_pieces_take(&pieces, &a);
        net_pieces_take(&pieces, wrong[i]);
        net_pieces_take(&pieces, wrong[i] == &a ? &c : &b);
        net_pieces_take(&pieces, &c);
        assert_false(net_pieces_whole(&pieces, &d));
    }
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)i;
    net_pieces_take(&pieces, &a);
    net_pieces_take(&pieces, &b);
    assert_false(net_pieces_whole(&pieces, &d));
    net_pieces_take(&pieces, &c);
    assert_true(net_pieces_whole(&pieces, &d) && d.size == 20);
    assert_true(d.source == (is_six ? 0 : a.source.words[3]) && d.source_port == a.source_port &&
                d.destination == (is_six ? 0 : a.destination.words[3]));
    assert_true(net_ipv6_equal(&pieces.source, &a.source) &&
                net_ipv6_equal(&pieces.destination, &a.destination));
    assert_memory_equal(d.payload, payload, 20);
    net_pieces_forget(&pieces);
    assert_false(net_pieces_whole(&pieces, &d));
}

static void pieces_make_a_datagram_in_their_order_alone(void **state)
{
    (void)state;
    expect_a_datagram_of(false);
    expect_a_datagram_of(true);
}

#define PLACES 4

static void give(struct net_pieces *places, uint32_t sender, const struct net_note *n)
{
    struct net_pieces *p = net_pieces_place(places, PLACES, sender, n);

    if (p)
        net_pieces_take(p, n);
}

static void a_sender_ends_no_others_datagram(void **state)
{
    (void)state;
    struct net_pieces places[PLACES] = {{0}};
    struct net_note a = piece(false, 0, 7, 20), b = piece(false, 7, 13, 20);
    struct net_datagram d;

    for (uint32_t others = 0; others < PLACES; others++) {
        give(places, 100, &a);
        for (uint32_t i = 0; i < 50 && others; i++) {
            give(places, 1 + i % others, &a); /* beginnings */
            give(places, 1 + i % others, &a);
            give(places, 200 + i, &b); /* of nothing */
        }
        give(places, 100, &b);
        struct net_pieces *whole = net_pieces_place(places, PLACES, 100, &b);
        assert_true(whole && net_pieces_whole(whole, &d) && d.size == 20);
        net_pieces_forget(whole);
        assert_null(net_pieces_place(places, PLACES, 100, &b));
    }
    for (uint32_t sender = 1; sender < 1000; sender++) { /* who comes has a place */
        give(places, sender, &a);
        give(places, sender, &b);
        struct net_pieces *whole = net_pieces_place(places, PLACES, sender, &b);
        assert_true(whole && net_pieces_whole(whole, &d));
    }
    for (size_t i = 0; i < PLACES; i++)
        net_pieces_forget(&places[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_piece_is_read_as_it_was_written),
        cmocka_unit_test(an_error_is_read_as_it_was_written),
        cmocka_unit_test(in_ipv6_it_is_neither_a_segment_nor_a_datagram),
        cmocka_unit_test(a_path_is_no_narrower_than_a_link_may_be),
        cmocka_unit_test(what_is_no_note_is_refused),
        cmocka_unit_test(errors_mean_what_posix_has_for_them),
        cmocka_unit_test(pieces_make_a_datagram_in_their_order_alone),
        cmocka_unit_test(a_sender_ends_no_others_datagram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
