/* The filters of ports: which frames they take, and that a program's lie inside netd's. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "libos/net/filter.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"

#define ADDRESS 0x0a00020f
#define OTHER   0x0a000202

static const struct net_port_range udp_4000 = {.protocol = IPV4_UDP,
                                               .mac = {2, 0, 0, 0xaa, 0xbb, 0xcc},
                                               .address = ADDRESS,
                                               .low = 4000,
                                               .high = 4000};
static const struct net_port_range udp_many = {.protocol = IPV4_UDP,
                                               .mac = {2, 0, 0, 0xaa, 0xbb, 0xcc},
                                               .address = ADDRESS,
                                               .low = 3990,
                                               .high = 4010};

struct filters {
    struct net_filter received_image, sent_image;
    struct dpf_filter received, sent;
};

static void make(struct filters *f, const struct net_port_range *ports)
{
    net_filter_received(&f->received_image, ports);
    net_filter_sent(&f->sent_image, ports);
    assert_int_equal(dpf_verify(f->received_image.words, f->received_image.size, &f->received), 0);
    assert_int_equal(dpf_verify(f->sent_image.words, f->sent_image.size, &f->sent), 0);
}

/* A datagram, with `options` words between the IPv4 header and UDP's. */
static size_t datagram(uint8_t frame[128], bool is_sent, unsigned options)
{
    size_t udp = ETH_SIZE + IPV4_LEAST + options * 4;
    memset(frame, 0, 128);
    memcpy(frame + (is_sent ? ETH_SOURCE : ETH_DESTINATION), udp_4000.mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = (uint8_t)(0x45 + options);
    frame[IPV4_PROTOCOL] = IPV4_UDP;
    net_put32(frame + IPV4_SOURCE, is_sent ? ADDRESS : OTHER);
    net_put32(frame + IPV4_DESTINATION, is_sent ? OTHER : ADDRESS);
    net_put16(frame + udp + (is_sent ? UDP_SOURCE : UDP_DESTINATION), 4000);
    net_put16(frame + udp + (is_sent ? UDP_DESTINATION : UDP_SOURCE), 9);
    return udp + UDP_SIZE;
}

static bool takes(const struct dpf_filter *filter, const uint8_t *frame, size_t size)
{
    return dpf_match(filter, frame, size, size);
}

static void a_ports_datagrams_are_taken_whatever_the_options(void **state)
{
    (void)state;
    struct filters f;
    uint8_t frame[128];
    make(&f, &udp_4000);
    for (unsigned options = 0; options <= 10; options++) {
        size_t size = datagram(frame, false, options);
        assert_true(takes(&f.received, frame, size));
        assert_false(takes(&f.sent, frame, size));
        size = datagram(frame, true, options);
        assert_true(takes(&f.sent, frame, size));
        assert_false(takes(&f.received, frame, size));
    }
}

/* One byte changed at each of these places makes it another's. */
static void what_is_anybody_elses_is_not_taken(void **state)
{
    (void)state;
    static const struct {
        bool is_sent;
        size_t at;
    } rows[] = {
        {false, ETH_TYPE},
        {false, ETH_TYPE + 1},
        {false, IPV4_PROTOCOL},
        {false, IPV4_DESTINATION},
        {false, IPV4_DESTINATION + 3},
        {false, IPV4_FRAGMENT + 1},
        {false, 34 + UDP_DESTINATION},
        {false, 34 + UDP_DESTINATION + 1},
        {true, ETH_SOURCE},
        {true, ETH_SOURCE + 5},
        {true, IPV4_SOURCE},
        {true, IPV4_SOURCE + 3},
        {true, IPV4_PROTOCOL},
        {true, IPV4_FRAGMENT},
        {true, 34 + UDP_SOURCE},
        {true, 34 + UDP_SOURCE + 1},
    };
    struct filters f;
    uint8_t frame[128];
    make(&f, &udp_4000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = datagram(frame, rows[i].is_sent, 0);
        const struct dpf_filter *filter = rows[i].is_sent ? &f.sent : &f.received;
        assert_true(takes(filter, frame, size));
        frame[rows[i].at] ^= 0x11;
        assert_false(takes(filter, frame, size));
        frame[rows[i].at] ^= 0x11;
        assert_false(takes(filter, frame, size - UDP_SIZE)); /* no ports there to be read */
    }
}

/* Don't-fragment is no fragment; "more fragments" and any offset are. */
static void fragments_are_nobodys(void **state)
{
    (void)state;
    static const uint16_t whole[] = {0, 0x4000, 0x8000}, parts[] = {0x2000, 1, 0x1fff, 0x6001};
    struct filters f;
    uint8_t frame[128];
    make(&f, &udp_4000);
    size_t size = datagram(frame, false, 0);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        net_put16(frame + IPV4_FRAGMENT, whole[i]);
        assert_true(takes(&f.received, frame, size));
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        net_put16(frame + IPV4_FRAGMENT, parts[i]);
        assert_false(takes(&f.received, frame, size));
    }
}

