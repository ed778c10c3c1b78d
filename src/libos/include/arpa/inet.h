/* POSIX arpa/inet.h: addresses as text, and the wire's byte order. */
#ifndef EXOS_ARPA_INET_H
#define EXOS_ARPA_INET_H

#include <stdint.h>

#undef htons
#undef ntohs
#undef htonl
#undef ntohl
static inline uint16_t htons(uint16_t number)
{
    return __builtin_bswap16(number);
}

static inline uint16_t ntohs(uint16_t number)
{
    return __builtin_bswap16(number);
}

static inline uint32_t htonl(uint32_t number)
{
    return __builtin_bswap32(number);
}

static inline uint32_t ntohl(uint32_t number)
{
    return __builtin_bswap32(number);
}

#include <netinet/in.h>

/* Dotted decimal, four parts; or of AF_INET6, as in RFC 4291 and written as in RFC 5952. */
int inet_pton(int family, const char *text, void *address);
const char *inet_ntop(int family, const void *address, char *text, socklen_t size);
/* One to four parts, decimal, octal (0...) or hexadecimal (0x...), the last for all bytes that are
 * left: 127.1 is 127.0.0.1. A blank ends them. */
int inet_aton(const char *text, struct in_addr *address);
in_addr_t inet_addr(const char *text);
char *inet_ntoa(struct in_addr address); /* in memory that the next call changes */

#endif
