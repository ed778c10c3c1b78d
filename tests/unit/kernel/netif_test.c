/*
 * Frame bindings: what net_bind and net_unbind refuse, by name, and what two filters may have to do
 * with each other. The model of netif_model_test.c covers the rest.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "invariants.h"
#include "net.h"
#include "kernel/netif.h"

#define FIRST FIRST_ENV
#define NICS  2
#define MOST  NET_BINDINGS

static uint32_t a;                                 /* a child of FIRST */
static struct aegis_cap delegate[NICS], tap[NICS]; /* for the roots */
static size_t whole_arena;

static int boot(void **state)
{
    (void)state;
    net_boot(NICS);
    for (uint32_t i = 0; i < NICS; i++) {
        delegate[i] = net_cap(AEGIS_KIND_BINDING, i, AEGIS_RIGHT_DELEGATE);
        tap[i] = net_cap(AEGIS_KIND_BINDING, i, AEGIS_RIGHT_TAP);
    }
    a = world_child("a");
    world_call_as(a);
    net_memory();
    world_call_as(FIRST);
    whole_arena = net_arena_left();
    return 0;
}

static int leave(void **state)
{
    (void)state;
    free(host_memory);
    return 0;
}

/* Binds as FIRST inside the first root. */
static long bind_here(uint64_t in, uint64_t out)
{
    struct net_request request = {.parent = delegate[0], .in = in, .out = out};

    world_call_as(FIRST);
    return net_bind(&request);
}

static void siblings_of_others_are_disjoint_both_ways(void **state)
{
    (void)state;
    long mine = bind_here(0xff, 0xff);
    struct net_request request = {.parent = delegate[0], .in = 0x1ff, .out = 0x100};

    assert_true(mine > 0);
    world_call_as(a);
    assert_int_equal(net_bind(&request), -AEGIS_E_OVERLAP); /* the same frames in */
    request.in = 0x100;
    request.out = 0x101;
    assert_int_equal(net_bind(&request), -AEGIS_E_OVERLAP); /* the same frames out */
    request.out = 0x100;
    long others = net_bind(&request);
    assert_true(others > 0);
    assert_int_equal(net_unbind((uint32_t)mine), -AEGIS_E_OWNER);
    assert_int_equal(net_unbind((uint32_t)others), 0);
    world_call_as(FIRST);
    assert_int_equal(net_unbind((uint32_t)mine), 0);
}

