/*
 * Any bytes as a frame, and any text as an address. What net_udp_offset accepts lies wholly inside
 * the frame; what net_parse_address accepts means the same when it is printed and read again.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libos/net/datagram.h"
#include "libos/net/datagram6.h"
#include "libos/net/echo.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(const uint8_t *frame, size_t length)
{
    size_t udp = net_udp_offset(frame, length);
    if (!udp)
        return;
    assert(udp >= ETH_SIZE + IPV4_LEAST && udp + UDP_SIZE <= length);
    size_t datagram = net_get16(frame + udp + UDP_LENGTH);
    assert(datagram >= UDP_SIZE && udp + datagram <= length);
    assert(frame[IPV4_PROTOCOL] == IPV4_UDP && frame[IPV4_FIRST] >> 4 == 4);
}

/* RFC 1071's sum, of 16-bit words with the high byte first. */
static uint32_t plain_sum(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
    return sum;
}

static bool is_right(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
}

/* Accepted is what is whole and has right sums, and nothing else. */
static void check_datagram(const uint8_t *frame, size_t length)
{
    struct net_datagram d;
    size_t udp = net_udp_offset(frame, length);
    bool accepted = net_datagram_read(frame, length, &d);
    if (!udp) {
        assert(!accepted);
        return;
    }
    size_t size = net_get16(frame + udp + UDP_LENGTH);
    bool right = is_right(plain_sum(0, frame + ETH_SIZE, udp - ETH_SIZE));
    uint32_t sum = plain_sum(IPV4_UDP + (uint32_t)size, frame + IPV4_SOURCE, 8);
    if (net_get16(frame + udp + UDP_CHECKSUM))
        right = right && is_right(plain_sum(sum, frame + udp, size));
    assert(accepted == right);
    assert(!accepted || (d.payload == frame + udp + UDP_SIZE && d.size == size - UDP_SIZE));
}

/* Puts right sums where they belong. */
static void mend(uint8_t *frame, size_t length)
{
    size_t udp = net_udp_offset(frame, length);
    if (!udp)
        return;
    uint16_t size = net_get16(frame + udp + UDP_LENGTH), sum;
    memset(frame + IPV4_PROTOCOL + 1, 0, 2);
    sum = net_fold(net_sum(0, frame + ETH_SIZE, udp - ETH_SIZE));
    memcpy(frame + IPV4_PROTOCOL + 1, &sum, 2);
    memset(frame + udp + UDP_CHECKSUM, 0, 2);
    uint32_t plain = plain_sum(IPV4_UDP + (uint32_t)size, frame + IPV4_SOURCE, 8);
    plain = plain_sum(plain, frame + udp, size);
    while (plain >> 16)
        plain = (plain & 0xffff) + (plain >> 16);
    net_put16(frame + udp + UDP_CHECKSUM, plain == 0xffff ? 0xffff : (uint16_t)~plain);
    struct net_datagram d;
    assert(net_datagram_read(frame, length, &d));
}

static void check_address(const uint8_t *data, size_t size)
{
    struct net_address a, b;
    char *text = malloc(size + 1), again[64];
    memcpy(text, data, size);
    text[size] = 0;
    if (net_parse_address(text, &a)) {
        snprintf(again, sizeof again, "%u.%u.%u.%u/%u,%u.%u.%u.%u", a.address >> 24,
                 a.address >> 16 & 255, a.address >> 8 & 255, a.address & 255, a.prefix,
                 a.gateway >> 24, a.gateway >> 16 & 255, a.gateway >> 8 & 255, a.gateway & 255);
        assert(net_parse_address(again, &b));
        assert(a.address == b.address && a.gateway == b.gateway && a.prefix == b.prefix);
        assert(a.prefix <= 32);
    }
    free(text);
}

/* What is taken for an echo reply lies in the frame, and has right sums. */
static void check_echo(const uint8_t *frame, size_t length)
{
    struct net_echo e;
    if (!net_echo_read(frame, length, &e))
        return;
    assert(e.payload >= frame + ECHO_HEADERS && e.payload + e.size <= frame + length);
    size_t icmp = (size_t)(e.payload - frame) - 8;
    assert(frame[icmp] == 0 && frame[IPV4_PROTOCOL] == IPV4_ICMP);
    assert(is_right(plain_sum(0, frame + ETH_SIZE, icmp - ETH_SIZE)));
    assert(is_right(plain_sum(0, frame + icmp, 8 + e.size)));
}

