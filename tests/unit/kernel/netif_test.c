/*
 * Frame bindings on two interfaces against a model in which a filter is a set of 64 values: who may
 * bind what, in whose place, and to whom each frame goes afterwards.
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
#include "random.h"
#include "kernel/arena.h"
#include "kernel/netif.h"

#define FIRST FIRST_ENV
#define NICS  2
#define ENVS  4
#define MOST  256 /* bindings that 32 MiB have room for */

static uint32_t envs[ENVS]; /* FIRST and three children of it */

static struct model {
    bool bound, tap;
    uint32_t owner, binder, parent, netif;
    uint64_t in, out;
    struct aegis_cap delegate, tapped;
} model[MOST];

static size_t whole_arena;

/* The longest piece that the arena has. */
static size_t longest_piece(void)
{
    size_t low = 0, high = WORLD_SIZE;

    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        void *piece = arena_alloc(middle);
        arena_free(piece);
        *(piece ? &low : &high) = middle;
    }
    return low;
}

static void learn(uint32_t index, uint32_t owner, const struct model *m)
{
    model[index] = *m;
    model[index].bound = true;
    model[index].owner = owner;
    world_call_as(owner);
    model[index].delegate = net_cap(AEGIS_KIND_BINDING, index, AEGIS_RIGHT_DELEGATE);
    model[index].tapped = net_cap(AEGIS_KIND_BINDING, index, AEGIS_RIGHT_TAP);
}

static int boot(void **state)
{
    (void)state;
    net_boot(NICS);
    envs[0] = FIRST;
    for (int i = 1; i < ENVS; i++) {
        world_call_as(FIRST);
        envs[i] = world_child("env");
        world_call_as(envs[i]);
        net_memory();
    }
    for (uint32_t i = 0; i < NICS; i++)
        learn(i, FIRST,
              &(struct model){
                  .binder = FIRST, .parent = i, .netif = i, .in = NET_ALL, .out = NET_ALL});
    world_call_as(FIRST);
    whole_arena = longest_piece();
    return 0;
}

static int leave(void **state)
{
    (void)state;
    free(host_memory);
    return 0;
}

static bool is_ancestor(uint32_t candidate, uint32_t from)
{
    for (;; from = model[from].parent) {
        if (from == candidate)
            return true;
        if (model[from].parent == from)
            return false;
    }
}

static bool is_subset(uint64_t inner, uint64_t outer)
{
    return (inner & ~outer) == 0;
}

/* What net_bind has to answer: 0, or a negated error. */
static long expect(const struct model *m)
{
    const struct model *parent = &model[m->parent];

    if (parent->tap)
        return -AEGIS_E_INVALID;
    if (!is_subset(m->in, parent->in) || (!m->tap && !is_subset(m->out, parent->out)))
        return -AEGIS_E_NOT_CONTAINED;
    for (uint32_t i = 0; i < MOST && !m->tap; i++) {
        const struct model *o = &model[i];
        if (!o->bound || o->tap || o->netif != m->netif || is_ancestor(i, m->parent))
            continue;
        bool nested = (is_subset(m->in, o->in) || is_subset(o->in, m->in)) && m->in != o->in;
        if (o->owner != m->owner && ((o->in & m->in) || (o->out & m->out)))
            return -AEGIS_E_OVERLAP;
        if (o->owner == m->owner && (o->in & m->in) && !nested)
            return -AEGIS_E_OVERLAP;
    }
    return 0;
}

/* Who gets a frame: the one whose set lies in those of all others that match; of equal ones the
 * descendant. */
static uint32_t winner(uint32_t netif, uint64_t bit)
{
    uint32_t best = netif;

    for (uint32_t i = 0; i < MOST; i++) {
        const struct model *m = &model[i];
        if (!m->bound || m->tap || m->netif != netif || !(m->in & bit))
            continue;
        if ((m->in != model[best].in && is_subset(m->in, model[best].in)) ||
            (m->in == model[best].in && is_ancestor(best, i)))
            best = i;
    }
    for (uint32_t i = 0; i < MOST; i++) /* the model's own invariant */
        if (model[i].bound && !model[i].tap && model[i].netif == netif && (model[i].in & bit))
            assert_true(is_subset(model[best].in, model[i].in));
    return best;
}

