/* Frames in: from the device through the classifier into rings; the device is written from the
 * specification (device.h). */
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
#include "kernel/charge.h"
#include "kernel/netif.h"
#include "kernel/rx.h"
#include "kernel/slice.h"

#define LONG 1778 /* bytes of the longest frame that a buffer holds */

static void a_device_is_negotiated_and_shown(void **state)
{
    (void)state;
    const struct aegis_netif_info *shown = &info->netifs[1];

    assert_int_equal(info->netif_count, 2);
    assert_memory_equal(shown->mac, nics[1].config, 6);
    assert_true(shown->mtu == 1500 && shown->root == 1);
    assert_true(nics[0].accepted == (1UL << 32 | 1UL << 29 | 1UL << 5));
    assert_true(nics[1].accepted == (1UL << 32 | 1UL << 5));
    assert_true(nics[1].status == 15 && nics[1].queues[0].ready && nics[1].queues[1].ready);
    assert_non_null(strstr(host_log, "aegis: net1: 52:54:00:00:00:01, mtu 1500, irq 2"));
}

static void frames_of_every_length_arrive_as_they_were(void **state)
{
    (void)state;
    uint8_t frame[LONG];
    const uint8_t *got;

    for (size_t length = 1; length <= LONG; length += length < 70 || length > 1500 ? 1 : 13) {
        for (size_t i = 0; i < length; i++)
            frame[i] = (uint8_t)random_below(256);
        net_frame(frame, length, 0, (uint32_t)random_below(32));
        uint64_t unclaimed = info->netifs[0].unclaimed;
        host_csr_time = length;
        assert_true(net_receive(0, frame, length));
        assert_true(net_interrupt(0));
        const struct aegis_slot_header *slot = next(&got);
        if (length <=
            NET_BYTE) { /* a runt: what the filter reads isn't there, so it is the root's */
            assert_null(slot);
            assert_true(info->netifs[0].unclaimed == unclaimed + 1);
            continue;
        }
        assert_non_null(slot);
        assert_true(slot->length == length && slot->binding == one && slot->time == length);
        assert_memory_equal(got, frame, length);
        ring->tail++;
    }
    assert_true(ring->head == ring->tail && counters().dropped == 0);
    check_invariants(NULL);
}

/* Frames of no length, and more than a buffer holds: the device's word for it is not believed. */
static void lengths_that_can_not_be_are_passed_over(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 11, 12, 12 + LONG + 1, 2048, 65536, UINT32_MAX};
    struct device_piece piece;
    uint64_t received = info->netifs[0].received;
    size_t count;
    uint16_t head;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        assert_true(device_take(&nics[0], 0, &head, &piece, 1, &count));
        device_use_quietly(&nics[0], 0, head, lengths[i]);
    }
    assert_true(net_interrupt(0));
    assert_true(info->netifs[0].received == received && ring->head == ring->tail);
    for (count = 0; net_receive(0, (const uint8_t *)"x", 1); count++) /* all buffers are back */
        ;
    /* Some are yet to be shown to the device: less than go together. */
    size_t hidden = (uint16_t)(netifs[0].nic.rx.next_avail - netifs[0].nic.rx.avail[VIRTQ_IDX]);
    assert_true(hidden < NIC_RX_BUFFERS / 8);
    assert_int_equal(count + hidden, NIC_RX_BUFFERS);
    assert_true(net_interrupt(0));
    while (slice_chores.rx_unfinished)
        rx_continue();
}

/* Frames of a length that one entry takes: until what is left of its budget is less than the next
 * may need. */
static uint64_t bite(size_t length)
{
    return (45000 - RX_FRAME_MOST) / (RX_FRAME_WORK + length) + 1;
}

