/*
 * The loop interface: frames between applications, checked, classified, shown and handled as a
 * device's, within the sender's call.
 */
#include <string.h>

#include "ash/ash.h"
#include "filter.h"
#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/vm/vm.h"
#include "test.h"

/* EtherTypes for local experiments (IEEE 802). */
#define TYPE_A 0x88b5
#define TYPE_B 0x88b6
#define LEAST  14
#define SLOTS  8
#define HOPS   8 /* handlers that may send a frame on */

static struct filter_image in_a, in_b, out_a, out_b;
static uint8_t *memory; /* two pages, the second one's neighbour isn't mapped */

static void make_filters(void)
{
    const struct filter_field a = {2, ETH_TYPE, 0xffff, TYPE_A, TYPE_A};
    const struct filter_field b = {2, ETH_TYPE, 0xffff, TYPE_B, TYPE_B};
    filter_make(&in_a, &a, 1);
    filter_make(&in_b, &b, 1);
    filter_sent_type(&out_a, aegis_info()->netif_count, TYPE_A);
    filter_sent_type(&out_b, aegis_info()->netif_count, TYPE_B);
}

static struct net open_binding(const struct filter_image *in, const struct filter_image *out)
{
    const struct aegis_net_binding request = {.parent = exos.start->caps[TEST_CAP_LOOP],
                                              .ingress = in->words,
                                              .ingress_size = in->size,
                                              .egress = out->words,
                                              .egress_size = out->size};
    struct net net;
    int64_t binding = aegis_net_bind(&request);
    if (binding < 0)
        FAIL("net_bind: %s", aegis_error_name(binding));
    CHECK_OK(net_open(&net, (uint32_t)binding, SLOTS));
    net.ring->share = 0; /* one sender may fill it */
    CHECK_EQ(net.netif, aegis_info()->netif_count);
    return net;
}

static uint8_t *make_frame(uint8_t *frame, size_t length, uint16_t type)
{
    memset(frame, 0, 12); /* all addresses of the loop interface are zero */
    net_put16(frame + ETH_TYPE, type);
    for (size_t i = LEAST; i < length; i++)
        frame[i] = (uint8_t)(i * 7 + length);
    return frame;
}

static int64_t send_frame(const struct net *net, const void *frame, size_t length)
{
    const struct aegis_frame_out out = {.address = frame, .length = length};
    return aegis_net_send(net->binding, &out, 1);
}

static struct aegis_counters counters_of(const struct net *net)
{
    struct aegis_counters c;
    CHECK_OK(aegis_net_counters(net->binding, &c, NULL));
    return c;
}

static void frames_arrive_whole_when_the_call_returns(void)
{
    struct net net = open_binding(&in_a, &out_a);

    for (size_t length = LEAST; length <= AEGIS_FRAME_MAX; length += length < 140 ? 1 : 229) {
        uint8_t *frame = make_frame(memory + AEGIS_PAGE_SIZE - length / 2, length, TYPE_A);
        CHECK_EQ(send_frame(&net, frame, length), 1);
        struct aegis_slot_header *slot = net_next(&net);
        CHECK(slot && slot->length == length && slot->flags == 0 && slot->binding == net.binding);
        CHECK(!memcmp(net_frame(slot), frame, length));
        CHECK_EQ(aegis_page((uint64_t)vm_page_at(memory))->pins, 0);
        net_release(&net);
    }
    struct aegis_counters c = counters_of(&net);
    CHECK(c.sent == c.received && c.dropped == 0 && c.refused == 0);
    net_close(&net);
}

static void who_sends_is_held_to_its_filter_and_its_memory(void)
{
    struct net net = open_binding(&in_a, &out_a);
    uint8_t *frame = make_frame(memory, 60, TYPE_B), *end = memory + 2 * AEGIS_PAGE_SIZE;

    CHECK_ERROR(send_frame(&net, frame, 60), EGRESS);
    make_frame(frame, 60, TYPE_A)[ETH_SOURCE + 5] = 1;
    CHECK_ERROR(send_frame(&net, frame, 60), EGRESS);
    CHECK_EQ(counters_of(&net).refused, 2);
    make_frame(frame, 60, TYPE_A);
    CHECK_ERROR(send_frame(&net, frame, LEAST - 1), RANGE);
    CHECK_ERROR(send_frame(&net, frame, AEGIS_FRAME_MAX + 1), RANGE);
    CHECK_ERROR(send_frame(&net, frame, UINT64_MAX), RANGE);
    CHECK_ERROR(send_frame(&net, end - 20, 60), ADDRESS);
    CHECK_ERROR(send_frame(&net, (void *)AEGIS_USER_END, 60), ADDRESS);
    CHECK_ERROR(aegis_net_send(net.binding, NULL, 1), ADDRESS);
    CHECK_ERROR(aegis_net_send(aegis_info()->netif_count, NULL, 1), OWNER);
    CHECK(!net_next(&net) && counters_of(&net).sent == 0);
    net_close(&net);
}