static void check_frames(uint32_t netif)
{
    uint8_t frame[60] = {0};

    for (uint32_t value = 0; value <= 64; value++) {
        uint32_t carried = value == 64 ? NET_ANYHOW : value;
        uint64_t bit = value == 64 ? 0 : 1UL << value;
        net_frame(frame, sizeof(frame), netif, carried);
        struct dpf_result r = dpf_classify(netif_trie(&netifs[netif]), frame, 60, 60);
        uint32_t want = bit ? winner(netif, bit) : netif;
        if (r.id != want)
            fail_msg("a frame with %u goes to %u instead of %u", value, r.id, want);
        for (uint32_t i = 0; i < MOST; i++) {
            if (!model[i].bound || !model[i].tap || model[i].netif != netif)
                continue;
            bool tapped = false;
            for (unsigned int n = 0; n < 64; n++)
                tapped |= (r.taps >> n & 1) && dpf_trie_tap(netif_trie(&netifs[netif]), n) == i;
            assert_true(tapped == ((model[i].in & bit) != 0));
        }
    }
}

static void check_all(void)
{
    for (uint32_t i = 0; i < MOST; i++) {
        const struct aegis_binding_info *b = netif_binding(i);
        assert_true((b != NULL) == model[i].bound);
        if (!b)
            continue;
        assert_true(b->owner == model[i].owner && b->binder == model[i].binder);
        assert_true(b->parent == model[i].parent && b->netif == model[i].netif);
    }
    for (uint32_t i = 0; i < NICS; i++)
        check_frames(i);
}

static uint32_t random_bound(void)
{
    uint32_t i;

    do
        i = (uint32_t)random_below(random_below(3) ? 24 : MOST);
    while (!model[i].bound);
    return i;
}

/* A part of a set: a half, a few, one, all or none of it. */
static uint64_t random_part(uint64_t set)
{
    uint64_t bits = random_below(UINT64_MAX);

    switch (random_below(8)) {
    case 0:
        return set;
    case 1:
        return random_below(12) ? set & bits : 0;
    case 2:
        return 1UL << random_below(64);
    case 3:
        return set & (0xfffUL << random_below(64)) & ~(1UL << random_below(64));
    default: /* runs from a coarse grid, so that they nest */
        return set & (0xffUL << 8 * random_below(8)) &
               (random_below(2) ? NET_ALL : 0x0f0f0f0f0f0f0f0f);
    }
}

static size_t outcomes[64];

static void try_bind(void)
{
    uint32_t caller = envs[random_below(ENVS)], parent = random_bound();
    struct model m = {.binder = caller,
                      .owner = random_below(2) ? caller : envs[random_below(ENVS)],
                      .parent = parent,
                      .netif = model[parent].netif,
                      .tap = random_below(6) == 0};
    m.in = random_below(8) ? random_part(model[parent].in) : random_part(NET_ALL);
    m.out = m.tap ? 0 : random_below(3) ? m.in & model[parent].out : random_part(NET_ALL);
    struct net_request request = {.parent = m.tap ? model[parent].tapped : model[parent].delegate,
                                  .netif = m.netif,
                                  .in = m.in,
                                  .out = m.out,
                                  .tap = m.tap};

    if (m.owner != caller) {
        world_call_as(m.owner);
        request.owner = net_cap(AEGIS_KIND_ENV, m.owner, AEGIS_RIGHT_CONTROL);
    }
    world_call_as(caller);
    uint64_t events = env_infos[m.owner].bindings;
    long want = expect(&m), got = net_bind(&request);
    outcomes[got < 0 ? -got : 0]++;
    if (want ? got != want : got < 0)
        fail_msg("net_bind returned %ld instead of %ld", got, want);
    assert_true(env_infos[m.owner].bindings == events + (want == 0));
    if (!want) {
        assert_true(got < MOST && !model[got].bound);
        learn((uint32_t)got, m.owner, &m);
    }
}

