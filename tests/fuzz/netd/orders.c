/*
 * Any orders, of any callers that come and go, beside a model of who has which ports: none changes
 * what isn't its caller's, no two programs have one port without having joined, and netd keeps no
 * binding that nobody has had. Bytes choose what happens, mostly about what is there, so that
 * orders succeed as well; where the input ends, bytes made of it go on.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/netd/netd.h"
#include "apps/netd/orders.h"
#include "apps/netd/ports.h"
#include "apps/netd/quota.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS 64 /* of an input, at most: there are no more records than steps */
#define ENVS  16 /* that may make others */

static const uint8_t *input, *input_end;
static uint64_t state;

static uint8_t next(void)
{
    if (input < input_end)
        state = (state ^ *input) * 0x9e3779b97f4a7c15UL;
    else
        state = state * 6364136223846793005UL + 1442695040888963407UL;
    return input < input_end ? *input++ : (uint8_t)(state >> 56);
}

static uint8_t below(uint8_t end)
{
    return next() % end;
}

/* ---- the model ---- */

/* That an environment has a port; times 0: nothing. It stays when the environment ends. */
static struct has {
    uint32_t env, serial, times;
    struct aegis_cap cap; /* for netd's binding */
} all[STEPS];

static uint32_t groups[2][LINGER_SETS][LINGER_WAYS]; /* who has left what is in the tables */

static uint32_t binding_of(const struct has *h)
{
    return (uint32_t)AEGIS_CAP_INDEX(h->cap.name);
}

static bool lives(const struct has *h)
{
    return h->times && aegis_env(h->env)->serial == h->serial;
}

static struct has *find(uint32_t env, uint32_t binding)
{
    for (struct has *h = all; h < all + STEPS; h++)
        if (lives(h) && h->env == env && binding_of(h) == binding)
            return h;
    return NULL;
}

static void add(uint32_t env, const struct aegis_cap *cap)
{
    struct has *h = all;

    while (h < all + STEPS && h->times)
        h++;
    assert(h < all + STEPS);
    *h = (struct has){env, aegis_env(env)->serial, 1, *cap};
}

static bool overlap(const struct net_port_range *a, const struct net_port_range *b)
{
    return a->protocol == b->protocol && a->low <= b->high && b->low <= a->high &&
           (a->family == b->family || a->family == NET_BOTH || b->family == NET_BOTH);
}

/* What lives has what it had. */
static void check_holders(void)
{
    for (const struct has *h = all; h < all + STEPS; h++) {
        if (!lives(h))
            continue;
        const struct port *p = port_of(h->env, binding_of(h));
        assert(p && p->times == h->times);
        assert(aegis_binding(binding_of(h))->owner == WORLD_NETD);
        assert(aegis_binding(binding_of(h))->generation == h->cap.generation);
        for (const struct has *other = all; other < h; other++)
            assert(!lives(other) || binding_of(other) == binding_of(h) ||
                   !overlap(&world_bindings[binding_of(h)].range,
                            &world_bindings[binding_of(other)].range));
    }
}

/* Each of netd's bindings is somebody's, or was until he ended; the loop's are like those. */
static void check_bindings(void)
{
    for (uint32_t b = world_next_binding(0); b; b = world_next_binding(b)) {
        const struct net_port_range *range = &world_bindings[b].range;
        bool is_known = false;
        for (const struct has *h = all; h < all + STEPS && !is_known; h++)
            is_known = h->times &&
                       (range->is_loop ? !memcmp(&world_bindings[binding_of(h)].range.low,
                                                 &range->low, 2 * sizeof range->low)
                                       : binding_of(h) == b &&
                                             h->cap.generation == aegis_binding(b)->generation);
        assert(is_known);
    }
}

/* ---- orders ---- */

static uint32_t some_env(void)
{
    uint32_t env = below(WORLD_FRAMES + 12) + 1;

    return aegis_env(env)->state == AEGIS_ENV_LIVE ? env : WORLD_FRAMES;
}

static struct aegis_cap some_cap(void)
{
    uint8_t at = next();

    for (int i = 0; i < STEPS; i++, at++)
        if (all[at % STEPS].times)
            return all[at % STEPS].cap;
    return (struct aegis_cap){0};
}