static void siblings_of_one_owner_may_be_nested_in_any_order(void **state)
{
    (void)state;
    static const uint64_t sets[] = {0xff, 0xffff, 0xf, 0xffffff, 0x3};
    uint8_t frame[60] = {0};
    long bound[5];

    for (int i = 0; i < 5; i++) /* the outer ones come after inner ones */
        assert_true((bound[i] = bind_here(sets[i], sets[i])) > 0);
    assert_int_equal(bind_here(0xff, 0xff), -AEGIS_E_OVERLAP); /* equal: neither is inside */
    assert_int_equal(bind_here(0x1fe, 1), -AEGIS_E_OVERLAP);   /* across */
    static const uint32_t values[] = {0, 2, 4, 8, 16, 24};
    const long wins[] = {bound[4], bound[2], bound[0], bound[1], bound[3], 0};
    for (int i = 0; i < 6; i++) {
        net_frame(frame, sizeof(frame), 0, values[i]);
        assert_int_equal(dpf_classify(netif_trie(&netifs[0]), frame, 60, 60).id, wins[i]);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(net_unbind((uint32_t)bound[i]), 0);
}

/* Changes one field of a request that would do. */
struct bad {
    uint64_t parent_kind, parent_index, ingress, ingress_size, egress_size, flags;
    bool forged, wrong_right, owner_forged;
    long error;
};

static long ask(const struct bad *bad)
{
    struct {
        struct aegis_net_binding binding;
        uint64_t filter[64], other[64];
    } at = {.binding = {.parent = bad->wrong_right ? tap[0] : delegate[0]}};
    uint64_t size = net_filter(at.filter, sizeof(at.filter), 1, NULL);
    uint64_t out = net_filter(at.other, sizeof(at.other), 1, nics[0].config);

    at.binding.ingress =
        (void *)(bad->ingress ? bad->ingress : NET_AT + offsetof(typeof(at), filter));
    at.binding.egress = (void *)(NET_AT + offsetof(typeof(at), other));
    at.binding.ingress_size = bad->ingress_size ? bad->ingress_size : size;
    at.binding.egress_size = bad->egress_size ? bad->egress_size : out;
    at.binding.flags = bad->flags;
    if (bad->parent_index)
        at.binding.parent.name =
            AEGIS_CAP_NAME(bad->parent_kind, AEGIS_RIGHT_DELEGATE, bad->parent_index);
    at.binding.parent.mac ^= bad->forged;
    if (bad->owner_forged)
        at.binding.owner =
            (struct aegis_cap){AEGIS_CAP_NAME(AEGIS_KIND_ENV, AEGIS_RIGHT_CONTROL, a), 0, 0};
    assert_true(user_write(NET_AT, &at, sizeof(at)));
    return net_bind_at(NET_AT);
}

static void net_bind_refuses_by_name(void **state)
{
    (void)state;
    static const struct bad rows[] = {
        {.forged = true, .error = -AEGIS_E_CAPABILITY},
        {.wrong_right = true, .error = -AEGIS_E_RIGHTS},
        {.parent_kind = AEGIS_KIND_BINDING, .parent_index = 1, .error = -AEGIS_E_CAPABILITY},
        {.parent_kind = AEGIS_KIND_BINDING, .parent_index = 200, .error = -AEGIS_E_CAPABILITY},
        {.parent_kind = AEGIS_KIND_BINDING,
         .parent_index = 1UL << 39,
         .error = -AEGIS_E_CAPABILITY},
        {.parent_kind = AEGIS_KIND_PAGE, .parent_index = 1, .error = -AEGIS_E_CAPABILITY},
        {.owner_forged = true, .error = -AEGIS_E_CAPABILITY},
        {.flags = 4, .error = -AEGIS_E_INVALID},
        {.flags = AEGIS_BIND_SHARE, .error = -AEGIS_E_RIGHTS},
        {.flags = AEGIS_BIND_TAP | AEGIS_BIND_SHARE,
         .wrong_right = true,
         .error = -AEGIS_E_INVALID},
        {.flags = 1UL << 32, .error = -AEGIS_E_INVALID},
        {.flags = AEGIS_BIND_TAP,
         .wrong_right = true,
         .error = -AEGIS_E_INVALID}, /* egress filter */
        {.ingress_size = AEGIS_FILTER_MAX + 1, .error = -AEGIS_E_RANGE},
        {.ingress_size = UINT64_MAX, .error = -AEGIS_E_RANGE},
        {.egress_size = UINT64_MAX - 8, .error = -AEGIS_E_RANGE},
        {.ingress = 0x10, .error = -AEGIS_E_ADDRESS},
        {.ingress = AEGIS_USER_END, .error = -AEGIS_E_ADDRESS},
        {.ingress_size = AEGIS_FILTER_MAX, .error = -AEGIS_E_ADDRESS},
        {.ingress_size = 1, .error = -AEGIS_E_FILTER},
        {.ingress = AEGIS_EXPOSED_BASE, .ingress_size = 64, .error = -AEGIS_E_FILTER},
        {.egress_size = 24, .error = -AEGIS_E_FILTER},
    };

    world_call_as(FIRST);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        long result = ask(&rows[i]);
        if (result != rows[i].error)
            fail_msg("row %zu: %ld instead of %ld", i, result, rows[i].error);
        assert_true(net_arena_left() == whole_arena);
    }
    assert_int_equal(net_bind_at(NET_AT - 8), -AEGIS_E_ADDRESS);
    assert_int_equal(net_bind_at(UINT64_MAX - 8), -AEGIS_E_ADDRESS);
    long good = ask(&(struct bad){.error = 0});
    assert_true(good > 0);
    assert_int_equal(net_unbind((uint32_t)good), 0);
    assert_int_equal(net_unbind(0), -AEGIS_E_IN_USE); /* a root stays */
    assert_int_equal(net_unbind(MOST), -AEGIS_E_RANGE);
    assert_int_equal(net_unbind(UINT32_MAX - 1), -AEGIS_E_RANGE);
    assert_int_equal(net_unbind(AEGIS_NO_BINDING), 0); /* nothing to wait for */
}

