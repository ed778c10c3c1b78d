/*
 * Frames: what may be bound, what may be sent, and what arrives. QEMU's user networking answers ARP
 * at 10.0.2.2, which gives real frames to receive.
 */
#include <string.h>

#include "filter.h"
#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define SECOND 1000000000UL

static struct filter_image all, udp, sent_ipv4, sent_arp;

static uint32_t bind_ok(const struct filter_image *ingress, const struct filter_image *egress)
{
    int64_t b = filter_bind(ingress, egress);
    if (b < 0)
        FAIL("net_bind: %s", aegis_error_name(b));
    CHECK_EQ(aegis_binding((uint32_t)b)->owner, exos.env);
    return (uint32_t)b;
}

static void authority(void)
{
    struct aegis_net_binding good = {.parent = exos.start->caps[TEST_CAP_ROOT],
                                     .ingress = udp.words,
                                     .ingress_size = udp.size,
                                     .egress = sent_ipv4.words,
                                     .egress_size = sent_ipv4.size};
    struct aegis_net_binding r = good;
    r.parent.mac ^= 1;
    CHECK_ERROR(aegis_net_bind(&r), CAPABILITY);
    r = good;
    r.parent.name ^= 1UL << 40 << 3; /* another right: the MAC covers it */
    CHECK_ERROR(aegis_net_bind(&r), CAPABILITY);
    r = good;
    memset(&r.parent, 0, sizeof r.parent);
    CHECK_ERROR(aegis_net_bind(&r), CAPABILITY);
    r = good;
    r.parent.name = AEGIS_CAP_NAME(AEGIS_KIND_BINDING, AEGIS_RIGHT_DELEGATE, UINT32_MAX);
    CHECK_ERROR(aegis_net_bind(&r), CAPABILITY);
    /* Right authority over the binding, none over the environment that would get the frames. */
    r = good;
    r.owner.name = AEGIS_CAP_NAME(AEGIS_KIND_ENV, AEGIS_RIGHT_CONTROL, exos.parent);
    CHECK_ERROR(aegis_net_bind(&r), CAPABILITY);
    /* A capability of the right kind with another right. */
    r = good;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CALL, &r.owner));
    CHECK_ERROR(aegis_net_bind(&r), RIGHTS);
    uint32_t b = bind_ok(&udp, &sent_ipv4);
    r = good;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_BINDING, b, AEGIS_RIGHT_MONITOR, &r.parent));
    CHECK_ERROR(aegis_net_bind(&r), RIGHTS);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_BINDING, b, AEGIS_RIGHT_DELEGATE, &r.parent));
    CHECK_OK(aegis_net_unbind(b));
    CHECK_ERROR(aegis_net_bind(&r), CAPABILITY); /* stale */
    CHECK_ERROR(aegis_net_unbind(b), RANGE);
    CHECK_ERROR(aegis_net_unbind(UINT32_MAX - 1), RANGE);
    CHECK_ERROR(aegis_net_unbind(aegis_info()->netifs[0].root), OWNER);
}

static void malformed_filters(void)
{
    struct aegis_net_binding good = {.parent = exos.start->caps[TEST_CAP_ROOT],
                                     .ingress = udp.words,
                                     .ingress_size = udp.size,
                                     .egress = sent_ipv4.words,
                                     .egress_size = sent_ipv4.size};
    struct aegis_net_binding r;
    for (uint64_t size = 0; size < udp.size; size++) {
        r = good;
        r.ingress_size = size;
        CHECK_ERROR(aegis_net_bind(&r), FILTER);
        r = good;
        r.egress_size = size < sent_ipv4.size ? size : 0;
        CHECK_ERROR(aegis_net_bind(&r), FILTER);
    }
    r = good;
    r.ingress_size = AEGIS_FILTER_MAX + 1;
    CHECK_ERROR(aegis_net_bind(&r), RANGE);
    r.ingress_size = UINT64_MAX;
    CHECK_ERROR(aegis_net_bind(&r), RANGE);
    struct filter_image cycle = udp;
    struct dpf_node *nodes = (struct dpf_node *)((char *)cycle.words + sizeof(struct dpf_header));
    nodes[2].yes = 1;
    r = good;
    r.ingress = cycle.words;
    CHECK_ERROR(aegis_net_bind(&r), FILTER);
}