static void make_take(uint64_t words[GATE_WORDS])
{
    static const uint8_t protocols[] = {IPV4_TCP, IPV4_UDP, IPV4_ICMP, 2}, more[] = {0, 1, 63, 64};
    uint8_t kind = next(), port = next();

    words[1] = (uint64_t)protocols[kind & 3] << 16 | (uint64_t)(kind >> 2 & 7) << 24;
    if (kind >> 5 == 7)
        words[1] |= (uint64_t)more[port & 3] << NETD_MORE_BIT;
    else if (port)
        words[1] |= port < 128 ? 4000 + port % 8U : port < 192 ? 68 : 49152U + port % 16;
}

/* A peer's port with which a connection of IPv4 falls into the first set, so that this gets full.
 */
static uint16_t peer_port(uint32_t peer, uint16_t own)
{
    uint16_t port = (uint16_t)(next() * 256);
    uint32_t ports;

    do {
        port++;
        net_put16(&ports, port);
        net_put16((uint8_t *)&ports + 2, own);
    } while (linger_place(peer, ports) != 0);
    return port;
}

static void make_linger(uint64_t words[GATE_WORDS])
{
    static const uint32_t addresses[] = {WORLD_ADDRESS, 0x7f000001, WORLD_ADDRESS ^ 13,
                                         0x08080808,    0xe0000001, 0};
    uint8_t kind = next(), to = kind & 16 ? 3 : below(6), from = kind & 32 ? 0 : below(6);
    uint32_t binding = (uint32_t)AEGIS_CAP_INDEX(some_cap().name);
    struct net_ipv6 peer = net_ipv6_mapped(__builtin_bswap32(addresses[to]));

    words[1] = binding | (uint64_t)(kind & 7) << 32 | (uint64_t)(next() & 63) << 40;
    words[2] = 0x0000000100000002;
    words[3] = (uint64_t)addresses[from] << 32 | (uint64_t)(kind >> 6) << 16 |
               peer_port(peer.words[3], world_bindings[binding].range.low);
    if ((kind & 24) == 24)
        discovery_own((uint8_t)(kind >> 5 & 3), &peer);
    memcpy(&words[4], &peer, sizeof peer);
}

static void make_words(uint64_t words[GATE_WORDS])
{
    static const uint8_t orders[] = {NETD_TAKE,   NETD_TAKE,   NETD_TAKE,   NETD_LOOP,
                                     NETD_LEAVE,  NETD_JOIN,   NETD_LINGER, NETD_LINGER,
                                     NETD_LINGER, NETD_LINGER, NETD_LINGER, NETD_LINGER,
                                     NETD_LINGER, NETD_JOIN,   NETD_ORDERS};
    struct aegis_cap cap;
    uint32_t address;
    uint8_t which = below(NETD_ORDERS + sizeof orders);

    memset(words, 0, GATE_WORDS * sizeof *words);
    words[0] = which < NETD_ORDERS ? which : orders[which - NETD_ORDERS];
    switch (words[0]) {
    case NETD_TAKE:
        make_take(words);
        break;
    case NETD_LOOP:
    case NETD_LEAVE:
        words[1] = AEGIS_CAP_INDEX(some_cap().name);
        break;
    case NETD_LINGER:
        make_linger(words);
        break;
    case NETD_ADDRESS:
        address = WORLD_ADDRESS + (next() & 1);
        words[1] = (uint64_t)address << 32;
        words[2] = below(40);
        break;
    case NETD_JOIN:
        cap = some_cap();
        memcpy(words + 1, &cap, sizeof cap);
        words[4] = some_env();
        break;
    default:
        words[1] = next();
    }
    uint8_t bit = next(); /* and perhaps another somewhere */
    if (bit >= 224)
        words[1 + bit % 5] ^= 1UL << (next() % 64);
}

/* What was left has changed in one place, at most; and there it pushed out its own, or one of who
 * had more. */
