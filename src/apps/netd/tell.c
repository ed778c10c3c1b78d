/* Telling programs about their ports (libos/net/note.h), over the loop interface's root binding. */
#include <string.h>

#include "fragments.h"
#include "libos/net/ipv6.h"
#include "libos/net/note.h"
#include "libos/net/parse.h"
#include "libos/time/time.h"
#include "netd.h"

#define BATCH 8

static uint8_t frames[BATCH][AEGIS_FRAME_MAX + 6];
static struct aegis_frame_out out[BATCH];
static size_t count;

/* The frames are in their rings, or lost, when it returns. */
static void flush(void)
{
    for (size_t done = 0; done < count;) {
        int64_t sent = aegis_net_send(aegis_info()->netifs[aegis_info()->netif_count].root,
                                      out + done, count - done);
        done += sent > 0 ? (size_t)sent : 1;
    }
    count = 0;
}

/* Where the next frame is made. */
static uint8_t *next(void)
{
    if (count == BATCH)
        flush();
    return frames[count];
}

static void add(size_t length)
{
    out[count] = (struct aegis_frame_out){.address = frames[count], .length = length};
    count++;
}

void tell_error(const struct net_note *note)
{
    add(net_note_write(next(), note));
    flush();
}

static void put_headers4(uint8_t *frame, const struct fragments_datagram *d)
{
    uint8_t *ip = frame + ETH_SIZE;

    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    net_put16(frame + IPV4_LENGTH, (uint16_t)(IPV4_LEAST + d->size));
    ip[8] = 1; /* its time to live */
    frame[IPV4_PROTOCOL] = d->protocol;
    memcpy(frame + IPV4_SOURCE, &d->source.words[3], 4);
    memcpy(frame + IPV4_DESTINATION, &d->destination.words[3], 4);
    uint16_t sum = net_fold(net_sum(0, ip, IPV4_LEAST));
    memcpy(ip + 10, &sum, sizeof sum);
}

static void put_headers6(uint8_t *frame, const struct fragments_datagram *d)
{
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    net_put32(frame + IPV6_FIRST, 0x60000000);
    net_put16(frame + IPV6_LENGTH, (uint16_t)d->size);
    frame[IPV6_NEXT] = d->protocol;
    frame[IPV6_HOP_LIMIT] = 1;
    memcpy(frame + IPV6_SOURCE, &d->source, sizeof d->source);
    memcpy(frame + IPV6_DESTINATION, &d->destination, sizeof d->destination);
}

size_t tell_frame(uint8_t *frame, const struct fragments_datagram *d)
{
    bool is_six = fragments_is_ipv6(d);
    size_t headers = ETH_SIZE + (is_six ? IPV6_SIZE : IPV4_LEAST);

    if (d->size > AEGIS_FRAME_MAX - headers)
        return 0;
    memset(frame, 0, headers);
    memcpy(frame + ETH_SOURCE, d->mac, sizeof d->mac);
    if (is_six)
        put_headers6(frame, d);
    else
        put_headers4(frame, d);
    memcpy(frame + headers, d->data, d->size);
    return headers + d->size;
}

/*
 * As it came, but in one frame. Like all that is told of a datagram it has the hardware address of
 * its sender in the place of the destination's: as the source that can't go over the loop
 * interface.
 */
static bool tell_whole(const struct fragments_datagram *d)
{
    uint8_t *frame = next();
    size_t length = tell_frame(frame, d);

    if (!length)
        return false;
    memcpy(frame + ETH_DESTINATION, d->mac, sizeof d->mac);
    memset(frame + ETH_SOURCE, 0, sizeof d->mac);
    add(length);
    flush();
    return true;
}

/* Whether UDP's sum is right. `length` is what UDP says. */
static bool is_summed(const struct fragments_datagram *d, size_t length)
{
    uint8_t headers[ETH_SIZE + IPV6_SIZE], pseudo[12] = {0};

    if (fragments_is_ipv6(d)) {
        put_headers6(headers, d);
        return net_get16(d->data + UDP_CHECKSUM) &&
               !net_ipv6_sum(headers, d->data, length, IPV4_UDP);
    }
    memcpy(pseudo, &d->source.words[3], 4);
    memcpy(pseudo + 4, &d->destination.words[3], 4);
    pseudo[9] = IPV4_UDP;
    net_put16(pseudo + 10, (uint16_t)length);
    return !net_get16(d->data + UDP_CHECKSUM) ||
           net_fold(net_sum(net_sum(0, pseudo, sizeof pseudo), d->data, length)) == 0;
}

/* Whether the lengths and the sum of UDP are right; *size gets the payload's. */
static bool is_right(const struct fragments_datagram *d, size_t *size)
{
    if (d->size < UDP_SIZE)
        return false;
    size_t length = net_get16(d->data + UDP_LENGTH);
    if (length < UDP_SIZE || length > d->size)
        return false;
    *size = length - UDP_SIZE;
    return is_summed(d, length);
}

static void tell_pieces(const struct fragments_datagram *d)
{
    struct net_note note = {.kind = NOTE_PIECE,
                            .protocol = IPV4_UDP,
                            .source = d->source,
                            .destination = d->destination};
    size_t total = 0;

    if (!is_right(d, &total))
        return;
    note.total = (uint16_t)total;
    memcpy(&note.source_port, d->data + UDP_SOURCE, 2);
    memcpy(&note.destination_port, d->data + UDP_DESTINATION, 2);
    for (size_t at = 0; at < total; at += note.size) {
        note.at = (uint16_t)at;
        note.payload = d->data + UDP_SIZE + at;
        note.size = total - at < NOTE_PIECE_MAX ? total - at : NOTE_PIECE_MAX;
        uint8_t *frame = next();
        size_t length = net_note_write(frame, &note);
        memcpy(frame + ETH_DESTINATION, d->mac, sizeof d->mac);
        add(length);
    }
    flush();
}

void tell_datagram(const struct fragments_datagram *d)
{
    if (d->protocol != IPV4_UDP && d->protocol != IPV4_TCP && d->protocol != IPV4_ICMP &&
        d->protocol != IPV6_ICMP)
        return;
    if (!tell_whole(d) && d->protocol == IPV4_UDP)
        tell_pieces(d);
}
