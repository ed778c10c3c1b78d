#include "libos/net/echo.h"

#include "libos/net/ipv6.h"
#include "libos/net/parse.h"

#define ICMP_TYPE     0 /* behind the IPv4 header */
#define ICMP_CHECKSUM 2
#define ICMP_ID       4
#define ICMP_SEQUENCE 6
#define ICMP_SIZE     8
#define REPLY         0
#define REQUEST       8
#define REPLY6        129
#define REQUEST6      128
#define IPV4_TTL      (ETH_SIZE + 8)
#define IPV4_CHECKSUM (ETH_SIZE + 10)
#define DONT_FRAGMENT 0x4000

size_t net_echo_write(uint8_t *frame, const struct net_echo *e, const uint8_t destination[6],
                      const uint8_t source[6])
{
    uint8_t *icmp = frame + ETH_SIZE + IPV4_LEAST;

    memset(frame, 0, ECHO_HEADERS);
    memcpy(frame + ETH_DESTINATION, destination, 6);
    memcpy(frame + ETH_SOURCE, source, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    net_put16(frame + IPV4_LENGTH, (uint16_t)(IPV4_LEAST + ICMP_SIZE + e->size));
    net_put16(frame + IPV4_FRAGMENT, DONT_FRAGMENT);
    frame[IPV4_TTL] = e->ttl;
    frame[IPV4_PROTOCOL] = IPV4_ICMP;
    memcpy(frame + IPV4_SOURCE, &e->source, 4);
    memcpy(frame + IPV4_DESTINATION, &e->destination, 4);
    uint16_t sum = net_fold(net_sum(0, frame + ETH_SIZE, IPV4_LEAST));
    memcpy(frame + IPV4_CHECKSUM, &sum, sizeof sum);
    icmp[ICMP_TYPE] = REQUEST;
    net_put16(icmp + ICMP_ID, e->id);
    net_put16(icmp + ICMP_SEQUENCE, e->sequence);
    sum = net_fold(net_sum(0, icmp, ICMP_SIZE + e->size));
    memcpy(icmp + ICMP_CHECKSUM, &sum, sizeof sum);
    return ECHO_HEADERS + e->size;
}

bool net_echo_read(const uint8_t *frame, size_t length, struct net_echo *e)
{
    if (length < ECHO_HEADERS || net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV4)
        return false;
    size_t header = (frame[IPV4_FIRST] & 0xfu) * 4, total = net_get16(frame + IPV4_LENGTH);
    if (frame[IPV4_FIRST] >> 4 != 4 || header < IPV4_LEAST || frame[IPV4_PROTOCOL] != IPV4_ICMP ||
        net_get16(frame + IPV4_FRAGMENT) & IPV4_MORE_OR_OFFSET || total > length - ETH_SIZE ||
        total < header + ICMP_SIZE)
        return false;
    const uint8_t *icmp = frame + ETH_SIZE + header;
    if (icmp[ICMP_TYPE] != REPLY || icmp[ICMP_TYPE + 1] != 0 ||
        net_fold(net_sum(0, frame + ETH_SIZE, header)) ||
        net_fold(net_sum(0, icmp, total - header)))
        return false;
    memcpy(&e->source, frame + IPV4_SOURCE, 4);
    memcpy(&e->destination, frame + IPV4_DESTINATION, 4);
    e->ttl = frame[IPV4_TTL];
    e->id = net_get16(icmp + ICMP_ID);
    e->sequence = net_get16(icmp + ICMP_SEQUENCE);
    e->payload = icmp + ICMP_SIZE;
    e->size = total - header - ICMP_SIZE;
    return true;
}

size_t net_echo6_write(uint8_t *frame, const struct net_echo *e, const uint8_t destination[6],
                       const uint8_t source[6])
{
    uint8_t *icmp = frame + ETH_SIZE + IPV6_SIZE;

    memset(frame, 0, ECHO6_HEADERS);
    memcpy(frame + ETH_DESTINATION, destination, 6);
    memcpy(frame + ETH_SOURCE, source, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    net_put16(frame + IPV6_LENGTH, (uint16_t)(ICMP_SIZE + e->size));
    frame[IPV6_NEXT] = IPV6_ICMP;
    frame[IPV6_HOP_LIMIT] = e->ttl;
    memcpy(frame + IPV6_SOURCE, &e->source6, sizeof e->source6);
    memcpy(frame + IPV6_DESTINATION, &e->destination6, sizeof e->destination6);
    icmp[ICMP_TYPE] = REQUEST6;
    net_put16(icmp + ICMP_ID, e->id);
    net_put16(icmp + ICMP_SEQUENCE, e->sequence);
    uint16_t sum = net_ipv6_sum(frame, icmp, ICMP_SIZE + e->size, IPV6_ICMP);
    memcpy(icmp + ICMP_CHECKSUM, &sum, sizeof sum);
    return ECHO6_HEADERS + e->size;
}

bool net_echo6_read(const uint8_t *frame, size_t length, struct net_echo *e)
{
    const uint8_t *icmp = frame + ETH_SIZE + IPV6_SIZE;

    if (length < ECHO6_HEADERS || net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV6 ||
        frame[IPV6_FIRST] >> 4 != 6 || frame[IPV6_NEXT] != IPV6_ICMP)
        return false;
    size_t size = net_get16(frame + IPV6_LENGTH);
    if (size < ICMP_SIZE || size > length - ETH_SIZE - IPV6_SIZE || icmp[ICMP_TYPE] != REPLY6 ||
        icmp[ICMP_TYPE + 1] != 0 || net_ipv6_sum(frame, icmp, size, IPV6_ICMP))
        return false;
    memcpy(&e->source6, frame + IPV6_SOURCE, sizeof e->source6);
    memcpy(&e->destination6, frame + IPV6_DESTINATION, sizeof e->destination6);
    e->ttl = frame[IPV6_HOP_LIMIT];
    e->id = net_get16(icmp + ICMP_ID);
    e->sequence = net_get16(icmp + ICMP_SEQUENCE);
    e->payload = icmp + ICMP_SIZE;
    e->size = size - ICMP_SIZE;
    return true;
}
