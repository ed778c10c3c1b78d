/* netd's orders: ports and connections that programs leave, where any of them may be hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "apps/netd/netd.h"
#include "apps/netd/orders.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/service.h"
#include "world.h"

#define PEER 0x0a000202U /* 10.0.2.2 */

static int begin(void **state)
{
    (void)state;
    world_begin();
    return 0;
}

static int64_t order(uint32_t env, uint64_t words[GATE_WORDS])
{
    orders_serve(env, words);
    return (int64_t)words[0];
}

/* A port's binding, or a negated errno value. */
static int64_t take(uint32_t env, uint8_t protocol, uint8_t family, uint16_t port)
{
    uint64_t words[GATE_WORDS] = {NETD_TAKE,
                                  (uint64_t)family << 24 | (uint64_t)protocol << 16 | port};
    int64_t status = order(env, words);

    return status ? status : (int64_t)AEGIS_CAP_INDEX(words[2]);
}

static int64_t take_loop(uint32_t env, int64_t binding)
{
    return order(env, (uint64_t[GATE_WORDS]){NETD_LOOP, (uint64_t)binding});
}

/* How many ports it gets. */
static unsigned hoard(uint32_t env)
{
    unsigned count = 0;

    while (take(env, IPV4_UDP, NET_IPV4, 0) >= 0)
        count++;
    return count;
}

/* ---- ports ---- */

static void who_has_dhcps_port_could_say_what_the_machine_is(void **state)
{
    uint32_t program = world_make(WORLD_AGENT);

    (void)state;
    assert_int_equal(take(program, IPV4_UDP, NET_IPV4, 68), -EACCES);
    assert_int_equal(take(program, IPV4_UDP, NET_BOTH, 68), -EACCES);
    assert_int_equal(take(program, IPV4_UDP, NET_IPV6, 546), -EACCES);
    assert_true(take(program, IPV4_TCP, NET_IPV4, 68) >= 0);
    assert_true(take(program, IPV4_UDP, NET_IPV4, 67) >= 0);
}

static void a_program_and_what_it_starts_get_half(void **state)
{
    uint32_t program = world_make(WORLD_AGENT), child = world_make(program);

    (void)state;
    assert_int_equal(hoard(child), 512);
    assert_int_equal(hoard(program), 0);
    assert_int_equal(hoard(world_make(child)), 0);
    assert_int_equal(hoard(world_make(WORLD_AGENT)), 384);
    world_end(child);
    assert_int_equal(hoard(program), 512);
}

/* Each makes the next and ends, so that nobody can tell any more where it came from. */
static void orphans_of_orphans_get_half_all_together(void **state)
{
    uint32_t maker = world_make(WORLD_AGENT);
    unsigned count = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        uint32_t next = world_make(maker), keeper = world_make(maker);
        world_end(maker);
        count += hoard(keeper);
        maker = next;
    }
    assert_int_equal(count, 512);
    assert_int_equal(hoard(world_make(WORLD_AGENT)), 384);
}

/* What a program's children have when it ends is still the same program's. */
static void who_is_orphaned_keeps_what_counts(void **state)
{
    uint32_t program = world_make(WORLD_AGENT);
    uint32_t first = world_make(program), second = world_make(program);

    (void)state;
    assert_int_equal(hoard(first), 512);
    world_end(program);
    assert_int_equal(hoard(second), 0);
    assert_int_equal(hoard(world_make(second)), 0);
}

static void a_long_line_of_makers_is_one_program(void **state)
{
    uint32_t program = world_make(WORLD_AGENT), last = program;

    (void)state;
    for (int i = 0; i < 100; i++)
        last = world_make(last);
    assert_int_equal(hoard(last), 512);
    assert_int_equal(hoard(program), 0);
}

/* ---- connections that are left ---- */

struct leaving {
    uint32_t own, peer; /* IPv4; peer 0: peer6 and own6 instead */
    enum net_linger_own own6;
    struct net_ipv6 peer6;
    uint16_t peer_port;
    uint8_t seconds;
};

