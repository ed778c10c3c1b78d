/*
 * IPv6 of this machine: its addresses, what is a neighbour, where a packet goes next; as netd's
 * page says (ipv6_page.h). Addresses are as on the wire.
 */
#ifndef EXOS_NET_IPV6_H
#define EXOS_NET_IPV6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/headers.h"
#include "libos/net/ipv6_page.h"
#include "libos/net/parse.h"

static inline bool net_ipv6_equal(const struct net_ipv6 *a, const struct net_ipv6 *b)
{
    return a->words[0] == b->words[0] && a->words[1] == b->words[1] && a->words[2] == b->words[2] &&
           a->words[3] == b->words[3];
}

static inline bool net_ipv6_is_any(const struct net_ipv6 *a)
{
    return !(a->words[0] | a->words[1] | a->words[2] | a->words[3]);
}

/* ::1 */
static inline bool net_ipv6_is_loopback(const struct net_ipv6 *a)
{
    return !(a->words[0] | a->words[1] | a->words[2]) && a->words[3] == NET_WIRE32(1);
}

/* fe80::/10: each link has such addresses of its own. */
static inline bool net_ipv6_is_link_local(const struct net_ipv6 *a)
{
    return (a->words[0] & NET_WIRE32(0xffc00000)) == NET_WIRE32(0xfe800000);
}

/* ff00::/8 */
static inline bool net_ipv6_is_group(const struct net_ipv6 *a)
{
    return (a->words[0] & NET_WIRE32(0xff000000)) == NET_WIRE32(0xff000000);
}

/* ::ffff:0:0/96: an IPv4 address, the last word (RFC 4291, 2.5.5.2). */
static inline bool net_ipv6_is_mapped(const struct net_ipv6 *a)
{
    return !(a->words[0] | a->words[1]) && a->words[2] == NET_WIRE32(0xffff);
}

/* A mapped one; the IPv4 address is as on the wire. */
static inline struct net_ipv6 net_ipv6_mapped(uint32_t address)
{
    return (struct net_ipv6){{0, 0, NET_WIRE32(0xffff), address}};
}

/* The identifier of an interface with such a hardware address: the lower half of its addresses, in
 * host byte order (RFC 4291, appendix A). */
static inline uint64_t net_ipv6_identifier(const uint8_t mac[6])
{
    return (uint64_t)(net_get32(mac) ^ 0x02000000U) >> 8 << 40 | 0xfffe000000U |
           (net_get32(mac + 2) & 0xffffff);
}

/* Its link-local address. */
static inline void net_ipv6_link_local(const uint8_t mac[6], struct net_ipv6 *address)
{
    uint64_t identifier = net_ipv6_identifier(mac);

    *address = (struct net_ipv6){{NET_WIRE32(0xfe800000), 0, NET_WIRE32(identifier >> 32),
                                  NET_WIRE32(identifier & 0xffffffff)}};
}

/*
 * The sum (folded, to be stored or, with the field's own value in place, zero) of a message of
 * `size` bytes behind the IPv6 header of a frame, and of the pseudo header that names its protocol
 * (RFC 8200, 8.1).
 */
uint16_t net_ipv6_sum(const uint8_t *frame, const void *message, size_t size, uint8_t protocol);

/* Where things stand; NULL with errno ENETDOWN: there is no netd. */
const volatile struct net_ipv6_page *net_ipv6_page(void);

/* What the page says of the machine, all of one moment, until the next call; NULL likewise. Without
 * the neighbours. */
const struct net_ipv6_page *net_ipv6_look(void);

/* What DHCP has told netd of names; false with errno if netd can't be asked. */
bool net_ipv6_told(struct net_told *told);

/* Whether it is ::1 or one of the machine's own addresses: what is sent there goes over the loop
 * interface. */
bool net_ipv6_is_local(const struct net_ipv6 *address);

/*
 * The address of ours that packets to another one come from (RFC 6724, as far as there is a
 * choice): of equal scope. Waits until deadline for one that may be used. Returns 0, or -1 with
 * errno ENETDOWN, ENETUNREACH, EADDRNOTAVAIL (somebody else has it), or EAGAIN at the deadline.
 */
int net_ipv6_source(const struct net_ipv6 *destination, struct net_ipv6 *source, uint64_t deadline);

/*
 * The hardware address of the next hop. Asks netd where needed, and waits until deadline for the
 * answer. Returns 0, or -1 with errno ENETDOWN, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, or EAGAIN
 * at the deadline.
 */
int net_ipv6_next_hop(const struct net_ipv6 *address, uint8_t mac[6], uint64_t deadline);

#endif