static void an_unbound_bindings_capability_is_stale_for_its_successor(void **state)
{
    (void)state;
    long first = bind_here(0xff, 0xff);
    struct net_request inside = {
        .parent = net_cap(AEGIS_KIND_BINDING, (uint64_t)first, AEGIS_RIGHT_DELEGATE),
        .in = 1,
        .out = 1};

    assert_int_equal(net_unbind((uint32_t)first), 0);
    assert_int_equal(net_bind(&inside), -AEGIS_E_CAPABILITY);
    assert_true(bind_here(0xff, 0xff) == first);
    assert_int_equal(net_bind(&inside), -AEGIS_E_CAPABILITY);
    assert_int_equal(net_unbind((uint32_t)first), 0);
}

static void an_owner_that_ends_gets_no_binding(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint32_t c = world_child("c");
    struct net_request request = {.parent = delegate[0],
                                  .owner = net_cap(AEGIS_KIND_ENV, c, AEGIS_RIGHT_CONTROL),
                                  .in = 1,
                                  .out = 1};

    assert_int_equal(call_env_end(c, 0), 0);
    assert_int_equal(net_bind(&request), -AEGIS_E_STATE); /* its pages would never be free */
    while (!env_end_step(env_table[c]))
        ;
    assert_int_equal(net_bind(&request), -AEGIS_E_CAPABILITY);
    assert_int_equal(call_env_free(c), 0);
}

static void a_table_that_is_full_says_so_and_serves_on(void **state)
{
    (void)state;
    struct net_request request = {.parent = tap[0], .in = 1, .tap = true};
    long first = 0, result, count = 0;

    world_call_as(FIRST);
    for (; (result = net_bind(&request)) > 0; count++)
        first = result;
    assert_true(result == -AEGIS_E_NO_SLOT && count == AEGIS_TAPS_MAX);
    assert_int_equal(net_unbind((uint32_t)first), 0);
    assert_true(net_bind(&request) == first);
    request.parent = tap[1];
    request.netif = 1;
    for (; net_bind(&request) > 0; count++)
        ;
    assert_int_equal(count, 2 * AEGIS_TAPS_MAX);
    /* The rest of the table in a nest of one owner: each a single value less. */
    request = (struct net_request){.parent = delegate[0], .out = 0};
    for (uint64_t set = NET_ALL; set; set &= set - 1) {
        request.in = set;
        assert_true(net_bind(&request) > 0);
    }
    request = (struct net_request){.parent = delegate[1], .netif = 1};
    for (uint64_t set = NET_ALL; set; set >>= 1) {
        request.in = set;
        result = net_bind(&request);
        if (result < 0)
            break;
    }
    assert_int_equal(result, -AEGIS_E_NO_SLOT);
    uint8_t frame[60] = {0};
    for (uint32_t value = 0; value < 64; value++) {
        net_frame(frame, sizeof(frame), 0, value);
        uint32_t id = dpf_classify(netif_trie(&netifs[0]), frame, 60, 60).id;
        assert_true(netif_binding_state(id)->ingress.ranges[0].low == value);
    }
    for (uint32_t i = NICS + 1; i < MOST; i++) /* behind the loop interface's root */
        assert_int_equal(net_unbind(i), 0);
    assert_true(net_arena_left() == whole_arena);
}

/* A filter on 8 bytes, with a set of many words, no two of which lie side by side. */
enum { WORDS = 2048 };
static const uint64_t big_at = 0x2800000000UL;
static struct big {
    struct aegis_net_binding binding;
    struct dpf_header header;
    struct dpf_node node;
    struct dpf_range ranges[WORDS];
    uint64_t none[8];
} big;

static uint64_t word(uint64_t n)
{
    return n * 977;
}

