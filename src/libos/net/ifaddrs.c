#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/ipv6.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/upcall/hold.h"

#define MOST      5 /* two of the loop interface, three of the device's */
#define LINK_BITS 64

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

/* The list is one piece of memory, which begins with the first entry. */
struct entry {
    struct ifaddrs listed;
    char name[IF_NAMESIZE];
    union address address, mask, broadcast;
};

struct list {
    size_t count;
    struct entry *entries;
};

static struct entry *add(struct list *list, unsigned interface, unsigned flags)
{
    struct entry *e = &list->entries[list->count++];

    *e = (struct entry){.listed = {.ifa_name = e->name,
                                   .ifa_flags = flags | IFF_UP | IFF_RUNNING,
                                   .ifa_addr = &e->address.any,
                                   .ifa_netmask = &e->mask.any}};
    if_indextoname(interface, e->name);
    if (list->count > 1)
        e[-1].listed.ifa_next = &e->listed;
    return e;
}

static void add_four(struct list *list, unsigned interface, uint32_t address, uint32_t mask)
{
    bool is_loop = interface == if_nametoindex("lo");
    struct entry *e = add(list, interface, is_loop ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST);

    e->address.four = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = address};
    e->mask.four = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = mask};
    if (is_loop)
        return;
    e->broadcast.four = e->address.four;
    e->broadcast.four.sin_addr.s_addr |= ~mask;
    e->listed.ifa_broadaddr = &e->broadcast.any;
}

static void add_six(struct list *list, unsigned interface, const struct net_ipv6 *address,
                    unsigned bits)
{
    bool is_loop = net_ipv6_is_loopback(address);
    struct entry *e = add(list, interface, is_loop ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST);

    e->address.six = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_scope_id = net_ipv6_is_link_local(address) ? interface : 0};
    memcpy(&e->address.six.sin6_addr, address, sizeof *address);
    e->mask.six = (struct sockaddr_in6){.sin6_family = AF_INET6};
    memset(e->mask.six.sin6_addr.s6_addr, 0xff, bits / 8);
}

/* Those that may be used by now (RFC 4862, 5.4). */
static void add_all_six(struct list *list, unsigned interface)
{
    const struct net_ipv6_page *page = net_ipv6_look();
    uint64_t now = time_to_ns(time_now());

    if (!page)
        return;
    if (!net_ipv6_is_any(&page->link) && page->link_from_ns <= now)
        add_six(list, interface, &page->link, LINK_BITS);
    if (!net_ipv6_is_any(&page->global) && page->global_from_ns <= now &&
        page->valid_until > now / 1000000000)
        add_six(list, interface, &page->global, LINK_BITS);
}

int getifaddrs(struct ifaddrs **list)
{
    const struct net_ipv6 loopback = {{[3] = NET_WIRE32(1)}};
    struct list l = {.entries = calloc(MOST, sizeof *l.entries)};
    unsigned loop = if_nametoindex("lo");

    if (!l.entries) {
        errno = ENOMEM;
        return -1;
    }
    add_four(&l, loop, htonl(INADDR_LOOPBACK), htonl(0xff000000));
    add_six(&l, loop, &loopback, 128);
    exos_hold();
    const struct net_host *host = net_service();
    if (host) {
        if (host->address)
            add_four(&l, host->netif + 1U, host->address, host->mask);
        add_all_six(&l, host->netif + 1U);
    }
    exos_release();
    *list = &l.entries->listed;
    return 0;
}

void freeifaddrs(struct ifaddrs *list)
{
    free(list);
}
