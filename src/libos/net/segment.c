#include "libos/net/segment.h"

#include "libos/net/ipv6.h"
#include "libos/net/parse.h"

/* Parts of frames, by their alignment. */
typedef uint32_t __attribute__((may_alias)) word4;
typedef uint16_t __attribute__((may_alias)) word2;

#define IP_CHECKSUM (ETH_SIZE + 10)

static inline uint32_t fold_once(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    return (uint32_t)((sum & 0xffff) + (sum >> 16));
}

/* Of TCP's pseudo header: addresses, protocol, length. */
static inline uint32_t pseudo_sum(const uint8_t *frame, size_t length)
{
    const word4 *addresses = __builtin_assume_aligned(frame + IPV4_SOURCE, 4);
    return fold_once((uint64_t)addresses[0] + addresses[1] + NET_WIRE16((uint16_t)length) +
                     NET_WIRE16(IPV4_TCP));
}

/* Of five words: a header, of IPv4 or TCP, without options. */
static inline uint64_t header_sum(const uint8_t *header)
{
    const word4 *w = __builtin_assume_aligned(header, 4);
    return (uint64_t)w[0] + w[1] + w[2] + w[3] + w[4];
}
_Static_assert(IPV4_LEAST == 20 && TCP_LEAST == 20, "header_sum");

/* Of a segment in IPv4, its pseudo header included (RFC 9293, 3.1). Most bring few data. */
static inline uint32_t segment_sum(const uint8_t *frame, const uint8_t *tcp, size_t length)
{
    uint32_t sum = fold_once(header_sum(tcp) + pseudo_sum(frame, length));
    return length == TCP_LEAST ? sum : net_sum(sum, tcp + TCP_LEAST, length - TCP_LEAST);
}

bool net_segment_read(const uint8_t *frame, size_t length, struct net_segment *s)
{
    if (length < ETH_SIZE + IPV4_LEAST + TCP_LEAST)
        return false;
    size_t header = (frame[IPV4_FIRST] & 0xfu) * 4;
    *s = (struct net_segment){.ip = frame + ETH_SIZE, .size = net_get16(frame + IPV4_LENGTH)};
    if (frame[IPV4_FIRST] >> 4 != 4 || header < IPV4_LEAST || s->size > length - ETH_SIZE ||
        s->size < header + TCP_LEAST)
        return false;
    s->tcp = s->ip + header;
    s->length = s->size - header;
    size_t offset = (size_t)(s->tcp[TCP_OFFSET] >> 4) * 4;
    if (offset < TCP_LEAST || offset > s->length)
        return false;
    s->data = s->length - offset;
    uint32_t sum = header == IPV4_LEAST ? fold_once(header_sum(s->ip)) : net_sum(0, s->ip, header);
    return net_fold(sum) == 0 && net_fold(segment_sum(frame, s->tcp, s->length)) == 0;
}

void net_segment_sum(uint8_t *frame, size_t size)
{
    size_t length = size - IPV4_LEAST;
    uint8_t *tcp = frame + ETH_SIZE + IPV4_LEAST;
    word2 *sum = __builtin_assume_aligned(frame + IP_CHECKSUM, 2);

    *sum = net_fold(fold_once(header_sum(frame + ETH_SIZE)));
    sum = __builtin_assume_aligned(tcp + TCP_CHECKSUM, 2);
    *sum = net_fold(segment_sum(frame, tcp, length));
}

bool net_segment6_read(const uint8_t *frame, size_t length, struct net_segment *s)
{
    const uint8_t *tcp = frame + ETH_SIZE + IPV6_SIZE;

    if (length < ETH_SIZE + IPV6_SIZE + TCP_LEAST || net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV6 ||
        frame[IPV6_FIRST] >> 4 != 6 || frame[IPV6_NEXT] != IPV4_TCP)
        return false;
    size_t size = net_get16(frame + IPV6_LENGTH), offset = (size_t)(tcp[TCP_OFFSET] >> 4) * 4;
    if (size > length - ETH_SIZE - IPV6_SIZE || offset < TCP_LEAST || offset > size)
        return false;
    *s = (struct net_segment){.ip = frame + ETH_SIZE,
                              .tcp = tcp,
                              .size = IPV6_SIZE + size,
                              .length = size,
                              .data = size - offset};
    return net_ipv6_sum(frame, tcp, size, IPV4_TCP) == 0;
}

void net_segment6_sum(uint8_t *frame, size_t size)
{
    uint8_t *tcp = frame + ETH_SIZE + IPV6_SIZE;
    word2 *sum = __builtin_assume_aligned(tcp + TCP_CHECKSUM, 2);

    *sum = net_ipv6_sum(frame, tcp, size - IPV6_SIZE, IPV4_TCP);
}
