/*
 * IPv6's addresses and neighbours. What comes from the network the handler takes
 * (handlers/discovery.h); here are the questions, and who is allowed to be asked for.
 */
#include <errno.h>
#include <string.h>

#include "asking.h"
#include "libos/net/handler.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/linger.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "netd.h"

#define ROUTER_WAIT 4 /* s between two questions for a router, RFC 4861, 10 */

#define ICMP_SOLICIT_ROUTER    133
#define ICMP_SOLICIT_NEIGHBOUR 135
#define ICMP_SUM               2
#define ND_ROUTER_SIZE         8  /* of a solicitation for routers, */
#define ND_NEIGHBOUR_SIZE      24 /* for a neighbour, */
#define ND_LINK_SIZE           8  /* and of the option that says where the sender is */
#define ND_SOURCE_LINK         1

static const struct net_ipv6 all_routers = {{NET_WIRE32(0xff020000), 0, 0, NET_WIRE32(2)}};

static struct asking askings[NET_IPV6_NEIGHBOURS];

static volatile struct net_ipv6_page *page;
static uint32_t router_asked; /* when */

static uint32_t seconds_now(void)
{
    return (uint32_t)(time_now() / aegis_info()->timebase);
}

static void read_volatile(struct net_ipv6 *to, const volatile struct net_ipv6 *from)
{
    for (int i = 0; i < 4; i++)
        to->words[i] = from->words[i];
}

/* Sends a message of `size` bytes, its type and what is behind the first eight of them, to a group.
 */
