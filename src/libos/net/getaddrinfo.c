#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/inet6.h"
#include "libos/net/names.h"
#include "libos/net/order.h"
#include "libos/net/resolve.h"
#include "libos/net/service.h"
#include "libos/time/time.h"

#define NEW_NS 2000000000UL /* for an address of ours that isn't one yet (RFC 4862, 5.4) */

#define FLAGS                                                                                      \
    (AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG |           \
     AI_NUMERICSERV)

/* What a socket can be. */
static const struct kind {
    int type, protocol;
} kinds[] = {{SOCK_STREAM, IPPROTO_TCP}, {SOCK_DGRAM, IPPROTO_UDP}};
#define KINDS (sizeof kinds / sizeof *kinds)

/* An element of the list, and what its pointers name. */
struct element {
    struct addrinfo info; /* first: it is what freeaddrinfo gets */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
};

static bool matches(const struct kind *kind, const struct addrinfo *hints)
{
    return (!hints->ai_socktype || hints->ai_socktype == kind->type) &&
           (!hints->ai_protocol || hints->ai_protocol == kind->protocol);
}

/* 0 or an EAI_*. */
static int check_hints(const struct addrinfo *hints, const char *node)
{
    if (hints->ai_flags & ~FLAGS || (hints->ai_flags & AI_CANONNAME && !node))
        return EAI_BADFLAGS;
    if (hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET &&
        hints->ai_family != AF_INET6)
        return EAI_FAMILY;
    return matches(&kinds[0], hints) || matches(&kinds[1], hints) ? 0 : EAI_SOCKTYPE;
}

/* In host byte order; or an EAI_*. */
static int find_port(const char *service, const struct addrinfo *hints)
{
    long port = service ? names_number(service, UINT16_MAX) : 0;

    if (port >= 0)
        return (int)port;
    port = hints->ai_flags & AI_NUMERICSERV ? -1 : names_port(service);
    if (port < 0)
        return hints->ai_flags & AI_NUMERICSERV ? EAI_NONAME : EAI_SERVICE;
    for (size_t i = 0; i < KINDS; i++)
        if (matches(&kinds[i], hints) && names_service((uint16_t)port, kinds[i].type == SOCK_DGRAM))
            return (int)port;
    return EAI_SERVICE;
}

static void map_to_six(struct resolve_address *a)
{
    memmove(a->bytes + 12, a->bytes, 4);
    memset(a->bytes, 0, 10);
    memset(a->bytes + 10, 0xff, 2);
    a->size = 16;
}

/* A zone's number, written as that or as the name of its interface; negative: it is none. */
static long read_zone(const char *text)
{
    long zone = names_number(text, UINT8_MAX);
    unsigned index = zone < 0 ? if_nametoindex(text) : 0;

    return index ? (long)index : zone;
}

/* An IPv6 address, with a zone (RFC 4007, section 11) if it is link-local: "fe80::1%1" or
 * "fe80::1%net0". */
static bool read_ipv6(const char *node, struct resolve_address *a)
{
    char text[INET6_TEXT];
    size_t size = strcspn(node, "%");
    long zone = node[size] ? read_zone(node + size + 1) : 0;

    if (size >= sizeof text || zone < 0)
        return false;
    memcpy(text, node, size);
    text[size] = 0;
    a->zone = (uint32_t)zone;
    return inet6_read(text, a->bytes) &&
           (!node[size] || (a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80));
}

/* A node that is written as an address, or is none. Returns 0, an EAI_*, or 1: it is a name. */
static int read_node(const char *node, const struct addrinfo *hints, struct resolved *result)
{
    struct resolve_address *a = result->addresses;
    bool passive = hints->ai_flags & AI_PASSIVE, mapped = hints->ai_flags & AI_V4MAPPED;

    memset(result, 0, sizeof *result);
    if (!node) { /* any address, or the loop's */
        const struct resolve_address four = {4, {passive ? 0 : 127, 0, 0, !passive}, 0};
        const struct resolve_address six = {16, {[15] = !passive}, 0};
        if (hints->ai_family != AF_INET6)
            a[result->count++] = four;
        if (hints->ai_family != AF_INET)
            a[result->count++] = six;
        return 0;
    }
    const char *end = inet4_read_parts(node, a->bytes);
    a->size = end && !*end ? 4 : read_ipv6(node, a) ? 16 : 0;
    if (!a->size)
        return hints->ai_flags & AI_NUMERICHOST ? EAI_NONAME : 1;
    if (a->size == 4 && hints->ai_family == AF_INET6 && mapped)
        map_to_six(a);
    if (hints->ai_family && (hints->ai_family == AF_INET) != (a->size == 4))
        return EAI_NONAME; /* an address of the other family */
    result->count = 1;
    strncpy(result->name, node, sizeof result->name - 1);
    return 0;
}

/* Whether it has an address with which others than neighbours can be reached, or will in a moment.
 */