static void nobodys_frames_and_full_rings_are_counted(void)
{
    const volatile struct aegis_netif_info *lo = &aegis_info()->netifs[aegis_info()->netif_count];
    struct net a = open_binding(&in_a, &out_b), b = open_binding(&in_b, &out_a);
    uint64_t unclaimed = lo->unclaimed, received = lo->received, sent = lo->sent;

    for (uint64_t i = 0; i < SLOTS + 3; i++)
        CHECK_EQ(send_frame(&a, make_frame(memory, 60, TYPE_B), 60), 1);
    CHECK(counters_of(&b).received == SLOTS + 3 && counters_of(&b).dropped == 3);
    CHECK(b.ring->dropped == 3 && net_head(&b) == SLOTS && counters_of(&a).sent == SLOTS + 3);
    net_close(&b);
    CHECK_EQ(send_frame(&a, memory, 60), 1);
    CHECK(lo->unclaimed == unclaimed + 1);
    CHECK(lo->received == received + SLOTS + 4 && lo->sent == sent + SLOTS + 4);
    net_close(&a);
}

static void batches_arrive_in_order(void)
{
    struct net net = open_binding(&in_a, &out_a);
    struct aegis_frame_out out[AEGIS_SEND_MAX];
    uint8_t *frame = make_frame(memory, AEGIS_FRAME_MAX, TYPE_A);

    for (size_t i = 0; i < AEGIS_SEND_MAX; i++)
        out[i] = (struct aegis_frame_out){.address = frame, .length = AEGIS_FRAME_MAX - i};
    for (uint64_t done = 0; done < AEGIS_SEND_MAX;) {
        int64_t sent = net_send(&net, out + done, AEGIS_SEND_MAX - done);
        CHECK(sent > 0);
        for (int64_t i = 0; i < sent; i++, done++) {
            struct aegis_slot_header *slot = net_next(&net);
            if (i >= SLOTS)
                continue; /* there was no room for it */
            CHECK(slot && slot->length == AEGIS_FRAME_MAX - done);
            net_release(&net);
        }
    }
    net_close(&net);
}

/* Both ways of a frame are one here: a tap sees it once. */
static void a_tap_sees_each_frame_once(void)
{
    struct net a = open_binding(&in_a, &out_a), tap;
    struct aegis_net_binding request = {
        .ingress = in_a.words, .ingress_size = in_a.size, .flags = AEGIS_BIND_TAP};
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_BINDING, a.binding, AEGIS_RIGHT_TAP, &request.parent));
    int64_t binding = aegis_net_bind(&request);
    CHECK(binding >= 0);
    CHECK_OK(net_open(&tap, (uint32_t)binding, SLOTS));
    CHECK_EQ(send_frame(&a, make_frame(memory, 200, TYPE_A), 200), 1);
    CHECK(net_head(&tap) == 1 && net_next(&tap)->length == 200 && net_next(&tap)->flags == 0);
    CHECK(!memcmp(net_frame(net_next(&tap)), memory, 200) && net_head(&a) == 1);
    net_close(&tap);
    net_close(&a);
}

/* A handler: stores an EtherType, 0 for none, and moves the frame's beginning; then TX. */
static uint32_t load_turner(const struct net *net, uint16_t type, int32_t head)
{
    struct {
        struct ash_header header;
        struct ash_insn insns[7];
    } image = {.header = {.magic = ASH_MAGIC,
                          .version = ASH_VERSION,
                          .event = ASH_EVENT_FRAME,
                          .insns = 7,
                          .name = "turner"},
               .insns = {{0xbf, 6 | 1 << 4, 0, 0}, /* r6 = context */
                         {0xb7, 2, 0, head},       /* r2 = head */
                         {0x85, 0, 0, ASH_HELPER_ADJUST_HEAD},
                         {0x61, 2 | 6 << 4, 0, 0}, /* r2 = frame */
                         {0x6a, 2, ETH_TYPE, (int32_t)__builtin_bswap16(type)},
                         {0xb7, 0, 0, ASH_TX},
                         {0x95, 0, 0, 0}}};
    char message[AEGIS_MESSAGE_SIZE] = "";
    const struct aegis_handler_request request = {
        .image = &image, .image_size = sizeof image, .message = message};
    int64_t handler = aegis_handler_load(&request);
    if (handler < 0)
        FAIL("handler_load: %s", message);
    CHECK_OK(aegis_handler_bind((uint32_t)handler, net->binding));
    return (uint32_t)handler;
}