/* Binds the words first to first + count - 1 inside the first root, sending nothing. */
static long bind_words(uint64_t first, uint16_t count)
{
    if (!user_writable(big_at, sizeof(big)))
        world_memory(big_at, sizeof(big) / PAGE_SIZE + 1);
    big.header = (struct dpf_header){
        .magic = DPF_MAGIC, .version = DPF_VERSION, .nodes = 1, .ranges = count};
    big.node = (struct dpf_node){.kind = DPF_FIELD,
                                 .width = 8,
                                 .offset = NET_BYTE,
                                 .yes = DPF_ACCEPT,
                                 .no = DPF_REJECT,
                                 .count = count,
                                 .mask = UINT64_MAX};
    big.binding = (struct aegis_net_binding){
        .parent = delegate[0],
        .ingress = (void *)(big_at + offsetof(struct big, header)),
        .ingress_size =
            sizeof(big.header) + sizeof(big.node) + (uint64_t)count * sizeof(*big.ranges),
        .egress = (void *)(big_at + offsetof(struct big, none)),
        .egress_size = (uint64_t)dpf_make_none(big.none, sizeof(big.none))};
    for (uint64_t i = 0; i < count; i++)
        big.ranges[i].low = big.ranges[i].high = word(first + i);
    assert_true(user_write(big_at, &big, sizeof(big)));
    return net_bind_at(big_at);
}

static uint32_t who_gets(uint64_t n)
{
    uint64_t value = __builtin_bswap64(word(n));
    uint8_t frame[60];

    net_frame(frame, sizeof(frame), 0, 0);
    memcpy(frame + NET_BYTE, &value, sizeof(value));
    return dpf_classify(netif_trie(&netifs[0]), frame, 60, 60).id;
}

/* The arena, or the classifier's memory, is full before the table is. */
static void memory_that_is_full_says_so_and_changes_nothing(void **state)
{
    (void)state;
    long inner[8], outer[8], result = 0;
    uint64_t count = 0;

    world_call_as(FIRST);
    for (uint64_t i = 0; i < 8; i++)
        assert_true((inner[i] = bind_words(i * WORDS, 1)) > 0);
    for (; count < 8 && (result = bind_words(count * WORDS, WORDS)) > 0; count++)
        outer[count] = result;
    assert_true(result == -AEGIS_E_NO_SPACE && count > 1 && count < 8);
    for (uint64_t i = 0; i < 8; i++) {
        assert_int_equal(who_gets(i * WORDS), inner[i]);
        assert_int_equal(who_gets(i * WORDS + 1), i < count ? outer[i] : 0);
        /* As deep as there are bindings around it: the one that was refused counts no more. */
        assert_int_equal(netif_binding_state((uint32_t)inner[i])->rank, i < count ? 2 : 1);
    }
    for (uint64_t i = 0; i < 8; i++) {
        assert_int_equal(net_unbind((uint32_t)inner[i]), 0);
        assert_true(i >= count || net_unbind((uint32_t)outer[i]) == 0);
    }
    assert_true(net_arena_left() == whole_arena);
    check_invariants(NULL);
}

/*
 * An unbound binding that the classifier in use still names, since there was no memory for the
 * next: nobody gets its number, and with it its frames, before there is.
 */
static void a_number_is_not_used_again_while_the_classifier_names_it(void **state)
{
    (void)state;
    uint64_t pages_there = info->page_count;

    world_call_as(FIRST);
    long first = bind_words(0, WORDS), second = bind_words(WORDS, WORDS),
         third = bind_words(2 * WORDS, 1);
    assert_true(first > 0 && second > 0 && third > 0);
    assert_int_equal(who_gets(2 * WORDS), third);
    info->page_count = 0; /* from it follows how large a classifier may be */
    assert_int_equal(net_unbind((uint32_t)third), 0);
    assert_null(netif_binding((uint64_t)third));
    assert_int_equal(who_gets(2 * WORDS), third); /* as before: rx.c finds nobody behind it */
    info->page_count = pages_there;
    long next = bind_words(3 * WORDS, 1);
    assert_true(next > 0 && next != third);
    assert_int_equal(who_gets(2 * WORDS), 0);
    assert_int_equal(bind_words(4 * WORDS, 1), third); /* now it is free */
    assert_int_equal(net_unbind((uint32_t)first), 0);
    assert_int_equal(net_unbind((uint32_t)second), 0);
    assert_int_equal(net_unbind((uint32_t)third), 0);
    assert_int_equal(net_unbind((uint32_t)next), 0);
    assert_true(net_arena_left() == whole_arena);
}