static bool has_ipv6(void)
{
    const struct net_ipv6_page *p = net_ipv6_look();

    return p && !net_ipv6_is_any(&p->global) && p->global_from_ns != NET_IPV6_NEVER &&
           p->valid_until > time_now() / aegis_info()->timebase;
}

static struct net_way find_way(const struct resolve_address *a)
{
    struct net_way way = {.destination = {{0, 0, NET_WIRE32(0xffff), 0}}};
    const struct net_host *host;

    memcpy((uint8_t *)&way.destination + sizeof way.destination - a->size, a->bytes, a->size);
    if (a->size == 16 || a->bytes[0] == 127) {
        way.source = way.destination;
        way.is_usable = a->size == 4 || net_ipv6_is_loopback(&way.destination) ||
                        net_ipv6_source(&way.destination, &way.source, time_after(NEW_NS)) == 0;
    } else if ((host = net_service())) {
        way.source = way.destination;
        way.source.words[3] = host->address;
        way.is_usable = host->address;
    }
    return way;
}

/* The best first; what is equal stays as the server said it. */
static void sort(struct resolved *found)
{
    struct net_way ways[RESOLVE_MAX];

    for (size_t i = 0; i < found->count; i++) {
        const struct resolve_address address = found->addresses[i];
        const struct net_way way = find_way(&address);
        size_t at = i;
        for (; at > 0 && net_way_before(&way, &ways[at - 1]); at--) {
            ways[at] = ways[at - 1];
            found->addresses[at] = found->addresses[at - 1];
        }
        ways[at] = way;
        found->addresses[at] = address;
    }
}

static int find_node(const char *node, const struct addrinfo *hints, struct resolved *result)
{
    bool wants_six = hints->ai_family == AF_INET6;
    bool mapped = wants_six && hints->ai_flags & AI_V4MAPPED;
    bool six = wants_six || !hints->ai_family;
    int error = read_node(node, hints, result);

    if (error <= 0)
        return error;
    if (hints->ai_flags & AI_ADDRCONFIG && six && !has_ipv6()) {
        if (wants_six && !mapped)
            return EAI_NONAME;
        six = false;
    }
    error = resolve_name(node, !wants_six || (mapped && hints->ai_flags & AI_ALL), six, result);
    if (error == EAI_NONAME && mapped && !(hints->ai_flags & AI_ALL))
        error = resolve_name(node, true, false, result);
    for (size_t i = 0; !error && mapped && i < result->count; i++)
        if (result->addresses[i].size == 4)
            map_to_six(&result->addresses[i]);
    if (!error && result->count > 1)
        sort(result);
    return error;
}

static struct element *make(const struct resolve_address *a, const struct kind *kind, uint16_t port)
{
    struct element *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->info.ai_socktype = kind->type;
    e->info.ai_protocol = kind->protocol;
    e->info.ai_addr = &e->address.any;
    if (a->size == 4) {
        e->info.ai_family = e->address.in.sin_family = AF_INET;
        e->info.ai_addrlen = sizeof e->address.in;
        e->address.in.sin_port = htons(port);
        memcpy(&e->address.in.sin_addr, a->bytes, 4);
    } else {
        e->info.ai_family = e->address.in6.sin6_family = AF_INET6;
        e->info.ai_addrlen = sizeof e->address.in6;
        e->address.in6.sin6_port = htons(port);
        memcpy(&e->address.in6.sin6_addr, a->bytes, 16);
        e->address.in6.sin6_scope_id = a->zone;
    }
    return e;
}

/* Each address with each kind of socket. */
static int make_list(const struct resolved *found, const struct addrinfo *hints, uint16_t port,
                     struct addrinfo **list)
{
    struct addrinfo **end = list;

    for (size_t i = 0; i < found->count; i++)
        for (size_t j = 0; j < KINDS; j++) {
            if (!matches(&kinds[j], hints))
                continue;
            struct element *e = make(&found->addresses[i], &kinds[j], port);
            if (!e)
                return EAI_MEMORY;
            *end = &e->info;
            end = &e->info.ai_next;
        }
    if (*list && hints->ai_flags & AI_CANONNAME && !((*list)->ai_canonname = strdup(found->name)))
        return EAI_MEMORY;
    return 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    static const struct addrinfo any;
    struct resolved found;
    struct addrinfo *list = NULL;

    if (!hints)
        hints = &any;
    int error = !node && !service ? EAI_NONAME : check_hints(hints, node);
    int port = error ? 0 : find_port(service, hints);
    if (!error && port < 0)
        error = port;
    if (!error)
        error = find_node(node, hints, &found);
    if (!error)
        error = make_list(&found, hints, (uint16_t)port, &list);
    if (error)
        freeaddrinfo(list);
    else
        *result = list;
    return error;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_canonname);
        free(list);
        list = next;
    }
}
