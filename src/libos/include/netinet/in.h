/* POSIX netinet/in.h. */
#ifndef EXOS_NETINET_IN_H
#define EXOS_NETINET_IN_H

#include <endian.h>
#include <inttypes.h>
#include <sys/socket.h>

typedef uint16_t in_port_t;
typedef uint32_t in_addr_t;

/* Numbers of both are big-endian, as on the wire. */
struct in_addr {
    in_addr_t s_addr;
};

struct sockaddr_in {
    sa_family_t sin_family; /* AF_INET */
    in_port_t sin_port;
    struct in_addr sin_addr;
    uint8_t sin_zero[8];
};

struct in6_addr {
    uint8_t s6_addr[16];
};

struct sockaddr_in6 {
    sa_family_t sin6_family; /* AF_INET6 */
    in_port_t sin6_port;
    uint32_t sin6_flowinfo;
    struct in6_addr sin6_addr;
    uint32_t sin6_scope_id; /* of link-local addresses: the interface's number from 1, 0 any */
};

extern const struct in6_addr in6addr_any, in6addr_loopback;
#define IN6ADDR_ANY_INIT                                                                           \
    {                                                                                              \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define IN6ADDR_LOOPBACK_INIT                                                                      \
    {                                                                                              \
        {                                                                                          \
            [15] = 1                                                                               \
        }                                                                                          \
    }

/* Questions about a const struct in6_addr *. */
#define IN6_ARE_ADDR_EQUAL(a, b)   (!__builtin_memcmp((a)->s6_addr, (b)->s6_addr, 16))
#define IN6_IS_ADDR_UNSPECIFIED(a) IN6_ARE_ADDR_EQUAL(a, &in6addr_any)
#define IN6_IS_ADDR_LOOPBACK(a)    IN6_ARE_ADDR_EQUAL(a, &in6addr_loopback)
#define IN6_IS_ADDR_MULTICAST(a)   ((a)->s6_addr[0] == 0xff)
#define IN6_IS_ADDR_LINKLOCAL(a)   ((a)->s6_addr[0] == 0xfe && ((a)->s6_addr[1] & 0xc0) == 0x80)
#define IN6_IS_ADDR_V4MAPPED(a)                                                                    \
    (!__builtin_memcmp((a)->s6_addr, in6addr_any.s6_addr, 10) && (a)->s6_addr[10] == 0xff &&       \
     (a)->s6_addr[11] == 0xff)

#define IPPROTO_IP     0
#define IPPROTO_ICMP   1
#define IPPROTO_TCP    6
#define IPPROTO_UDP    17
#define IPPROTO_IPV6   41
#define IPPROTO_ICMPV6 58

#define IP_TOS     1 /* option of IPPROTO_IP: 0 to 255, as in IPv4's header */
#define IP_TTL     2 /* 1 to 255, or -1: the default */
#define IP_PKTINFO 8 /* recvmsg tells, and sendmsg is told, a struct in_pktinfo */

struct in_pktinfo {
    int ipi_ifindex;             /* the interface, from 1 (net/if.h); sent: 0, any */
    struct in_addr ipi_spec_dst; /* our address: to answer, or send, from */
    struct in_addr ipi_addr;     /* the datagram's destination */
};

#define IPV6_UNICAST_HOPS 16 /* of IPPROTO_IPV6: 0 to 255, or -1: the default */
#define IPV6_MTU          24 /* read alone: of the path, of a connected socket of UDP */
#define IPV6_V6ONLY       26 /* no IPv4 by this socket; before it has a port */
#define IPV6_RECVPKTINFO  49 /* recvmsg tells IPV6_PKTINFO (RFC 3542, 6) */
#define IPV6_PKTINFO      50 /* struct in6_pktinfo; sendmsg may be told it in any case */
#define IPV6_TCLASS       67 /* 0 to 255, or -1: the default, 0; the same as IP_TOS */

struct in6_pktinfo {
    struct in6_addr ipi6_addr; /* received: the destination; sent: the source, or :: */
    unsigned ipi6_ifindex;     /* from 1; sent: 0, any */
};

/* Host byte order. */
#define INADDR_ANY       ((in_addr_t)0)
#define INADDR_LOOPBACK  ((in_addr_t)0x7f000001)
#define INADDR_BROADCAST ((in_addr_t)0xffffffff)
#define INADDR_NONE      ((in_addr_t)0xffffffff)

#define INET_ADDRSTRLEN  16
#define INET6_ADDRSTRLEN 46

#include <arpa/inet.h>

#endif
