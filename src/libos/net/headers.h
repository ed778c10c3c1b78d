/*
 * Headers in a frame: Ethernet (IEEE 802.3), ARP (RFC 826), IPv4 (RFC 791), IPv6 (RFC 8200), UDP
 * (RFC 768). Numbers are big-endian on the wire and may stand at any address.
 */
#ifndef EXOS_NET_HEADERS_H
#define EXOS_NET_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "abi/abi.h"

static inline uint16_t net_get16(const void *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap16(value);
}

static inline uint32_t net_get32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

static inline void net_put16(void *at, uint16_t value)
{
    value = __builtin_bswap16(value);
    memcpy(at, &value, sizeof value);
}

static inline void net_put32(void *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof value);
}

#define ETH_DESTINATION 0
#define ETH_SOURCE      6
#define ETH_TYPE        12
#define ETH_SIZE        14
#define ETH_TYPE_IPV4   0x0800
#define ETH_TYPE_ARP    0x0806
#define ETH_TYPE_IPV6   0x86dd

/* Behind the Ethernet header. */
#define ARP_HARDWARE  (ETH_SIZE + 0) /* 1: Ethernet */
#define ARP_PROTOCOL  (ETH_SIZE + 2)
#define ARP_SIZES     (ETH_SIZE + 4) /* 6 and 4 */
#define ARP_OPERATION (ETH_SIZE + 6)
#define ARP_SENDER    (ETH_SIZE + 8) /* MAC, then IPv4 address */
#define ARP_TARGET    (ETH_SIZE + 18)
#define ARP_END       (ETH_SIZE + 28)
#define ARP_REQUEST   1
#define ARP_REPLY     2

#define IPV4_FIRST          (ETH_SIZE + 0) /* version 4, header length in words */
#define IPV4_LENGTH         (ETH_SIZE + 2)
#define IPV4_FRAGMENT       (ETH_SIZE + 6)
#define IPV4_PROTOCOL       (ETH_SIZE + 9)
#define IPV4_SOURCE         (ETH_SIZE + 12)
#define IPV4_DESTINATION    (ETH_SIZE + 16)
#define IPV4_LEAST          20
#define IPV4_MORE_OR_OFFSET 0x3fff /* of IPV4_FRAGMENT: zero unless the datagram is a fragment */
#define IPV4_ICMP           1
#define IPV4_TCP            6
#define IPV4_UDP            17
#define IPV4_LOOPBACK_LOW   0x7f000000 /* RFC 1122, section 3.2.1.3: never on a wire */
#define IPV4_LOOPBACK_HIGH  0x7fffffff

#define IPV6_FIRST       (ETH_SIZE + 0) /* version 6, class and flow of the packet */
#define IPV6_LENGTH      (ETH_SIZE + 4) /* of what is behind the header */
#define IPV6_NEXT        (ETH_SIZE + 6)
#define IPV6_HOP_LIMIT   (ETH_SIZE + 7)
#define IPV6_SOURCE      (ETH_SIZE + 8)
#define IPV6_DESTINATION (ETH_SIZE + 24)
#define IPV6_SIZE        40
#define IPV6_ICMP        58

/* Behind the IPv4 or IPv6 header. */
#define UDP_SOURCE      0
#define UDP_DESTINATION 2
#define UDP_LENGTH      4
#define UDP_CHECKSUM    6
#define UDP_SIZE        8

/*
 * A ring slot that holds UDP in IPv4 without options, by members: AEGIS_SLOT_FRAME aligns each of
 * them, the pair of addresses included. Numbers are as on the wire.
 */
struct net_udp_slot {
    struct aegis_slot_header slot;
    uint16_t gap[3];
    uint16_t mac_destination[3], mac_source[3];
    uint16_t type;
    uint8_t first; /* NET_IPV4_PLAIN */
    uint8_t service;
    uint16_t total, id, fragment;
    uint8_t ttl, protocol;
    uint16_t checksum;
    uint32_t source, destination;
    uint16_t source_port, destination_port, udp_length, udp_checksum;
};
_Static_assert(offsetof(struct net_udp_slot, mac_destination) == AEGIS_SLOT_FRAME, "layout");
_Static_assert(offsetof(struct net_udp_slot, type) == AEGIS_SLOT_FRAME + ETH_TYPE, "layout");
_Static_assert(offsetof(struct net_udp_slot, source) == AEGIS_SLOT_FRAME + IPV4_SOURCE, "layout");
_Static_assert(offsetof(struct net_udp_slot, source_port) ==
                   AEGIS_SLOT_FRAME + ETH_SIZE + IPV4_LEAST,
               "layout");
#define NET_IPV4_PLAIN 0x45 /* version 4, a header of five words */

/*
 * The same of any frame that lies at 6 modulo 8, as those in rings do: a pointer to six bytes
 * before it. Then each member is aligned.
 */
#define NET_FRAME_LEAD 6
struct net_udp_frame {
    uint16_t gap[3];
    uint16_t mac_destination[3], mac_source[3];
    uint16_t type;
    uint8_t first; /* NET_IPV4_PLAIN */
    uint8_t service;
    uint16_t total, id, fragment;
    uint8_t ttl, protocol;
    uint16_t checksum;
    uint32_t source, destination;
    uint16_t source_port, destination_port, udp_length, udp_checksum;
    uint8_t payload[];
} __attribute__((may_alias));
_Static_assert(offsetof(struct net_udp_frame, source) == NET_FRAME_LEAD + IPV4_SOURCE &&
                   offsetof(struct net_udp_frame, payload) % 8 == 0,
               "layout");
_Static_assert(AEGIS_SLOT_FRAME % 8 == NET_FRAME_LEAD, "frames in slots");

/* A constant as it stands on the wire. */
#define NET_WIRE16(x) ((uint16_t)__builtin_bswap16(x))
#define NET_WIRE32(x) ((uint32_t)__builtin_bswap32((uint32_t)(x)))

/*
 * Where the UDP header of a frame begins, or 0 if the frame isn't a whole, unfragmented UDP
 * datagram in IPv4 over Ethernet whose lengths fit into it. Checksums are not looked at.
 */
static inline size_t net_udp_offset(const uint8_t *frame, size_t length)
{
    if (length < ETH_SIZE + IPV4_LEAST + UDP_SIZE || net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV4)
        return 0;
    size_t header = (frame[IPV4_FIRST] & 0xfu) * 4, total = net_get16(frame + IPV4_LENGTH);
    if (frame[IPV4_FIRST] >> 4 != 4 || header < IPV4_LEAST || frame[IPV4_PROTOCOL] != IPV4_UDP ||
        net_get16(frame + IPV4_FRAGMENT) & IPV4_MORE_OR_OFFSET)
        return 0;
    if (total > length - ETH_SIZE || total < header + UDP_SIZE)
        return 0;
    size_t udp = net_get16(frame + ETH_SIZE + header + UDP_LENGTH);
    if (udp < UDP_SIZE || udp > total - header)
        return 0;
    return ETH_SIZE + header;
}

#endif
