#include "packet6.h"

#include <string.h>

#include "extension.h"
#include "libos/net/headers.h"

#define LENGTH          4 /* in the IPv6 header: the payload's */
#define FRAGMENT_OFFSET 2 /* in a fragment header */
#define FRAGMENT_SIZE   8
#define UNIT            8

static uint8_t whole[AEGIS_FRAME_MAX]; /* what the last packet that was no fragment carried */

/* Of the IPv6 header on, as many bytes as it says; 0: it isn't IPv6, is cut off, or has an address
 * that no packet has. Others' addresses the handler has sorted out. */
static size_t size_of(const uint8_t *frame, size_t length)
{
    struct net_ipv6 source, destination;

    if (length < ETH_SIZE + IPV6_SIZE || length > AEGIS_FRAME_MAX ||
        net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV6 || frame[IPV6_FIRST] >> 4 != 6)
        return 0;
    memcpy(&source, frame + IPV6_SOURCE, sizeof source);
    memcpy(&destination, frame + IPV6_DESTINATION, sizeof destination);
    if (net_ipv6_is_any(&source) || net_ipv6_is_group(&source) || net_ipv6_is_mapped(&source) ||
        net_ipv6_is_mapped(&destination))
        return 0;
    size_t size = IPV6_SIZE + (size_t)net_get16(frame + IPV6_LENGTH);
    return size <= length - ETH_SIZE ? size : 0;
}

static enum packet6_event tell(struct icmp_out *problem, uint8_t code, uint32_t pointer)
{
    *problem = (struct icmp_out){ICMP6_OUT_PARAMETER, code, pointer};
    return PACKET6_PROBLEM;
}

static enum packet6_event take_fragment(const uint8_t *frame, size_t length, size_t size,
                                        const struct extension *e, uint32_t now,
                                        struct fragments_datagram *datagram,
                                        struct icmp_out *problem)
{
    size_t begin = e->fragment + FRAGMENT_SIZE;
    struct fragments_piece piece = {.id = e->id,
                                    .protocol = e->protocol,
                                    .skip = e->offset ? 0 : e->at - begin,
                                    .data = frame + ETH_SIZE + begin,
                                    .at = e->offset,
                                    .size = size - begin,
                                    .is_last = e->is_last,
                                    .frame = frame,
                                    .length = length};

    if (!piece.is_last && piece.size % UNIT)
        return tell(problem, EXTENSION_BAD_FIELD, LENGTH);
    if (e->fragment - IPV6_SIZE + piece.at + piece.size > FRAGMENTS6_DATA_MAX)
        return tell(problem, EXTENSION_BAD_FIELD, (uint32_t)(e->fragment + FRAGMENT_OFFSET));
    memcpy(&piece.source, frame + IPV6_SOURCE, sizeof piece.source);
    memcpy(&piece.destination, frame + IPV6_DESTINATION, sizeof piece.destination);
    return fragments_add(&piece, now, datagram) ? PACKET6_DATAGRAM : PACKET6_NOTHING;
}

enum packet6_event packet6_take(const uint8_t *frame, size_t length, uint32_t now,
                                struct fragments_datagram *datagram, struct icmp_out *problem)
{
    size_t size = size_of(frame, length);
    struct extension e;

    if (!size)
        return PACKET6_NOTHING;
    enum extension_verdict verdict = extension_walk(frame + ETH_SIZE, size, &e);
    if (verdict == EXTENSION_PROBLEM)
        return tell(problem, e.code, e.pointer);
    if (verdict == EXTENSION_DROPS)
        return PACKET6_NOTHING;
    if (e.is_fragment)
        return take_fragment(frame, length, size, &e, now, datagram, problem);
    *datagram =
        (struct fragments_datagram){.protocol = e.protocol, .data = whole, .size = size - e.at};
    memcpy(whole, frame + ETH_SIZE + e.at, size - e.at);
    memcpy(&datagram->source, frame + IPV6_SOURCE, sizeof datagram->source);
    memcpy(&datagram->destination, frame + IPV6_DESTINATION, sizeof datagram->destination);
    memcpy(datagram->mac, frame + ETH_SOURCE, sizeof datagram->mac);
    return PACKET6_DATAGRAM;
}