/* What the kernel asks when an application binds inside netd's binding, and netd beside another. */
/* Of ICMP: requests go out, replies come in, with the identifier. */
static void echoes_are_told_apart_by_identifier(void **state)
{
    (void)state;
    struct net_port_range echo = udp_4000;
    struct filters f;
    uint8_t frame[128];
    echo.protocol = IPV4_ICMP;
    make(&f, &echo);
    for (unsigned options = 0; options <= 10; options += 5)
        for (int type = 0; type < 256; type++)
            for (uint16_t id = 3999; id <= 4001; id++) {
                size_t icmp = datagram(frame, false, options) - UDP_SIZE;
                frame[IPV4_PROTOCOL] = IPV4_ICMP;
                memset(frame + icmp, 0, 8);
                frame[icmp] = (uint8_t)type;
                net_put16(frame + icmp + 4, id);
                assert_int_equal(takes(&f.received, frame, icmp + 8), type == 0 && id == 4000);
                frame[icmp + 1] = 1; /* code */
                assert_false(takes(&f.received, frame, icmp + 8));
                datagram(frame, true, options);
                frame[IPV4_PROTOCOL] = IPV4_ICMP;
                memset(frame + icmp, 0, 8);
                frame[icmp] = (uint8_t)type;
                net_put16(frame + icmp + 4, id);
                assert_int_equal(takes(&f.sent, frame, icmp + 8), type == 8 && id == 4000);
            }
}

/* Of a port that several programs have, one connection's. */
static void one_peers_frames_are_told_apart(void **state)
{
    (void)state;
    static uint64_t scratch[DPF_SCRATCH_SIZE / 8];
    struct net_port_range narrow = udp_4000, both = udp_4000;
    struct filters f, whole, other;
    uint8_t frame[128];
    narrow.peer = net_ipv6_mapped(NET_WIRE32(OTHER));
    narrow.peer_port = 9;
    both.family = NET_BOTH;
    make(&f, &narrow);
    make(&whole, &both);
    for (int is_sent = 0; is_sent < 2; is_sent++) {
        const struct dpf_filter *filter = is_sent ? &f.sent : &f.received;
        for (unsigned options = 0; options <= 10; options += 5) {
            size_t size = datagram(frame, is_sent, options), udp = size - UDP_SIZE;
            assert_true(takes(filter, frame, size));
            net_put16(frame + udp + (is_sent ? UDP_DESTINATION : UDP_SOURCE), 10);
            assert_false(takes(filter, frame, size));
            datagram(frame, is_sent, options);
            net_put32(frame + (is_sent ? IPV4_DESTINATION : IPV4_SOURCE), OTHER + 1);
            assert_false(takes(filter, frame, size));
        }
    }
    narrow.peer_port = 10;
    make(&other, &narrow);
    assert_int_equal(dpf_contains(&whole.received, &f.received, 1000, scratch), DPF_YES);
    assert_int_equal(dpf_contains(&whole.sent, &f.sent, 1000, scratch), DPF_YES);
    assert_int_equal(dpf_contains(&f.sent, &whole.sent, 1000, scratch), DPF_NO);
    assert_int_equal(dpf_overlaps(&f.received, &other.received, 1000, scratch), DPF_NO);
    assert_int_equal(dpf_overlaps(&f.sent, &other.sent, 1000, scratch), DPF_NO);
}

