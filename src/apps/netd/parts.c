/* What netd sends in fragments: of programs' datagrams those that don't fit into a frame, and its
 * answers to pings of such a size (RFC 791, section 3.2; RFC 8200, section 4.5). */
#include "parts.h"

#include <string.h>

#include "extension.h"
#include "libos/net/headers.h"
#include "libos/net/parse.h"
#include "libos/time/time.h"
#include "netd.h"

#define PATIENCE 500000000UL /* ns for a device that is slow, then the rest is lost */
#define PART     1480        /* bytes of a fragment, a multiple of 8 */
#define PART6    1232        /* the same: what all paths take */
#define WHOLE6   1240        /* bytes of an answer that needs none */
#define MORE     0x2000      /* of IPV4_FRAGMENT */
#define MORE6    1           /* of the fragment header's place */
#define FRAGMENT 8           /* bytes of that header: next, none, place, identification */
#define IPV4_ID  (ETH_SIZE + 4)
#define IPV4_TTL (ETH_SIZE + 8)
#define IPV4_SUM (ETH_SIZE + 10)
#define HOPS     64

static void put_ethernet(uint8_t *frame, const struct fragments_datagram *d, uint16_t type)
{
    memset(frame, 0, ETH_SIZE + IPV6_SIZE + FRAGMENT);
    memcpy(frame + ETH_DESTINATION, d->mac, 6);
    memcpy(frame + ETH_SOURCE, netd.mac, 6);
    net_put16(frame + ETH_TYPE, type);
}

static void send_part(struct net *root, const struct fragments_datagram *d, size_t at, uint16_t id,
                      uint64_t deadline)
{
    uint8_t frame[AEGIS_FRAME_MAX];
    size_t size = d->size - at < PART ? d->size - at : PART;

    put_ethernet(frame, d, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    net_put16(frame + IPV4_LENGTH, (uint16_t)(IPV4_LEAST + size));
    net_put16(frame + IPV4_ID, id);
    net_put16(frame + IPV4_FRAGMENT, (uint16_t)(at / 8 | (at + size < d->size ? MORE : 0)));
    frame[IPV4_TTL] = HOPS;
    frame[IPV4_PROTOCOL] = d->protocol;
    memcpy(frame + IPV4_SOURCE, &d->destination.words[3], 4);
    memcpy(frame + IPV4_DESTINATION, &d->source.words[3], 4);
    uint16_t sum = net_fold(net_sum(0, frame + ETH_SIZE, IPV4_LEAST));
    memcpy(frame + IPV4_SUM, &sum, sizeof sum);
    memcpy(frame + ETH_SIZE + IPV4_LEAST, d->data + at, size);
    net_send_copy(root, frame, ETH_SIZE + IPV4_LEAST + size, deadline);
}

/* IPv6's header, from who was asked. */
static void put_header6(uint8_t *frame, const struct fragments_datagram *d, size_t size)
{
    put_ethernet(frame, d, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    net_put16(frame + IPV6_LENGTH, (uint16_t)size);
    frame[IPV6_NEXT] = d->protocol;
    frame[IPV6_HOP_LIMIT] = HOPS;
    memcpy(frame + IPV6_SOURCE, &d->destination, sizeof d->destination);
    memcpy(frame + IPV6_DESTINATION, &d->source, sizeof d->source);
}

static void send_part6(struct net *root, const struct fragments_datagram *d, size_t at, uint32_t id,
                       uint64_t deadline)
{
    uint8_t frame[AEGIS_FRAME_MAX], *header = frame + ETH_SIZE + IPV6_SIZE;
    bool is_whole = d->size <= WHOLE6;
    size_t most = is_whole ? WHOLE6 : PART6, size = d->size - at < most ? d->size - at : most;
    size_t headers = is_whole ? 0 : FRAGMENT;

    put_header6(frame, d, headers + size);
    if (!is_whole) {
        frame[IPV6_NEXT] = EXTENSION_FRAGMENT;
        header[0] = d->protocol;
        net_put16(header + 2, (uint16_t)(at | (at + size < d->size ? MORE6 : 0)));
        net_put32(header + 4, id);
    }
    memcpy(header + headers, d->data + at, size);
    net_send_copy(root, frame, ETH_SIZE + IPV6_SIZE + headers + size, deadline);
}

void parts_send(uint32_t root, const struct fragments_datagram *d)
{
    static uint16_t id;
    struct net by = {.binding = root}; /* to send, no more is needed */
    bool is_six = fragments_is_ipv6(d);
    uint64_t deadline = time_after(PATIENCE);
    uint32_t id6 = 0;

    id++;
    aegis_entropy(&id6, sizeof id6); /* nobody is to guess the next one: RFC 7739 */
    for (size_t at = 0; at < d->size; at += is_six && d->size > WHOLE6 ? PART6 : PART)
        if (is_six)
            send_part6(&by, d, at, id6, deadline);
        else
            send_part(&by, d, at, id, deadline);
}
