/* Attacks on frames: filters that take too much, pages and headers that change while a device has
 * them. */
#include <stdio.h>
#include <string.h>

#include "attack.h"
#include "libos/net/headers.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define PORT   4714
#define SECOND 1000000000UL
#define LONG   1000 /* bytes of a frame: its end lies in the sender's page */

static uint32_t bind(uint32_t netif, enum attack_cap parent)
{
    struct filter_image in, out;
    filter_udp_to(&in, PORT);
    filter_sent_udp(&out, netif, PORT);
    const struct aegis_net_binding r = {.parent = exos.start->caps[parent],
                                        .ingress = in.words,
                                        .ingress_size = in.size,
                                        .egress = out.words,
                                        .egress_size = out.size};
    int64_t binding = aegis_net_bind(&r);
    if (binding < 0)
        FAIL("net_bind: %s", aegis_error_name(binding));
    return (uint32_t)binding;
}

static void put_frame(uint8_t *frame, uint32_t netif)
{
    memset(frame, 0x77, LONG);
    for (int i = 0; i < 6; i++)
        frame[ETH_SOURCE + i] = aegis_info()->netifs[netif].mac[i];
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    frame[IPV4_PROTOCOL] = IPV4_UDP;
    net_put16(frame + ETH_SIZE + IPV4_LEAST + UDP_SOURCE, PORT);
}

/* All frames there are: the victim's are among them. */
int64_t match_all_grabbed(void)
{
    struct filter_image in, out;
    filter_make(&in, NULL, 0);
    filter_sent_udp(&out, 0, PORT);
    return filter_bind(&in, &out);
}

/* Copies of everything, by one who may only bind. */
int64_t tap_without_the_right(void)
{
    struct filter_image in;
    filter_make(&in, NULL, 0);
    const struct aegis_net_binding r = {.parent = exos.start->caps[ATTACK_CAP_ROOT],
                                        .ingress = in.words,
                                        .ingress_size = in.size,
                                        .flags = AEGIS_BIND_TAP};
    return aegis_net_bind(&r);
}

static int64_t share_all(const struct aegis_cap *cap)
{
    struct filter_image in;
    filter_make(&in, NULL, 0);
    const struct aegis_net_binding r = {
        .parent = *cap, .ingress = in.words, .ingress_size = in.size, .flags = AEGIS_BIND_SHARE};
    return aegis_net_bind(&r);
}

int64_t share_without_the_right(void)
{
    CHECK_ERROR(share_all(&exos.start->caps[ATTACK_CAP_ROOT]), RIGHTS);
    return share_all(&exos.start->caps[ATTACK_CAP_TAP]);
}

int64_t share_of_more(void)
{
    struct aegis_cap cap;
    uint32_t binding = bind(0, ATTACK_CAP_ROOT);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_BINDING, binding, AEGIS_RIGHT_SHARE, &cap));
    int64_t result = share_all(&cap);
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

/* Frames that nobody asked for, as fast as they go. */
int64_t flood_of_frames(void)
{
    static uint8_t frame[LONG];
    struct aegis_frame_out many[AEGIS_SEND_MAX];
    uint32_t binding = bind(0, ATTACK_CAP_ROOT);
    put_frame(frame, 0);
    for (int i = 0; i < AEGIS_SEND_MAX; i++)
        many[i] = (struct aegis_frame_out){.address = frame, .length = AEGIS_HEADER_COPY};
    for (int i = 0; i < 20; i++) {
        int64_t sent = aegis_net_send(binding, many, AEGIS_SEND_MAX);
        CHECK(sent > 0 || sent == -AEGIS_E_FULL);
    }
    CHECK_OK(aegis_net_unbind(binding));
    return 0;
}

/*
 * Sends from FREE_VA on the interface whose other end takes nothing yet; the page, which stays
 * pinned. Before the device has read them the headers are made another's: the host sees whether it
 * mattered.
 */
static uint64_t send_stuck(uint32_t binding)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    uint8_t *frame = (uint8_t *)FREE_VA;
    const struct aegis_frame_out out = {.address = frame, .length = LONG};
    put_frame(frame, 2);
    for (int i = 0; i < 3; i++)
        aegis_net_send(binding, &out, 1);
    memset(frame, 0xee, AEGIS_HEADER_COPY);
    return page;
}

int64_t page_freed_while_the_device_reads(void)
{
    uint32_t binding = bind(2, ATTACK_CAP_STUCK);
    static uint8_t frame[LONG];
    const struct aegis_frame_out out = {.address = frame, .length = AEGIS_HEADER_COPY};
    put_frame(frame, 2);
    for (int i = 0; i < 4000 && aegis_net_send(binding, &out, 1) > 0; i++)
        ;
    printf("DRAIN\n"); /* the host reads from now on: FULL ends */
    uint64_t limit = time_after(10 * SECOND);
    while (aegis_net_send(binding, &out, 1) < 0 && time_now() < limit)
        aegis_wait(NULL, 0, time_after(SECOND / 1000));
    uint64_t page = send_stuck(binding);
    int64_t result;
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    while ((result = aegis_page_free(page)) < 0 && time_now() < limit) {
        CHECK_ERROR(result, PINNED);
        aegis_wait(NULL, 0, time_after(SECOND / 1000));
    }
    CHECK_OK(result);
    CHECK_OK(aegis_net_unbind(binding));
    return 0;
}

/* It ends with frames under way: its pages go when the device is done, and not before. */
int64_t end_while_the_device_reads(void)
{
    send_stuck(bind(2, ATTACK_CAP_STUCK));
    aegis_env_end(0, 0);
    return 0;
}
