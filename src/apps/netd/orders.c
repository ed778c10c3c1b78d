#include "orders.h"

#include <errno.h>
#include <string.h>

#include "left.h"
#include "libos/net/headers.h"
#include "libos/net/service.h"
#include "libos/vm/vm.h"
#include "netd.h"
#include "ports.h"

/* An order that has been read. What it doesn't need is 0. */
struct request {
    uint32_t caller;
    uint32_t env; /* whom it is for */
    struct port_wanted wanted;
    struct port *port; /* which it is about: the caller's, or one whose capability is shown */
    struct net_address address;
    struct net_ipv6 neighbour;
    struct left left;
    uint64_t page;        /* of the tables of connections */
    struct aegis_cap cap; /* for that; or for the page with what DHCP says of names, or none */
};

/* ---- checks: whether it may be done; nothing changes ---- */

static int64_t check_address(struct request *r, const uint64_t words[GATE_WORDS])
{
    (void)r;
    (void)words;
    return netd.address.address ? 0 : -ENETDOWN;
}

/* Who had the port of a client of DHCP (RFC 2131, 4.1; RFC 8415, 7.2) could say what the machine
 * is, by answering itself, or keep it from knowing. */
static bool is_reserved(const struct port_wanted *w)
{
    return w->protocol == IPV4_UDP && (w->port == 68 || w->port == 546);
}

static int64_t check_take(struct request *r, const uint64_t words[GATE_WORDS])
{
    uint64_t family = words[1] >> 24 & 0xff, more = words[1] >> NETD_MORE_BIT;
    struct port_wanted *w = &r->wanted;

    if ((family & NET_FAMILIES) > NET_BOTH || family > (NET_FAMILIES | NET_REUSES) ||
        more >= NETD_BLOCK)
        return -EPROTONOSUPPORT;
    *w = (struct port_wanted){.protocol = (uint8_t)(words[1] >> 16),
                              .family = (uint8_t)family,
                              .port = (uint16_t)words[1],
                              .count = (uint16_t)(more + 1)};
    if (w->protocol != IPV4_UDP && w->protocol != IPV4_TCP && w->protocol != IPV4_ICMP)
        return -EPROTONOSUPPORT;
    if (w->count & (w->count - 1))
        return -EINVAL;
    if (w->count > 1 && (w->port || w->protocol == IPV4_ICMP)) /* blocks are of any ports */
        return -EINVAL;
    return is_reserved(w) ? -EACCES : 0;
}

static int64_t check_own(struct request *r, const uint64_t words[GATE_WORDS])
{
    r->port = words[1] > UINT32_MAX ? NULL : port_of(r->caller, (uint32_t)words[1]);
    return r->port ? 0 : -EINVAL;
}

static int64_t check_loop(struct request *r, const uint64_t words[GATE_WORDS])
{
    return netd.loop.name ? check_own(r, words) : -ENETUNREACH;
}

static int64_t check_find(struct request *r, const uint64_t words[GATE_WORDS])
{
    r->wanted = (struct port_wanted){.protocol = (uint8_t)(words[1] >> 16),
                                     .family = NET_BOTH,
                                     .port = (uint16_t)words[1],
                                     .count = 1};
    return 0;
}

static int64_t check_resolve(struct request *r, const uint64_t words[GATE_WORDS])
{
    r->neighbour.words[3] = (uint32_t)words[1];
    return words[1] > UINT32_MAX ? -EINVAL : 0;
}

static int64_t check_resolve6(struct request *r, const uint64_t words[GATE_WORDS])
{
    memcpy(&r->neighbour, &words[1], sizeof r->neighbour);
    return 0;
}

static int64_t check_readdress(struct request *r, const uint64_t words[GATE_WORDS])
{
    if (words[2] > 32)
        return -EINVAL;
    r->address = (struct net_address){.address = (uint32_t)(words[1] >> 32),
                                      .gateway = (uint32_t)words[1],
                                      .prefix = (uint8_t)words[2]};
    r->cap = (struct aegis_cap){words[3], words[4], words[5]};
    return 0;
}

static int64_t check_linger(struct request *r, const uint64_t words[GATE_WORDS])
{
    r->port = port_of(r->caller, (uint32_t)words[1]);
    return r->port ? left_check(&r->left, r->caller, r->port, words) : -EINVAL;
}

static int64_t check_lingers(struct request *r, const uint64_t words[GATE_WORDS])
{
    r->page = words[1];
    r->cap = (struct aegis_cap){words[2], words[3], words[4]};
    return left_is_page(words[1]) ? 0 : -EINVAL;
}

/* For the caller itself, or one that it owns. */
static int64_t check_join(struct request *r, const uint64_t words[GATE_WORDS])
{
    const struct aegis_cap shown = {words[1], words[2], words[3]};
    uint64_t env = words[4];

    if (env != r->caller &&
        (!env || env >= aegis_info()->env_count || aegis_env((uint32_t)env)->owner != r->caller))
        return -EINVAL;
    r->env = (uint32_t)env;
    r->port = port_shown(&shown);
    return r->port ? 0 : -EINVAL;
}

/* ---- what is done; it may yet fail for want of something ---- */