static void a_flood_is_taken_in_bounded_bites_and_nothing_is_lost(void **state)
{
    (void)state;
    uint8_t frame[100];
    const uint8_t *got;
    uint32_t sent = 0, taken = 0, bites = 0;

    seed_random(13);
    while (taken < 20000) {
        for (uint64_t n = random_below(100); n > 0; n--) {
            net_frame(frame, sizeof(frame), 0, sent % 32);
            memcpy(frame + 20, &sent, 4);
            if (!net_receive(0, frame, sizeof(frame)))
                break;
            sent++;
        }
        uint64_t before = info->netifs[0].received;
        net_interrupt(0);
        for (;; bites++) {
            assert_true(info->netifs[0].received - before <= bite(sizeof(frame)));
            for (; next(&got); ring->tail++, taken++) {
                assert_memory_equal(got + 20, &taken, 4);
                assert_int_equal(got[NET_BYTE], taken % 32);
            }
            before = info->netifs[0].received;
            if (!slice_chores.rx_unfinished)
                break;
            net_frame(frame, sizeof(frame), 0, sent % 32);
            memcpy(frame + 20, &sent, 4);
            sent += net_receive(0, frame, sizeof(frame));
            assert_false(net_interrupt(0)); /* masked until the rest is done */
            rx_continue();
        }
        assert_true(taken == sent);
    }
    assert_true(bites > 200);
    assert_true(counters().dropped == 0);
}

/* Without EVENT_IDX, too: frames that come while others wait for their turn raise no interrupt. */
static void a_flood_is_masked_by_the_flag_where_there_is_no_event_index(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    uint64_t received = info->netifs[1].received;

    net_frame(frame, sizeof(frame), 1, 3);
    for (uint64_t i = 0; i < bite(sizeof(frame)) + 18; i++)
        assert_true(net_receive(1, frame, sizeof(frame)));
    assert_true(net_interrupt(1));
    assert_true(info->netifs[1].received == received + bite(sizeof(frame)) &&
                slice_chores.rx_unfinished);
    assert_true(net_receive(1, frame, sizeof(frame)));
    assert_false(net_interrupt(1));
    assert_false(rx_continue());
    assert_true(info->netifs[1].received == received + bite(sizeof(frame)) + 19);
    assert_true(net_receive(1, frame, sizeof(frame)));
    assert_true(net_interrupt(1)); /* wanted again */
}

/* Half a slice of debt or a whole one, and whether frames are charged: while nobody could run they
 * aren't. */
static void who_owes_a_slice_gets_no_frames_until_it_is_paid(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    const struct {
        bool charged;
        uint64_t debt, dropped;
    } rows[] = {{true, info->slice - 1, 0},
                {true, info->slice, 1},
                {false, info->slice, 0},
                {true, 3UL * info->slice, 1},
                {true, 0, 0}};

    net_frame(frame, sizeof(frame), 0, 3);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct aegis_counters before = counters();
        uint64_t head = ring->head;
        env_infos[a].debt = rows[i].debt;
        if (rows[i].charged)
            charge_begin();
        assert_true(net_receive(0, frame, sizeof(frame)));
        net_interrupt(0);
        charge_end();
        assert_true(counters().received == before.received + 1);
        assert_true(counters().dropped == before.dropped + rows[i].dropped);
        assert_true(ring->head == head + 1 - rows[i].dropped);
        ring->tail = ring->head;
    }
}

static void a_frame_costs_a_sixteenth_of_a_slice_at_most(void **state)
{
    (void)state;
    env_infos[a].debt = 0;
    host_csr_time = 1000;
    assert_true(charge_work(a, 990) == 1000);
    assert_true(env_infos[a].debt == 10);
    charge_work(a, 1000);
    assert_true(env_infos[a].debt == 10);
    host_csr_time = 1000 + 2UL * info->slice;
    charge_work(a, 1000);
    assert_true(env_infos[a].debt == 10 + info->slice / 16);
    env_infos[a].debt = 0;
}

static void a_debt_has_an_end(void **state)
{
    (void)state;
    const uint32_t number = ENV_COUNT - 1; /* nobody's */
    struct aegis_env_info *env = &env_infos[number];

    charge_owe(number, 100);
    charge_owe(number, 50);
    assert_true(env->debt == 150 && env->charged == 150);
    charge_owe(number, UINT64_MAX / 2);
    assert_true(env->debt == (uint64_t)AEGIS_DEBT_SLICES_MAX * info->slice);
    charge_owe(number, 1);
    assert_true(env->debt == (uint64_t)AEGIS_DEBT_SLICES_MAX * info->slice);
    env->debt = env->charged = 0;
}

