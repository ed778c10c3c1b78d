/*
 * What programs leave behind (NETD_LINGER): netd puts their connections into the tables that its
 * other process has (handlers/linger.h), one for the interface and one for the loop interface, and
 * keeps their ports from others as long as they last.
 */
#include "left.h"

#include <errno.h>
#include <string.h>

#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/linger.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "linger.h"
#include "netd.h"
#include "quota.h"

#define OF_ONE       64 /* entries of one program at most */
#define SETS_OF_PAGE (AEGIS_PAGE_SIZE / sizeof(struct linger_set))
#define PAGES        (LINGER_SETS / SETS_OF_PAGE)
#define IN_LOOPBACK  127 /* IPv4's first byte */

static struct linger_set *pages[2][PAGES]; /* of the interface's table, of the loop interface's */
static uint32_t owner, owner_serial;       /* whose they are, the other process; 0: nobody's */

/* Beside each entry: who has left it. */
static struct giver {
    uint32_t env, serial, group; /* as quota_group has it */
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

bool left_is_page(uint64_t which)
{
    return (uint32_t)which < PAGES && which >> 32 <= 1;
}

int64_t left_open(uint32_t env, uint64_t which, const struct aegis_cap *page)
{
    bool is_loop = which >> 32;
    uint32_t index = (uint32_t)which;
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
    *own = net_ipv6_mapped(__builtin_bswap32(address));
    return address && (address == netd.address.address || address >> 24 == IN_LOOPBACK);
}

static bool is_loopback(const struct net_ipv6 *a)
{
    return net_ipv6_is_mapped(a) ? (a->words[3] & 0xff) == IN_LOOPBACK : net_ipv6_is_loopback(a);
}

/* Whether packets to it stay in the machine. */
static bool is_local(const struct net_ipv6 *a)
{
    if (net_ipv6_is_mapped(a) && netd.address.address == __builtin_bswap32(a->words[3]))
        return true;
    return is_loopback(a) || discovery_is_own(a);
}

/* Whether it is one machine's: not nobody's, a group's, or that of all on our network. */
static bool is_somebody(const struct net_ipv6 *a)
{
    uint32_t address = __builtin_bswap32(a->words[3]);
    uint32_t hosts = netd.address.prefix < 31 ? UINT32_MAX >> netd.address.prefix : 0;

    if (!net_ipv6_is_mapped(a))
        return !net_ipv6_is_any(a) && !net_ipv6_is_group(a);
    return address >> 24 && address >> 24 < 224 &&
           !(hosts && (address | hosts) == address &&
             (address & ~hosts) == (netd.address.address & ~hosts));
}

static bool is_six(const struct linger_entry *e)
{
    return !net_ipv6_is_mapped((const struct net_ipv6 *)e->remote);
}

static bool read(const uint64_t words[GATE_WORDS], uint16_t port, struct linger_entry *e)
{
    uint8_t *ports = (uint8_t *)&e->ports;
    struct net_ipv6 own;

    memcpy(e->remote, &words[4], sizeof e->remote);
    if (!read_own(is_six(e), (uint32_t)(words[3] >> 32), (uint8_t)(words[3] >> 16), &own))
        return false;
    memcpy(e->local, &own, sizeof own);
    net_put16(ports + UDP_SOURCE, (uint16_t)words[3]);
    net_put16(ports + UDP_DESTINATION, port);
    e->own_next = (uint32_t)(words[2] >> 32);
    return true;
}

/* Whether the port's holder could send its segments itself: whatever netd sends later is in the
 * name of this port, which is another program's in the other family, or on the other interface. */
static bool may_send(const struct left *l, const struct port *p)
{
    const struct net_ipv6 *remote = (const void *)l->entry.remote,
                          *local = (const void *)l->entry.local;

    if (p->family != NET_BOTH && p->family != (is_six(&l->entry) ? NET_IPV6 : NET_IPV4))
        return false;
    return l->is_loop ? p->loop != AEGIS_NO_BINDING : !is_loopback(local) && is_somebody(remote);
}

int64_t left_check(struct left *l, uint32_t env, const struct port *p,
                   const uint64_t words[GATE_WORDS])
{
    uint64_t state = words[1] >> 32 & 0xff, seconds = words[1] >> 40;
    uint8_t offset = (uint8_t)(words[3] >> 24); /* in a block */

    *l = (struct left){.env = env, .seconds = (uint32_t)seconds};
    if (p->protocol != IPV4_TCP || offset >= p->count || state == NET_LINGER_NONE ||
        state >= NET_LINGER_STATES || seconds > LINGER_SECONDS ||
        !read(words, (uint16_t)(p->port + offset), &l->entry))
        return -EINVAL;
    l->entry.state = (uint32_t)words[2] | state << 32;
    l->is_loop = is_local((const struct net_ipv6 *)l->entry.remote);
    return may_send(l, p) ? 0 : -EINVAL;
}

static bool is_same(const struct linger_entry *a, const struct linger_entry *b)
{
    return a->ports == b->ports && !memcmp(a->remote, b->remote, sizeof a->remote) &&
           !memcmp(a->local, b->local, sizeof a->local);
}

/* How many entries of a full set are of a group's. */
static uint32_t share_of(const struct giver *of, uint32_t group)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < LINGER_WAYS; i++)
        count += of[i].group == group;
    return count;
}

