/*
 * Any bytes as a frame of TCP: what net_segment_read accepts, a reading byte by byte accepts too,
 * and nothing else; and it lies inside the frame.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "libos/net/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* RFC 1071's sum, of 16-bit words with the high byte first. */
static uint32_t plain_sum(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* RFC 791 and RFC 9293, read slowly. */
static bool plainly(const uint8_t *f, size_t length)
{
    if (length < 14 + 20)
        return false;
    size_t words = f[14] % 16, total = (size_t)f[16] * 256 + f[17];
    if (f[14] / 16 != 4 || words < 5 || total + 14 > length || total < words * 4 + 20)
        return false;
    const uint8_t *tcp = f + 14 + words * 4;
    size_t segment = total - words * 4, offset = (size_t)(tcp[12] / 16) * 4;
    if (offset < 20 || offset > segment || plain_sum(0, f + 14, words * 4) != 0xffff)
        return false;
    return plain_sum(plain_sum(6 + (uint32_t)segment, f + 26, 8), tcp, segment) == 0xffff;
}

/* RFC 8200, likewise. */
static bool plainly6(const uint8_t *f, size_t length)
{
    if (length < 54 + 20 || f[12] != 0x86 || f[13] != 0xdd || f[14] / 16 != 6 || f[20] != 6)
        return false;
    size_t segment = (size_t)f[18] * 256 + f[19], offset = (size_t)(f[54 + 12] / 16) * 4;
    if (segment > length - 54 || offset < 20 || offset > segment)
        return false;
    return plain_sum(plain_sum(6 + (uint32_t)segment, f + 22, 32), f + 54, segment) == 0xffff;
}

static void check(const uint8_t *data, size_t size)
{
    uint8_t *memory = malloc(NET_FRAME_LEAD + size), *frame = memory + NET_FRAME_LEAD;
    struct net_segment s;

    memcpy(frame, data, size);
    bool accepted = net_segment_read(frame, size, &s);
    assert(accepted == plainly(frame, size));
    if (accepted)
        assert(s.ip == frame + 14 && s.ip + s.size <= frame + size &&
               s.tcp + s.length == s.ip + s.size && s.data + 20 <= s.length);
    accepted = net_segment6_read(frame, size, &s);
    assert(accepted == plainly6(frame, size));
    if (accepted)
        assert(s.ip == frame + 14 && s.ip + s.size <= frame + size &&
               s.tcp + s.length == s.ip + s.size && s.data + 20 <= s.length);
    free(memory);
}

/* As one of IPv6, with the sum that it should have, and with another. */
static void check_mended6(const uint8_t *data, size_t size)
{
    if (size < 54 + 20)
        return;
    uint8_t *memory = malloc(NET_FRAME_LEAD + size), *frame = memory + NET_FRAME_LEAD;
    memcpy(frame, data, size);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    frame[IPV6_NEXT] = IPV4_TCP;
    net_put16(frame + IPV6_LENGTH, (uint16_t)(size - 54));
    memset(frame + 54 + TCP_CHECKSUM, 0, 2);
    net_segment6_sum(frame, size - 14);
    check(frame, size);
    frame[14 + data[0] % 60] ^= 1;
    check(frame, size);
    free(memory);
}

/* A whole segment, so that edits of it reach the last checks. */
static void check_edited(const uint8_t *edits, size_t size)
{
    static const uint8_t head[] = {8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 2, 2};
    uint8_t memory[NET_FRAME_LEAD + 60 + 4] __attribute__((aligned(8))) = {0};
    uint8_t *frame = memory + NET_FRAME_LEAD;
    struct net_segment s;

    memcpy(frame + ETH_TYPE, head, sizeof head);
    frame[ETH_SIZE + IPV4_LEAST + TCP_OFFSET] = 0x50;
    for (size_t i = 0; i + 1 < size; i += 2)
        if (edits[i] % 60 != ETH_SIZE && edits[i] % 60 != ETH_SIZE + 2 &&
            edits[i] % 60 != ETH_SIZE + 3)
            frame[edits[i] % 60] = edits[i + 1];
    memset(frame + ETH_SIZE + 10, 0, 2);
    memset(frame + ETH_SIZE + IPV4_LEAST + TCP_CHECKSUM, 0, 2);
    net_segment_sum(frame, 46);
    unsigned words = frame[ETH_SIZE + IPV4_LEAST + TCP_OFFSET] >> 4;
    assert(net_segment_read(frame, 60, &s) == (words == 5 || words == 6));
    check(frame, 60);
    if (size) {
        frame[14 + edits[0] % 46] ^= 1; /* wrong sums */
        check(frame, 60);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(data, size);
    check_mended6(data, size);
    check_edited(data, size);
    return 0;
}