static void a_full_ring_loses_its_owners_frames_alone(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    struct aegis_counters before = counters();
    uint64_t unclaimed = info->netifs[0].unclaimed, base = ring->head;

    for (uint32_t i = 0; i < SLOTS + 10; i++) {
        net_frame(frame, sizeof(frame), 0, i % 32);
        assert_true(net_receive(0, frame, sizeof(frame)));
        net_frame(frame, sizeof(frame), 0, 40); /* the root's, which has no ring */
        assert_true(net_receive(0, frame, sizeof(frame)));
    }
    net_interrupt(0);
    while (slice_chores.rx_unfinished)
        rx_continue();
    struct aegis_counters after = counters();
    assert_true(after.received == before.received + SLOTS + 10);
    assert_true(after.dropped == before.dropped + 10);
    assert_true(ring->head == base + SLOTS);
    assert_true(info->netifs[0].unclaimed == unclaimed + SLOTS + 10);
    ring->tail = ring->head;
}

/* One that was made to bind inside of it, by netd for a port, has neither ring nor handler. */
static void a_bare_bindings_frames_are_its_parents(void **state)
{
    (void)state;
    struct net_request request = {.in = 1 << 5 | 1 << 6, .out = 1 << 5 | 1 << 6};
    struct aegis_counters before, after;
    uint8_t frame[60] = {0};
    const uint8_t *got;

    request.parent = net_cap(AEGIS_KIND_BINDING, (uint64_t)one, AEGIS_RIGHT_DELEGATE);
    long outer = net_bind(&request);
    assert_true(outer > 0);
    request.parent = net_cap(AEGIS_KIND_BINDING, (uint64_t)outer, AEGIS_RIGHT_DELEGATE);
    request.in = request.out = 1 << 5;
    long inner = net_bind(&request);
    assert_true(inner > 0);
    before = counters();
    uint64_t unclaimed = info->netifs[0].unclaimed;
    for (uint32_t value = 5; value <= 6; value++) {
        net_frame(frame, sizeof frame, 0, value);
        assert_true(net_receive(0, frame, sizeof frame) && net_interrupt(0));
        const struct aegis_slot_header *slot = next(&got);
        assert_true(slot && slot->binding == one);
        ring->tail++;
    }
    after = counters();
    assert_true(after.received == before.received + 2 && after.dropped == before.dropped);
    assert_true(info->netifs[0].unclaimed == unclaimed);
    assert_int_equal(net_unbind((uint32_t)inner), 0);
    assert_int_equal(net_unbind((uint32_t)outer), 0);
    check_invariants(NULL);
}

static void the_other_interfaces_frames_are_its_own_roots(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    uint64_t unclaimed = info->netifs[1].unclaimed, head = ring->head;

    net_frame(frame, sizeof(frame), 1, 3);
    assert_true(net_receive(1, frame, sizeof(frame)));
    assert_true(net_interrupt(1));
    assert_true(info->netifs[1].unclaimed == unclaimed + 1 && ring->head == head);
}

#define TEST(name) cmocka_unit_test_setup(name, frames_as_a)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_device_is_negotiated_and_shown),
        TEST(frames_of_every_length_arrive_as_they_were),
        TEST(lengths_that_can_not_be_are_passed_over),
        TEST(a_flood_is_taken_in_bounded_bites_and_nothing_is_lost),
        TEST(a_flood_is_masked_by_the_flag_where_there_is_no_event_index),
        TEST(who_owes_a_slice_gets_no_frames_until_it_is_paid),
        TEST(a_frame_costs_a_sixteenth_of_a_slice_at_most),
        TEST(a_debt_has_an_end),
        TEST(a_full_ring_loses_its_owners_frames_alone),
        TEST(a_bare_bindings_frames_are_its_parents),
        TEST(the_other_interfaces_frames_are_its_own_roots),
    };

    return cmocka_run_group_tests(tests, frames_boot, frames_leave);
}
