#include "libos/net/datagram.h"

#include "libos/net/parse.h"

/* Of UDP's pseudo header (RFC 768): both addresses as they stand in the frame, protocol, length. */
static uint32_t pseudo_header(const uint8_t *addresses, uint16_t size)
{
    uint8_t rest[4] = {0, IPV4_UDP, (uint8_t)(size >> 8), (uint8_t)size};
    return net_sum(net_sum(0, addresses, 8), rest, sizeof rest);
}

bool net_datagram_read(const uint8_t *frame, size_t length, struct net_datagram *d)
{
    size_t at = net_udp_offset(frame, length);
    if (!at)
        return false;
    const uint8_t *udp = frame + at;
    uint16_t size = net_get16(udp + UDP_LENGTH);
    if (net_fold(net_sum(0, frame + IPV4_FIRST, at - ETH_SIZE)) != 0)
        return false;
    if (net_get16(udp + UDP_CHECKSUM) &&
        net_fold(net_sum(pseudo_header(frame + IPV4_SOURCE, size), udp, size)) != 0)
        return false;
    *d = (struct net_datagram){.source = net_get32(frame + IPV4_SOURCE),
                               .destination = net_get32(frame + IPV4_DESTINATION),
                               .source_port = net_get16(udp + UDP_SOURCE),
                               .destination_port = net_get16(udp + UDP_DESTINATION),
                               .payload = udp + UDP_SIZE,
                               .size = size - UDP_SIZE};
    return true;
}

/* Never fragmented, so that the identification means nothing (RFC 6864, section 4.1). */
#define DONT_FRAGMENT 0x4000

static void put_sum(uint8_t *at, uint16_t sum)
{
    memcpy(at, &sum, sizeof sum); /* net_fold's is as it stands in memory */
}

size_t net_datagram_write(uint8_t *frame, const struct net_datagram *d,
                          const uint8_t destination[6], const uint8_t source[6], uint8_t ttl)
{
    uint8_t *ip = frame + ETH_SIZE, *udp = ip + IPV4_LEAST;
    uint16_t size = (uint16_t)(UDP_SIZE + d->size);

    memcpy(frame + ETH_DESTINATION, destination, 6);
    memcpy(frame + ETH_SOURCE, source, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    ip[0] = NET_IPV4_PLAIN;
    ip[1] = 0;
    net_put16(frame + IPV4_LENGTH, (uint16_t)(IPV4_LEAST + size));
    net_put16(frame + IPV4_LENGTH + 2, 0);
    net_put16(frame + IPV4_FRAGMENT, DONT_FRAGMENT);
    frame[IPV4_FRAGMENT + 2] = ttl;
    frame[IPV4_PROTOCOL] = IPV4_UDP;
    net_put16(frame + IPV4_PROTOCOL + 1, 0);
    net_put32(frame + IPV4_SOURCE, d->source);
    net_put32(frame + IPV4_DESTINATION, d->destination);
    put_sum(frame + IPV4_PROTOCOL + 1, net_fold(net_sum(0, ip, IPV4_LEAST)));
    net_put16(udp + UDP_SOURCE, d->source_port);
    net_put16(udp + UDP_DESTINATION, d->destination_port);
    net_put16(udp + UDP_LENGTH, size);
    net_put16(udp + UDP_CHECKSUM, 0);
    uint16_t sum = net_fold(net_sum(pseudo_header(frame + IPV4_SOURCE, size), udp, size));
    put_sum(udp + UDP_CHECKSUM, sum ? sum : 0xffff); /* 0 would say that there is none */
    return NET_DATAGRAM_HEADERS + d->size;
}
