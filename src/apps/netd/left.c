/*
 * What programs leave behind (NETD_LINGER): netd puts their connections into the tables that its
 * other process has (handlers/linger.h), one for the interface and one for the loop interface, and
 * keeps their ports from others as long as they last.
 */
#include <errno.h>
#include <string.h>

#include "apps/netd/handlers/linger.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/linger.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "linger.h"
#include "netd.h"

#define OF_ONE       64 /* entries of one program at most */
#define SETS_OF_PAGE (AEGIS_PAGE_SIZE / sizeof(struct linger_set))
#define PAGES        (LINGER_SETS / SETS_OF_PAGE)

static struct linger_set *pages[2][PAGES]; /* of the interface's table, of the loop interface's */
static uint32_t owner, owner_serial;       /* whose they are, the other process; 0: nobody's */

/* Beside each entry: who has left it, and since when this process remembers. */
static struct giver {
    uint32_t env, serial;
    uint16_t account;
} givers[2][LINGER_SETS][LINGER_WAYS];

static bool any; /* a port may be kept */

static uint32_t seconds_now(void)
{
    return (uint32_t)(time_now() / aegis_info()->timebase);
}

static struct linger_set *set_at(bool is_loop, uint32_t place)
{
    const volatile struct aegis_env_info *env = aegis_env(owner);
    struct linger_set *page = pages[is_loop][place / SETS_OF_PAGE];

    if (!page || !owner || env->serial != owner_serial || env->state != AEGIS_ENV_LIVE)
        return NULL;
    return page + place % SETS_OF_PAGE;
}

static bool is_live(const struct linger_entry *e, uint32_t now)
{
    uint64_t word = __atomic_load_n(&e->state, __ATOMIC_RELAXED);
    return LINGER_STATE(word) != NET_LINGER_NONE &&
           __atomic_load_n(&e->until, __ATOMIC_RELAXED) > now;
}

/* Goes on to the next entry that lasts; *at begins as 0. NULL: there are no more. */
static struct linger_entry *next_live(uint32_t *at, struct giver **giver)
{
    uint32_t now = seconds_now();

    for (; *at < 2 * LINGER_SETS * LINGER_WAYS; ++*at) {
        uint32_t way = *at % LINGER_WAYS, place = *at / LINGER_WAYS % LINGER_SETS;
        bool is_loop = *at / LINGER_WAYS / LINGER_SETS;
        struct linger_set *set = set_at(is_loop, place);
        if (!set || !is_live(&set->entries[way], now))
            continue;
        *giver = &givers[is_loop][place][way];
        ++*at;
        return &set->entries[way];
    }
    return NULL;
}

int64_t left_open(uint32_t env, uint64_t which, const struct aegis_cap *page)
{
    bool is_loop = which >> 32 & 1;
    uint32_t index = (uint32_t)which;

    if (index >= PAGES || which >> 33)
        return -EINVAL;
    struct linger_set *old = pages[is_loop][index];
    struct linger_set *new = vm_attach(page, AEGIS_PROT_READ | AEGIS_PROT_WRITE);
    if (!new)
        return -ENOBUFS;
    vm_set_handler(new, 1, vm_zero_when_gone, NULL);
    pages[is_loop][index] = new;
    owner = env;
    owner_serial = aegis_env(env)->serial;
    if (old) /* another process has begun where one has ended */
        vm_free(old);
    return 0;
}

bool left_has(uint16_t low, uint16_t count, uint32_t by, bool reuses)
{
    struct linger_entry *e;
    struct giver *giver;

    if (!any)
        return false;
    any = false;
    for (uint32_t at = 0; (e = next_live(&at, &giver));) {
        any = true;
        uint16_t port = net_get16((const uint8_t *)&e->ports + UDP_DESTINATION);
        if (port >= low && port - low < count &&
            !(reuses && giver->account == aegis_env(by)->account))
            return true;
    }
    return false;
}

void left_forget(void)
{
    struct linger_entry *e;
    struct giver *giver;

    for (uint32_t at = 0; (e = next_live(&at, &giver));)
        __atomic_store_n(&e->until, 0, __ATOMIC_RELAXED);
}

static uint32_t count_of(uint32_t env)
{
    struct giver *giver;
    uint32_t count = 0;

    for (uint32_t at = 0; next_live(&at, &giver);)
        count += giver->env == env && giver->serial == aegis_env(env)->serial;
    return count;
}