static void the_kernel_can_compare_them(void **state)
{
    (void)state;
    static uint64_t scratch[DPF_SCRATCH_SIZE / 8], root_image[64];
    struct net_port_range next = udp_4000, tcp = udp_4000;
    struct filters one, again, many, other, stream;
    struct dpf_filter root;
    next.low = next.high = 4001;
    tcp.protocol = IPV4_TCP;
    make(&one, &udp_4000);
    make(&again, &udp_4000);
    make(&many, &udp_many);
    make(&other, &next);
    make(&stream, &tcp);
    int size = dpf_make_source_mac(root_image, sizeof root_image, udp_4000.mac);
    assert_int_equal(dpf_verify(root_image, (size_t)size, &root), 0);
    assert_int_equal(dpf_contains(&root, &one.sent, 1000, scratch), DPF_YES);
    assert_int_equal(dpf_contains(&one.received, &again.received, 1000, scratch), DPF_YES);
    assert_int_equal(dpf_contains(&many.sent, &one.sent, 1000, scratch), DPF_YES);
    assert_int_equal(dpf_contains(&one.received, &many.received, 1000, scratch), DPF_NO);
    assert_int_equal(dpf_overlaps(&one.received, &other.received, 1000, scratch), DPF_NO);
    assert_int_equal(dpf_overlaps(&one.received, &stream.received, 1000, scratch), DPF_NO);
    assert_int_equal(dpf_overlaps(&one.sent, &other.sent, 1000, scratch), DPF_NO);
}

/* Whatever side of 127.0.0.0/8 the machine's own address lies on, or within. */
static void the_loops_filters_take_local_addresses(void **state)
{
    (void)state;
    static const uint32_t owns[] = {0x0a00020f, 0x7f000001, 0x7effffff, 0x80000000, 0xc0a80102};
    static const uint32_t local[] = {0x7f000000, 0x7f000001, 0x7f010203, 0x7fffffff};
    static const uint32_t others[] = {0x7efffffe, 0x80000001, 0x0a000202, 0, 0xffffffff};
    for (size_t n = 0; n < sizeof owns / sizeof *owns; n++) {
        struct net_port_range ports = udp_4000;
        struct filters f;
        uint8_t in[128], out[128];
        ports.address = owns[n];
        ports.is_loop = true;
        make(&f, &ports);
        size_t size = datagram(in, false, 0);
        datagram(out, true, 0);
        for (size_t i = 0; i < 4 + 1 + 5; i++) {
            uint32_t address = i < 4 ? local[i] : i == 4 ? owns[n] : others[i - 5];
            net_put32(in + IPV4_DESTINATION, address);
            net_put32(out + IPV4_SOURCE, address);
            assert_int_equal(takes(&f.received, in, size), i < 5);
            assert_int_equal(takes(&f.sent, out, size), i < 5);
        }
    }
}

#define IDENTIFIER 0x005400fffe123456

