#include "icmp_error.h"

#include "libos/net/parse.h"

#define ICMP        (ETH_SIZE + IPV4_LEAST) /* RFC 792: type, code, sum, four bytes, the quotation */
#define ICMP_SIZE   8
#define ICMP_MTU    6 /* in it: RFC 1191, section 4 */
#define QUOTED      (ICMP + ICMP_SIZE)
#define QUOTED_MOST 8 /* bytes behind the quoted header that every error has */

#define ICMP6     (ETH_SIZE + IPV6_SIZE) /* RFC 4443: the same */
#define ICMP6_MTU 4
#define QUOTED6   (ICMP6 + ICMP_SIZE)

#define UNREACHABLE   3
#define TIME_EXCEEDED 11
#define PARAMETER     12
#define TOO_LARGE     4 /* a code of UNREACHABLE: and may not be fragmented */
#define REASSEMBLY    1 /* a code of TIME_EXCEEDED, in IPv6 as well */

#define IN_LOOPBACK 127 /* IPv4's first byte */

/* The ports of what is quoted, and TCP's sequence number. */
static bool read_ports(const uint8_t *at, uint8_t protocol, struct net_note *n)
{
    if (protocol != IPV4_UDP && protocol != IPV4_TCP)
        return false;
    n->protocol = protocol;
    memcpy(&n->destination_port, at + UDP_SOURCE, 2);
    memcpy(&n->source_port, at + UDP_DESTINATION, 2);
    n->sequence = protocol == IPV4_TCP ? net_get32(at + 4) : 0;
    return true;
}

/* In the quoted IPv4 header, which begins where an Ethernet frame's would at `quote - ETH_SIZE`. */
static bool read_quote(const uint8_t *quote, size_t size, struct net_note *n)
{
    const uint8_t *frame = quote - ETH_SIZE;
    size_t header = (frame[IPV4_FIRST] & 0xfu) * 4;

    if (size < IPV4_LEAST || frame[IPV4_FIRST] >> 4 != 4 || header < IPV4_LEAST ||
        size < header + QUOTED_MOST || net_get16(frame + IPV4_FRAGMENT) & 0x1fff)
        return false;
    n->source = n->destination = net_ipv6_mapped(0);
    memcpy(&n->destination.words[3], frame + IPV4_SOURCE, 4);
    memcpy(&n->source.words[3], frame + IPV4_DESTINATION, 4);
    return read_ports(quote + header, frame[IPV4_PROTOCOL], n);
}

static bool read4(const uint8_t *frame, size_t length, struct net_note *n)
{
    uint32_t destination;

    if (length < QUOTED || frame[IPV4_FIRST] != NET_IPV4_PLAIN ||
        frame[IPV4_PROTOCOL] != IPV4_ICMP || net_get16(frame + IPV4_FRAGMENT) & IPV4_MORE_OR_OFFSET)
        return false;
    size_t total = net_get16(frame + IPV4_LENGTH);
    if (total > length - ETH_SIZE || total < IPV4_LEAST + ICMP_SIZE ||
        net_fold(net_sum(0, frame + ETH_SIZE, IPV4_LEAST)) ||
        net_fold(net_sum(0, frame + ICMP, total - IPV4_LEAST)))
        return false;
    *n = (struct net_note){.kind = NOTE_ERROR, .type = frame[ICMP], .code = frame[ICMP + 1]};
    if (n->type != UNREACHABLE && n->type != TIME_EXCEEDED && n->type != PARAMETER)
        return false;
    if (n->type == TIME_EXCEEDED && n->code == REASSEMBLY)
        return false; /* of fragments, and those are UDP's, which sends nothing again */
    if (n->type == UNREACHABLE && n->code == TOO_LARGE)
        n->mtu = net_get16(frame + ICMP + ICMP_MTU);
    memcpy(&destination, frame + IPV4_DESTINATION, 4);
    return read_quote(frame + QUOTED, total - IPV4_LEAST - ICMP_SIZE, n) &&
           n->destination.words[3] == destination; /* we have sent it, and are told */
}

/* The same of IPv6. Of what was sent in fragments nobody is told. */
static bool read_quote6(const uint8_t *quote, size_t size, struct net_note *n)
{
    const uint8_t *frame = quote - ETH_SIZE;

    if (size < IPV6_SIZE + QUOTED_MOST || frame[IPV6_FIRST] >> 4 != 6)
        return false;
    memcpy(&n->destination, frame + IPV6_SOURCE, sizeof n->destination);
    memcpy(&n->source, frame + IPV6_DESTINATION, sizeof n->source);
    bool fits = net_get16(frame + IPV6_LENGTH) + IPV6_SIZE <= n->mtu; /* so it wasn't too big */
    return (n->type != NOTE6_TOO_BIG || !fits) &&
           read_ports(quote + IPV6_SIZE, frame[IPV6_NEXT], n);
}

static bool read6(const uint8_t *frame, size_t length, struct net_note *n)
{
    struct net_ipv6 destination;

    if (length < QUOTED6 || frame[IPV6_FIRST] >> 4 != 6 || frame[IPV6_NEXT] != IPV6_ICMP)
        return false;
    size_t size = net_get16(frame + IPV6_LENGTH);
    if (size > length - ICMP6 || size < ICMP_SIZE ||
        net_ipv6_sum(frame, frame + ICMP6, size, IPV6_ICMP))
        return false;
    *n = (struct net_note){.kind = NOTE_ERROR, .type = frame[ICMP6], .code = frame[ICMP6 + 1]};
    if (n->type < NOTE6_UNREACHABLE || n->type > NOTE6_PARAMETER ||
        (n->type == NOTE6_TIME_EXCEEDED && n->code == REASSEMBLY))
        return false;
    if (n->type == NOTE6_TOO_BIG) {
        uint32_t mtu = net_get32(frame + ICMP6 + ICMP6_MTU);
        if (mtu < NOTE6_MTU_LEAST) /* RFC 8201, section 4 */
            return false;
        n->mtu = mtu < UINT16_MAX ? (uint16_t)mtu : UINT16_MAX;
    }
    memcpy(&destination, frame + IPV6_DESTINATION, sizeof destination);
    return read_quote6(frame + QUOTED6, size - ICMP_SIZE, n) &&
           net_ipv6_equal(&n->destination, &destination) && net_note_is_ipv6(n);
}

bool icmp_error_read(const uint8_t *frame, size_t length, struct net_note *n)
{
    if (length < ETH_SIZE + IPV4_LEAST)
        return false;
    uint16_t type = net_get16(frame + ETH_TYPE);
    return type == ETH_TYPE_IPV4 ? read4(frame, length, n)
                                 : type == ETH_TYPE_IPV6 && read6(frame, length, n);
}

/* All addresses of this machine in IPv6 end alike. */
bool icmp_error_is_inside(const struct net_note *n)
{
    const struct net_ipv6 *peer = &n->source, *own = &n->destination;

    if (!net_note_is_ipv6(n))
        return peer->words[3] == own->words[3] || (peer->words[3] & 0xff) == IN_LOOPBACK;
    return net_ipv6_is_loopback(peer) ||
           (peer->words[2] == own->words[2] && peer->words[3] == own->words[3]);
}