/* What a binding carries is for its owner, for who bound it, and for whom either trusts with it. */
static void monitoring(void)
{
    uint32_t root = aegis_info()->netifs[0].root;
    const struct aegis_cap *caps = exos.start->caps;
    struct aegis_cap cap = caps[TEST_CAP_MONITOR];
    struct aegis_counters counters;
    CHECK_OK(aegis_net_counters(root, &counters, &cap));
    CHECK_ERROR(aegis_net_counters(root, NULL, &cap), ADDRESS);
    CHECK_ERROR(aegis_net_counters(root, &counters, NULL), OWNER);
    CHECK_ERROR(aegis_net_counters(root, &counters, &caps[TEST_CAP_ROOT]), RIGHTS);
    cap.mac ^= 1;
    CHECK_ERROR(aegis_net_counters(root, &counters, &cap), CAPABILITY);
    uint32_t b = bind_ok(&udp, &sent_ipv4);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_BINDING, b, AEGIS_RIGHT_MONITOR, &cap));
    CHECK_ERROR(aegis_net_counters(root, &counters, &cap), CAPABILITY);
    CHECK_OK(aegis_net_unbind(b));
}

static void containment_and_overlap(void)
{
    struct filter_image other, inner;
    struct raw raw;
    /* Egress wider than the root's: frames with somebody else's source address. */
    CHECK_ERROR(filter_bind(&udp, &all), NOT_CONTAINED);
    CHECK_ERROR(filter_bind(&udp, &udp), NOT_CONTAINED);

    uint32_t b = bind_ok(&udp, &sent_ipv4);
    /* The same owner may nest, but not bind the same set twice. */
    CHECK_ERROR(filter_bind(&udp, &sent_ipv4), OVERLAP);
    const struct filter_field narrower[] = {{2, ETH_TYPE, 0xffff, ETH_TYPE_IPV4, ETH_TYPE_IPV4},
                                            {1, IPV4_FIRST, 0xff, 0x45, 0x45},
                                            {1, IPV4_PROTOCOL, 0xff, IPV4_UDP, IPV4_UDP},
                                            {4, IPV4_SOURCE, 0xffffffff, 0x0a000202, 0x0a000202},
                                            {2, 36, 0xffff, 4711, 4711}};
    filter_make(&inner, narrower, 5);
    uint32_t nested = bind_ok(&inner, &sent_ipv4);
    CHECK_OK(aegis_net_unbind(nested));

    /* Another owner: nothing that overlaps; something disjoint is fine. */
    raw_create(&raw, "spin", blob_spin, blob_spin_end);
    struct aegis_net_binding r = {.parent = exos.start->caps[TEST_CAP_ROOT],
                                  .ingress = udp.words,
                                  .ingress_size = udp.size,
                                  .egress = sent_arp.words,
                                  .egress_size = sent_arp.size};
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, raw.env, AEGIS_RIGHT_CONTROL, &r.owner));
    CHECK_ERROR(aegis_net_bind(&r), OVERLAP);
    r.ingress = inner.words;
    r.ingress_size = inner.size;
    CHECK_ERROR(aegis_net_bind(&r), OVERLAP);
    filter_udp_to(&other, 4712);
    r.ingress = other.words;
    r.ingress_size = other.size;
    uint64_t events = aegis_env(raw.env)->bindings;
    int64_t given = aegis_net_bind(&r);
    CHECK(given >= 0);
    CHECK_EQ(aegis_binding((uint32_t)given)->owner, raw.env);
    CHECK_EQ(aegis_binding((uint32_t)given)->binder, exos.env);
    CHECK_EQ(aegis_env(raw.env)->bindings, events + 1);
    /* It is the owner's: no sending, no ring for who bound it; but it may be undone and counted. */
    struct aegis_counters counters;
    struct aegis_frame_out out = {.address = &r, .length = 60};
    CHECK_ERROR(aegis_net_send((uint32_t)given, &out, 1), OWNER);
    CHECK_ERROR(aegis_net_ring((uint32_t)given, NULL, 2), OWNER);
    CHECK_OK(aegis_net_counters((uint32_t)given, &counters, NULL));
    CHECK_ERROR(aegis_net_counters(aegis_info()->netifs[0].root, &counters, NULL), OWNER);
    CHECK_ERROR(aegis_net_counters(UINT32_MAX, &counters, NULL), RANGE);
    /* Its owner's end undoes it. */
    raw_start(&raw, 0);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    CHECK_EQ(aegis_binding((uint32_t)given)->owner, 0);
    CHECK_OK(aegis_net_unbind(b));
}

static uint8_t own_mac[6];