static void check_left(uint32_t caller, const struct linger_set before[2][LINGER_SETS])
{
    uint32_t group = quota_group(caller), changes = 0;

    for (int at = 0; at < 2 * LINGER_SETS * LINGER_WAYS; at++) {
        int loop = at / LINGER_WAYS / LINGER_SETS, set = at / LINGER_WAYS % LINGER_SETS;
        const struct linger_entry *old = &before[loop][set].entries[at % LINGER_WAYS],
                                  *new = &world_lingering[loop][set].entries[at % LINGER_WAYS];
        uint32_t *whose = &groups[loop][set][at % LINGER_WAYS], own = 0, others = 0;
        if (old->state == new->state)
            continue;
        changes++;
        for (int i = 0; i < LINGER_WAYS; i++) {
            own += groups[loop][set][i] == group;
            others += groups[loop][set][i] == *whose;
        }
        bool is_same = old->ports == new->ports && !memcmp(old->remote, new->remote, 32);
        assert(old->until <= world_now / 1000000000 || *whose == group || others > own || is_same);
        *whose = group;
        assert(memcmp(new->local, new->remote, 16) || loop);
    }
    assert(changes <= 1);
}

static void forget_all(void)
{
    memset(all, 0, sizeof all);
}

/* What an order that was done says of the model, or has changed there. */
static void follow(uint32_t caller, const uint64_t asked[GATE_WORDS],
                   const uint64_t words[GATE_WORDS], uint32_t address)
{
    struct has *h = find(caller, (uint32_t)asked[1]);
    struct aegis_cap cap;

    switch (asked[0]) {
    case NETD_TAKE:
        memcpy(&cap, words + 2, sizeof cap);
        assert(AEGIS_CAP_RIGHTS(cap.name) == AEGIS_RIGHT_DELEGATE);
        add(caller, &cap);
        return;
    case NETD_LOOP:
    case NETD_LINGER:
        assert(h);
        return;
    case NETD_LEAVE:
        assert(h);
        h->times--;
        return;
    case NETD_JOIN:
        memcpy(&cap, asked + 1, sizeof cap);
        assert(asked[4] == caller || aegis_env((uint32_t)asked[4])->owner == caller);
        h = find((uint32_t)asked[4], (uint32_t)AEGIS_CAP_INDEX(cap.name));
        assert(aegis_binding((uint32_t)AEGIS_CAP_INDEX(cap.name))->generation == cap.generation);
        if (h)
            h->times++;
        else
            add((uint32_t)asked[4], &cap);
        return;
    case NETD_ADDRESS:
        assert(caller == WORLD_FRAMES);
        if (netd.address.address != address)
            forget_all();
        return;
    default:
        assert(asked[0] < NETD_ORDERS && (asked[0] != NETD_LINGERS || caller == WORLD_FRAMES));
    }
}

static void order(void)
{
    static struct linger_set before[2][LINGER_SETS];
    uint32_t caller = some_env(), address = netd.address.address;
    uint64_t words[GATE_WORDS], asked[GATE_WORDS];
    bool lingers;

    make_words(words);
    for (const struct has *h = next() & 3 ? all : all + STEPS; h < all + STEPS; h++)
        if (lives(h) && binding_of(h) == words[1] % (1UL << 32))
            caller = h->env; /* mostly it is who has it */
    memcpy(asked, words, sizeof asked);
    lingers = asked[0] == NETD_LINGER;
    if (lingers)
        memcpy(before, world_lingering, sizeof before);
    orders_serve(caller, words);
    assert((int64_t)words[0] <= 0 && (int64_t)words[0] > -4096);
    if (words[0] == 0)
        follow(caller, asked, words, address);
    else if (asked[0] == NETD_LEAVE)
        assert(asked[1] > UINT32_MAX || !find(caller, (uint32_t)asked[1]));
    if (lingers)
        check_left(caller, (const struct linger_set(*)[LINGER_SETS])before);
    if (words[0])
        assert(netd.address.address == address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    input_end = data + size;
    world_begin();
    forget_all();
    memset(groups, 0, sizeof groups);
    state = 1;
    for (int i = 0; i < 8; i++)
        world_make(i < 4 ? WORLD_AGENT : WORLD_FRAMES + (uint32_t)i - 3);
    for (int i = 0; i < STEPS; i++) {
        uint8_t what = next();
        uint32_t env = some_env();
        if (what < 16 && env < ENVS)
            world_make(env > WORLD_FRAMES ? env : WORLD_AGENT);
        else if (what < 24 && env > WORLD_FRAMES)
            world_end(env);
        else if (what < 26)
            world_now += 1000000000;
        else
            order();
        if (i % 8 == 7)
            check_holders();
    }
    check_holders();
    check_bindings();
    return 0;
}
