/* The message layer: segments, restarts of either side, memory that is too small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/bytes.h"
#include "control/frame.h"

#define WIRE_MAX (CONTROL_BODY_MAX / CONTROL_SEGMENT_MAX + 1) * CONTROL_FRAME_MAX

static uint8_t wire[WIRE_MAX], body[CONTROL_BODY_MAX], memory[CONTROL_BODY_MAX];
static struct control_receiver receiver;

static int setup(void **state)
{
    (void)state;
    control_receiver_init(&receiver, memory, sizeof memory);
    srand(1);
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (uint8_t)(rand() % 3 == 0 ? 0 : rand());
    }
    return 0;
}

/* Appends a whole message to wire; returns its end. *second, if not NULL: where its second frame
 * begins. */
static size_t put(size_t at, uint16_t type, uint32_t id, uint32_t size, size_t *second)
{
    struct control_sender sender;
    size_t n, frames = 0;

    control_send(&sender, type, id, body, size);
    while ((n = control_send_next(&sender, wire + at)) != 0) {
        at += n;
        if (++frames == 1 && second != NULL) {
            *second = at;
        }
    }
    assert_int_equal(control_send_next(&sender, wire), 0);
    return at;
}

/* Feeds wire[from .. to) in random chunks; counts messages, *last is the last one. */
static int feed(size_t from, size_t to, struct control_message *last)
{
    int messages = 0;

    while (from < to) {
        size_t chunk = (size_t)rand() % 700 + 1, n;
        struct control_message m;

        n = control_receive(&receiver, wire + from, chunk < to - from ? chunk : to - from, &m);
        assert_true(n > 0);
        from += n;
        if (m.type != CONTROL_NONE) {
            messages++;
            *last = m;
        }
    }
    return messages;
}

static void messages_of_all_sizes_come_back(void **state)
{
    static const uint32_t sizes[] = {0,    1,    1023,  1024,  1025,
                                     2048, 2049, 65536, 65537, CONTROL_BODY_MAX};
    struct control_message m;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t end = put(0, CONTROL_LOAD, 77 + (uint32_t)i, sizes[i], NULL);

        assert_int_equal(feed(0, end, &m), 1);
        assert_int_equal(m.type, CONTROL_LOAD);
        assert_int_equal(m.id, 77 + i);
        assert_int_equal(m.size, sizes[i]);
        assert_memory_equal(m.body, body, m.size);
    }
    assert_int_equal(receiver.broken, 0);
}

static void a_chunk_may_hold_several_messages(void **state)
{
    struct control_message m;
    size_t end = 0, at = 0;

    (void)state;
    for (uint32_t id = 1; id <= 5; id++) {
        end = put(end, CONTROL_LIST, id, id * 10, NULL);
    }
    for (uint32_t id = 1; id <= 5; id++) {
        at += control_receive(&receiver, wire + at, end - at, &m);
        assert_int_equal(m.type, CONTROL_LIST);
        assert_int_equal(m.id, id);
        assert_int_equal(m.size, id * 10);
    }
    assert_int_equal(at, end);
}

static void a_lost_segment_drops_its_message_alone(void **state)
{
    struct control_message m;
    size_t second, end = put(0, CONTROL_LOAD, 1, 5000, &second);

    (void)state;
    memmove(wire, wire + second, end - second); /* the first is lost */
    assert_int_equal(feed(0, end - second, &m), 0);

    end = put(0, CONTROL_LOAD, 2, 5000, &second);
    wire[second + 5] ^= 0x40; /* the second is hurt */
    end = put(end, CONTROL_STOP, 3, 8, NULL);
    assert_int_equal(feed(0, end, &m), 1);
    assert_int_equal(m.type, CONTROL_STOP);
    assert_int_equal(m.id, 3);
    assert_int_equal(receiver.broken, 1);
}

static void a_sender_that_restarts_at_any_byte_is_understood(void **state)
{
    struct control_message m;
    size_t end = put(0, CONTROL_LOAD, 1, 2500, NULL), all;

    (void)state;
    for (size_t cut = 0; cut < end; cut += 7) {
        control_receiver_init(&receiver, memory, sizeof memory);
        put(0, CONTROL_LOAD, 1, 2500, NULL);
        all = put(cut, CONTROL_HELLO, 1, 40, NULL);
        assert_int_equal(feed(0, all, &m), 1);
        assert_int_equal(m.type, CONTROL_HELLO);
        assert_int_equal(m.size, 40);
    }
}