/* A request of FIRST's inside the first root, written to NET_AT but not made yet. */
static void write_request(uint64_t set)
{
    struct {
        struct aegis_net_binding binding;
        uint64_t filter[64], other[64];
    } at = {.binding = {.parent = delegate[0]}};

    at.binding.ingress = (void *)(NET_AT + offsetof(typeof(at), filter));
    at.binding.egress = (void *)(NET_AT + offsetof(typeof(at), other));
    at.binding.ingress_size = net_filter(at.filter, sizeof(at.filter), set, NULL);
    at.binding.egress_size = net_filter(at.other, sizeof(at.other), set, nics[0].config);
    assert_true(user_write(NET_AT, &at, sizeof(at)));
}

/* Whatever step another binding ends before, the new one is made, and gets its frames. */
static void a_binding_that_ends_between_two_steps_does_no_harm(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    long result = NET_MORE;

    for (int before = 0; result == NET_MORE; before++) {
        long inner = bind_here(0xf, 0xf), outer = bind_here(0xffff, 0xffff);
        write_request(0xff);
        for (int i = 0; i < before && result == NET_MORE; i++)
            result = net_bind_step(NET_AT);
        bool is_early = result == NET_MORE;
        assert_int_equal(net_unbind((uint32_t)inner), 0);
        check_invariants(NULL);
        result = is_early ? net_bind_at(NET_AT) : result;
        assert_true(result > 0);
        for (uint32_t value = 0; value < 16; value++) {
            net_frame(frame, sizeof(frame), 0, value);
            assert_int_equal(dpf_classify(netif_trie(&netifs[0]), frame, 60, 60).id,
                             value < 8 ? result : outer);
        }
        assert_int_equal(net_unbind((uint32_t)result), 0);
        assert_int_equal(net_unbind((uint32_t)outer), 0);
        assert_true(net_arena_left() == whole_arena);
        result = is_early ? NET_MORE : result;
    }
}

/* Revoked before any step but the last, the capability binds nothing. */
static void a_capability_revoked_between_two_steps_binds_nothing(void **state)
{
    (void)state;
    bool is_early = true;

    world_call_as(FIRST);
    for (int before = 1; is_early; before++) {
        long result = NET_MORE;
        write_request(0xff);
        for (int i = 0; i < before && result == NET_MORE; i++)
            result = net_bind_step(NET_AT);
        is_early = result == NET_MORE;
        assert_int_equal(call_cap_revoke(AEGIS_KIND_BINDING, 0, AEGIS_REVOKE_STALE), 0);
        if (is_early)
            assert_int_equal(net_bind_at(NET_AT), -AEGIS_E_CAPABILITY);
        else
            assert_int_equal(net_unbind((uint32_t)result), 0);
        delegate[0] = net_cap(AEGIS_KIND_BINDING, 0, AEGIS_RIGHT_DELEGATE);
        tap[0] = net_cap(AEGIS_KIND_BINDING, 0, AEGIS_RIGHT_TAP);
        assert_true(net_arena_left() == whole_arena);
    }
}

/* Who doesn't go on keeps others out for so many slices of its own, and no longer. */
static void another_that_binds_is_busy_until_patience_ends(void **state)
{
    (void)state;
    world_call_as(a);
    write_request(0xff00);
    assert_true(net_bind_step(NET_AT) == NET_MORE);
    assert_int_equal(bind_here(0xff, 0xff), -AEGIS_E_BUSY);
    env_infos[a].slices += 16;
    long mine = bind_here(0xff, 0xff);
    assert_true(mine > 0);
    assert_int_equal(net_unbind((uint32_t)mine), 0);
    assert_true(net_arena_left() == whole_arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siblings_of_others_are_disjoint_both_ways),
        cmocka_unit_test(siblings_of_one_owner_may_be_nested_in_any_order),
        cmocka_unit_test(net_bind_refuses_by_name),
        cmocka_unit_test(an_unbound_bindings_capability_is_stale_for_its_successor),
        cmocka_unit_test(an_owner_that_ends_gets_no_binding),
        cmocka_unit_test(a_table_that_is_full_says_so_and_serves_on),
        cmocka_unit_test(memory_that_is_full_says_so_and_changes_nothing),
        cmocka_unit_test(a_number_is_not_used_again_while_the_classifier_names_it),
        cmocka_unit_test(a_binding_that_ends_between_two_steps_does_no_harm),
        cmocka_unit_test(a_capability_revoked_between_two_steps_binds_nothing),
        cmocka_unit_test(another_that_binds_is_busy_until_patience_ends),
    };

    return cmocka_run_group_tests(tests, boot, leave);
}
