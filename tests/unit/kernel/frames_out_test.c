/* Frames out: from applications through the egress check to the device, what the kernel holds
 * meanwhile, and taps, which see both ways. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "frames.h"
#include "invariants.h"
#include "random.h"
#include "kernel/netif.h"

#define OUT_AT 0x40000000UL /* memory to send from */
#define OUT    20           /* pages of it */

static uint8_t *out;

static int boot(void **state)
{
    frames_boot(state);
    out = world_memory(OUT_AT, OUT);
    return 0;
}

/* Describes count frames of the caller's memory, and sends them. */
static long send(const struct aegis_frame_out *frames, uint64_t count)
{
    assert_true(user_write(NET_AT, frames, count * sizeof(*frames)));
    return call_net_send((uint32_t)one, NET_AT, count);
}

static uint32_t pins_of_out(void)
{
    uint32_t pins = 0;

    for (uint64_t i = 0; i < OUT; i++)
        pins += page_of(virt_to_phys(out + i * PAGE_SIZE) >> 12)->pins;
    return pins;
}

static void what_is_sent_is_what_lay_there_over_any_border(void **state)
{
    (void)state;
    uint8_t got[2048];
    uint16_t head;

    seed_random(14);
    for (int i = 0; i < 2000; i++) {
        size_t length = i < 40 ? 14 + (size_t)i : 14 + random_below(1501);
        size_t at =
            PAGE_SIZE * random_below(OUT - 1) +
            (random_below(4) ? random_below(PAGE_SIZE) : PAGE_SIZE - 14 - random_below(150));
        uint8_t *frame = out + at;
        for (size_t n = 0; n < length; n++)
            frame[n] = (uint8_t)random_below(256);
        net_frame(frame, length, 0, (uint32_t)random_below(32));
        struct aegis_frame_out o = {(const void *)(OUT_AT + at), length};
        bool may = length > NET_BYTE; /* the filter has to see its byte */
        assert_int_equal(send(&o, 1), may ? 1 : -AEGIS_E_EGRESS);
        if (!may)
            continue;
        /* What lies beyond the copy of 128 bytes is read in place: it stays where it is until then.
         */
        uint32_t pinned =
            length <= 128 ? 0 : 1 + ((at + 128) / PAGE_SIZE != (at + length - 1) / PAGE_SIZE);
        assert_int_equal(pins_of_out(), pinned);
        memset(frame, 0, length < 128 ? length : 128); /* what was checked is what goes out */
        assert_int_equal(net_sent(0, got, &head), length);
        net_frame(frame, length, 0, got[NET_BYTE]);
        assert_memory_equal(got, frame, 15);
        if (length > 128)
            assert_memory_equal(got + 128, frame + 128, length - 128);
        device_use_quietly(&nics[0], 1, head, 0);
        net_interrupt(0);
        netif_reclaim();
        assert_int_equal(pins_of_out(), 0);
    }
    check_invariants(NULL);
}