static void answer_cap(uint64_t words[3], const struct aegis_cap *cap)
{
    words[0] = cap->name;
    words[1] = cap->generation;
    words[2] = cap->mac;
}

static int64_t tell_about(const struct request *r, uint64_t words[GATE_WORDS])
{
    struct aegis_cap page;

    (void)r;
    if (arp_page(&page))
        return -ENETDOWN;
    words[1] = (uint64_t)netd.address.address << 32 | netd.address.gateway;
    words[2] = (uint64_t)netd.is_leased << NETD_LEASED_BIT | (uint64_t)netd.netif << 8 |
               netd.address.prefix;
    answer_cap(words + 3, &page);
    return 0;
}

static int64_t tell_about6(const struct request *r, uint64_t words[GATE_WORDS])
{
    struct aegis_cap page;

    (void)r;
    if (discovery_page(&page))
        return -ENETDOWN;
    answer_cap(words + 3, &page);
    return 0;
}

static int64_t take(const struct request *r, uint64_t words[GATE_WORDS])
{
    struct port_wanted wanted = r->wanted;
    struct aegis_cap binding = {0};
    int64_t status = port_take(r->caller, &wanted, &binding);

    words[1] = wanted.port;
    answer_cap(words + 2, &binding);
    return status;
}

static int64_t take_loop(const struct request *r, uint64_t words[GATE_WORDS])
{
    struct aegis_cap binding = {0};
    int64_t status = port_loop(r->port, &binding);

    answer_cap(words + 2, &binding);
    return status;
}

static int64_t find(const struct request *r, uint64_t words[GATE_WORDS])
{
    (void)words;
    return port_find(r->wanted.protocol, r->wanted.port);
}

static int64_t leave(const struct request *r, uint64_t words[GATE_WORDS])
{
    (void)words;
    port_leave(r->port);
    return 0;
}

static int64_t resolve(const struct request *r, uint64_t words[GATE_WORDS])
{
    (void)words;
    return arp_resolve(r->neighbour.words[3]);
}

static int64_t resolve6(const struct request *r, uint64_t words[GATE_WORDS])
{
    (void)words;
    return discovery_resolve(&r->neighbour);
}

static bool read_told(const struct aegis_cap *page, struct net_told *told)
{
    const struct net_told *at = vm_attach(page, AEGIS_PROT_READ);

    if (!at)
        return false;
    *told = *at;
    told->search[NET_SEARCH_MAX - 1] = 0;
    vm_free((void *)(uintptr_t)at);
    return true;
}

static int64_t readdress(const struct request *r, uint64_t words[GATE_WORDS])
{
    struct net_told told = {.version = 0};

    (void)words;
    if (r->cap.name && !read_told(&r->cap, &told))
        return -ENOBUFS;
    if (r->address.address != netd.address.address)
        ports_take_back();
    netd.address = r->address;
    arp_readdress();
    discovery_tell(&told);
    return 0;
}

static int64_t linger(const struct request *r, uint64_t words[GATE_WORDS])
{
    (void)words;
    return left_add(&r->left);
}

static int64_t show_lingers(const struct request *r, uint64_t words[GATE_WORDS])
{
    (void)words;
    return left_open(r->caller, r->page, &r->cap);
}

static int64_t join(const struct request *r, uint64_t words[GATE_WORDS])
{
    (void)words;
    return port_join(r->port, r->env);
}

/* ---- the orders ---- */

static const struct row {
    enum {
        ANYBODY,
        ROOT
    } who; /* ROOT: who has the interface's root binding, and so the say over
              what the machine is there */
    int64_t (*check)(struct request *r, const uint64_t words[GATE_WORDS]);
    int64_t (*act)(const struct request *r, uint64_t words[GATE_WORDS]);
} rows[NETD_ORDERS] = {
    [NETD_ABOUT] = {ANYBODY, check_address, tell_about},
    [NETD_TAKE] = {ANYBODY, check_take, take},
    [NETD_LOOP] = {ANYBODY, check_loop, take_loop},
    [NETD_FIND] = {ANYBODY, check_find, find},
    [NETD_LEAVE] = {ANYBODY, check_own, leave},
    [NETD_RESOLVE] = {ANYBODY, check_resolve, resolve},
    [NETD_ABOUT6] = {ANYBODY, NULL, tell_about6},
    [NETD_RESOLVE6] = {ANYBODY, check_resolve6, resolve6},
    [NETD_ADDRESS] = {ROOT, check_readdress, readdress},
    [NETD_LINGER] = {ANYBODY, check_linger, linger},
    [NETD_LINGERS] = {ROOT, check_lingers, show_lingers},
    [NETD_JOIN] = {ANYBODY, check_join, join},
};

static bool has_root(uint32_t env)
{
    return aegis_binding(aegis_info()->netifs[netd.netif].root)->owner == env;
}

void orders_serve(uint32_t caller, uint64_t words[GATE_WORDS])
{
    const struct row *row = words[0] < NETD_ORDERS ? &rows[words[0]] : NULL;
    struct request request = {.caller = caller};
    int64_t status = 0;

    if (!row)
        status = -ENOSYS;
    else if (row->who == ROOT && !has_root(caller))
        status = -EPERM;
    else if (row->check)
        status = row->check(&request, words);
    words[0] = (uint64_t)(status ? status : row->act(&request, words));
}