static void try_unbind(void)
{
    uint32_t caller = envs[random_below(ENVS)], index = random_bound();
    long want = model[index].owner != caller && model[index].binder != caller ? -AEGIS_E_OWNER : 0;

    for (uint32_t i = 0; i < MOST; i++)
        if (!want && model[i].bound && model[i].parent == index)
            want = -AEGIS_E_IN_USE; /* also its own, if it is a root */
    world_call_as(caller);
    assert_int_equal(call_net_unbind(index), want);
    if (!want) {
        model[index].bound = false;
        assert_int_equal(call_net_unbind(index), -AEGIS_E_RANGE);
    }
}

/* One ends: what it had is gone, its bindings' children are their parents' children. */
static void end_one(void)
{
    uint64_t which = 1 + random_below(ENVS - 1);
    uint32_t number = envs[which];

    world_call_as(FIRST);
    world_end(number);
    for (uint32_t i = 0; i < MOST; i++) {
        if (!model[i].bound)
            continue;
        if (model[i].binder == number)
            model[i].binder = 0;
        if (model[i].owner != number)
            continue;
        for (uint32_t child = 0; child < MOST; child++)
            if (model[child].bound && model[child].parent == i)
                model[child].parent = model[i].parent;
        model[i].bound = false;
    }
    check_all();
    assert_int_equal(call_env_free(number), 0);
    envs[which] = world_child("again");
    world_call_as(envs[which]);
    net_memory();
}

static void unbind_all(void)
{
    for (bool left = true; left;) {
        left = false;
        for (uint32_t i = NICS; i < MOST; i++) {
            if (!model[i].bound)
                continue;
            world_call_as(model[i].owner);
            model[i].bound = call_net_unbind(i) != 0;
            left |= model[i].bound;
        }
    }
    check_all();
    world_call_as(FIRST);
    assert_true(longest_piece() == whole_arena); /* nothing of them is left */
}

static void random_histories_agree_with_sets(void **state)
{
    (void)state;
    seed_random(12);
    for (int i = 0; i < 1200; i++) {
        if (random_below(3))
            try_bind();
        else
            try_unbind();
        check_all();
        if (i % 100 == 99) {
            end_one();
            check_invariants(NULL);
        }
        if (i % 300 == 299)
            unbind_all();
    }
    unbind_all();
    assert_true(outcomes[0] > 100 && outcomes[AEGIS_E_OVERLAP] > 50 &&
                outcomes[AEGIS_E_NOT_CONTAINED] > 50 && outcomes[AEGIS_E_INVALID] > 5);
}

/* Binds as FIRST inside the first root. */
static long bind_here(uint64_t in, uint64_t out)
{
    struct net_request request = {.parent = model[0].delegate, .in = in, .out = out};

    world_call_as(FIRST);
    return net_bind(&request);
}

static void siblings_of_others_are_disjoint_both_ways(void **state)
{
    (void)state;
    long mine = bind_here(0xff, 0xff);
    struct net_request request = {.parent = model[0].delegate, .in = 0x1ff, .out = 0x100};

    assert_true(mine > 0);
    world_call_as(envs[1]);
    assert_int_equal(net_bind(&request), -AEGIS_E_OVERLAP); /* the same frames in */
    request.in = 0x100;
    request.out = 0x101;
    assert_int_equal(net_bind(&request), -AEGIS_E_OVERLAP); /* the same frames out */
    request.out = 0x100;
    long others = net_bind(&request);
    assert_true(others > 0);
    assert_int_equal(call_net_unbind((uint32_t)mine), -AEGIS_E_OWNER);
    assert_int_equal(call_net_unbind((uint32_t)others), 0);
    world_call_as(FIRST);
    assert_int_equal(call_net_unbind((uint32_t)mine), 0);
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
        assert_int_equal(call_net_unbind((uint32_t)bound[i]), 0);
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
    } at = {.binding = {.parent = bad->wrong_right ? model[0].tapped : model[0].delegate}};
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
            (struct aegis_cap){AEGIS_CAP_NAME(AEGIS_KIND_ENV, AEGIS_RIGHT_CONTROL, envs[1]), 0, 0};
    assert_true(user_write(NET_AT, &at, sizeof(at)));
    return call_net_bind(NET_AT);
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
        {.flags = 2, .error = -AEGIS_E_INVALID},
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
        assert_true(longest_piece() == whole_arena);
    }
    assert_int_equal(call_net_bind(NET_AT - 8), -AEGIS_E_ADDRESS);
    assert_int_equal(call_net_bind(UINT64_MAX - 8), -AEGIS_E_ADDRESS);
    long good = ask(&(struct bad){.error = 0});
    assert_true(good > 0);
    assert_int_equal(call_net_unbind((uint32_t)good), 0);
    assert_int_equal(call_net_unbind(0), -AEGIS_E_IN_USE); /* a root stays */
    assert_int_equal(call_net_unbind(MOST), -AEGIS_E_RANGE);
    assert_int_equal(call_net_unbind(UINT32_MAX), -AEGIS_E_RANGE);
}

