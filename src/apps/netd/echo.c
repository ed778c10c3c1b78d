/* Pings in fragments, or behind extension headers (RFC 792; RFC 1122, 3.2.2.6; RFC 4443, 4.2):
 * those in one frame without such the handler answers. */
#include <string.h>

#include "libos/net/headers.h"
#include "libos/time/time.h"
#include "netd.h"
#include "parts.h"

#define MOST        50 /* answers a second, each of up to 54 frames */
#define REQUEST     8  /* ICMP's types, its first byte; its sum is its second word */
#define REPLY       0
#define REQUEST6    128
#define REPLY6      129
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

static bool is_request(const struct fragments_datagram *d)
{
    bool is_six = fragments_is_ipv6(d);

    return d->protocol == (is_six ? IPV6_ICMP : IPV4_ICMP) && d->size >= ICMP_HEADER &&
           d->data[0] == (is_six ? REQUEST6 : REQUEST) && !d->data[1] && !fragments_sum(d);
}

bool echo_answer(uint32_t root, const struct fragments_datagram *d)
{
    if (!is_request(d) || !may_answer())
        return false;
    d->data[0] = fragments_is_ipv6(d) ? REPLY6 : REPLY;
    memset(d->data + 2, 0, 2);
    uint16_t sum = fragments_sum(d);
    memcpy(d->data + 2, &sum, sizeof sum);
    parts_send(root, d);
    return true;
}