/* Our own address; false if it isn't one. */
static bool read_own(bool is_six, uint32_t address, uint8_t which, struct net_ipv6 *own)
{
    if (is_six)
        return discovery_own(which, own);
    *own = (struct net_ipv6){{0, 0, NET_WIRE32(0xffff), __builtin_bswap32(address)}};
    return address >= IPV4_LOOPBACK_LOW && address <= IPV4_LOOPBACK_HIGH
               ? true
               : address == netd.address.address && address;
}

/* Whether packets to it stay in the machine. */
static bool is_local(const struct net_ipv6 *a)
{
    uint32_t address = __builtin_bswap32(a->words[3]);

    if (net_ipv6_is_mapped(a))
        return address == netd.address.address || address >> 24 == 127;
    return net_ipv6_is_loopback(a) || discovery_is_own(a);
}

static bool read(const uint64_t words[GATE_WORDS], uint16_t port, struct linger_entry *e)
{
    struct net_ipv6 remote, own;
    uint8_t *ports = (uint8_t *)&e->ports;

    memcpy(&remote, &words[4], sizeof remote);
    if (!read_own(!net_ipv6_is_mapped(&remote), (uint32_t)(words[3] >> 32),
                  (uint8_t)(words[3] >> 16), &own))
        return false;
    memcpy(e->remote, &remote, sizeof remote);
    memcpy(e->local, &own, sizeof own);
    net_put16(ports + UDP_SOURCE, (uint16_t)words[3]);
    net_put16(ports + UDP_DESTINATION, port);
    e->own_next = (uint32_t)(words[2] >> 32);
    if (net_ipv6_is_mapped(&remote))
        arp_known(__builtin_bswap32(remote.words[3]), e->mac);
    else
        discovery_known(&remote, e->mac);
    return true;
}

/* The entry of the same connection, one that is free, or the one that ends first. */
static uint32_t choose(const struct linger_set *set, const struct linger_entry *new, uint32_t now)
{
    uint32_t way = 0;

    for (uint32_t i = 0; i < LINGER_WAYS; i++) {
        const struct linger_entry *e = &set->entries[i], *chosen = &set->entries[way];
        if (is_live(e, now) && e->ports == new->ports &&
            !memcmp(e->remote, new->remote, sizeof e->remote) &&
            !memcmp(e->local, new->local, sizeof e->local))
            return i;
        if (is_live(chosen, now) && (!is_live(e, now) || e->until < chosen->until))
            way = i;
    }
    return way;
}

/* In the order in which others may read it (handlers/linger.h). */
static void put(struct linger_entry *e, const struct linger_entry *new, uint64_t word)
{
    uint64_t number = LINGER_NUMBER(e->state) + 1;

    __atomic_store_n(&e->state, 0, __ATOMIC_SEQ_CST);
    memcpy(e->remote, new->remote, sizeof e->remote);
    memcpy(e->local, new->local, sizeof e->local);
    memcpy(e->mac, new->mac, sizeof e->mac);
    e->ports = new->ports;
    e->own_next = new->own_next;
    e->until = new->until;
    __atomic_store_n(&e->state, word | number << 40, __ATOMIC_SEQ_CST);
}

int64_t left_add(uint32_t env, uint16_t port, const uint64_t words[GATE_WORDS])
{
    struct linger_entry new = {.ports = 0};
    uint64_t state = words[1] >> 32 & 0xff, seconds = words[1] >> 40, now = seconds_now();

    if (state == NET_LINGER_NONE || state >= NET_LINGER_STATES || seconds > LINGER_SECONDS ||
        !read(words, port, &new))
        return -EINVAL;
    const bool is_loop = is_local((const struct net_ipv6 *)new.remote);
    uint32_t place = linger_place(new.remote[3], new.ports);
    struct linger_set *first = set_at(false, 0), *set = set_at(is_loop, place);
    if (!first || !set)
        return -ENETUNREACH;
    if (count_of(env) >= OF_ONE)
        return -ENOBUFS;
    new.until = (uint32_t)(now + seconds);
    uint32_t way = choose(set, &new, (uint32_t)now);
    put(&set->entries[way], &new, (uint32_t)words[2] | state << 32);
    givers[is_loop][place][way] =
        (struct giver){env, aegis_env(env)->serial, aegis_env(env)->account};
    any = true;
    __atomic_fetch_add(&first->given, 1, __ATOMIC_SEQ_CST);
    return 0;
}
