/*
 * Any bytes as a frame, and any text as an address. What net_udp_offset accepts lies wholly inside
 * the frame; what net_parse_address accepts means the same when it is printed and read again.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* A whole datagram, so that edits of it reach the last checks. */
static void check_edited(const uint8_t *edits, size_t size)
{
    uint8_t *frame = calloc(1, 60);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = 0x45;
    net_put16(frame + IPV4_LENGTH, 46);
    frame[IPV4_PROTOCOL] = IPV4_UDP;
    net_put16(frame + ETH_SIZE + IPV4_LEAST + UDP_LENGTH, 26);
    assert(net_udp_offset(frame, 60) == ETH_SIZE + IPV4_LEAST);
    for (size_t i = 0; i + 1 < size; i += 2)
        frame[edits[i] % 60] = edits[i + 1];
    check_frame(frame, 60);
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_frame(data, size);
    check_address(data, size);
    check_edited(data, size);
    return 0;
}
