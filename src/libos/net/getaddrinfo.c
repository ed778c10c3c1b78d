#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/inet6.h"
#include "libos/net/names.h"
#include "libos/net/resolve.h"

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

/* A node that is written as an address, or is none. Returns 0, an EAI_*, or 1: it is a name. */
static int read_node(const char *node, const struct addrinfo *hints, struct resolved *result)
{
    struct resolve_address *a = result->addresses;
    bool passive = hints->ai_flags & AI_PASSIVE, mapped = hints->ai_flags & AI_V4MAPPED;

    memset(result, 0, sizeof *result);
    if (!node) { /* any address, or the loop's */
        const struct resolve_address four = {4, {passive ? 0 : 127, 0, 0, !passive}};
        const struct resolve_address six = {16, {[15] = !passive}};
        if (hints->ai_family != AF_INET6)
            a[result->count++] = four;
        if (hints->ai_family == AF_INET6)
            a[result->count++] = six;
        return 0;
    }
    a->size = inet4_read(node, a->bytes) ? 4 : inet6_read(node, a->bytes) ? 16 : 0;
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

static int find_node(const char *node, const struct addrinfo *hints, struct resolved *result)
{
    bool wants_six = hints->ai_family == AF_INET6;
    bool mapped = wants_six && hints->ai_flags & AI_V4MAPPED;
    bool six = wants_six || (!hints->ai_family && !(hints->ai_flags & AI_ADDRCONFIG));
    int error = read_node(node, hints, result);

    if (error <= 0)
        return error;
    error = resolve_name(node, !wants_six || (mapped && hints->ai_flags & AI_ALL), six, result);
    if (error == EAI_NONAME && mapped && !(hints->ai_flags & AI_ALL))
        error = resolve_name(node, true, false, result);
    for (size_t i = 0; !error && mapped && i < result->count; i++)
        if (result->addresses[i].size == 4)
            map_to_six(&result->addresses[i]);
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
