/* What the files of test sockets6 share. */
#ifndef GUEST_SOCKETS6_H
#define GUEST_SOCKETS6_H

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "test.h"

#define CHECK_ERRNO(call, wanted)                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK_EQ((call), -1);                                                                      \
        CHECK_EQ(errno, wanted);                                                                   \
    } while (0)
#define AT(variable) (struct sockaddr *)&(variable), sizeof(variable)

extern char link_local[INET6_ADDRSTRLEN], global[INET6_ADDRSTRLEN]; /* of the machine */

static inline struct sockaddr_in6 at(const char *address, uint16_t port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    CHECK_EQ(inet_pton(AF_INET6, address, &in.sin6_addr), 1);
    return in;
}

static inline int udp(bool only)
{
    int s = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
    CHECK(s >= 0);
    if (only)
        CHECK_OK(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
    return s;
}

static inline int bound(const char *address, uint16_t port)
{
    struct sockaddr_in6 in = at(address, port);
    int s = udp(false);
    CHECK_OK(bind(s, AT(in)));
    return s;
}

static inline bool is(const struct in6_addr *a, const char *text)
{
    char own[INET6_ADDRSTRLEN];
    return inet_ntop(AF_INET6, a, own, sizeof own) && !strcmp(own, text);
}

/* sockets6_info.c */
void addresses_go_along(void);
void interfaces_have_addresses(void);

#endif