static int64_t leave(uint32_t env, int64_t binding, const struct leaving *l)
{
    uint64_t words[GATE_WORDS] = {NETD_LINGER,
                                  (uint64_t)(l->seconds ? l->seconds : 60) << 40 |
                                      (uint64_t)NET_LINGER_FIN_WAIT_1 << 32 | (uint64_t)binding,
                                  0x100000002,
                                  (uint64_t)l->own << 32 | (uint64_t)l->own6 << 16 | l->peer_port};
    struct net_ipv6 peer = l->peer6;

    if (l->peer)
        peer = net_ipv6_mapped(__builtin_bswap32(l->peer));
    memcpy(&words[4], &peer, sizeof peer);
    return order(env, words);
}

static unsigned count_left(bool is_loop, uint16_t own_port)
{
    unsigned count = 0;

    for (int i = 0; i < LINGER_SETS * LINGER_WAYS; i++) {
        const struct linger_entry *e =
            &world_lingering[is_loop][i / LINGER_WAYS].entries[i % LINGER_WAYS];
        count += LINGER_STATE(e->state) &&
                 net_get16((const uint8_t *)&e->ports + UDP_DESTINATION) == own_port;
    }
    return count;
}

static void what_is_left_is_in_its_own_name(void **state)
{
    static const struct net_ipv6 global = {{NET_WIRE32(0x20010db8), 0, 0, NET_WIRE32(9)}},
                                 loop = {{0, 0, 0, NET_WIRE32(1)}};
    static const struct row {
        struct leaving l;
        bool with_loop, is_refused;
    } rows[] = {
        {{.own = WORLD_ADDRESS, .peer = PEER}, false, false},
        {{.own = WORLD_ADDRESS + 1, .peer = PEER}, true, true},
        {{.own = 0, .peer = PEER}, true, true},
        {{.own = 0x7f000001, .peer = PEER}, true, true}, /* the loop's, to the network */
        {{.own = 0x7f000001, .peer = 0x7f000001}, true, false},
        {{.own = 0x7f000001, .peer = WORLD_ADDRESS}, true, false},
        {{.own = WORLD_ADDRESS, .peer = 0x7f000001}, true, false},
        {{.own = 0x7f000001, .peer = 0x7f000001}, false, true}, /* another may have it there */
        {{.own = WORLD_ADDRESS, .peer = WORLD_ADDRESS}, false, true},
        {{.own = WORLD_ADDRESS, .peer = 0xe0000001}, true, true},
        {{.own = WORLD_ADDRESS, .peer = 0xffffffff}, true, true},
        {{.own = WORLD_ADDRESS, .peer = 0x0a0002ff}, true, true}, /* everybody on the network */
        {{.own6 = NET_LINGER_GLOBAL, .peer6 = global}, false, false},
        {{.own6 = NET_LINGER_LOOP, .peer6 = global}, true, true},
        {{.own6 = NET_LINGER_LOOP, .peer6 = loop}, true, false},
        {{.own6 = NET_LINGER_LOOP, .peer6 = loop}, false, true},
        {{.own6 = NET_LINGER_GLOBAL, .peer6 = loop}, false, true},
        {{.own6 = NET_LINGER_LOOP + 1, .peer6 = global}, true, true},
        {{.own6 = NET_LINGER_GLOBAL, .peer6 = {{NET_WIRE32(0xff020000), 0, 0, 1}}}, true, true},
        {{.own6 = NET_LINGER_GLOBAL, .peer6 = {{0}}}, true, true},
    };

    (void)state;
    for (const struct row *row = rows; row < rows + sizeof rows / sizeof *rows; row++) {
        world_begin();
        uint32_t program = world_make(WORLD_AGENT);
        int64_t binding = take(program, IPV4_TCP, NET_BOTH, 4000);
        if (row->with_loop)
            assert_int_equal(take_loop(program, binding), 0);
        assert_int_equal(leave(program, binding, &row->l), row->is_refused ? -EINVAL : 0);
        assert_int_equal(count_left(false, 4000) + count_left(true, 4000), !row->is_refused);
    }
}