static struct aegis_handler_status status_of(uint32_t handler)
{
    struct aegis_handler_status s;
    CHECK_OK(aegis_handler_status(handler, &s));
    return s;
}

/* What a call leaves in the queue is done before others run. */
static void let_the_queue_drain(void)
{
    for (int i = 0; i < 2 * HOPS; i++)
        aegis_yield(0);
}

static void a_handler_answers_on_the_loop(void)
{
    struct net a = open_binding(&in_a, &out_b), b = open_binding(&in_b, &out_a);
    uint32_t handler = load_turner(&a, TYPE_B, 4); /* it begins at its fifth byte */
    uint8_t *frame = make_frame(memory, 90, TYPE_A);

    CHECK_EQ(send_frame(&b, frame, 90), 1);
    let_the_queue_drain();
    struct aegis_slot_header *slot = net_next(&b);
    CHECK(slot == NULL); /* bytes of the old EtherType came to be the source: not its to send */
    CHECK(status_of(handler).refused == 1 && counters_of(&a).refused == 1);
    CHECK_OK(aegis_handler_unload(handler));

    handler = load_turner(&a, TYPE_B, -8);
    CHECK_EQ(send_frame(&b, make_frame(memory, 90, TYPE_A), 90), 1);
    let_the_queue_drain();
    slot = net_next(&b);
    CHECK(slot && slot->length == 98 && net_get16(net_frame(slot) + ETH_TYPE) == TYPE_B);
    CHECK(!memcmp(net_frame(slot) + 22, memory + 14, 76));
    CHECK(counters_of(&a).sent == 1 && status_of(handler).refused == 0);
    CHECK_OK(aegis_handler_unload(handler));
    net_close(&a);
    net_close(&b);
}

/* Each turn gives the frame to the same binding again. */
static void handlers_that_answer_each_other_come_to_an_end(void)
{
    struct net a = open_binding(&in_a, &out_a);
    uint32_t handler = load_turner(&a, TYPE_A, 0);
    uint64_t seen = 0;

    for (unsigned i = 1; i <= 100; i++) {
        CHECK_EQ(send_frame(&a, make_frame(memory, 60, TYPE_A), 60), 1);
        let_the_queue_drain();
        struct aegis_handler_status s = status_of(handler);
        seen += HOPS + 1;
        CHECK_EQ(s.verdicts[ASH_TX], seen);
        CHECK_EQ(s.refused, i);
    }
    CHECK_EQ(counters_of(&a).sent, 100 * (HOPS + 1));
    /* Many at once: those beyond the share of the queue are refused, and nothing is left. */
    struct aegis_frame_out out[AEGIS_SEND_MAX];
    for (size_t i = 0; i < AEGIS_SEND_MAX; i++)
        out[i] = (struct aegis_frame_out){.address = memory, .length = 60};
    for (int i = 0; i < 20; i++)
        CHECK(net_send(&a, out, AEGIS_SEND_MAX) > 0);
    let_the_queue_drain();
    let_the_queue_drain();
    uint64_t settled = status_of(handler).runs;
    let_the_queue_drain();
    CHECK_EQ(status_of(handler).runs, settled);
    CHECK_OK(aegis_handler_unload(handler));
    net_close(&a);
}

int main(void)
{
    memory = vm_alloc(2, VM_READ_WRITE);
    CHECK(memory);
    make_filters();
    frames_arrive_whole_when_the_call_returns();
    who_sends_is_held_to_its_filter_and_its_memory();
    nobodys_frames_and_full_rings_are_counted();
    batches_arrive_in_order();
    a_tap_sees_each_frame_once();
    a_handler_answers_on_the_loop();
    handlers_that_answer_each_other_come_to_an_end();
    return 0;
}