static void send(const struct net_ipv6 *from, const struct net_ipv6 *to, uint8_t type,
                 const void *body, size_t size)
{
    uint8_t frame[ETH_SIZE + IPV6_SIZE + ND_NEIGHBOUR_SIZE + ND_LINK_SIZE] = {0};
    uint8_t *icmp = frame + ETH_SIZE + IPV6_SIZE;

    net_put16(frame + ETH_DESTINATION, 0x3333); /* RFC 2464, 7 */
    memcpy(frame + ETH_DESTINATION + 2, &to->words[3], 4);
    memcpy(frame + ETH_SOURCE, netd.mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    net_put16(frame + IPV6_LENGTH, (uint16_t)size);
    frame[IPV6_NEXT] = IPV6_ICMP;
    frame[IPV6_HOP_LIMIT] = 255;
    memcpy(frame + IPV6_SOURCE, from, sizeof *from);
    memcpy(frame + IPV6_DESTINATION, to, sizeof *to);
    icmp[0] = type;
    memcpy(icmp + ND_ROUTER_SIZE, body, size - ND_ROUTER_SIZE);
    uint16_t sum = net_ipv6_sum(frame, icmp, size, IPV6_ICMP);
    memcpy(icmp + ICMP_SUM, &sum, sizeof sum);
    net_send_copy(&netd.arp, frame, ETH_SIZE + IPV6_SIZE + size, time_after(ASK_PATIENCE));
}

/* From nobody (then it asks whether anybody has it), or saying who asks. */
static void ask(const struct net_ipv6 *from, const struct net_ipv6 *target)
{
    const struct net_ipv6 group = {
        {NET_WIRE32(0xff020000), 0, NET_WIRE32(1), target->words[3] | NET_WIRE32(0xff000000)}};
    uint8_t body[ND_NEIGHBOUR_SIZE - ND_ROUTER_SIZE + ND_LINK_SIZE];
    bool is_own = !from->words[0];

    memcpy(body, target, sizeof *target);
    body[sizeof *target] = ND_SOURCE_LINK;
    body[sizeof *target + 1] = 1;
    memcpy(body + sizeof *target + 2, netd.mac, 6);
    send(from, &group, ICMP_SOLICIT_NEIGHBOUR, body,
         is_own ? ND_NEIGHBOUR_SIZE : ND_NEIGHBOUR_SIZE + ND_LINK_SIZE);
}

/* Where there is none, and not more often than every few seconds. */
static void ask_for_router(void)
{
    const struct net_ipv6 nobody = {0};
    uint32_t now = seconds_now();

    if (page->router_until > now || (router_asked && now - router_asked < ROUTER_WAIT))
        return;
    router_asked = now ? now : 1;
    page->is_wanted = 1;
    send(&nobody, &all_routers, ICMP_SOLICIT_ROUTER, NULL, ND_ROUTER_SIZE);
}

void discovery_open(const struct net_handler *handler)
{
    struct net_ipv6 own;

    page = net_handler_map(handler, "ipv6");
    net_ipv6_link_local(netd.mac, &own);
    for (int i = 0; i < 4; i++)
        page->link.words[i] = own.words[i];
    page->link_from_ns = time_to_ns(time_now()) + NET_IPV6_DAD_NS;
}

void discovery_begin(void)
{
    const struct net_ipv6 nobody = {0};
    struct net_ipv6 own;

    read_volatile(&own, &page->link);
    ask(&nobody, &own);
    ask_for_router();
}

int64_t discovery_page(struct aegis_cap *capability)
{
    int64_t ppn = vm_page_at((const void *)(uintptr_t)page);

    ask_for_router();
    return ppn < 0 ? ppn
                   : aegis_cap_mint(AEGIS_KIND_PAGE, (uint64_t)ppn, AEGIS_RIGHT_READ, capability);
}

static bool is_same(const volatile struct net_ipv6 *a, const struct net_ipv6 *b)
{
    for (int i = 0; i < 4; i++)
        if (a->words[i] != b->words[i])
            return false;
    return true;
}

/* Who reads it meanwhile reads again. */
void discovery_tell(const struct net_told *told)
{
    volatile struct net_told *to = &page->told;

    __atomic_store_n(&to->version, to->version + 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < NET_SERVERS; i++)
        to->servers[i] = told->servers[i];
    for (int i = 0; i < NET_SEARCH_MAX; i++)
        to->search[i] = told->search[i];
    __atomic_store_n(&to->version, to->version + 1, __ATOMIC_SEQ_CST);
}

/* One of this link, and not us. */
static bool is_neighbour(const struct net_ipv6 *a)
{
    bool is_prefix = page->on_link_until > seconds_now() && page->on_link.words[0] == a->words[0] &&
                     page->on_link.words[1] == a->words[1];

    return (net_ipv6_is_link_local(a) || is_prefix) && !is_same(&page->link, a) &&
           !is_same(&page->global, a);
}

bool discovery_own(uint8_t which, struct net_ipv6 *own)
{
    *own = (struct net_ipv6){{0, 0, 0, NET_WIRE32(1)}};
    if (which == NET_LINGER_LINK)
        read_volatile(own, &page->link);
    else if (which == NET_LINGER_GLOBAL)
        read_volatile(own, &page->global);
    return which <= NET_LINGER_LOOP && !net_ipv6_is_any(own);
}

bool discovery_is_own(const struct net_ipv6 *address)
{
    return is_same(&page->link, address) || is_same(&page->global, address);
}

void discovery_known(const struct net_ipv6 *address, uint8_t mac[6])
{
    const volatile struct net_neighbour6 *n = &page->neighbours[net_ipv6_place(address)];
    uint64_t word = is_neighbour(address) ? 0 : page->router_mac;

    if (is_neighbour(address) && is_same(&n->address, address))
        word = n->word;
    memcpy(mac, &word, 6);
}

/* As arp.c does it: the word is emptied before the address changes. */
static void begin_anew(volatile struct net_neighbour6 *n, const struct net_ipv6 *address)
{
    __atomic_store_n(&n->word, 0, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 4; i++)
        n->address.words[i] = address->words[i];
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

int64_t discovery_resolve(const struct net_ipv6 *address)
{
    uint32_t place = net_ipv6_place(address), now = seconds_now();
    volatile struct net_neighbour6 *n = &page->neighbours[place];
    struct net_ipv6 own;

    ask_for_router();
    if (!is_neighbour(address))
        return -ENETUNREACH;
    if (page->link_from_ns > time_to_ns(time_now())) /* not ours yet, or never */
        return page->link_from_ns == NET_IPV6_NEVER ? -EADDRNOTAVAIL : 0;
    if (!is_same(&n->address, address)) {
        begin_anew(n, address);
        askings[place] = (struct asking){.times = 0};
    }
    int64_t due = asking_due(&askings[place], &n->word, n->seconds, now);
    if (due <= 0)
        return due;
    read_volatile(&own, &page->link);
    ask(&own, address);
    return 0;
}
