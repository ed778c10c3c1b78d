/* Who shares a binding gets copies of what it receives, and ends with it. QEMU's user networking
 * answers ARP requests for 10.0.2.2. */
#include <string.h>

#include "filter.h"
#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/time/time.h"
#include "test.h"

#define SECOND 1000000000UL

static struct filter_image arp, replies, requests, sent;

static void make_filters(void)
{
    const struct filter_field fields[] = {{2, ETH_TYPE, 0xffff, ETH_TYPE_ARP, ETH_TYPE_ARP},
                                          {2, ARP_OPERATION, 0xffff, ARP_REPLY, ARP_REPLY}};
    const struct filter_field request = {2, ARP_OPERATION, 0xffff, ARP_REQUEST, ARP_REQUEST};
    const struct filter_field asks[] = {fields[0], request};

    filter_make(&arp, fields, 1);
    filter_make(&replies, fields, 2);
    filter_make(&requests, asks, 2);
    filter_sent_type(&sent, 0, ETH_TYPE_ARP);
}

/* A capability for a binding, and net_bind of a sharer by it. */
static int64_t share(uint32_t binding, uint32_t right, const struct filter_image *in)
{
    struct aegis_net_binding request = {
        .ingress = in->words, .ingress_size = in->size, .flags = AEGIS_BIND_SHARE};

    CHECK_OK(aegis_cap_mint(AEGIS_KIND_BINDING, binding, right, &request.parent));
    return net_bind(&request);
}

static uint32_t shared(uint32_t binding, const struct filter_image *in)
{
    int64_t sharer = share(binding, AEGIS_RIGHT_SHARE, in);

    if (sharer < 0)
        FAIL("net_bind, sharer: %s", aegis_error_name(sharer));
    return (uint32_t)sharer;
}

static uint32_t bind_arp(void)
{
    int64_t binding = filter_bind(&arp, &sent);

    if (binding < 0)
        FAIL("net_bind: %s", aegis_error_name(binding));
    return (uint32_t)binding;
}

static void ask(uint32_t binding)
{
    static const uint8_t kind[] = {0, 1, 8, 0, 6, 4, 0, ARP_REQUEST};
    static uint8_t frame[60];
    const struct aegis_frame_out out = {.address = frame, .length = sizeof frame};

    memset(frame + ETH_DESTINATION, 0xff, 6);
    for (int i = 0; i < 6; i++)
        frame[ETH_SOURCE + i] = frame[ARP_SENDER + i] = aegis_info()->netifs[0].mac[i];
    net_put16(frame + ETH_TYPE, ETH_TYPE_ARP);
    memcpy(frame + ARP_HARDWARE, kind, sizeof kind);
    net_put32(frame + ARP_SENDER + 6, 0x0a00020f);
    net_put32(frame + ARP_TARGET + 6, 0x0a000202);
    CHECK_EQ(aegis_net_send(binding, &out, 1), 1);
}

static void check_reply(struct net *net)
{
    struct aegis_predicate arrived = net_readable(net);

    CHECK_EQ(aegis_wait(&arrived, 1, time_after(10 * SECOND)), 0);
    struct aegis_slot_header *slot = net_next(net);
    CHECK(slot && slot->flags == 0 && slot->binding == net->binding);
    CHECK_EQ(net_get16(net_frame(slot) + ARP_OPERATION), ARP_REPLY);
    net_release(net);
    CHECK(!net_next(net));
}

static void what_is_received_is_copied_and_what_is_sent_is_not(void)
{
    struct net nets[4];
    uint32_t binding = bind_arp();
    const uint32_t numbers[] = {binding, shared(binding, &arp), shared(binding, &replies),
                                shared(binding, &requests)};

    for (int i = 0; i < 4; i++)
        CHECK_OK(net_open(&nets[i], numbers[i], 4));
    ask(binding);
    for (int i = 0; i < 3; i++)
        check_reply(&nets[i]);
    CHECK(!net_next(&nets[3]));
    for (int i = 3; i >= 0; i--)
        net_close(&nets[i]);
}

static void sharing_needs_the_right_and_a_filter_inside(void)
{
    struct filter_image all;
    uint32_t binding = bind_arp();

    filter_make(&all, NULL, 0);
    CHECK_ERROR(share(binding, AEGIS_RIGHT_DELEGATE, &arp), RIGHTS);
    CHECK_ERROR(share(binding, AEGIS_RIGHT_TAP, &arp), RIGHTS);
    CHECK_ERROR(share(binding, AEGIS_RIGHT_SHARE, &all), NOT_CONTAINED);
    uint32_t sharer = shared(binding, &arp);
    CHECK_ERROR(share(sharer, AEGIS_RIGHT_SHARE, &arp), INVALID); /* copies of copies */
    CHECK_OK(aegis_net_unbind(sharer));
    CHECK_OK(aegis_net_unbind(binding));
}

static void who_shares_ends_with_the_binding(void)
{
    uint32_t binding = bind_arp(), first = shared(binding, &arp), second = shared(binding, &arp);

    CHECK_OK(aegis_net_unbind(binding));
    CHECK(!aegis_binding(binding)->owner);
    CHECK(!aegis_binding(first)->owner && !aegis_binding(second)->owner);
}

static void severing_ends_who_shares_and_leaves_the_binding(void)
{
    struct net net;
    uint32_t binding = bind_arp(), sharer = shared(binding, &arp);

    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_BINDING, binding, AEGIS_REVOKE_SEVER));
    CHECK(!aegis_binding(sharer)->owner && aegis_binding(binding)->owner);
    CHECK_OK(net_open(&net, binding, 4));
    ask(binding);
    check_reply(&net);
    net_close(&net);
}

int main(void)
{
    make_filters();
    what_is_received_is_copied_and_what_is_sent_is_not();
    sharing_needs_the_right_and_a_filter_inside();
    who_shares_ends_with_the_binding();
    severing_ends_who_shares_and_leaves_the_binding();
    return 0;
}
