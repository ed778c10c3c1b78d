/* Pings in fragments (RFC 792; RFC 1122, 3.2.2.6): those in one frame the handler answers. */
#include <string.h>

#include "fragments.h"
#include "libos/net/headers.h"
#include "libos/net/parse.h"
#include "libos/time/time.h"
#include "netd.h"

#define PATIENCE    500000000UL /* ns for a device that is slow, then the rest is lost */
#define MOST        50          /* answers a second, each of up to 45 frames */
#define PART        1480        /* bytes of a fragment, a multiple of 8 */
#define MORE        0x2000      /* of IPV4_FRAGMENT */
#define IPV4_ID     (ETH_SIZE + 4)
#define IPV4_TTL    (ETH_SIZE + 8)
#define IPV4_SUM    (ETH_SIZE + 10)
#define REQUEST     8 /* ICMP's types, its first byte; its sum is its second word */
#define REPLY       0
#define ICMP_HEADER 8

static bool may_answer(void)
{
    static uint64_t second;
    static unsigned answers;
    uint64_t now = time_now() / aegis_info()->timebase;

    if (now != second)
        answers = 0;
    second = now;
    return answers++ < MOST;
}

static void send_part(struct net *root, const struct fragments_datagram *d, size_t at, uint16_t id,
                      uint64_t deadline)
{
    uint8_t frame[AEGIS_FRAME_MAX];
    size_t size = d->size - at < PART ? d->size - at : PART;

    memset(frame, 0, ETH_SIZE + IPV4_LEAST);
    memcpy(frame + ETH_DESTINATION, d->mac, 6);
    memcpy(frame + ETH_SOURCE, netd.mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    net_put16(frame + IPV4_LENGTH, (uint16_t)(IPV4_LEAST + size));
    net_put16(frame + IPV4_ID, id);
    net_put16(frame + IPV4_FRAGMENT, (uint16_t)(at / 8 | (at + size < d->size ? MORE : 0)));
    frame[IPV4_TTL] = 64;
    frame[IPV4_PROTOCOL] = IPV4_ICMP;
    memcpy(frame + IPV4_SOURCE, &d->destination, 4);
    memcpy(frame + IPV4_DESTINATION, &d->source, 4);
    uint16_t sum = net_fold(net_sum(0, frame + ETH_SIZE, IPV4_LEAST));
    memcpy(frame + IPV4_SUM, &sum, sizeof sum);
    memcpy(frame + ETH_SIZE + IPV4_LEAST, d->data + at, size);
    net_send_copy(root, frame, ETH_SIZE + IPV4_LEAST + size, deadline);
}

bool echo_answer(uint32_t root, const struct fragments_datagram *d)
{
    static uint16_t id;
    struct net by = {.binding = root}; /* to send, no more is needed */

    if (d->protocol != IPV4_ICMP || d->size < ICMP_HEADER || d->data[0] != REQUEST || d->data[1] ||
        net_fold(net_sum(0, d->data, d->size)) || !may_answer())
        return false;
    d->data[0] = REPLY;
    memset(d->data + 2, 0, 2);
    uint16_t sum = net_fold(net_sum(0, d->data, d->size));
    memcpy(d->data + 2, &sum, sizeof sum);
    uint64_t deadline = time_after(PATIENCE);
    id++;
    for (size_t at = 0; at < d->size; at += PART)
        send_part(&by, d, at, id, deadline);
    return true;
}