/* A datagram of IPv6. */
static size_t datagram6(uint8_t frame[128], bool is_sent)
{
    size_t udp = ETH_SIZE + IPV6_SIZE;
    memset(frame, 0, 128);
    memcpy(frame + (is_sent ? ETH_SOURCE : ETH_DESTINATION), udp_4000.mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    frame[IPV6_NEXT] = IPV4_UDP;
    net_put32(frame + (is_sent ? IPV6_SOURCE : IPV6_DESTINATION) + 8, IDENTIFIER >> 32);
    net_put32(frame + (is_sent ? IPV6_SOURCE : IPV6_DESTINATION) + 12, (uint32_t)IDENTIFIER);
    net_put16(frame + udp + (is_sent ? UDP_SOURCE : UDP_DESTINATION), 4000);
    return udp + UDP_SIZE;
}

/* Each family's frames are taken by the filters for it, and by those for both. */
static void families_are_told_apart(void **state)
{
    (void)state;
    for (uint8_t family = NET_IPV4; family <= NET_BOTH; family++)
        for (int is_sent = 0; is_sent < 2; is_sent++) {
            struct net_port_range ports = udp_4000;
            struct filters f;
            uint8_t frame[128];
            ports.family = family;
            ports.identifier = IDENTIFIER;
            make(&f, &ports);
            const struct dpf_filter *filter = is_sent ? &f.sent : &f.received;
            size_t size = datagram(frame, is_sent, 2);
            assert_int_equal(takes(filter, frame, size), family != NET_IPV6);
            size = datagram6(frame, is_sent);
            assert_int_equal(takes(filter, frame, size), family != NET_IPV4);
            frame[IPV6_SOURCE] = frame[IPV6_DESTINATION] = 0x20; /* any prefix */
            assert_int_equal(takes(filter, frame, size), family != NET_IPV4);
        }
}

/* One byte changed at each of these places makes it another's. */
static void what_is_anybody_elses_in_ipv6_is_not_taken(void **state)
{
    (void)state;
    static const struct {
        bool is_sent;
        size_t at;
    } rows[] = {
        {false, ETH_TYPE + 1},
        {false, IPV6_NEXT},
        {false, IPV6_DESTINATION + 8},
        {false, IPV6_DESTINATION + 15},
        {false, ETH_SIZE + IPV6_SIZE + UDP_DESTINATION},
        {true, ETH_SOURCE},
        {true, ETH_SOURCE + 5},
        {true, IPV6_NEXT},
        {true, IPV6_SOURCE + 8},
        {true, IPV6_SOURCE + 15},
        {true, ETH_SIZE + IPV6_SIZE + UDP_SOURCE + 1},
    };
    struct net_port_range ports = udp_4000;
    struct filters f;
    uint8_t frame[128];
    ports.family = NET_BOTH;
    ports.identifier = IDENTIFIER;
    make(&f, &ports);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = datagram6(frame, rows[i].is_sent);
        const struct dpf_filter *filter = rows[i].is_sent ? &f.sent : &f.received;
        assert_true(takes(filter, frame, size));
        frame[rows[i].at] ^= 0x11;
        assert_false(takes(filter, frame, size));
    }
}

/* Of one peer in IPv6 each byte of its address counts, and IPv4 is none of it. */
static void one_peers_ipv6_frames_are_told_apart(void **state)
{
    (void)state;
    static uint64_t scratch[DPF_SCRATCH_SIZE / 8];
    struct net_port_range narrow = udp_4000, both = udp_4000;
    struct filters f, whole, other;
    uint8_t frame[128];
    both.family = NET_BOTH;
    both.identifier = narrow.identifier = IDENTIFIER;
    narrow.family = NET_IPV6;
    narrow.peer_port = 9;
    datagram6(frame, false);
    memcpy(&narrow.peer, frame + IPV6_SOURCE, sizeof narrow.peer);
    make(&f, &narrow);
    make(&whole, &both);
    for (int is_sent = 0; is_sent < 2; is_sent++) {
        const struct dpf_filter *filter = is_sent ? &f.sent : &f.received;
        size_t peer = is_sent ? IPV6_DESTINATION : IPV6_SOURCE;
        size_t port = ETH_SIZE + IPV6_SIZE + (is_sent ? UDP_DESTINATION : UDP_SOURCE);
        size_t size = datagram6(frame, is_sent);
        net_put16(frame + port, 9);
        assert_true(takes(filter, frame, size));
        for (size_t at = peer; at < peer + 16; at++) {
            frame[at] ^= 0x40;
            assert_false(takes(filter, frame, size));
            frame[at] ^= 0x40;
        }
        net_put16(frame + port, 10);
        assert_false(takes(filter, frame, size));
        assert_false(takes(filter, frame, datagram(frame, is_sent, 0)));
    }
    narrow.peer.words[0] ^= 1;
    make(&other, &narrow);
    assert_int_equal(dpf_contains(&whole.received, &f.received, 1000, scratch), DPF_YES);
    assert_int_equal(dpf_contains(&whole.sent, &f.sent, 1000, scratch), DPF_YES);
    assert_int_equal(dpf_contains(&f.sent, &whole.sent, 1000, scratch), DPF_NO);
    assert_int_equal(dpf_overlaps(&f.received, &other.received, 1000, scratch), DPF_NO);
    assert_int_equal(dpf_overlaps(&f.sent, &other.sent, 1000, scratch), DPF_NO);
}

