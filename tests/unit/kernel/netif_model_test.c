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
#include "kernel/netif.h"

#define FIRST  FIRST_ENV
#define NICS   2
#define NETIFS (NICS + 1) /* the loop interface is one more */
#define ENVS   4
#define MOST   NET_BINDINGS

static uint32_t envs[ENVS]; /* FIRST and three children of it */

static struct model {
    bool bound, tap;
    uint32_t owner, binder, parent, netif;
    uint64_t in, out;
    struct aegis_cap delegate, tapped;
} model[MOST];

static size_t whole_arena;

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
    for (uint32_t i = 0; i < NETIFS; i++)
        learn(i, FIRST,
              &(struct model){
                  .binder = FIRST, .parent = i, .netif = i, .in = NET_ALL, .out = NET_ALL});
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
    for (uint32_t i = 0; i < NETIFS; i++)
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
    assert_int_equal(net_unbind(index), want);
    if (!want) {
        model[index].bound = false;
        assert_int_equal(net_unbind(index), -AEGIS_E_RANGE);
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
        for (uint32_t i = NETIFS; i < MOST; i++) {
            if (!model[i].bound)
                continue;
            world_call_as(model[i].owner);
            model[i].bound = net_unbind(i) != 0;
            left |= model[i].bound;
        }
    }
    check_all();
    world_call_as(FIRST);
    assert_true(net_arena_left() == whole_arena); /* nothing of them is left */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_agree_with_sets),
    };

    return cmocka_run_group_tests(tests, boot, leave);
}