/*
 * Of a full set, the entry that makes room for one of a group's: the one that ends first of who has
 * most there, if that is more than the group will have; else of the group's own. So whoever leaves
 * many pushes out his own, and whoever comes later gets a share.
 */
static uint32_t push_out(const struct linger_set *set, const struct giver *of, uint32_t group)
{
    uint32_t own = share_of(of, group), most = own, whose = group, way = LINGER_WAYS;

    for (uint32_t i = 0; i < LINGER_WAYS; i++) {
        uint32_t share = share_of(of, of[i].group);
        if (share > most && (!own || share > own + 1)) {
            most = share;
            whose = of[i].group;
        }
    }
    for (uint32_t i = 0; i < LINGER_WAYS; i++)
        if (of[i].group == whose &&
            (way == LINGER_WAYS || set->entries[i].until < set->entries[way].until))
            way = i;
    return way;
}

/* The entry of the same connection, one that is free, or one that makes room. */
static uint32_t choose(const struct linger_set *set, const struct giver *of,
                       const struct linger_entry *new, uint32_t group)
{
    uint32_t way = LINGER_WAYS, now = seconds_now();

    for (uint32_t i = 0; i < LINGER_WAYS; i++) {
        bool lives = is_live(&set->entries[i], now);
        if (lives && is_same(&set->entries[i], new))
            return i;
        if (!lives)
            way = i;
    }
    return way < LINGER_WAYS ? way : push_out(set, of, group);
}

/* In the order in which others may read it (handlers/linger.h). */
static void put(struct linger_entry *e, const struct linger_entry *new)
{
    uint64_t number = LINGER_NUMBER(e->state) + 1;

    __atomic_store_n(&e->state, 0, __ATOMIC_SEQ_CST);
    memcpy(e->remote, new->remote, sizeof e->remote);
    memcpy(e->local, new->local, sizeof e->local);
    memcpy(e->mac, new->mac, sizeof e->mac);
    e->ports = new->ports;
    e->own_next = new->own_next;
    e->until = new->until;
    __atomic_store_n(&e->state, new->state | number << 40, __ATOMIC_SEQ_CST);
}

/* Where its next hop is, as far as that is known. */
static void fill_hop(struct linger_entry *e)
{
    if (is_six(e))
        discovery_known((const struct net_ipv6 *)e->remote, e->mac);
    else
        arp_known(__builtin_bswap32(e->remote[3]), e->mac);
}

int64_t left_add(const struct left *l)
{
    uint32_t place = linger_place(l->entry.remote[3], l->entry.ports);
    struct linger_set *first = set_at(false, 0), *set = set_at(l->is_loop, place);
    struct linger_entry new = l->entry;

    if (!first || !set)
        return -ENETUNREACH;
    if (count_of(l->env) >= OF_ONE)
        return -ENOBUFS;
    new.until = seconds_now() + l->seconds;
    fill_hop(&new);
    struct giver *of = givers[l->is_loop][place];
    const volatile struct aegis_env_info *env = aegis_env(l->env);
    uint32_t group = quota_group(l->env), way = choose(set, of, &new, group);
    put(&set->entries[way], &new);
    of[way] = (struct giver){l->env, env->serial, group, env->account};
    any = true;
    __atomic_fetch_add(&first->given, 1, __ATOMIC_SEQ_CST);
    return 0;
}