/* The same number is another's port in the other family. */
static void who_has_a_port_in_one_family_leaves_none_of_the_other(void **state)
{
    const struct leaving four = {.own = WORLD_ADDRESS, .peer = PEER},
                         six = {.own6 = NET_LINGER_LINK,
                                .peer6 = {{NET_WIRE32(0xfe800000), 0, 0, NET_WIRE32(9)}}};
    uint32_t program = world_make(WORLD_AGENT);
    int64_t in_four = take(program, IPV4_TCP, NET_IPV4, 4000),
            in_six = take(program, IPV4_TCP, NET_IPV6, 4001);

    (void)state;
    assert_int_equal(leave(program, in_four, &six), -EINVAL);
    assert_int_equal(leave(program, in_six, &four), -EINVAL);
    assert_int_equal(leave(program, in_four, &four), 0);
    assert_int_equal(leave(program, in_six, &six), 0);
}

/* Connections of one set, from one peer: ports that the hash takes for the same. */
static void leave_in_one_set(uint32_t env, uint16_t port, unsigned count, uint8_t seconds)
{
    int64_t binding = take(env, IPV4_TCP, NET_IPV4, port);

    assert_true(binding >= 0);
    for (uint32_t peer_port = 1024; count && peer_port <= UINT16_MAX; peer_port++) {
        uint32_t ports, peer = __builtin_bswap32(PEER);
        uint8_t *bytes = (uint8_t *)&ports;
        net_put16(bytes, (uint16_t)peer_port);
        net_put16(bytes + 2, port);
        if (linger_place(peer, ports) != 5)
            continue;
        count--;
        assert_int_equal(leave(env, binding,
                               &(struct leaving){.own = WORLD_ADDRESS,
                                                 .peer = PEER,
                                                 .peer_port = (uint16_t)peer_port,
                                                 .seconds = seconds}),
                         0);
    }
    assert_int_equal(count, 0);
}

static void who_leaves_many_pushes_out_his_own(void **state)
{
    uint32_t honest = world_make(WORLD_AGENT), hostile = world_make(WORLD_AGENT);

    (void)state;
    leave_in_one_set(honest, 4000, 3, 10); /* they end before the other's */
    leave_in_one_set(hostile, 5000, 20, 60);
    leave_in_one_set(world_make(hostile), 5001, 20, 60);
    assert_int_equal(count_left(false, 4000), 3);
    assert_int_equal(count_left(false, 5000) + count_left(false, 5001), LINGER_WAYS - 3);
}

/* A set that is full of one's has room for another's. */
static void who_comes_later_gets_a_share(void **state)
{
    uint32_t honest = world_make(WORLD_AGENT), hostile = world_make(WORLD_AGENT);

    (void)state;
    leave_in_one_set(hostile, 5000, 20, 60);
    assert_int_equal(count_left(false, 5000), LINGER_WAYS);
    leave_in_one_set(honest, 4000, 5, 10);
    assert_int_equal(count_left(false, 4000), 3);
    leave_in_one_set(hostile, 5001, 20, 60);
    assert_int_equal(count_left(false, 4000), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_has_dhcps_port_could_say_what_the_machine_is, begin),
        cmocka_unit_test_setup(a_program_and_what_it_starts_get_half, begin),
        cmocka_unit_test_setup(orphans_of_orphans_get_half_all_together, begin),
        cmocka_unit_test_setup(who_is_orphaned_keeps_what_counts, begin),
        cmocka_unit_test_setup(a_long_line_of_makers_is_one_program, begin),
        cmocka_unit_test_setup(what_is_left_is_in_its_own_name, begin),
        cmocka_unit_test_setup(who_has_a_port_in_one_family_leaves_none_of_the_other, begin),
        cmocka_unit_test_setup(who_leaves_many_pushes_out_his_own, begin),
        cmocka_unit_test_setup(who_comes_later_gets_a_share, begin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
