/*
 * Any bytes as a frame, and any text as an address. What net_udp_offset accepts lies wholly inside
 * the frame; what net_parse_address accepts means the same when it is printed and read again.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libos/net/datagram.h"
#include "libos/net/echo.h"
#include "libos/net/headers.h"
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
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_copy(data, size);
    check_address(data, size);
    check_edited(data, size);
    return 0;
}
