/*
 * Names as programs asked for them before getaddrinfo. What is returned is the process's, and the
 * next call of the same kind changes it, as POSIX has it.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "libos/net/inet6.h"
#include "libos/net/names.h"
#include "libos/net/resolve.h"

static char *no_names[] = {NULL};

/* ---- hosts ---- */

struct host {
    struct hostent entry;
    char name[DNS_NAME_MAX];
    uint8_t addresses[DNS_ADDRESSES_MAX][16] __attribute__((aligned(4)));
    char *list[DNS_ADDRESSES_MAX + 1];
};

static struct host host;
static int host_error;

int *exos_h_errno(void)
{
    return &host_error;
}

/* What getaddrinfo would say, as these functions do. */
static int error_of(int error)
{
    switch (error) {
    case EAI_AGAIN:
        return TRY_AGAIN;
    case EAI_NONAME:
        return HOST_NOT_FOUND;
    default:
        return NO_RECOVERY;
    }
}

static struct hostent *give(const char *name, int family, size_t count)
{
    if (name != host.name) /* which a program may ask for again */
        snprintf(host.name, sizeof host.name, "%s", name);
    for (size_t i = 0; i < count; i++)
        host.list[i] = (char *)host.addresses[i];
    host.list[count] = NULL;
    host.entry = (struct hostent){.h_name = host.name,
                                  .h_aliases = no_names,
                                  .h_addrtype = family,
                                  .h_length = family == AF_INET ? 4 : 16,
                                  .h_addr_list = host.list};
    return &host.entry;
}

struct hostent *gethostbyname2(const char *name, int family)
{
    struct resolved found;
    bool six = family == AF_INET6;

    if (!six && family != AF_INET) {
        host_error = NO_RECOVERY;
        errno = EAFNOSUPPORT;
        return NULL;
    }
    if (six ? inet6_read(name, host.addresses[0]) : inet4_read(name, host.addresses[0]))
        return give(name, family, 1);
    int error = resolve_name(name, !six, six, &found);
    if (error) {
        host_error = error_of(error);
        return NULL;
    }
    size_t count = found.count < DNS_ADDRESSES_MAX ? found.count : DNS_ADDRESSES_MAX;
    for (size_t i = 0; i < count; i++)
        memcpy(host.addresses[i], found.addresses[i].bytes, found.addresses[i].size);
    return give(found.name, family, count);
}

struct hostent *gethostbyname(const char *name)
{
    return gethostbyname2(name, AF_INET);
}

struct hostent *gethostbyaddr(const void *address, socklen_t size, int family)
{
    struct resolve_address a = {.size = family == AF_INET ? 4 : 16};
    char name[DNS_NAME_MAX];

    if ((family != AF_INET && family != AF_INET6) || size != a.size) {
        host_error = NO_RECOVERY;
        errno = EINVAL;
        return NULL;
    }
    memcpy(a.bytes, address, size);
    int error = resolve_address(&a, name);
    if (error) {
        host_error = error_of(error);
        return NULL;
    }
    memcpy(host.addresses[0], a.bytes, a.size);
    return give(name, family, 1);
}

const char *hstrerror(int error)
{
    switch (error) {
    case 0:
        return "Success";
    case HOST_NOT_FOUND:
        return "Name not known";
    case TRY_AGAIN:
        return "No name server answers now";
    case NO_RECOVERY:
        return "The name server can't answer";
    case NO_DATA:
        return "The name has no address of this family";
    default:
        return "Unknown error";
    }
}

void herror(const char *text)
{
    fprintf(stderr, "%s%s%s\n", text ? text : "", text && *text ? ": " : "", hstrerror(h_errno));
}

/* ---- services and protocols ---- */

static struct servent *give_service(const char *name, uint16_t port, bool is_udp)
{
    static struct servent entry;

    entry = (struct servent){.s_name = (char *)name,
                             .s_aliases = no_names,
                             .s_port = htons(port),
                             .s_proto = is_udp ? "udp" : "tcp"};
    return &entry;
}

/* Which of TCP (0) and UDP (1) a protocol's name means; NULL: TCP first. */
static bool is_meant(const char *protocol, bool is_udp)
{
    return !protocol || !strcmp(protocol, is_udp ? "udp" : "tcp");
}

struct servent *getservbyport(int port, const char *protocol)
{
    for (int is_udp = 0; is_udp < 2; is_udp++) {
        const char *name = names_service(ntohs((uint16_t)port), is_udp);
        if (name && is_meant(protocol, is_udp))
            return give_service(name, ntohs((uint16_t)port), is_udp);
    }
    return NULL;
}

struct servent *getservbyname(const char *name, const char *protocol)
{
    int port = names_port(name);

    return port < 0 ? NULL : getservbyport(htons((uint16_t)port), protocol);
}

static struct protoent protocols[] = {
    {"ip", no_names, IPPROTO_IP},     {"icmp", no_names, IPPROTO_ICMP},
    {"tcp", no_names, IPPROTO_TCP},   {"udp", no_names, IPPROTO_UDP},
    {"ipv6", no_names, IPPROTO_IPV6}, {"ipv6-icmp", no_names, IPPROTO_ICMPV6},
};
#define PROTOCOLS (sizeof protocols / sizeof *protocols)

struct protoent *getprotobyname(const char *name)
{
    for (size_t i = 0; i < PROTOCOLS; i++)
        if (!strcmp(protocols[i].p_name, name))
            return &protocols[i];
    return NULL;
}

struct protoent *getprotobynumber(int number)
{
    for (size_t i = 0; i < PROTOCOLS; i++)
        if (protocols[i].p_proto == number)
            return &protocols[i];
    return NULL;
}
