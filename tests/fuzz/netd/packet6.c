/*
 * Packets of IPv6 with extension headers: a sequence of frames, each behind two bytes of its
 * length. What becomes whole is what somebody makes of the same fragments who keeps each byte
 * (whole.h), and what is said of the others is an error that lies inside its frame.
 */
#include <assert.h>
#include <stdlib.h>

#include "extension.h"
#include "libos/net/ipv6.h"
#include "packet6.h"
#include "whole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BEGIN (ETH_SIZE + IPV6_SIZE)

static unsigned others; /* fragments of others than the oracle's: they may take its place */
static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};

/* To us, from one of two, with a length that is right. */
static void put_right(uint8_t *frame, size_t length)
{
    static const uint8_t headers[] = {
        EXTENSION_FRAGMENT, EXTENSION_FRAGMENT, EXTENSION_FRAGMENT, EXTENSION_FRAGMENT,
        EXTENSION_HOPS,     EXTENSION_OPTIONS,  EXTENSION_ROUTING,  IPV4_UDP};
    bool is_other = frame[0] & 1;

    memcpy(frame, mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    frame[IPV6_NEXT] = headers[frame[IPV6_NEXT] & 7];
    net_put16(frame + IPV6_LENGTH, (uint16_t)(length - BEGIN));
    memset(frame + IPV6_SOURCE, 0x20 + is_other, 16);
    memset(frame + IPV6_DESTINATION, 0x22, 16);
    for (size_t at = BEGIN; at + 8 <= length && at < BEGIN + 16; at += 8)
        if (frame[at] & 128) {
            static const uint8_t upper[] = {IPV4_UDP, IPV4_TCP, IPV6_ICMP, EXTENSION_FRAGMENT};
            frame[at] = upper[frame[at] & 3];
            frame[at + 1] = 0;
            frame[at + 2] = 0;
            memset(frame + at + 4, 0, 4);
        }
}

static void check_error(const uint8_t *frame, size_t length, const struct icmp_out *error)
{
    uint8_t answer[ICMP_OUT_MOST];
    size_t size = icmp_out_write(answer, frame, length, error, mac);

    assert(error->type == ICMP6_OUT_PARAMETER && error->code <= EXTENSION_BAD_FRAGMENT);
    assert(error->more < length - ETH_SIZE);
    if (!size) {
        assert(frame[0] & 1 || frame[IPV6_DESTINATION] == 0xff ||
               extension_is_error(frame + ETH_SIZE,
                                  IPV6_SIZE + (size_t)net_get16(frame + IPV6_LENGTH)));
        return;
    }
    size_t quoted = size - BEGIN - 8;
    assert(size <= ICMP_OUT_MOST && quoted <= length - ETH_SIZE);
    assert(!memcmp(answer + BEGIN + 8, frame + ETH_SIZE, quoted));
    assert(net_get16(answer + IPV6_LENGTH) == size - BEGIN && !memcmp(answer, frame + 6, 6));
    assert(!net_ipv6_sum(answer, answer + BEGIN, size - BEGIN, IPV6_ICMP));
    assert(!memcmp(answer + IPV6_DESTINATION, frame + IPV6_SOURCE, 16));
}

/* A fragment of the datagram that the oracle follows; others are only looked at. */
static void follow(const uint8_t *frame, size_t size, const struct extension *e, bool is_whole,
                   const struct fragments_datagram *d)
{
    static size_t skip;
    static uint8_t protocol;
    size_t begin = e->fragment + 8, length = size - begin;
    uint8_t key[36];

    memcpy(key, frame + IPV6_SOURCE, 32);
    memcpy(key + 32, &e->id, 4);
    if ((!e->is_last && length % 8) || !length ||
        e->fragment - IPV6_SIZE + e->offset + length > 65535) {
        assert(!is_whole);
        return;
    }
    if (!oracle.is_on)
        memcpy(oracle.key, key, sizeof key);
    oracle.is_on = true;
    others += memcmp(oracle.key, key, sizeof key) != 0;
    if (memcmp(oracle.key, key, sizeof key) || others >= FRAGMENTS_OF_ONE)
        return;
    if (!e->offset && !oracle.owner[0]) {
        skip = e->at - begin;
        protocol = e->protocol;
    }
    assert(oracle_add(frame + ETH_SIZE + begin, e->offset, length, !e->is_last, true) == is_whole);
    if (!is_whole)
        return;
    assert(d->size == oracle.end - skip && d->protocol == protocol);
    assert(!memcmp(d->data, oracle.bytes + skip, d->size));
    memset(&oracle, 0, sizeof oracle);
}

static void check(const uint8_t *frame, size_t length)
{
    struct fragments_datagram d = {.size = 0};
    struct icmp_out error;
    struct extension e = {.at = 0};
    enum packet6_event event = packet6_take(frame, length, 0, &d, &error);

    if (event == PACKET6_PROBLEM)
        check_error(frame, length, &error);
    if (length < BEGIN || net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV6 ||
        length - BEGIN < net_get16(frame + IPV6_LENGTH) || length > AEGIS_FRAME_MAX) {
        assert(event == PACKET6_NOTHING);
        return;
    }
    size_t size = IPV6_SIZE + (size_t)net_get16(frame + IPV6_LENGTH);
    if (extension_walk(frame + ETH_SIZE, size, &e) != EXTENSION_PASSES) {
        assert(event != PACKET6_DATAGRAM);
        return;
    }
    if (frame[IPV6_SOURCE] >> 1 != 0x10 || frame[IPV6_DESTINATION] != 0x22)
        return; /* somebody else's */
    if (e.is_fragment) {
        follow(frame, size, &e, event == PACKET6_DATAGRAM, &d);
    } else {
        assert(event == PACKET6_DATAGRAM && d.size == size - e.at && d.protocol == e.protocol);
        assert(!memcmp(d.data, frame + ETH_SIZE + e.at, d.size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&oracle, 0, sizeof oracle);
    others = 0;
    for (int frames = 0; size > 2 && frames < 12; frames++) {
        size_t length = (size_t)(data[0] << 8 | data[1]) % 1600;
        length = length < size - 2 ? length : size - 2;
        uint8_t *frame = malloc(length + 1);
        memcpy(frame, data + 2, length);
        if (length >= BEGIN && !(data[0] & 128))
            put_right(frame, length);
        check(frame, length);
        free(frame);
        data += 2 + length;
        size -= 2 + length;
    }
    fragments_forget();
    return 0;
}
