/* Addresses as programs write them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libos/net/socket.h"

int socket_read_end(const struct sockaddr *address, socklen_t size, struct socket_end *end)
{
    struct sockaddr_in in;

    if (size < sizeof address->sa_family)
        return -EINVAL;
    memcpy(&in.sin_family, &address->sa_family, sizeof in.sin_family);
    if (in.sin_family == AF_UNSPEC) {
        *end = (struct socket_end){0};
        return 0;
    }
    if (in.sin_family != AF_INET)
        return -EAFNOSUPPORT;
    if (size < sizeof in)
        return -EINVAL;
    memcpy(&in, address, sizeof in);
    *end = (struct socket_end){in.sin_addr.s_addr, in.sin_port};
    return 0;
}

/* As POSIX has it: cut to what there is room for, *size what it would have taken. */
void socket_write_end(const struct socket_end *end, struct sockaddr *address, socklen_t *size)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = end->port, .sin_addr.s_addr = end->address};
    memcpy(address, &in, *size < sizeof in ? *size : sizeof in);
    *size = sizeof in;
}

int inet_pton(int family, const char *text, void *address)
{
    uint8_t bytes[4];

    if (family != AF_INET) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        unsigned number = 0, digits = 0;
        if (i && *text++ != '.')
            return 0;
        for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++)
            number = number * 10 + (unsigned)(*text - '0');
        if (digits < 1 || digits > 3 || number > 255)
            return 0;
        bytes[i] = (uint8_t)number;
    }
    if (*text)
        return 0;
    memcpy(address, bytes, sizeof bytes);
    return 1;
}

const char *inet_ntop(int family, const void *address, char *text, socklen_t size)
{
    char whole[INET_ADDRSTRLEN];
    const uint8_t *b = address;

    if (family != AF_INET) {
        errno = EAFNOSUPPORT;
        return NULL;
    }
    int length = snprintf(whole, sizeof whole, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
    if ((socklen_t)length >= size) {
        errno = ENOSPC;
        return NULL;
    }
    return memcpy(text, whole, (size_t)length + 1);
}

int inet_aton(const char *text, struct in_addr *address)
{
    return inet_pton(AF_INET, text, address);
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