/* The same id and type again after a restart: pieces of the two must not be joined. */
static void pieces_of_two_messages_are_not_joined(void **state)
{
    struct control_message m;
    size_t second, end = put(0, CONTROL_LOAD, 1, 3000, &second);

    (void)state;
    assert_int_equal(feed(0, second, &m), 0);
    body[0] ^= 0xff;
    body[2999] ^= 0xff;
    end = put(0, CONTROL_LOAD, 1, 3000, NULL);
    assert_int_equal(feed(0, end, &m), 1);
    assert_memory_equal(m.body, body, 3000);
    assert_int_equal(receiver.broken, 1);
}

/* Appends one frame with a segment made by hand; returns its end. */
static size_t put_segment(size_t at, uint32_t id, uint32_t total, uint32_t offset, uint32_t size)
{
    uint8_t head[16] = {0};

    put16(head, CONTROL_LOAD);
    put32(head + 4, id);
    put32(head + 8, total);
    put32(head + 12, offset);
    return at + control_frame_put(wire + at, head, sizeof head, body + offset, size);
}

static void segments_out_of_order_doubled_or_of_another_message_are_not_joined(void **state)
{
    static const struct {
        uint32_t id, offset;
    } second[] = {{1, 1024}, {1, 200}, {2, 100}, {1, 0}};
    struct control_message m;

    (void)state;
    for (size_t i = 0; i < sizeof second / sizeof second[0]; i++) {
        size_t end = put_segment(0, 1, 200, 0, 100);

        control_receiver_init(&receiver, memory, sizeof memory);
        end = put_segment(end, second[i].id, second[i].offset < 200 ? 200 : 1124, second[i].offset,
                          100);
        assert_int_equal(feed(0, end, &m), 0);
    }
    control_receiver_init(&receiver, memory, sizeof memory);
    assert_int_equal(feed(0, put_segment(put_segment(0, 1, 200, 0, 100), 1, 200, 100, 100), &m), 1);
}

static void segments_that_no_sender_makes_do_not_disturb_a_message(void **state)
{
    struct control_message m;
    size_t end = put_segment(0, 1, 200, 0, 100);

    (void)state;
    end = put_segment(end, 1, 200, 0, 0);     /* begins anew with nothing */
    end = put_segment(end, 1, 200, 300, 10);  /* lies behind the end */
    end = put_segment(end, 1, 200, 150, 100); /* goes over the end */
    end = put_segment(end, 1, 200, 100, 100);
    assert_int_equal(feed(0, end, &m), 1);
    assert_int_equal(m.size, 200);
    assert_memory_equal(m.body, body, 200);
}

static void a_message_larger_than_memory_is_named_once(void **state)
{
    struct control_message m;
    size_t end = put(0, CONTROL_LOAD, 9, 4097, NULL);

    (void)state;
    control_receiver_init(&receiver, memory, 4096);
    memory[4096] = 0x5a;
    assert_int_equal(feed(0, end, &m), 1);
    assert_null(m.body);
    assert_int_equal(m.id, 9);
    assert_int_equal(m.size, 4097);
    end = put(0, CONTROL_LOAD, 10, 4096, NULL);
    assert_int_equal(feed(0, end, &m), 1);
    assert_non_null(m.body);
    assert_int_equal(memory[4096], 0x5a);
}

static void noise_never_hides_the_next_message(void **state)
{
    struct control_message m;

    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t noise = (size_t)rand() % 3000, end;
        int messages;

        for (size_t i = 0; i < noise; i++) {
            wire[i] = (uint8_t)(rand() % 4 == 0 ? 0 : rand());
        }
        end = put(noise, CONTROL_STATUS, (uint32_t)round, 1500, NULL);
        messages = feed(0, end, &m);
        assert_int_equal(messages, 1);
        assert_int_equal(m.id, round);
        assert_memory_equal(m.body, body, 1500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(messages_of_all_sizes_come_back, setup),
        cmocka_unit_test_setup(a_chunk_may_hold_several_messages, setup),
        cmocka_unit_test_setup(a_lost_segment_drops_its_message_alone, setup),
        cmocka_unit_test_setup(a_sender_that_restarts_at_any_byte_is_understood, setup),
        cmocka_unit_test_setup(pieces_of_two_messages_are_not_joined, setup),
        cmocka_unit_test_setup(segments_out_of_order_doubled_or_of_another_message_are_not_joined,
                               setup),
        cmocka_unit_test_setup(segments_that_no_sender_makes_do_not_disturb_a_message, setup),
        cmocka_unit_test_setup(a_message_larger_than_memory_is_named_once, setup),
        cmocka_unit_test_setup(noise_never_hides_the_next_message, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
