/*
 * That two can't have one port is the kernel's doing: bindings of different owners are disjoint. So
 * netd needs this table only to find what to give back, and a user's filter that is bound beside
 * netd takes a port as well.
 */
#include "ports.h"

#include <errno.h>

#include "libos/net/filter.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/service.h"
#include "libos/start/calls.h"
#include "left.h"
#include "netd.h"
#include "quota.h"

#define PORTS_MAX     1024 /* bindings, of all applications */
#define EPHEMERAL     (NETD_EPHEMERAL_HIGH - NETD_EPHEMERAL_LOW + 1)
#define BLOCKS_OF_ONE 64  /* that a group may have; a quarter of what EPHEMERAL is enough for */
#define BLOCKS_MOST   192 /* all together: some ports stay for who wants one */
#define EPHEMERAL_LOOK                                                                             \
    64 /* free ports tried; more are taken beside netd's back only by accident                     \
        */

static struct port ports[PORTS_MAX];

/* Undoes netd's binding, and what its taker, or whoever that gave its capability, has inside. */
static void undo(uint32_t binding)
{
    aegis_cap_revoke(AEGIS_KIND_BINDING, binding, AEGIS_REVOKE_SEVER);
    aegis_net_unbind(binding);
}

/* One of those who have the port has it no longer; the last one's goes. */
static void give_back(struct port *p)
{
    p->env = 0;
    for (const struct port *other = ports; other < ports + PORTS_MAX; other++)
        if (other->env && other->binding == p->binding)
            return;
    undo(p->binding);
    if (p->loop != AEGIS_NO_BINDING)
        undo(p->loop);
}

/* An environment that ends tells nobody. Looked at whenever a place or a port is wanted. */
static void reap(void)
{
    for (struct port *p = ports; p < ports + PORTS_MAX; p++) {
        if (!p->env)
            continue;
        const volatile struct aegis_env_info *env = aegis_env(p->env);
        bool lives = env->state == AEGIS_ENV_LIVE || env->state == AEGIS_ENV_CREATED;
        if (env->serial != p->serial || !lives)
            give_back(p);
    }
}

static bool has_port(const struct port *p, uint8_t protocol, uint16_t port)
{
    return p->env && p->protocol == protocol && port >= p->port && port - p->port < p->count;
}

/* Whether somebody has one of them for IPv4 or for IPv6, where that is wanted. */
static bool is_taken(uint32_t env, const struct port_wanted *w)
{
    uint8_t family = w->family & NET_FAMILIES;

    if (w->protocol == IPV4_TCP && left_has(w->port, w->count, env, w->family & NET_REUSES))
        return true;
    for (const struct port *p = ports; p < ports + PORTS_MAX; p++)
        if (p->env && p->protocol == w->protocol && p->port < w->port + w->count &&
            w->port < p->port + p->count &&
            (p->family == family || p->family == NET_BOTH || family == NET_BOTH))
            return true;
    return false;
}

/* Whose it counts as now, which changes when those end who have made its program. */
static uint32_t group_of(const struct port *p)
{
    return aegis_env(p->env)->serial == p->serial ? quota_group(p->env) : QUOTA_ORPHANS;
}

/* A place for one more port of a group's, or NULL: there is none, or it has enough. */
static struct port *free_place(uint32_t group)
{
    const struct quota most = {PORTS_MAX, aegis_info()->binding_count};
    struct quota used = {.ports = 0}, own = used;
    struct port *place = NULL;

    for (struct port *p = ports; p < ports + PORTS_MAX; p++)
        if (p->env) {
            quota_count(&used, p->loop != AEGIS_NO_BINDING);
            if (group_of(p) == group)
                quota_count(&own, p->loop != AEGIS_NO_BINDING);
        } else {
            place = p;
        }
    return quota_allows(&most, &used, &own) ? place : NULL;
}

/* Whether a group may have one more block. */
static bool may_have_block(uint32_t group)
{
    uint32_t used = 0, own = 0;

    for (const struct port *p = ports; p < ports + PORTS_MAX; p++)
        if (p->env && p->count > 1) {
            used++;
            own += group_of(p) == group;
        }
    return used < BLOCKS_MOST && own < BLOCKS_OF_ONE;
}

static int64_t bind(const struct port_wanted *w, bool is_loop)
{
    struct net_filter received, sent;
    struct net_port_range range = {.protocol = w->protocol,
                                   .family = w->family & NET_FAMILIES,
                                   .identifier = net_ipv6_identifier(netd.mac),
                                   .address = netd.address.address,
                                   .low = w->port,
                                   .high = (uint16_t)(w->port + w->count - 1),
                                   .is_loop = is_loop};
    struct aegis_net_binding request = {.parent = is_loop ? netd.loop : netd.root};

    for (size_t i = 0; !is_loop && i < sizeof range.mac; i++)
        range.mac[i] = netd.mac[i];
    net_filter_received(&received, &range);
    net_filter_sent(&sent, &range);
    request.ingress = received.words;
    request.ingress_size = received.size;
    request.egress = sent.words;
    request.egress_size = sent.size;
    return net_bind(&request);
}

static int64_t errno_of(int64_t status)
{
    return status == -AEGIS_E_OVERLAP ? -EADDRINUSE : -ENOBUFS;
}

/* One, or a block, that netd hasn't given and that no other binding has, from a random one on
 * (RFC 6056, 3.3.1). The kernel's answer, or -AEGIS_E_OVERLAP. */