/* Asks who has 10.0.2.2, from this interface. */
static void make_arp_request(uint8_t *frame)
{
    static const uint8_t kind[] = {0, 1, 8, 0, 6, 4, 0, ARP_REQUEST};
    memset(frame, 0, 60);
    memset(frame + ETH_DESTINATION, 0xff, 6);
    memcpy(frame + ETH_SOURCE, own_mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_ARP);
    memcpy(frame + ARP_HARDWARE, kind, sizeof kind);
    memcpy(frame + ARP_SENDER, own_mac, 6);
    net_put32(frame + ARP_SENDER + 6, 0x0a00020f);
    net_put32(frame + ARP_TARGET + 6, 0x0a000202);
}

static void open_arp(struct net *net, uint64_t slots)
{
    const struct filter_field is_arp = {2, ETH_TYPE, 0xffff, ETH_TYPE_ARP, ETH_TYPE_ARP};
    struct filter_image arp;
    filter_make(&arp, &is_arp, 1);
    bind_ok(&arp, &sent_arp);
    CHECK_EQ(net_open_next(net, slots), 1);
    CHECK_EQ(net_open_next(net, slots), 0);
}

static void sending_and_receiving(void)
{
    struct net net;
    uint8_t request[60];
    struct aegis_frame_out out = {.address = request, .length = sizeof request};
    struct aegis_counters counters;

    open_arp(&net, 8);
    CHECK_ERROR(aegis_net_ring(net.binding, net.ring, 8), IN_USE);
    CHECK_EQ(aegis_page((uint64_t)vm_page_at(net.ring))->state, AEGIS_PAGE_RING);
    CHECK_ERROR(vm_free(net.ring), PINNED);
    make_arp_request(request);
    for (unsigned i = 0; i < 50; i++) {
        CHECK_EQ(net_send(&net, &out, 1), 1);
        struct aegis_predicate arrived = net_readable(&net);
        CHECK_EQ(aegis_wait(&arrived, 1, time_after(10 * SECOND)), 0);
        struct aegis_slot_header *slot = net_next(&net);
        CHECK(slot && slot->length >= ARP_END && slot->binding == net.binding && slot->flags == 0);
        CHECK(slot->time <= time_now());
        const uint8_t *frame = net_frame(slot);
        CHECK_EQ(net_get16(frame + ARP_OPERATION), ARP_REPLY);
        CHECK_EQ(net_get32(frame + ARP_SENDER + 6), 0x0a000202);
        CHECK(!memcmp(frame + ETH_DESTINATION, own_mac, 6));
        net_release(&net);
        CHECK(!net_next(&net));
    }
    CHECK_OK(aegis_net_counters(net.binding, &counters, NULL));
    CHECK_EQ(counters.received, 50);
    CHECK_EQ(counters.sent, 50);
    CHECK_EQ(counters.dropped, 0);
    net_close(&net);
}

static void egress_is_checked(void)
{
    struct net net;
    uint8_t frames[3][60];
    struct aegis_frame_out out[3];
    struct aegis_counters counters;

    open_arp(&net, 2);
    for (int i = 0; i < 3; i++) {
        make_arp_request(frames[i]);
        out[i] = (struct aegis_frame_out){.address = frames[i], .length = 60};
    }
    frames[1][ETH_SOURCE] ^= 2; /* somebody else's address */
    CHECK_EQ(net_send(&net, out, 3), 1);
    CHECK_ERROR(net_send(&net, out + 1, 2), EGRESS);
    net_put16(frames[1] + ETH_TYPE, ETH_TYPE_IPV4);
    memcpy(frames[1] + ETH_SOURCE, own_mac, 6);
    CHECK_ERROR(net_send(&net, out + 1, 1), EGRESS);
    static const uint64_t lengths[] = {0, 13, AEGIS_FRAME_MAX + 1, UINT64_MAX};
    for (int i = 0; i < 4; i++) {
        out[0].length = lengths[i];
        CHECK_ERROR(net_send(&net, out, 1), RANGE);
    }
    /* The answer to the one that went out belongs to this binding, not to the next one for ARP. */
    struct aegis_predicate arrived = net_readable(&net);
    CHECK_EQ(aegis_wait(&arrived, 1, time_after(10 * SECOND)), 0);
    CHECK_OK(aegis_net_counters(net.binding, &counters, NULL));
    CHECK_EQ(counters.refused, 2 + 1); /* one ended the batch */
    CHECK_EQ(counters.sent, 1);
    net_close(&net);
}

