/* Addresses as programs write them. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libos/net/inet6.h"
#include "libos/net/service.h"
#include "libos/net/socket.h"

const struct in6_addr in6addr_any = IN6ADDR_ANY_INIT, in6addr_loopback = IN6ADDR_LOOPBACK_INIT;

/* Copies what may lie anywhere, and mostly is aligned as its members want it: then by words. */
#define COPY(to, from, size)                                                                       \
    do {                                                                                           \
        if (((uintptr_t)(to) | (uintptr_t)(from)) % 4)                                             \
            memcpy(to, from, size);                                                                \
        else                                                                                       \
            memcpy(__builtin_assume_aligned(to, 4), __builtin_assume_aligned(from, 4), size);      \
    } while (0)

static int read_ipv6(const struct sockaddr *address, socklen_t size, struct socket_end *end)
{
    struct sockaddr_in6 in;

    if (size < sizeof in)
        return -EINVAL;
    COPY(&in, address, sizeof in);
    if (in.sin6_scope_id > UINT8_MAX)
        return -EINVAL;
    *end = (struct socket_end){
        .port = in.sin6_port, .is_six = true, .scope = (uint8_t)in.sin6_scope_id};
    COPY(&end->six, &in.sin6_addr, sizeof end->six);
    if (net_ipv6_is_mapped(&end->six))
        end->address = end->six.words[3];
    return 0;
}

int socket_read_end(const struct sockaddr *address, socklen_t size, struct socket_end *end)
{
    struct sockaddr_in in;

    if (size < sizeof address->sa_family)
        return -EINVAL;
    memcpy(&in.sin_family, &address->sa_family, sizeof in.sin_family);
    if (in.sin_family == AF_UNSPEC) {
        *end = (struct socket_end){.is_nobody = true};
        return 0;
    }
    if (in.sin_family == AF_INET6)
        return read_ipv6(address, size, end);
    if (in.sin_family != AF_INET)
        return -EAFNOSUPPORT;
    if (size < sizeof in)
        return -EINVAL;
    memcpy(&in, address, sizeof in);
    *end = socket_end_ipv4(in.sin_addr.s_addr, in.sin_port);
    return 0;
}

void socket_name_self(struct socket_end *end)
{
    const struct net_ipv6 loopback = {{[3] = NET_WIRE32(1)}};

    if (end->is_nobody || end->address || !end->port)
        return;
    if (!end->is_six)
        end->address = htonl(INADDR_LOOPBACK);
    else if (net_ipv6_is_any(&end->six))
        end->six = loopback;
}

static void write_ipv6(const struct socket_end *end, struct sockaddr *address, socklen_t *size)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = end->port};
    struct net_ipv6 six = end->six;

    if (end->address)
        six = net_ipv6_mapped(end->address);
    if (net_ipv6_is_link_local(&six))
        in.sin6_scope_id = end->scope ? end->scope : net_service()->netif + 1;
    COPY(&in.sin6_addr, &six, sizeof six);
    if (*size >= sizeof in)
        COPY(address, &in, sizeof in);
    else
        memcpy(address, &in, *size);
    *size = sizeof in;
}

/* As POSIX has it: cut to what there is room for, *size what it would have taken. */
void socket_write_end(bool is_six, const struct socket_end *end, struct sockaddr *address,
                      socklen_t *size)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = end->port, .sin_addr.s_addr = end->address};

    if (is_six) {
        write_ipv6(end, address, size);
        return;
    }
    memcpy(address, &in, *size < sizeof in ? *size : sizeof in);
    *size = sizeof in;
}

void socket_write_family(int family, struct sockaddr *address, socklen_t *size)
{
    const sa_family_t value = (sa_family_t)family;

    memcpy(address, &value, *size < sizeof value ? *size : sizeof value);
    *size = sizeof value;
}

int inet_pton(int family, const char *text, void *address)
{
    if (family == AF_INET || family == AF_INET6) {
        uint8_t bytes[16];
        if (!(family == AF_INET ? inet4_read(text, bytes) : inet6_read(text, bytes)))
            return 0;
        memcpy(address, bytes, family == AF_INET ? 4 : 16);
        return 1;
    }
    errno = EAFNOSUPPORT;
    return -1;
}

const char *inet_ntop(int family, const void *address, char *text, socklen_t size)
{
    char whole[INET6_TEXT];
    const uint8_t *b = address;

    if (family == AF_INET) {
        snprintf(whole, sizeof whole, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
    } else if (family == AF_INET6) {
        inet6_write(b, whole);
    } else {
        errno = EAFNOSUPPORT;
        return NULL;
    }
    if (strlen(whole) >= size) {
        errno = ENOSPC;
        return NULL;
    }
    return strcpy(text, whole);
}

int inet_aton(const char *text, struct in_addr *address)
{
    uint8_t bytes[4];
    const char *end = inet4_read_parts(text, bytes);

    if (!end || (*end && !isspace((unsigned char)*end)))
        return 0;
    memcpy(address, bytes, sizeof bytes);
    return 1;
}

in_addr_t inet_addr(const char *text)
{
    struct in_addr address;
    return inet_aton(text, &address) == 1 ? address.s_addr : INADDR_NONE;
}

char *inet_ntoa(struct in_addr address)
{
    static char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address, text, sizeof text);
    return text;
}
