/* The loop interface, on a machine without a network device. What handlers are is played by
 * functions of the host. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "invariants.h"
#include "net.h"
#include "ash/ash.h"
#include "kernel/charge.h"
#include "kernel/handler.h"
#include "kernel/loop.h"
#include "kernel/netif.h"
#include "kernel/rx.h"
#include "kernel/slice.h"

#define FIRST   FIRST_ENV
#define RING_AT 0x100000UL
#define OUT_AT  0x200000UL
#define FRAME   60
#define SLOTS   16

/* An application with a binding of some values, in and out, and a ring. */
struct app {
    uint32_t env;
    uint32_t binding;
    struct aegis_ring *ring;
    struct aegis_frame_out *out; /* a page; the frame lies behind it */
    struct handler handler;
};
static struct app a, b;

/* Takes the frame on with this value, to whoever has it. */
static uint32_t next_value;
static uint64_t runs;

static uint64_t send_on(struct ash_run *run)
{
    uint8_t *frame = loop.spare + NIC_BUFFER_FRAME;

    (void)run;
    runs++;
    frame[NET_BYTE] = (uint8_t)next_value;
    return ASH_TX;
}

static void make_app(struct app *app, uint64_t in, uint64_t out)
{
    struct net_request request = {.in = in, .out = out};

    world_call_as(FIRST);
    request.parent = net_cap(AEGIS_KIND_BINDING, info->netif_count, AEGIS_RIGHT_DELEGATE);
    app->env = world_child("app");
    world_call_as(app->env);
    net_memory();
    app->ring = world_memory(RING_AT, 1 + SLOTS / 2);
    app->out = world_memory(OUT_AT, 1);
    long binding = net_bind(&request);
    assert_true(binding > 0);
    app->binding = (uint32_t)binding;
    assert_int_equal(call_net_ring(app->binding, RING_AT, SLOTS), 0);
    memset(&app->handler, 0, sizeof(app->handler));
    app->handler.owner = app->env;
    app->handler.entry = (ash_handler *)send_on;
}

static int boot(void **state)
{
    (void)state;
    net_boot(0);
    make_app(&a, 0xff, 0xff00);
    make_app(&b, 0x10ff00, 0x1000ff);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    free(host_memory);
    return 0;
}

/* Sends count frames of a value from an application. */
static long send_from(struct app *app, uint32_t value, uint64_t count)
{
    uint8_t *frame = (uint8_t *)app->out + 2048;

    world_call_as(app->env);
    memset(frame, 0, FRAME);
    frame[NET_BYTE] = (uint8_t)value;
    for (uint64_t i = 0; i < count; i++)
        app->out[i] = (struct aegis_frame_out){.address = (void *)(OUT_AT + 2048), .length = FRAME};
    return call_net_send(app->binding, OUT_AT, count);
}

static uint64_t arrived(struct app *app)
{
    uint64_t count = app->ring->head - app->ring->tail;

    app->ring->tail = app->ring->head;
    return count;
}

static uint64_t waiting(void)
{
    return loop.tail - loop.head;
}

static void the_loop_is_there_without_a_device(void **state)
{
    (void)state;
    const struct aegis_netif_info *shown = &info->netifs[0];
    static const uint8_t none[6];

    assert_int_equal(info->netif_count, 0);
    assert_memory_equal(shown->mac, none, 6);
    assert_true(shown->mtu == 1500 && shown->root == 0 && netif_row(0)->owner == FIRST);
    assert_true(netif_row(a.binding)->netif == 0 && netif_row(a.binding)->parent == 0);
    assert_int_equal(send_from(&a, 8, 3), 3);
    assert_true(arrived(&b) == 3 && arrived(&a) == 0);
    assert_true(shown->sent == 3 && shown->received == 3 && waiting() == 0);
    assert_int_equal(send_from(&a, 16, 1), -AEGIS_E_EGRESS);
    check_invariants(NULL);
}

/* With handlers that may take as long as an entry, a call takes one frame, and its answers wait. */
static void use_up_budgets(struct app *app, bool on)
{
    netif_binding_state(app->binding)->handler = on ? &app->handler : NULL;
    netifs[0].frame_most = on ? RX_BUDGET : RX_FRAME_MOST;
    runs = 0;
}

static void what_a_call_has_no_time_for_waits_for_a_boundary(void **state)
{
    (void)state;
    uint64_t sent = info->netifs[0].sent;

    use_up_budgets(&b, true);
    next_value = 1; /* to a's ring */
    assert_int_equal(send_from(&a, 8, 5), 1);
    assert_true(waiting() == 1 && arrived(&a) == 0 && slice_chores.rx_unfinished);
    assert_int_equal(send_from(&a, 8, 1), 1);
    assert_true(waiting() == 2 && loop.queue[loop.head % LOOP_QUEUE].env == b.env);
    check_invariants(NULL);
    assert_true(rx_continue() && arrived(&a) == 1); /* one a turn */
    assert_true(!rx_continue() && arrived(&a) == 1 && !slice_chores.rx_unfinished);
    assert_true(info->netifs[0].sent == sent + 4 && runs == 2);
    use_up_budgets(&b, false);
}

