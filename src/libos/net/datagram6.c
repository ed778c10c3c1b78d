#include "libos/net/datagram6.h"

#include "libos/net/ipv6.h"

#define UDP (ETH_SIZE + IPV6_SIZE) /* where its header begins */

bool net_datagram6_read(const uint8_t *frame, size_t length, struct net_datagram6 *d)
{
    const uint8_t *udp = frame + UDP;

    if (length < NET_DATAGRAM6_HEADERS || net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV6 ||
        frame[IPV6_FIRST] >> 4 != 6 || frame[IPV6_NEXT] != IPV4_UDP)
        return false;
    size_t total = net_get16(frame + IPV6_LENGTH), size = net_get16(udp + UDP_LENGTH);
    if (total > length - UDP || size < UDP_SIZE || size > total || !net_get16(udp + UDP_CHECKSUM))
        return false;
    memcpy(&d->source, frame + IPV6_SOURCE, sizeof d->source);
    memcpy(&d->destination, frame + IPV6_DESTINATION, sizeof d->destination);
    if (net_ipv6_is_any(&d->source) || net_ipv6_is_group(&d->source) ||
        net_ipv6_is_mapped(&d->source) || net_ipv6_sum(frame, udp, size, IPV4_UDP))
        return false;
    memcpy(&d->source_port, udp + UDP_SOURCE, sizeof d->source_port);
    memcpy(&d->destination_port, udp + UDP_DESTINATION, sizeof d->destination_port);
    d->payload = udp + UDP_SIZE;
    d->size = size - UDP_SIZE;
    return true;
}

size_t net_datagram6_write(uint8_t *frame, const struct net_datagram6 *d,
                           const uint8_t destination[6], const uint8_t source[6], uint8_t hop_limit)
{
    uint8_t *udp = frame + UDP;
    uint16_t size = (uint16_t)(UDP_SIZE + d->size), sum = 0;

    memcpy(frame + ETH_DESTINATION, destination, 6);
    memcpy(frame + ETH_SOURCE, source, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    net_put32(frame + IPV6_FIRST, 0x60000000 | (uint32_t)d->service << 20);
    net_put16(frame + IPV6_LENGTH, size);
    frame[IPV6_NEXT] = IPV4_UDP;
    frame[IPV6_HOP_LIMIT] = hop_limit;
    memcpy(frame + IPV6_SOURCE, &d->source, sizeof d->source);
    memcpy(frame + IPV6_DESTINATION, &d->destination, sizeof d->destination);
    memcpy(udp + UDP_SOURCE, &d->source_port, sizeof d->source_port);
    memcpy(udp + UDP_DESTINATION, &d->destination_port, sizeof d->destination_port);
    net_put16(udp + UDP_LENGTH, size);
    memcpy(udp + UDP_CHECKSUM, &sum, sizeof sum);
    sum = net_ipv6_sum(frame, udp, size, IPV4_UDP);
    sum = sum ? sum : 0xffff; /* 0 would say that there is none */
    memcpy(udp + UDP_CHECKSUM, &sum, sizeof sum);
    return NET_DATAGRAM6_HEADERS + d->size;
}