static void the_kernel_can_compare_families(void **state)
{
    (void)state;
    static uint64_t scratch[DPF_SCRATCH_SIZE / 8];
    struct net_port_range four = udp_4000, six = udp_4000, both = udp_4000;
    struct filters f, s, b;
    six.family = NET_IPV6;
    both.family = NET_BOTH;
    six.identifier = both.identifier = IDENTIFIER;
    make(&f, &four);
    make(&s, &six);
    make(&b, &both);
    assert_int_equal(dpf_overlaps(&f.received, &s.received, 1000, scratch), DPF_NO);
    assert_int_equal(dpf_overlaps(&f.sent, &s.sent, 1000, scratch), DPF_NO);
    assert_int_equal(dpf_contains(&b.received, &f.received, 1000, scratch), DPF_YES);
    assert_int_equal(dpf_contains(&b.received, &s.received, 1000, scratch), DPF_YES);
    assert_int_equal(dpf_contains(&b.sent, &b.sent, 1000, scratch), DPF_YES);
    assert_int_equal(dpf_contains(&s.sent, &b.sent, 1000, scratch), DPF_NO);
}

static void the_loops_filters_take_the_ipv6_loopback(void **state)
{
    (void)state;
    static const uint64_t owns[] = {IDENTIFIER, 0, 1, 2, 3, UINT64_MAX};
    static const uint64_t others[] = {4, 77, UINT64_MAX - 1};
    for (size_t n = 0; n < sizeof owns / sizeof *owns; n++) {
        struct net_port_range ports = udp_4000;
        struct filters f;
        uint8_t frame[128];
        ports.family = NET_IPV6;
        ports.identifier = owns[n];
        ports.is_loop = true;
        make(&f, &ports);
        for (size_t i = 0; i < 5; i++) {
            uint64_t lower = i == 0 ? 1 : i == 1 ? owns[n] : others[i - 2];
            size_t size = datagram6(frame, false);
            net_put32(frame + IPV6_DESTINATION + 8, (uint32_t)(lower >> 32));
            net_put32(frame + IPV6_DESTINATION + 12, (uint32_t)lower);
            assert_int_equal(takes(&f.received, frame, size), i < 2);
        }
    }
}

static void neighbours_find_each_other_by_arp_and_discovery(void **state)
{
    (void)state;
    struct net_filter any_image, own_image;
    struct dpf_filter any, own;
    uint8_t frame[128];
    net_filter_neighbours(&any_image, NULL);
    net_filter_neighbours(&own_image, udp_4000.mac);
    assert_int_equal(dpf_verify(any_image.words, any_image.size, &any), 0);
    assert_int_equal(dpf_verify(own_image.words, own_image.size, &own), 0);
    for (int mine = 0; mine < 2; mine++) {
        size_t size = datagram6(frame, mine);
        frame[IPV6_NEXT] = IPV6_ICMP;
        for (int type = 0; type < 256; type++) {
            frame[ETH_SIZE + IPV6_SIZE] = (uint8_t)type;
            assert_int_equal(takes(&any, frame, size), type >= 133 && type <= 136);
            assert_int_equal(takes(&own, frame, size), mine && type >= 133 && type <= 136);
        }
        net_put16(frame + ETH_TYPE, ETH_TYPE_ARP);
        assert_true(takes(&any, frame, size));
        assert_int_equal(takes(&own, frame, size), mine);
        net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
        assert_false(takes(&any, frame, size));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ports_datagrams_are_taken_whatever_the_options),
        cmocka_unit_test(what_is_anybody_elses_is_not_taken),
        cmocka_unit_test(fragments_are_nobodys),
        cmocka_unit_test(echoes_are_told_apart_by_identifier),
        cmocka_unit_test(one_peers_frames_are_told_apart),
        cmocka_unit_test(one_peers_ipv6_frames_are_told_apart),
        cmocka_unit_test(the_kernel_can_compare_them),
        cmocka_unit_test(the_loops_filters_take_local_addresses),
        cmocka_unit_test(families_are_told_apart),
        cmocka_unit_test(what_is_anybody_elses_in_ipv6_is_not_taken),
        cmocka_unit_test(the_kernel_can_compare_families),
        cmocka_unit_test(the_loops_filters_take_the_ipv6_loopback),
        cmocka_unit_test(neighbours_find_each_other_by_arp_and_discovery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