static void full_ring_drops_and_counts(void)
{
    struct net net;
    uint8_t request[60];
    struct aegis_frame_out out = {.address = request, .length = sizeof request};
    struct aegis_counters counters = {0};

    open_arp(&net, 2);
    make_arp_request(request);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(net_send(&net, &out, 1), 1);
    uint64_t limit = time_after(10 * SECOND);
    while (counters.received < 10 && time_now() < limit) {
        aegis_wait(NULL, 0, time_after(SECOND / 100));
        CHECK_OK(aegis_net_counters(net.binding, &counters, NULL));
    }
    CHECK_EQ(counters.received, 10);
    CHECK_EQ(counters.dropped, 8);
    CHECK_EQ(net.ring->dropped, 8);
    CHECK_EQ(net.ring->head, 2);
    /* A tail that makes no sense harms only its owner. */
    net.ring->tail = 12345;
    CHECK_EQ(net_send(&net, &out, 1), 1);
    aegis_wait(NULL, 0, time_after(SECOND / 10));
    net.ring->tail = net.ring->head;
    net.tail = net.ring->head;
    CHECK_EQ(net_send(&net, &out, 1), 1);
    struct aegis_predicate arrived = net_readable(&net);
    CHECK_EQ(aegis_wait(&arrived, 1, time_after(10 * SECOND)), 0);
    net_close(&net);
}

/* Long frames: the device reads this program's pages, which stay pinned so long, also when they are
 * given up. */
static void payload_stays_pinned(void)
{
    struct net net;
    open_arp(&net, 2);
    for (int i = 0; i < 40; i++) {
        uint8_t *memory = vm_alloc(2, VM_READ_WRITE);
        uint64_t ppn = (uint64_t)vm_page_at(memory);
        uint8_t *frame = memory + AEGIS_PAGE_SIZE - 700; /* across two pages */
        make_arp_request(frame);
        struct aegis_frame_out out = {.address = frame, .length = AEGIS_FRAME_MAX};
        CHECK_EQ(net_send(&net, &out, 1), 1);
        CHECK_OK(aegis_unmap(0, (uint64_t)memory, 1));
        int64_t freed = aegis_page_free(ppn);
        if (freed < 0) {
            CHECK_ERROR(freed, PINNED);
            struct aegis_predicate gone = {.word = (const volatile uint64_t *)aegis_page(ppn),
                                           .mask = 0xffffUL << 48,
                                           .value = 0,
                                           .op = AEGIS_WAKE_EQ};
            CHECK_EQ(aegis_wait(&gone, 1, time_after(10 * SECOND)), 0);
            CHECK_OK(aegis_page_free(ppn));
        }
        /* The region has a hole now: fill it for vm_free. */
        int64_t again = aegis_page_alloc(ppn);
        CHECK_EQ(again, ppn);
        CHECK_OK(vm_map(0, (uint64_t)memory, ppn, VM_READ_WRITE, NULL));
        uint64_t limit = time_after(10 * SECOND);
        while (aegis_page((uint64_t)vm_page_at(memory + AEGIS_PAGE_SIZE))->pins &&
               time_now() < limit)
            aegis_yield(0);
        CHECK_OK(vm_free(memory));
    }
    for (int i = 0; i < 100; i++) {
        static uint8_t frame[AEGIS_FRAME_MAX];
        make_arp_request(frame);
        CHECK_EQ(net_send_copy(&net, frame, sizeof frame, time_after(10 * SECOND)), 1);
    }
    net_close(&net);
}

/* A page may be a ring's and the repossession vector: both are its owner's affair. */
static void ring_where_the_kernel_writes_more(void)
{
    uint32_t binding = bind_ok(&udp, &sent_arp);
    struct aegis_ring *ring = vm_alloc(2, VM_READ_WRITE);
    CHECK_OK(aegis_repossession_bind((struct aegis_repossession *)ring));
    CHECK_OK(aegis_net_ring(binding, ring, 2));
    for (int i = 0; i < 200; i++) /* a checked kernel looks */
        aegis_null();
    CHECK_OK(aegis_net_unbind(binding));
    CHECK_EQ(aegis_page((uint64_t)vm_page_at(ring))->state, AEGIS_PAGE_DATA);
    CHECK_OK(aegis_repossession_bind(NULL));
    CHECK_OK(vm_free(ring));
}

int main(void)
{
    CHECK(aegis_info()->netif_count > 0); /* the machine needs -netdev user for this */
    for (int i = 0; i < 6; i++)
        own_mac[i] = aegis_info()->netifs[0].mac[i];
    filter_make(&all, NULL, 0);
    filter_udp_to(&udp, 4711);
    filter_sent_type(&sent_ipv4, 0, ETH_TYPE_IPV4);
    filter_sent_type(&sent_arp, 0, ETH_TYPE_ARP);
    authority();
    monitoring();
    malformed_filters();
    containment_and_overlap();
    ring_where_the_kernel_writes_more();
    sending_and_receiving();
    egress_is_checked();
    full_ring_drops_and_counts();
    payload_stays_pinned();
    return 0;
}
