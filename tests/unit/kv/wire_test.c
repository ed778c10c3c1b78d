/* kv's frames: answers go back to where requests came from, in both families and on both
 * interfaces, and to nobody in whose name another has asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kv/wire.h"
#include "libos/net/datagram.h"
#include "libos/net/ipv6.h"

#define OWN4  0x0f02000a /* 10.0.2.15 as on the wire */
#define PEER4 0x0202000a
#define LOOP4 0x0100007f

static const struct net_ipv6 own6 = {{NET_WIRE32(0xfe800000), 0, 0, NET_WIRE32(0x15)}},
                             peer6 = {{NET_WIRE32(0xfe800000), 0, 0, NET_WIRE32(2)}},
                             loop6 = {{0, 0, 0, NET_WIRE32(1)}};
static const uint8_t mac[6] __attribute__((aligned(2))) = {2, 0, 0, 0, 0, 1};
static const uint8_t peer_mac[6] __attribute__((aligned(2))) = {2, 0, 0, 0, 0, 2};

static struct kv_entry table[KV_ENTRIES];
static struct store store = {.table = table, .seed = 7};
static struct {
    uint8_t lead[NET_FRAME_LEAD];
    uint8_t frame[WIRE_MAX];
} in __attribute__((aligned(8))), out __attribute__((aligned(8)));

static bool is_local4(uint32_t address)
{
    return address == OWN4 || (address & 0xff) == 127;
}

static bool is_local6(const struct net_ipv6 *address)
{
    return net_ipv6_equal(address, &own6) || net_ipv6_equal(address, &loop6);
}

/* A GET of a key that isn't there; its size. */
static size_t put_request(uint8_t *to)
{
    static const struct kv_header header = {
        .magic = __builtin_bswap16(KV_MAGIC), .operation = KV_GET, .tag = 5, .key_size = 3};

    memcpy(to, &header, sizeof header);
    memcpy(to + sizeof header, "key\0\0\0\0", 8);
    return sizeof header + 8;
}

static size_t answer(size_t length, bool is_loop)
{
    const struct wire wire = {mac, is_loop, is_local4, is_local6};
    return wire_answer(&store, &wire, in.frame, length, out.frame);
}

static size_t ask4(uint32_t source, uint32_t destination, bool is_loop)
{
    struct net_datagram d = {source, destination, NET_WIRE16(9), NET_WIRE16(KV_PORT), NULL, 0, 0};

    d.size = put_request(in.frame + NET_DATAGRAM_HEADERS);
    return answer(net_datagram_write(in.frame, &d, mac, peer_mac, 64), is_loop);
}

static size_t ask6(const struct net_ipv6 *source, const struct net_ipv6 *destination, bool is_loop)
{
    struct net_datagram6 d = {.source = *source,
                              .destination = *destination,
                              .source_port = NET_WIRE16(9),
                              .destination_port = NET_WIRE16(KV_PORT)};

    d.size = put_request(in.frame + NET_DATAGRAM6_HEADERS);
    return answer(net_datagram6_write(in.frame, &d, mac, peer_mac, 64), is_loop);
}

static void check_payload(const uint8_t *payload, size_t size)
{
    assert_int_equal(size, sizeof(struct kv_header));
    assert_int_equal(payload[2], KV_GET | KV_ANSWER);
    assert_int_equal(payload[3], KV_NOT_FOUND);
}

static void answers_go_back_in_the_same_family(void **state)
{
    struct net_datagram four;
    struct net_datagram6 six;

    (void)state;
    assert_true(net_datagram_read(out.frame, ask4(PEER4, OWN4, false), &four));
    assert_true(four.source == OWN4 && four.destination == PEER4);
    assert_true(four.source_port == NET_WIRE16(KV_PORT) && four.destination_port == NET_WIRE16(9));
    check_payload(four.payload, four.size);
    assert_memory_equal(out.frame, peer_mac, 6);
    assert_memory_equal(out.frame + ETH_SOURCE, mac, 6);
    assert_true(net_datagram6_read(out.frame, ask6(&peer6, &own6, false), &six));
    assert_true(net_ipv6_equal(&six.source, &own6) && net_ipv6_equal(&six.destination, &peer6));
    assert_true(six.source_port == NET_WIRE16(KV_PORT) && six.destination_port == NET_WIRE16(9));
    check_payload(six.payload, six.size);
    assert_memory_equal(out.frame, peer_mac, 6);
    assert_memory_equal(out.frame + ETH_SOURCE, mac, 6);
}

static void local_addresses_are_asked_from_over_the_loop_interface_alone(void **state)
{
    (void)state;
    assert_true(ask4(LOOP4, LOOP4, true) > 0);
    assert_true(ask4(OWN4, OWN4, true) > 0);
    assert_int_equal(ask4(LOOP4, OWN4, false), 0);
    assert_int_equal(ask4(OWN4, OWN4, false), 0);
    assert_int_equal(ask4(PEER4, OWN4, true), 0);
    assert_true(ask6(&loop6, &loop6, true) > 0);
    assert_true(ask6(&own6, &own6, true) > 0);
    assert_int_equal(ask6(&loop6, &own6, false), 0);
    assert_int_equal(ask6(&own6, &own6, false), 0);
    assert_int_equal(ask6(&peer6, &own6, true), 0);
    assert_int_equal(ask6(&peer6, &peer6, false), 0); /* of another prefix */
}

static void what_is_no_request_has_no_answer(void **state)
{
    (void)state;
    size_t length = NET_DATAGRAM6_HEADERS + sizeof(struct kv_header) + 8;
    for (size_t size = 0; size < length; size++) {
        ask6(&peer6, &own6, false);
        assert_int_equal(answer(size, false), 0);
    }
    ask4(PEER4, OWN4, false);
    in.frame[NET_DATAGRAM_HEADERS]++;
    assert_int_equal(answer(length - 20, false), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_go_back_in_the_same_family),
        cmocka_unit_test(local_addresses_are_asked_from_over_the_loop_interface_alone),
        cmocka_unit_test(what_is_no_request_has_no_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
