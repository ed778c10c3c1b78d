/*
 * The limit's answers (bench/limit/frame.c) and the client's verdicts (bench/client/wire.c), held
 * against each other: what one sends the other takes, and no damaged byte goes unnoticed.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <cmocka.h>
#include "bench/client/wire.h"
#include "bench/limit/frame.h"

#define GUEST_ADDRESS 0x0a00020fU /* 10.0.2.15 */

static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static struct wire make_wire(void)
{
    struct wire wire = {
        .fd = -1,
        .self = {{0x52, 0x55, 10, 0, 2, 2}, 0x0a000202, 40007},
        .guest = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}, GUEST_ADDRESS, 7},
    };
    return wire;
}

/* The limit's answer to a frame in place, in memory of exactly its length. */
static bool answer(uint8_t *frame, size_t length)
{
    uint8_t *exact = malloc(length ? length : 1);
    memcpy(exact, frame, length);
    bool answered = frame_answer((struct frame *)exact, (uint32_t)length,
                                 __builtin_bswap32(GUEST_ADDRESS), guest_mac);
    memcpy(frame, exact, length);
    free(exact);
    return answered;
}

/* Whether the client takes a frame as the answer with this payload. */
static bool taken(const struct wire *wire, const uint8_t *frame, size_t length,
                  const uint8_t *payload, size_t size)
{
    uint8_t *exact = malloc(length ? length : 1);
    size_t got_size;
    memcpy(exact, frame, length);
    const uint8_t *got = wire_payload(wire, exact, length, &got_size);
    bool good = got && got_size == size && memcmp(got, payload, size) == 0;
    free(exact);
    return good;
}

static size_t request(const struct wire *wire, uint8_t *frame, uint8_t *payload, size_t size)
{
    for (size_t i = 0; i < size; i++)
        payload[i] = (uint8_t)(i * 7 + size);
    return wire_datagram(wire, frame, payload, size, 99);
}

static void the_client_takes_the_limits_answers(void **state)
{
    (void)state;
    struct wire wire = make_wire();
    uint8_t frame[FRAME_MAX], payload[PAYLOAD_MAX];
    for (size_t size = 0; size <= PAYLOAD_MAX; size++) {
        size_t length = request(&wire, frame, payload, size);
        assert_int_equal(length, UDP_HEADERS + size);
        assert_false(taken(&wire, frame, length, payload, size));
        assert_true(answer(frame, length));
        assert_true(taken(&wire, frame, length, payload, size));
    }
}

/* Bytes that may differ: the IPv4 header's are all under its checksum, the datagram's under UDP's.
 */
static void no_damaged_byte_of_an_answer_is_taken(void **state)
{
    (void)state;
    struct wire wire = make_wire();
    uint8_t frame[FRAME_MAX], payload[PAYLOAD_MAX];
    size_t size = 61, length = request(&wire, frame, payload, size);
    assert_true(answer(frame, length));
    for (size_t i = 0; i < length; i++) {
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            frame[i] ^= (uint8_t)bit;
            assert_false(taken(&wire, frame, length, payload, size));
            frame[i] ^= (uint8_t)bit;
        }
    }
    for (size_t cut = 0; cut < length; cut++)
        assert_false(taken(&wire, frame, cut, payload, size));
}

static void the_limit_answers_only_what_is_its_own(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint8_t value;
    } foreign[] = {
        {12, 0x86}, /* another EtherType */
        {14, 0x46}, /* options */
        {20, 0x20}, /* more fragments */
        {21, 0x01}, /* a later fragment */
        {23, 6},    /* TCP */
        {33, 16},   /* another's address */
        {37, 8},    /* another port */
    };
    struct wire wire = make_wire();
    uint8_t frame[FRAME_MAX], payload[PAYLOAD_MAX];
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        size_t length = request(&wire, frame, payload, 32);
        frame[foreign[i].offset] = foreign[i].value;
        uint8_t before[FRAME_MAX];
        memcpy(before, frame, length);
        assert_false(answer(frame, length));
        assert_memory_equal(before, frame, length);
    }
    for (size_t length = 0; length < UDP_HEADERS; length++) {
        request(&wire, frame, payload, 32);
        assert_false(answer(frame, length));
    }
}

/* Both ends over a socket pair: the client asks, the limit answers, and the other way round. */
static void both_ends_resolve_each_other(void **state)
{
    (void)state;
    int ends[2];
    uint8_t frame[FRAME_MAX];
    struct wire wire = make_wire();
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    wire.fd = ends[0];

    /* The answer waits in the socket before the question is asked. */
    static const uint8_t question[] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x55, 10, 0, 2, 2, 8, 6, 0, 1, 8, 0,  6, 4, 0,
        1,    0x52, 0x55, 10,   0,    2,    2,    10,   0,  2, 2, 0, 0, 0, 0, 0, 0, 10, 0, 2, 15};
    memcpy(frame, question, sizeof(question));
    assert_true(answer(frame, sizeof(question)));
    assert_int_equal(send(ends[1], frame, sizeof(question), 0), sizeof(question));
    memset(wire.guest.mac, 0, 6);
    assert_int_equal(wire_resolve(&wire, wire_now() + 5000000000ULL), 0);
    assert_memory_equal(wire.guest.mac, guest_mac, 6);

    /* What it asked is what was expected of it. */
    assert_int_equal(recv(ends[1], frame, sizeof(frame), 0), sizeof(question));
    assert_memory_equal(frame, question, sizeof(question));

    /* The guest's question for the client's address. */
    memcpy(frame, question, sizeof(question));
    memcpy(frame + 6, guest_mac, 6);
    memcpy(frame + 22, guest_mac, 6);
    frame[31] = 15;
    frame[41] = 2;
    assert_true(wire_answer_arp(&wire, frame, sizeof(question)));
    assert_int_equal(recv(ends[1], frame, sizeof(frame), 0), sizeof(question));
    assert_int_equal(frame[21], 2);
    assert_memory_equal(frame, guest_mac, 6);
    assert_memory_equal(frame + 22, wire.self.mac, 6);
    frame[41] = 9;
    assert_false(wire_answer_arp(&wire, frame, sizeof(question)));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_takes_the_limits_answers),
        cmocka_unit_test(no_damaged_byte_of_an_answer_is_taken),
        cmocka_unit_test(the_limit_answers_only_what_is_its_own),
        cmocka_unit_test(both_ends_resolve_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