static void an_unbound_bindings_capability_is_stale_for_its_successor(void **state)
{
    (void)state;
    long first = bind_here(0xff, 0xff);
    struct net_request inside = {
        .parent = net_cap(AEGIS_KIND_BINDING, (uint64_t)first, AEGIS_RIGHT_DELEGATE),
        .in = 1,
        .out = 1};

    assert_int_equal(call_net_unbind((uint32_t)first), 0);
    assert_int_equal(net_bind(&inside), -AEGIS_E_CAPABILITY);
    assert_true(bind_here(0xff, 0xff) == first);
    assert_int_equal(net_bind(&inside), -AEGIS_E_CAPABILITY);
    assert_int_equal(call_net_unbind((uint32_t)first), 0);
}

static void an_owner_that_ends_gets_no_binding(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint32_t c = world_child("c");
    struct net_request request = {.parent = model[0].delegate,
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
    struct net_request request = {.parent = model[0].tapped, .in = 1, .tap = true};
    long first = 0, result, count = 0;

    world_call_as(FIRST);
    for (; (result = net_bind(&request)) > 0; count++)
        first = result;
    assert_true(result == -AEGIS_E_NO_SLOT && count == AEGIS_TAPS_MAX);
    assert_int_equal(call_net_unbind((uint32_t)first), 0);
    assert_true(net_bind(&request) == first);
    request.parent = model[1].tapped;
    request.netif = 1;
    for (; net_bind(&request) > 0; count++)
        ;
    assert_int_equal(count, 2 * AEGIS_TAPS_MAX);
    /* The rest of the table in a nest of one owner: each a single value less. */
    request = (struct net_request){.parent = model[0].delegate, .out = 0};
    for (uint64_t set = NET_ALL; set; set &= set - 1) {
        request.in = set;
        assert_true(net_bind(&request) > 0);
    }
    request = (struct net_request){.parent = model[1].delegate, .netif = 1};
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
    for (uint32_t i = NICS; i < MOST; i++)
        assert_int_equal(call_net_unbind(i), 0);
    assert_true(longest_piece() == whole_arena);
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
        .parent = model[0].delegate,
        .ingress = (void *)(big_at + offsetof(struct big, header)),
        .ingress_size =
            sizeof(big.header) + sizeof(big.node) + (uint64_t)count * sizeof(*big.ranges),
        .egress = (void *)(big_at + offsetof(struct big, none)),
        .egress_size = (uint64_t)dpf_make_none(big.none, sizeof(big.none))};
    for (uint64_t i = 0; i < count; i++)
        big.ranges[i].low = big.ranges[i].high = word(first + i);
    assert_true(user_write(big_at, &big, sizeof(big)));
    return call_net_bind(big_at);
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
    world_memory(big_at, sizeof(big) / PAGE_SIZE + 1);
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
        assert_int_equal(call_net_unbind((uint32_t)inner[i]), 0);
        assert_true(i >= count || call_net_unbind((uint32_t)outer[i]) == 0);
    }
    assert_true(longest_piece() == whole_arena);
    check_invariants(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siblings_of_others_are_disjoint_both_ways),
        cmocka_unit_test(siblings_of_one_owner_may_be_nested_in_any_order),
        cmocka_unit_test(net_bind_refuses_by_name),
        cmocka_unit_test(an_unbound_bindings_capability_is_stale_for_its_successor),
        cmocka_unit_test(an_owner_that_ends_gets_no_binding),
        cmocka_unit_test(random_histories_agree_with_sets),
        cmocka_unit_test(a_table_that_is_full_says_so_and_serves_on),
        cmocka_unit_test(memory_that_is_full_says_so_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, boot, leave);
}