static int64_t bind_any(uint32_t env, struct port_wanted *w)
{
    uint32_t start = 0;
    int tries = 0;

    aegis_entropy(&start, sizeof start);
    start -= start % w->count;
    for (uint32_t i = 0; i < EPHEMERAL && tries < EPHEMERAL_LOOK; i += w->count) {
        w->port = (uint16_t)(NETD_EPHEMERAL_LOW + (start + i) % EPHEMERAL);
        if (is_taken(env, w))
            continue;
        int64_t binding = bind(w, false);
        tries++;
        if (binding != -AEGIS_E_OVERLAP)
            return binding;
    }
    return -AEGIS_E_OVERLAP;
}

int64_t port_take(uint32_t env, struct port_wanted *w, struct aegis_cap *capability)
{
    reap();
    uint32_t group = quota_group(env);
    struct port *p = free_place(group);
    if (!p || (w->count > 1 && !may_have_block(group)))
        return -ENOBUFS;
    if (w->port && is_taken(env, w))
        return -EADDRINUSE;
    int64_t binding = w->port ? bind(w, false) : bind_any(env, w);
    if (binding < 0)
        return errno_of(binding);
    *p = (struct port){.env = env,
                       .serial = aegis_env(env)->serial,
                       .times = 1,
                       .binding = (uint32_t)binding,
                       .loop = AEGIS_NO_BINDING,
                       .port = w->port,
                       .count = w->count,
                       .protocol = w->protocol,
                       .family = w->family & NET_FAMILIES};
    if (aegis_cap_mint(AEGIS_KIND_BINDING, p->binding, AEGIS_RIGHT_DELEGATE, capability) == 0)
        return 0;
    give_back(p);
    return -ENOBUFS;
}

struct port *port_of(uint32_t env, uint32_t binding)
{
    for (struct port *p = ports; p < ports + PORTS_MAX; p++)
        if (p->env == env && p->binding == binding && p->serial == aegis_env(env)->serial)
            return p;
    return NULL;
}

int64_t port_loop(struct port *p, struct aegis_cap *capability)
{
    if (p->loop == AEGIS_NO_BINDING) {
        if (!free_place(group_of(p)))
            return -ENOBUFS;
        int64_t loop = bind(&(struct port_wanted){p->protocol, p->family, p->port, p->count}, true);
        if (loop < 0)
            return errno_of(loop);
        for (struct port *same = ports; same < ports + PORTS_MAX; same++)
            if (same->env && same->binding == p->binding)
                same->loop = (uint32_t)loop;
    }
    return aegis_cap_mint(AEGIS_KIND_BINDING, p->loop, AEGIS_RIGHT_DELEGATE, capability) ? -ENOBUFS
                                                                                         : 0;
}

/* Whether programs have ports on the loop interface of a netd that was there before this one: only
 * the kernel knows which. */
static bool has_heirs(void)
{
    const volatile struct aegis_info *info = aegis_info();

    for (uint32_t b = 0; netd.loop.name && b < info->binding_count; b++) {
        const volatile struct aegis_binding_info *binding = aegis_binding(b);
        if (binding->owner && binding->owner != exos.env &&
            binding->parent == AEGIS_CAP_INDEX(netd.loop.name) && b != binding->parent)
            return true;
    }
    return false;
}

int64_t port_find(uint8_t protocol, uint16_t port)
{
    reap();
    for (const struct port *p = ports; p < ports + PORTS_MAX; p++)
        if (has_port(p, protocol, port) && p->loop != AEGIS_NO_BINDING)
            return 0;
    if (!has_heirs())
        return -ECONNREFUSED;
    int64_t binding = bind(&(struct port_wanted){protocol, NET_BOTH, port, 1}, true);
    if (binding >= 0)
        aegis_net_unbind((uint32_t)binding);
    return binding == -AEGIS_E_OVERLAP ? 0 : -ECONNREFUSED;
}

void ports_take_back(void)
{
    left_forget();
    for (struct port *p = ports; p < ports + PORTS_MAX; p++)
        if (p->env)
            give_back(p);
}

/* Whether a capability is what port_take gave for p. */
static bool is_ours(const struct port *p, const struct aegis_cap *shown)
{
    struct aegis_cap own;
    return aegis_cap_mint(AEGIS_KIND_BINDING, p->binding, AEGIS_RIGHT_DELEGATE, &own) == 0 &&
           shown->name == own.name && shown->generation == own.generation && shown->mac == own.mac;
}

struct port *port_shown(const struct aegis_cap *shown)
{
    struct port *p = ports;

    reap();
    while (p < ports + PORTS_MAX && (!p->env || p->binding != AEGIS_CAP_INDEX(shown->name)))
        p++;
    return p < ports + PORTS_MAX && is_ours(p, shown) ? p : NULL;
}

/* One more who has what p says. */
static int64_t add_holder(const struct port *p, uint32_t env)
{
    struct port *added = free_place(quota_group(env));

    if (!added)
        return -ENOBUFS;
    *added = *p;
    added->env = env;
    added->serial = aegis_env(env)->serial;
    added->times = 1;
    return 0;
}

int64_t port_join(const struct port *p, uint32_t env)
{
    struct port *own = port_of(env, p->binding);

    if (!own)
        return add_holder(p, env);
    if (own->times == UINT32_MAX)
        return -ENOBUFS;
    own->times++;
    return 0;
}

void port_leave(struct port *p)
{
    if (--p->times == 0)
        give_back(p);
}
