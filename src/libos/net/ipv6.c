#include "libos/net/ipv6.h"

#include <errno.h>
#include <string.h>

#include "libos/net/asked.h"
#include "libos/net/service.h"
#include "libos/proc/part.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "libos/wait/wait.h"

static const volatile struct net_ipv6_page *page;
static uint32_t of; /* net_renewals then */

const volatile struct net_ipv6_page *net_ipv6_page(void)
{
    uint64_t words[GATE_WORDS] = {NETD_ABOUT6};

    if (page && of == net_renewals)
        return page;
    if (!net_service() || net_ask(words))
        return page;
    const volatile struct net_ipv6_page *old = page;
    page = net_attach(&(struct aegis_cap){words[3], words[4], words[5]});
    of = net_renewals;
    vm_free((void *)(uintptr_t)old);
    if (!page)
        errno = ENETDOWN;
    return page;
}

/* A fork's child has none of its parent's capabilities' pages: it asks for its own. */
static void in_child(void)
{
    page = NULL;
}

static const struct exos_part ipv6_part = {.name = "ipv6", .in_child = in_child};
EXOS_PART(61, ipv6_part);

static uint64_t now_ns(void)
{
    return time_to_ns(time_now());
}

static uint32_t now_seconds(void)
{
    return (uint32_t)(time_now() / aegis_info()->timebase);
}

static bool is_same(const volatile struct net_ipv6 *a, const struct net_ipv6 *b)
{
    return a->words[3] == b->words[3] && a->words[2] == b->words[2] && a->words[1] == b->words[1] &&
           a->words[0] == b->words[0];
}

const struct net_ipv6_page *net_ipv6_look(void)
{
    static struct net_ipv6_page now;
    const volatile struct net_ipv6_page *p = net_ipv6_page();
    uint64_t version;

    if (!p)
        return NULL;
    do {
        version = p->version;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        const volatile uint64_t *from = (const volatile uint64_t *)p;
        for (size_t i = 0; i < offsetof(struct net_ipv6_page, neighbours) / sizeof *from; i++)
            memcpy((uint8_t *)&now + i * sizeof *from, &(uint64_t){from[i]}, sizeof *from);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (version & 1 || version != p->version);
    return &now;
}

bool net_ipv6_told(struct net_told *told)
{
    const volatile struct net_ipv6_page *p = net_ipv6_page();
    uint64_t version;

    if (!p)
        return false;
    do {
        version = p->told.version;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        for (int i = 0; i < NET_SERVERS; i++)
            told->servers[i] = p->told.servers[i];
        for (int i = 0; i < NET_SEARCH_MAX; i++)
            told->search[i] = p->told.search[i];
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (version & 1)
            aegis_yield(0); /* netd is in the middle of it */
    } while (version & 1 || version != p->told.version);
    told->search[NET_SEARCH_MAX - 1] = 0;
    return true;
}

bool net_ipv6_is_local(const struct net_ipv6 *address)
{
    const volatile struct net_ipv6_page *p;

    if (net_ipv6_is_loopback(address))
        return true;
    p = net_ipv6_is_any(address) || net_ipv6_is_group(address) ? NULL : net_ipv6_page();
    return p && (is_same(&p->link, address) || is_same(&p->global, address));
}

/* Nothing says how to get there: netd may ask for a router. -1 with errno. */
static int unreachable(const struct net_ipv6 *address)
{
    uint64_t words[GATE_WORDS] = {NETD_RESOLVE6};

    memcpy(&words[1], address, sizeof *address);
    net_ask(words);
    errno = ENETUNREACH;
    return -1;
}

/* Which of ours, and from when on it may be used; NULL: there is none. */
static const struct net_ipv6 *choose(const struct net_ipv6_page *p,
                                     const struct net_ipv6 *destination, uint64_t *from_ns)
{
    if (net_ipv6_is_link_local(destination) ||
        (net_ipv6_is_group(destination) &&
         (destination->words[0] & NET_WIRE32(0xf0000)) <= NET_WIRE32(0x20000))) {
        *from_ns = p->link_from_ns;
        return &p->link;
    }
    *from_ns = p->global_from_ns;
    return net_ipv6_is_any(&p->global) || p->valid_until <= now_seconds() ? NULL : &p->global;
}

int net_ipv6_source(const struct net_ipv6 *destination, struct net_ipv6 *source, uint64_t deadline)
{
    uint64_t from_ns;

    if (net_ipv6_is_local(destination)) {
        *source = *destination;
        return 0;
    }
    for (;;) {
        const struct net_ipv6_page *p = net_ipv6_look();
        if (!p)
            return -1;
        const struct net_ipv6 *own = choose(p, destination, &from_ns);
        if (!own)
            return unreachable(destination);
        if (from_ns == NET_IPV6_NEVER) {
            errno = EADDRNOTAVAIL;
            return -1;
        }
        uint64_t now = now_ns();
        if (now >= from_ns) {
            *source = *own;
            return 0;
        }
        if (time_now() >= deadline) {
            errno = EAGAIN;
            return -1;
        }
        uint64_t then = time_after(from_ns - now);
        exos_wait(NULL, 0, then < deadline ? then : deadline);
    }
}

/* What the page says of a neighbour now, or 0. Of an old answer KNOWN isn't set. */
static uint64_t look_up(const struct net_ipv6 *address)
{
    const volatile struct net_neighbour6 *n = &page->neighbours[net_ipv6_place(address)];
    uint64_t word = n->word;

    /* The address is read behind the word: netd changes it only while the word says nothing. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (!is_same(&n->address, address) || !(word & NEIGHBOUR_KNOWN))
        return 0;
    return now_seconds() - n->seconds < NEIGHBOUR_FRESH ? word : word & ~NEIGHBOUR_KNOWN;
}

static uint64_t look_up_at(const void *address)
{
    return look_up(address);
}

static const volatile unsigned long long *place_of(const void *address)
{
    return &page->neighbours[net_ipv6_place(address)].word;
}

static int resolve(const struct net_ipv6 *address, uint64_t *word, uint64_t deadline)
{
    struct net_asked asked = {
        .order = {NETD_RESOLVE6}, .address = address, .place = place_of, .look_up = look_up_at};

    memcpy(&asked.order[1], address, sizeof *address);
    return net_await_neighbour(&asked, word, deadline);
}

int net_ipv6_next_hop(const struct net_ipv6 *address, uint8_t mac[6], uint64_t deadline)
{
    const struct net_ipv6_page *p = net_ipv6_look();
    struct net_ipv6 hop = *address;

    if (!p)
        return -1;
    if (net_ipv6_is_group(address)) { /* RFC 2464, 7 */
        memset(mac, 0x33, 2);
        memcpy(mac + 2, &address->words[3], 4);
        return 0;
    }
    bool is_near = net_ipv6_is_link_local(address) ||
                   (p->on_link_until > now_seconds() && p->on_link.words[0] == address->words[0] &&
                    p->on_link.words[1] == address->words[1]);
    if (!is_near) {
        hop = p->router;
        if (p->router_until <= now_seconds() || net_ipv6_is_any(address))
            return unreachable(address);
    }
    uint64_t word = look_up(&hop);
    if (!(word & NEIGHBOUR_KNOWN) && resolve(&hop, &word, deadline))
        return -1;
    memcpy(mac, &word, 6);
    return 0;
}
