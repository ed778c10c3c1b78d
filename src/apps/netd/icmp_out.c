#include "icmp_out.h"

#include <string.h>

#include "extension.h"
#include "libos/net/ipv6.h"
#include "libos/net/parse.h"

#define ICMP_SIZE     8 /* type, code, sum, four bytes */
#define ICMP_SUM      2
#define ICMP_MORE     4
#define HEADERS       (ETH_SIZE + IPV4_LEAST + ICMP_SIZE)
#define HEADERS6      (ETH_SIZE + IPV6_SIZE + ICMP_SIZE)
#define QUOTED        (IPV4_LEAST + 8) /* bytes: RFC 792 */
#define IPV4_TTL      (ETH_SIZE + 8)
#define IPV4_SUM      (ETH_SIZE + 10)
#define DONT_FRAGMENT 0x4000
#define HOPS          64
#define ECHO_REPLY    0 /* those types of ICMP that ask or answer */
#define ECHO_REQUEST  8
#define TIMESTAMP     13

static void put_ethernet(uint8_t *answer, const uint8_t *frame, const uint8_t mac[6], uint16_t type)
{
    memcpy(answer + ETH_DESTINATION, frame + ETH_SOURCE, 6);
    memcpy(answer + ETH_SOURCE, mac, 6);
    net_put16(answer + ETH_TYPE, type);
}

static void put_message(uint8_t *icmp, const struct icmp_out *error, const uint8_t *quoted,
                        size_t size)
{
    memset(icmp, 0, ICMP_SIZE);
    icmp[0] = error->type;
    icmp[1] = error->code;
    net_put32(icmp + ICMP_MORE, error->more);
    memcpy(icmp + ICMP_SIZE, quoted, size);
}

/* RFC 1122, section 3.2.2: about no error of ICMP's, and of fragments about the first alone. */
static bool may_be_told(const uint8_t *frame, size_t length)
{
    uint8_t type = frame[ETH_SIZE + IPV4_LEAST];

    if (length < ETH_SIZE + QUOTED || net_get16(frame + IPV4_FRAGMENT) & 0x1fff)
        return false;
    return frame[IPV4_PROTOCOL] != IPV4_ICMP || type == ECHO_REPLY || type == ECHO_REQUEST ||
           type >= TIMESTAMP;
}

static size_t write4(uint8_t *answer, const uint8_t *frame, const struct icmp_out *error,
                     const uint8_t mac[6])
{
    uint8_t *icmp = answer + ETH_SIZE + IPV4_LEAST;

    memset(answer, 0, ETH_SIZE + IPV4_LEAST);
    put_ethernet(answer, frame, mac, ETH_TYPE_IPV4);
    answer[IPV4_FIRST] = NET_IPV4_PLAIN;
    net_put16(answer + IPV4_LENGTH, IPV4_LEAST + ICMP_SIZE + QUOTED);
    net_put16(answer + IPV4_FRAGMENT, DONT_FRAGMENT);
    answer[IPV4_TTL] = HOPS;
    answer[IPV4_PROTOCOL] = IPV4_ICMP;
    memcpy(answer + IPV4_SOURCE, frame + IPV4_DESTINATION, 4);
    memcpy(answer + IPV4_DESTINATION, frame + IPV4_SOURCE, 4);
    uint16_t sum = net_fold(net_sum(0, answer + ETH_SIZE, IPV4_LEAST));
    memcpy(answer + IPV4_SUM, &sum, sizeof sum);
    put_message(icmp, error, frame + ETH_SIZE, QUOTED);
    sum = net_fold(net_sum(0, icmp, ICMP_SIZE + QUOTED));
    memcpy(icmp + ICMP_SUM, &sum, sizeof sum);
    return HEADERS + QUOTED;
}

static size_t write6(uint8_t *answer, const uint8_t *frame, size_t size,
                     const struct icmp_out *error, const uint8_t mac[6])
{
    uint8_t *icmp = answer + ETH_SIZE + IPV6_SIZE;
    size_t quoted = size < ICMP_OUT_MOST - HEADERS6 ? size : ICMP_OUT_MOST - HEADERS6;

    memset(answer, 0, ETH_SIZE + IPV6_SIZE);
    put_ethernet(answer, frame, mac, ETH_TYPE_IPV6);
    net_put32(answer + IPV6_FIRST, 0x60000000);
    net_put16(answer + IPV6_LENGTH, (uint16_t)(ICMP_SIZE + quoted));
    answer[IPV6_NEXT] = IPV6_ICMP;
    answer[IPV6_HOP_LIMIT] = HOPS;
    memcpy(answer + IPV6_SOURCE, frame + IPV6_DESTINATION, sizeof(struct net_ipv6));
    memcpy(answer + IPV6_DESTINATION, frame + IPV6_SOURCE, sizeof(struct net_ipv6));
    put_message(icmp, error, frame + ETH_SIZE, quoted);
    uint16_t sum = net_ipv6_sum(answer, icmp, ICMP_SIZE + quoted, IPV6_ICMP);
    memcpy(icmp + ICMP_SUM, &sum, sizeof sum);
    return HEADERS6 + quoted;
}

size_t icmp_out_write(uint8_t *answer, const uint8_t *frame, size_t length,
                      const struct icmp_out *error, const uint8_t mac[6])
{
    if (length < ETH_SIZE + QUOTED || frame[ETH_DESTINATION] & 1)
        return 0;
    if (net_get16(frame + ETH_TYPE) == ETH_TYPE_IPV4)
        return may_be_told(frame, length) ? write4(answer, frame, error, mac) : 0;
    if (length < ETH_SIZE + IPV6_SIZE || frame[IPV6_DESTINATION] == 0xff)
        return 0;
    size_t said = IPV6_SIZE + (size_t)net_get16(frame + IPV6_LENGTH), size = length - ETH_SIZE;
    size = said < size ? said : size;
    return extension_is_error(frame + ETH_SIZE, size) ? 0 : write6(answer, frame, size, error, mac);
}

bool icmp_out_may(uint64_t now)
{
    static uint64_t second;
    static unsigned count;

    if (now != second)
        count = 0;
    second = now;
    return count < ICMP_OUT_SECOND && ++count;
}
