#include "libos/net/datagram.h"

#include "libos/net/parse.h"

/* Of UDP's pseudo header (RFC 768), as it stands on the wire: addresses, protocol, length. */
static uint32_t pseudo_header(const struct net_udp_frame *f, uint16_t udp_length)
{
    uint64_t sum = (uint64_t)f->source + f->destination + NET_WIRE16(IPV4_UDP) + udp_length;
    return (uint32_t)sum + (uint32_t)(sum >> 32);
}

/* IPv4's header sum where there are no options: five words, each aligned. */
static uint32_t header_sum(const struct net_udp_frame *f)
{
    typedef uint32_t __attribute__((may_alias)) word;
    const word *w = (const word *)&f->first;
    uint64_t sum = (uint64_t)w[0] + w[1] + w[2] + w[3] + w[4];
    return (uint32_t)sum + (uint32_t)(sum >> 32);
}

/* Where UDP's header begins in a whole datagram, or NULL. */
static const uint8_t *find_udp(const uint8_t *frame, size_t length, const struct net_udp_frame *f)
{
    if (__builtin_expect(length < NET_DATAGRAM_HEADERS || f->first != NET_IPV4_PLAIN, 0)) {
        size_t at = net_udp_offset(frame, length);
        bool is_right = at && net_fold(net_sum(0, frame + IPV4_FIRST, at - ETH_SIZE)) == 0;
        return is_right ? frame + at : NULL;
    }
    size_t total = NET_WIRE16(f->total), size = NET_WIRE16(f->udp_length);
    bool is_whole = f->type == NET_WIRE16(ETH_TYPE_IPV4) && f->protocol == IPV4_UDP &&
                    !(f->fragment & NET_WIRE16(IPV4_MORE_OR_OFFSET)) &&
                    total <= length - ETH_SIZE && total >= IPV4_LEAST + UDP_SIZE &&
                    size >= UDP_SIZE && size <= total - IPV4_LEAST;
    return is_whole && net_fold(header_sum(f)) == 0 ? (const uint8_t *)&f->source_port : NULL;
}

bool net_datagram_read(const uint8_t *frame, size_t length, struct net_datagram *d)
{
    const struct net_udp_frame *f = (const struct net_udp_frame *)(frame - NET_FRAME_LEAD);
    const uint8_t *udp = find_udp(frame, length, f);
    uint16_t wire[4]; /* UDP's header: behind options it is aligned to 4 only */

    if (!udp)
        return false;
    memcpy(wire, __builtin_assume_aligned(udp, 4), sizeof wire);
    uint16_t size = NET_WIRE16(wire[2]);
    if (wire[3] && net_fold(net_sum(pseudo_header(f, wire[2]), udp, size)) != 0)
        return false;
    d->source = f->source;
    d->destination = f->destination;
    d->source_port = wire[0];
    d->destination_port = wire[1];
    d->payload = udp + UDP_SIZE;
    d->size = size - UDP_SIZE;
    return true;
}

/* Never fragmented, so that the identification means nothing (RFC 6864, section 4.1). */
#define DONT_FRAGMENT 0x4000

/* At an even address. */
static inline void put_mac(uint16_t to[3], const uint8_t mac[6])
{
    memcpy(to, __builtin_assume_aligned(mac, 2), 6);
}

size_t net_datagram_write(uint8_t *frame, const struct net_datagram *d,
                          const uint8_t destination[6], const uint8_t source[6], uint8_t ttl)
{
    struct net_udp_frame *f = (struct net_udp_frame *)(frame - NET_FRAME_LEAD);
    uint16_t size = (uint16_t)(UDP_SIZE + d->size);

    put_mac(f->mac_destination, destination);
    put_mac(f->mac_source, source);
    f->type = NET_WIRE16(ETH_TYPE_IPV4);
    f->first = NET_IPV4_PLAIN;
    f->service = d->service;
    f->total = NET_WIRE16((uint16_t)(IPV4_LEAST + size));
    f->id = 0;
    f->fragment = NET_WIRE16(DONT_FRAGMENT);
    f->ttl = ttl;
    f->protocol = IPV4_UDP;
    f->checksum = 0;
    f->source = d->source;
    f->destination = d->destination;
    f->checksum = net_fold(header_sum(f));
    f->source_port = d->source_port;
    f->destination_port = d->destination_port;
    f->udp_length = NET_WIRE16(size);
    f->udp_checksum = 0;
    uint16_t sum = net_fold(net_sum(pseudo_header(f, f->udp_length), &f->source_port, size));
    f->udp_checksum = sum ? sum : 0xffff; /* 0 would say that there is none */
    return NET_DATAGRAM_HEADERS + d->size;
}