static void net_send_refuses_by_name(void **state)
{
    (void)state;
    struct aegis_frame_out good = {(const void *)OUT_AT, 200}, bad;
    uint64_t refused = counters().refused;
    uint16_t head;
    uint8_t got[2048];

    net_frame(out, 200, 0, 3);
    static const struct {
        uint64_t at, length;
        long error;
    } rows[] = {
        {OUT_AT, 0, -AEGIS_E_RANGE},
        {OUT_AT, 13, -AEGIS_E_RANGE},
        {OUT_AT, AEGIS_FRAME_MAX + 1, -AEGIS_E_RANGE},
        {OUT_AT, UINT64_MAX, -AEGIS_E_RANGE},
        {0, 100, -AEGIS_E_ADDRESS},
        {UINT64_MAX - 50, 100, -AEGIS_E_ADDRESS},
        {AEGIS_USER_END - 50, 100, -AEGIS_E_ADDRESS},
        {OUT_AT + OUT * PAGE_SIZE - 50, 60, -AEGIS_E_ADDRESS}, /* the copy runs out of memory */
        {OUT_AT + OUT * PAGE_SIZE, 60, -AEGIS_E_ADDRESS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        bad = (struct aegis_frame_out){(const void *)rows[i].at, rows[i].length};
        long result = send(&bad, 1);
        if (result != rows[i].error)
            fail_msg("row %zu: %ld instead of %ld", i, result, rows[i].error);
        struct aegis_frame_out both[] = {good, bad};
        assert_int_equal(send(both, 2), 1); /* what stands before it is sent */
        assert_int_equal(net_sent(0, got, &head), 200);
        device_use(&nics[0], 1, head, 0);
        assert_int_equal(net_sent(0, got, &head), 0);
    }
    /* The rest beyond the copy runs out of memory: 128 bytes are there, and no more. */
    uint8_t *last = out + OUT * PAGE_SIZE - 130;
    net_frame(last, 130, 0, 3);
    bad = (struct aegis_frame_out){(const void *)(OUT_AT + OUT * PAGE_SIZE - 130), 140};
    assert_int_equal(send(&bad, 1), -AEGIS_E_ADDRESS);
    assert_int_equal(net_sent(0, got, &head), 0);
    /* Not its value, not its address, not its binding. */
    net_frame(out, 200, 0, 32);
    assert_int_equal(send(&good, 1), -AEGIS_E_EGRESS);
    net_frame(out, 200, 0, 3);
    out[7] ^= 1;
    assert_int_equal(send(&good, 1), -AEGIS_E_EGRESS);
    net_frame(out, 200, 1, 3); /* the other interface's address */
    assert_int_equal(send(&good, 1), -AEGIS_E_EGRESS);
    assert_true(counters().refused == refused + 3);
    assert_int_equal(call_net_send((uint32_t)one, NET_AT, 0), -AEGIS_E_RANGE);
    assert_int_equal(call_net_send((uint32_t)one, NET_AT, AEGIS_SEND_MAX + 1), -AEGIS_E_RANGE);
    assert_int_equal(call_net_send(200, NET_AT, 1), -AEGIS_E_RANGE);
    assert_int_equal(call_net_send((uint32_t)one, 0, 1), -AEGIS_E_ADDRESS);
    assert_int_equal(call_net_send((uint32_t)one, NET_AT + 2 * PAGE_SIZE - 8, 1), -AEGIS_E_ADDRESS);
    assert_int_equal(call_net_send(0, NET_AT, 1), -AEGIS_E_OWNER);
    assert_int_equal(net_sent(0, got, &head), 0);
    assert_int_equal(pins_of_out(), 0);
    assert_int_equal(call_net_counters(200, NET_AT, 0), -AEGIS_E_RANGE);
    assert_int_equal(call_net_counters(0, NET_AT, 0), -AEGIS_E_OWNER);
    assert_int_equal(call_net_counters((uint32_t)one, 8, 0), -AEGIS_E_ADDRESS);
}

/* A device that is slow: all slots are out, then come back in another order. */
static void a_slow_device_makes_full_and_says_when_it_is_not(void **state)
{
    (void)state;
    struct aegis_frame_out frames[AEGIS_SEND_MAX];
    uint16_t heads[NIC_TX_SLOTS];
    uint8_t got[2048];
    uint64_t sent = info->netifs[0].sent;

    net_frame(out, 1514, 0, 7);
    for (size_t i = 0; i < AEGIS_SEND_MAX; i++)
        frames[i] = (struct aegis_frame_out){(const void *)OUT_AT, 1514};
    assert_int_equal(send(frames, 32), 32);
    assert_int_equal(send(frames, 31), 31);
    assert_int_equal(send(frames, 5), 1);
    assert_int_equal(send(frames, 5), -AEGIS_E_FULL);
    assert_int_equal(pins_of_out(), NIC_TX_SLOTS);
    check_invariants(NULL);
    for (size_t i = 0; i < NIC_TX_SLOTS; i++)
        assert_int_equal(net_sent(0, got, &heads[i]), 1514);
    assert_int_equal(net_sent(0, got, &heads[0]), 0);
    /* The first that is done raises an interrupt: somebody waits for room. */
    device_use_quietly(&nics[0], 1, heads[17], 0);
    assert_true(net_interrupt(0));
    assert_int_equal(pins_of_out(), NIC_TX_SLOTS - 1);
    assert_int_equal(send(frames, 5), 1);
    assert_int_equal(net_sent(0, got, &heads[17]), 1514);
    for (size_t i = 0; i < NIC_TX_SLOTS; i++)
        device_use_quietly(&nics[0], 1, heads[i * 29 % NIC_TX_SLOTS], 0);
    assert_true(net_interrupt(0));
    assert_int_equal(pins_of_out(), 0);
    assert_true(info->netifs[0].sent == sent + NIC_TX_SLOTS + 1);
    assert_int_equal(send(frames, 32), 32); /* every slot serves again */
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(net_sent(0, got, &heads[i]), 1514);
        device_use_quietly(&nics[0], 1, heads[i], 0);
    }
    net_interrupt(0);
    netif_reclaim();
    check_invariants(NULL);
}

