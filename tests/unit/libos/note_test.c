/* Notes: what is written is read; what isn't one is refused. And the pieces of a datagram. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "libos/net/parse.h"
#include "libos/net/pieces.h"

static uint8_t frame[AEGIS_FRAME_MAX], payload[NOTE_PIECE_MAX];

static struct net_note piece(uint16_t at, size_t size, uint16_t total)
{
    return (struct net_note){.kind = NOTE_PIECE,
                             .protocol = IPV4_UDP,
                             .source = 0x0202000a,
                             .destination = 0x0f02000a,
                             .source_port = 0x1234,
                             .destination_port = 0x0700,
                             .at = at,
                             .total = total,
                             .payload = payload + at % 7,
                             .size = size};
}

static void a_piece_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (size_t size = 1; size <= NOTE_PIECE_MAX; size += size < 9 ? 1 : 97) {
        struct net_note in = piece(1460, size, 40000), out;
        size_t length = net_note_write(frame, &in);
        assert_int_equal(length, NOTE_HEADERS + size);
        assert_true(net_is_note(frame) && net_note_read(frame, length, &out));
        assert_memory_equal(out.payload, in.payload, size);
        out.payload = in.payload;
        assert_memory_equal(&in, &out, sizeof in);
        assert_int_equal(net_fold(net_sum(0, frame + ETH_SIZE, 32)), 0);
        for (size_t cut = 0; cut < length; cut += cut < NOTE_HEADERS ? 1 : 50)
            assert_false(net_note_read(frame, cut, &out));
    }
}

static void an_error_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct net_note in = {.kind = NOTE_ERROR,
                          .protocol = IPV4_TCP,
                          .type = 3,
                          .code = 4,
                          .mtu = 1280,
                          .source = 1,
                          .destination = 2,
                          .source_port = 3,
                          .destination_port = 4,
                          .sequence = 0xfedcba98},
                    out;
    size_t length = net_note_write(frame, &in);

    assert_true(net_note_read(frame, length, &out));
    assert_int_equal(out.size, 0);
    out.payload = NULL;
    assert_memory_equal(&in, &out, sizeof in);
}

/* Each byte of what makes it a note, changed. */
static void what_is_no_note_is_refused(void **state)
{
    (void)state;
    static const size_t bytes[] = {ETH_TYPE, IPV4_FIRST, ETH_SIZE + 20, ETH_SIZE + 21,
                                   ETH_SIZE + 22};
    struct net_note note = piece(0, 10, 10), out;
    size_t length = net_note_write(frame, &note);

    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        frame[bytes[i]] ^= 0x84;
        assert_false(net_note_read(frame, length, &out));
        frame[bytes[i]] ^= 0x84;
    }
    assert_true(net_note_read(frame, length, &out));
    note = piece(5, 10, 14); /* beyond its datagram's end */
    length = net_note_write(frame, &note);
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
        struct net_note note = {.kind = NOTE_ERROR, .type = rows[i].type, .code = rows[i].code};
        assert_int_equal(net_note_errno(&note), rows[i].error);
    }
    assert_int_equal(net_note_errno(&(struct net_note){.kind = NOTE_PIECE, .type = 3}), 0);
}

static void pieces_make_a_datagram_in_their_order_alone(void **state)
{
    (void)state;
    struct net_pieces pieces = {0};
    struct net_datagram d;
    struct net_note a = piece(0, 7, 20), b = piece(7, 7, 20), c = piece(14, 6, 20), other = b;

    other.source_port++;
    b.payload = payload + 7;
    c.payload = payload + 14;
    assert_false(net_pieces_whole(&pieces, &d));
    net_pieces_take(&pieces, &b); /* no beginning */
    net_pieces_take(&pieces, &c);
    assert_null(pieces.bytes);
    const struct net_note *const wrong[] = {&c, &a, &other};
    for (size_t i = 0; i < 3; i++) { /* a gap; anew; another's */
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
    assert_true(d.source == a.source && d.source_port == a.source_port &&
                d.destination == a.destination);
    assert_memory_equal(d.payload, payload, 20);
    net_pieces_forget(&pieces);
    assert_false(net_pieces_whole(&pieces, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_piece_is_read_as_it_was_written),
        cmocka_unit_test(an_error_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_note_is_refused),
        cmocka_unit_test(errors_mean_what_posix_has_for_them),
        cmocka_unit_test(pieces_make_a_datagram_in_their_order_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
