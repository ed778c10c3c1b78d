/* What a tap shows of the frames that are sent: no more than its parent could have sent itself. */
#include <string.h>

#include "filter.h"
#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "test.h"

/* EtherTypes for local experiments (IEEE 802): nobody answers them. */
#define TYPE_A 0x88b5
#define TYPE_B 0x88b6

static struct filter_image in_a, in_b, out_a, out_b;

static void make_filters(void)
{
    const struct filter_field a = {2, ETH_TYPE, 0xffff, TYPE_A, TYPE_A};
    const struct filter_field b = {2, ETH_TYPE, 0xffff, TYPE_B, TYPE_B};
    filter_make(&in_a, &a, 1);
    filter_make(&in_b, &b, 1);
    filter_sent_type(&out_a, 0, TYPE_A);
    filter_sent_type(&out_b, 0, TYPE_B);
}

static uint32_t bind(const struct filter_image *in, const struct filter_image *out)
{
    int64_t binding = filter_bind(in, out);
    if (binding < 0)
        FAIL("net_bind: %s", aegis_error_name(binding));
    return (uint32_t)binding;
}

/* Sends a frame of an EtherType; the result. */
static int64_t send(uint32_t binding, uint16_t type)
{
    static uint8_t frame[60];
    const struct aegis_frame_out out = {.address = frame, .length = sizeof frame};
    memset(frame, 0xff, 6);
    for (int i = 0; i < 6; i++)
        frame[ETH_SOURCE + i] = aegis_info()->netifs[0].mac[i];
    net_put16(frame + ETH_TYPE, type);
    return aegis_net_send(binding, &out, 1);
}

/* A tap of what the parent takes, with its ring open. */
static void open_tap(uint32_t parent, struct net nets[3])
{
    struct aegis_net_binding request = {
        .ingress = in_a.words, .ingress_size = in_a.size, .flags = AEGIS_BIND_TAP};
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_BINDING, parent, AEGIS_RIGHT_TAP, &request.parent));
    int64_t tap = aegis_net_bind(&request);
    if (tap < 0)
        FAIL("net_bind, tap: %s", aegis_error_name(tap));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(net_open_next(&nets[i], 4), 1);
    for (int i = 0; i < 3; i++)
        if (nets[i].binding == tap) {
            struct net last = nets[2];
            nets[2] = nets[i];
            nets[i] = last;
        }
    CHECK_EQ(nets[2].binding, tap);
}

static void close_all(struct net nets[3])
{
    for (int i = 2; i >= 0; i--)
        net_close(&nets[i]);
}

/* What others send is theirs: the parent may receive such frames, and may not send them. */
static void frames_beyond_the_parents_egress_are_not_shown(void)
{
    struct net nets[3];
    uint32_t parent = bind(&in_a, &out_b), other = bind(&in_b, &out_a);
    open_tap(parent, nets);
    CHECK_EQ(send(other, TYPE_A), 1);
    CHECK(!net_next(&nets[2]));
    close_all(nets);
}

static void frames_that_the_parent_could_send_are_shown(void)
{
    struct net nets[3];
    uint32_t parent = bind(&in_a, &out_a), other = bind(&in_b, &out_b);
    open_tap(parent, nets);
    CHECK_EQ(send(parent, TYPE_A), 1);
    struct aegis_slot_header *slot = net_next(&nets[2]);
    CHECK(slot && slot->length == 60 && slot->flags == AEGIS_FRAME_SENT);
    CHECK_EQ(net_get16(net_frame(slot) + ETH_TYPE), TYPE_A);
    net_release(&nets[2]);
    /* what the tap's own filter doesn't take, and what the egress check refused */
    CHECK_EQ(send(other, TYPE_B), 1);
    CHECK_ERROR(send(other, TYPE_A), EGRESS);
    CHECK_ERROR(send(nets[2].binding, TYPE_A), EGRESS); /* a tap sends nothing */
    CHECK(!net_next(&nets[2]));
    CHECK(!net_next(&nets[0]) && !net_next(&nets[1]));
    close_all(nets);
}

int main(void)
{
    make_filters();
    frames_beyond_the_parents_egress_are_not_shown();
    frames_that_the_parent_could_send_are_shown();
    return 0;
}