/* Whoever waits for a pin to go is told of each, with no call in between. */
static void every_frame_that_pins_is_told_of(void **state)
{
    (void)state;
    struct aegis_frame_out frames[3];
    uint16_t heads[3];
    uint8_t got[2048];

    net_frame(out, 1000, 0, 7);
    for (int i = 0; i < 3; i++)
        frames[i] = (struct aegis_frame_out){(const void *)OUT_AT, 1000};
    assert_int_equal(send(frames, 3), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(net_sent(0, got, &heads[i]), 1000);
    for (int i = 0; i < 3; i++) {
        device_use_quietly(&nics[0], 1, heads[i], 0);
        assert_true(net_interrupt(0));
        assert_int_equal(pins_of_out(), 2 - i);
    }
}

/* A tap sees what comes in and what goes out; its owner loses its own copies alone. */
static void a_tap_gets_copies_both_ways(void **state)
{
    (void)state;
    static struct aegis_ring *taps;
    const uint64_t at = 0x50000000;
    uint8_t frame[1514] = {0}, got[2048];
    const uint8_t *mine;
    uint16_t head;
    long tap = bind_for_a(&(struct net_request){.in = 1UL << 5 | 1UL << 40, .tap = true});

    assert_true(tap > 0);
    taps = world_memory(at, 3);
    assert_int_equal(call_net_ring((uint32_t)tap, at, 4), 0);
    net_frame(frame, sizeof(frame), 0, 5);
    assert_true(net_receive(0, frame, sizeof(frame)));
    net_frame(frame, sizeof(frame), 0, 6);
    assert_true(net_receive(0, frame, sizeof(frame)));
    net_frame(frame, sizeof(frame), 0, 40);
    assert_true(net_receive(0, frame, 60));
    net_interrupt(0);
    assert_true(taps->head == 2);
    const struct aegis_slot_header *slot =
        (struct aegis_slot_header *)((uint8_t *)taps + PAGE_SIZE);
    assert_true(slot->length == 1514 && slot->flags == 0 && slot->binding == tap);
    assert_true(next(&mine) && mine[NET_BYTE] == 5); /* and its owner has it, too */
    ring->tail = ring->head;
    /* Out: from three pieces into one. */
    size_t start = PAGE_SIZE - 300;
    for (size_t n = 0; n < 1514; n++)
        out[start + n] = (uint8_t)(n * 11);
    net_frame(out + start, 1514, 0, 5);
    struct aegis_frame_out o = {(const void *)(OUT_AT + start), 1514};
    assert_int_equal(send(&o, 1), 1);
    assert_true(taps->head == 3);
    slot = (struct aegis_slot_header *)((uint8_t *)taps + 2 * PAGE_SIZE);
    assert_true(slot->length == 1514 && slot->flags == AEGIS_FRAME_SENT);
    assert_memory_equal((const uint8_t *)slot + AEGIS_SLOT_FRAME, out + start, 1514);
    assert_int_equal(net_sent(0, got, &head), 1514);
    device_use(&nics[0], 1, head, 0);
    netif_reclaim();
    assert_int_equal(call_net_send((uint32_t)tap, NET_AT, 1),
                     -AEGIS_E_EGRESS); /* it sends nothing */
    net_frame(frame, sizeof(frame), 0, 5);
    for (int i = 0; i < 3; i++)
        assert_true(net_receive(0, frame, sizeof(frame)));
    net_interrupt(0);
    assert_true(taps->head == 4 && taps->dropped == 2 && ring->head - ring->tail == 3);
    ring->tail = ring->head;
    assert_int_equal(net_unbind((uint32_t)tap), 0);
    check_invariants(NULL);
}

/* The owner ends with frames at the device: their pages come back when the device is done, and not
 * before. */
static void pages_outlive_their_owner_until_the_device_is_done(void **state)
{
    (void)state;
    struct aegis_frame_out o = {(const void *)(OUT_AT + 100), 1000};
    struct env *env = env_table[a];
    struct aegis_page *page = page_of(virt_to_phys(out) >> 12);
    uint8_t got[2048];
    uint16_t head;

    net_frame(out + 100, 1000, 0, 9);
    assert_int_equal(send(&o, 1), 1);
    assert_int_equal(net_sent(0, got, &head), 1000);
    world_call_as(FIRST_ENV);
    assert_int_equal(call_env_end(a, 0), 0);
    for (int i = 0; i < 50; i++) {
        assert_false(env_end_step(env));
        check_invariants(NULL);
    }
    assert_true(page->owner == a && page->pins == 1 && page->state == AEGIS_PAGE_DATA);
    assert_null(netif_binding((uint64_t)one)); /* its frames are its parent's already */
    device_use_quietly(&nics[0], 1, head, 0);
    int steps = 0;
    while (!env_end_step(env))
        assert_true(++steps < 50);
    assert_true(page->state == AEGIS_PAGE_FREE && page->pins == 0);
    check_invariants(NULL);
    uint64_t unclaimed = info->netifs[0].unclaimed;
    net_frame(got, 60, 0, 9);
    assert_true(net_receive(0, got, 60) && net_interrupt(0));
    assert_true(info->netifs[0].unclaimed == unclaimed + 1);
}

#define TEST(name) cmocka_unit_test_setup(name, frames_as_a)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_sent_is_what_lay_there_over_any_border),
        TEST(net_send_refuses_by_name),
        TEST(a_slow_device_makes_full_and_says_when_it_is_not),
        TEST(every_frame_that_pins_is_told_of),
        TEST(a_tap_gets_copies_both_ways),
        TEST(pages_outlive_their_owner_until_the_device_is_done),
    };

    return cmocka_run_group_tests(tests, boot, frames_leave);
}