static void nobody_has_more_than_a_share_of_the_queue(void **state)
{
    (void)state;
    use_up_budgets(&b, true);
    next_value = 1;
    for (int i = 0; i < 2 * LOOP_SHARE; i++)
        assert_int_equal(send_from(&a, 8, 1), 1);
    assert_int_equal(waiting(), LOOP_SHARE);
    assert_int_equal(b.handler.status.refused, LOOP_SHARE);
    /* Others have theirs, and in the order in which they came. */
    use_up_budgets(&a, true);
    next_value = 8;
    assert_int_equal(send_from(&b, 1, 1), 1);
    assert_true(waiting() == LOOP_SHARE + 1 &&
                loop.queue[(loop.tail - 1) % LOOP_QUEUE].env == a.env);
    use_up_budgets(&a, false);
    use_up_budgets(&b, false);
    while (rx_continue())
        ;
    assert_true(arrived(&a) == LOOP_SHARE && arrived(&b) == 1);
    b.handler.status.refused = 0;
    check_invariants(NULL);
}

static void a_frame_is_sent_on_only_so_often(void **state)
{
    (void)state;
    use_up_budgets(&b, true);
    next_value = 20; /* to b again and again */
    assert_int_equal(send_from(&a, 8, 1), 1);
    for (int i = 1; i < LOOP_HOPS; i++)
        assert_true(rx_continue());
    assert_true(!rx_continue() && waiting() == 0);
    assert_true(runs == LOOP_HOPS + 1 && b.handler.status.refused == 1);
    assert_true(arrived(&a) == 0 && arrived(&b) == 0);
    /* With time for it, all within the call. */
    netifs[0].frame_most = RX_FRAME_MOST;
    runs = 0;
    assert_int_equal(send_from(&a, 8, 1), 1);
    assert_true(waiting() == 0 && runs == LOOP_HOPS + 1);
    use_up_budgets(&b, false);
}

static void what_waits_is_charged_to_its_sender(void **state)
{
    (void)state;
    uint64_t unclaimed = info->netifs[0].unclaimed;

    use_up_budgets(&b, true);
    next_value = 1;
    assert_int_equal(send_from(&a, 8, 1), 1);
    assert_int_equal(send_from(&a, 8, 1), 1);
    charge_begin();
    env_infos[b.env].debt = info->slice; /* a slice of debt: nothing is sent for it */
    assert_true(!rx_continue() && arrived(&a) == 0);
    assert_int_equal(info->netifs[0].unclaimed, unclaimed + 2);
    env_infos[b.env].debt = 0;
    assert_int_equal(send_from(&a, 8, 1), 1);
    rx_continue();
    assert_int_equal(arrived(&a), 1);
    charge_end();
    use_up_budgets(&b, false);
}

/* A ring's owner says how much of it one sender may have; who has sent stands in the slots. */
static void no_sender_fills_a_ring_whose_owner_shares_it(void **state)
{
    (void)state;
    const uint8_t *slot = (const uint8_t *)b.ring + PAGE_SIZE;
    uint64_t dropped = b.ring->dropped;

    arrived(&b);
    b.ring->share = 3;
    assert_int_equal(send_from(&a, 8, SLOTS), SLOTS); /* taken, and dropped */
    assert_true(b.ring->head - b.ring->tail == SLOTS * 3 / 4 + 1);
    assert_int_equal(b.ring->dropped, dropped + SLOTS / 4 - 1);
    assert_int_equal(*(const uint32_t *)(slot + AEGIS_SLOT_SENDER), a.env);
    use_up_budgets(&a, true); /* a's handler sends b's own frame back to it: another one of a's */
    next_value = 8;
    assert_int_equal(send_from(&b, 1, 1), 1);
    use_up_budgets(&a, false);
    while (rx_continue())
        ;
    assert_int_equal(arrived(&b), SLOTS * 3 / 4 + 1);
    b.ring->share = 0; /* this and what makes no sense: as much as fits */
    assert_int_equal(send_from(&a, 8, SLOTS), SLOTS);
    assert_int_equal(arrived(&b), SLOTS);
    b.ring->share = UINT64_MAX;
    assert_int_equal(send_from(&a, 8, SLOTS), SLOTS);
    assert_int_equal(arrived(&b), SLOTS);
    b.ring->share = 0;
    check_invariants(NULL);
}

/* The last: b ends. */
static void what_an_ended_sender_left_is_dropped(void **state)
{
    (void)state;
    use_up_budgets(&a, true);
    next_value = 8;
    assert_int_equal(send_from(&b, 1, 1), 1); /* a's handler sends it to b */
    use_up_budgets(&b, true);
    next_value = 1;
    assert_int_equal(send_from(&a, 8, 1), 1);
    next_value = 8;
    assert_int_equal(send_from(&b, 1, 1), 1);
    assert_int_equal(waiting(), 3);
    use_up_budgets(&a, false);
    use_up_budgets(&b, false);
    world_call_as(FIRST);
    world_end(b.env);
    assert_true(waiting() == 2 && loop.queue[loop.head % LOOP_QUEUE].env == a.env &&
                loop.queue[(loop.head + 1) % LOOP_QUEUE].env == a.env);
    while (rx_continue())
        ;
    assert_true(waiting() == 0 && arrived(&a) == 0);
    check_invariants(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_is_there_without_a_device),
        cmocka_unit_test(what_a_call_has_no_time_for_waits_for_a_boundary),
        cmocka_unit_test(nobody_has_more_than_a_share_of_the_queue),
        cmocka_unit_test(a_frame_is_sent_on_only_so_often),
        cmocka_unit_test(what_waits_is_charged_to_its_sender),
        cmocka_unit_test(no_sender_fills_a_ring_whose_owner_shares_it),
        cmocka_unit_test(what_an_ended_sender_left_is_dropped),
    };
    return cmocka_run_group_tests(tests, boot, leave);
}