/* What is taken for a datagram or an echo reply of IPv6 lies in the frame, and has a right sum. */
static void check_ipv6(const uint8_t *frame, size_t length)
{
    struct net_datagram6 d;
    struct net_echo e;
    const uint8_t *behind = frame + ETH_SIZE + IPV6_SIZE;
    if (net_datagram6_read(frame, length, &d)) {
        uint32_t sum = IPV4_UDP + UDP_SIZE + (uint32_t)d.size;
        assert(d.payload == behind + UDP_SIZE && d.payload + d.size <= frame + length);
        sum = plain_sum(sum, frame + IPV6_SOURCE, 32);
        assert(is_right(plain_sum(sum, behind, UDP_SIZE + d.size)));
    }
    if (net_echo6_read(frame, length, &e)) {
        uint32_t sum = IPV6_ICMP + 8 + (uint32_t)e.size;
        assert(e.payload == behind + 8 && e.payload + e.size <= frame + length);
        sum = plain_sum(sum, frame + IPV6_SOURCE, 32);
        assert(is_right(plain_sum(sum, behind, 8 + e.size)));
    }
}

/* The frame as one of IPv6 with the sum that it should have. */
static void check_mended_ipv6(uint8_t *frame, size_t length)
{
    uint8_t *behind = frame + ETH_SIZE + IPV6_SIZE;
    if (length < NET_DATAGRAM6_HEADERS)
        return;
    bool is_echo = frame[ETH_TYPE] & 1;
    size_t size = length - ETH_SIZE - IPV6_SIZE;
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    frame[IPV6_NEXT] = is_echo ? IPV6_ICMP : IPV4_UDP;
    frame[IPV6_SOURCE] &= 0x7f;
    frame[IPV6_SOURCE + 15] |= 1;
    net_put16(frame + IPV6_LENGTH, (uint16_t)size);
    net_put16(behind + (is_echo ? 0 : UDP_LENGTH), is_echo ? 0x8100 : (uint16_t)size);
    uint8_t *at = behind + (is_echo ? 2 : UDP_CHECKSUM);
    net_put16(at, 0);
    uint16_t sum = net_ipv6_sum(frame, behind, size, frame[IPV6_NEXT]);
    sum = sum || is_echo ? sum : 0xffff;
    memcpy(at, &sum, sizeof sum);
    struct net_datagram6 d;
    struct net_echo e;
    assert(is_echo ? net_echo6_read(frame, length, &e) : net_datagram6_read(frame, length, &d));
    check_ipv6(frame, length);
}

/* A whole datagram, so that edits of it reach the last checks. */
static void check_edited(const uint8_t *edits, size_t size)
{
    uint8_t *memory = calloc(1, NET_FRAME_LEAD + 60), *frame = memory + NET_FRAME_LEAD;
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = 0x45;
    net_put16(frame + IPV4_LENGTH, 46);
    frame[IPV4_PROTOCOL] = IPV4_UDP;
    net_put16(frame + ETH_SIZE + IPV4_LEAST + UDP_LENGTH, 26);
    assert(net_udp_offset(frame, 60) == ETH_SIZE + IPV4_LEAST);
    for (size_t i = 0; i + 1 < size; i += 2)
        frame[edits[i] % 60] = edits[i + 1];
    check_frame(frame, 60);
    check_datagram(frame, 60);
    mend(frame, 60);
    check_datagram(frame, 60);
    free(memory);
}

/* In memory of its own size, so that a look beyond its end is seen. */
static void check_copy(const uint8_t *data, size_t size)
{
    uint8_t *memory = malloc(NET_FRAME_LEAD + size), *frame = memory + NET_FRAME_LEAD;
    memcpy(frame, data, size);
    check_frame(frame, size);
    check_datagram(frame, size);
    check_echo(frame, size);
    check_ipv6(frame, size);
    check_mended_ipv6(frame, size);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_copy(data, size);
    check_address(data, size);
    check_edited(data, size);
    return 0;
}
