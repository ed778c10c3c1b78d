#include "icmp_error.h"

#include "libos/net/parse.h"

#define ICMP        (ETH_SIZE + IPV4_LEAST) /* RFC 792: type, code, sum, four bytes, the quotation */
#define ICMP_SIZE   8
#define ICMP_MTU    6 /* in it: RFC 1191, section 4 */
#define QUOTED      (ICMP + ICMP_SIZE)
#define QUOTED_MOST 8 /* bytes behind the quoted header that every error has */

#define UNREACHABLE   3
#define TIME_EXCEEDED 11
#define PARAMETER     12
#define TOO_LARGE     4 /* a code of UNREACHABLE: and may not be fragmented */
#define REASSEMBLY    1 /* a code of TIME_EXCEEDED */

/* In the quoted IPv4 header, which begins where an Ethernet frame's would at `quote - ETH_SIZE`. */
static bool read_quote(const uint8_t *quote, size_t size, struct net_note *n)
{
    const uint8_t *frame = quote - ETH_SIZE;
    size_t header = (frame[IPV4_FIRST] & 0xfu) * 4;

    if (size < IPV4_LEAST || frame[IPV4_FIRST] >> 4 != 4 || header < IPV4_LEAST ||
        size < header + QUOTED_MOST || net_get16(frame + IPV4_FRAGMENT) & 0x1fff)
        return false;
    n->protocol = frame[IPV4_PROTOCOL];
    if (n->protocol != IPV4_UDP && n->protocol != IPV4_TCP)
        return false;
    memcpy(&n->destination, frame + IPV4_SOURCE, 4);
    memcpy(&n->source, frame + IPV4_DESTINATION, 4);
    memcpy(&n->destination_port, quote + header + UDP_SOURCE, 2);
    memcpy(&n->source_port, quote + header + UDP_DESTINATION, 2);
    n->sequence = n->protocol == IPV4_TCP ? net_get32(quote + header + 4) : 0;
    return true;
}

bool icmp_error_read(const uint8_t *frame, size_t length, struct net_note *n)
{
    uint32_t destination;

    if (length < QUOTED || net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV4 ||
        frame[IPV4_FIRST] != NET_IPV4_PLAIN || frame[IPV4_PROTOCOL] != IPV4_ICMP ||
        net_get16(frame + IPV4_FRAGMENT) & IPV4_MORE_OR_OFFSET)
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
        return false; /* of a fragment, and this machine sends none */
    if (n->type == UNREACHABLE && n->code == TOO_LARGE)
        n->mtu = net_get16(frame + ICMP + ICMP_MTU);
    memcpy(&destination, frame + IPV4_DESTINATION, 4);
    return read_quote(frame + QUOTED, total - IPV4_LEAST - ICMP_SIZE, n) &&
           n->destination == destination; /* we have sent it, and are told */
}
