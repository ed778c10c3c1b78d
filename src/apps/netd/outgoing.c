#include "outgoing.h"

#include <stdlib.h>
#include <string.h>

#include "libos/net/headers.h"
#include "libos/net/pieces.h"

static struct outgoing {
    struct net_pieces pieces;
    uint16_t destination_port;
    uint64_t number; /* in the order in which they were begun */
} table[OUTGOING_DATAGRAMS];
static uint64_t numbers;
static uint8_t *given; /* the data of the last whole one */

static bool is_of(const struct outgoing *o, const struct net_note *n)
{
    const struct net_pieces *p = &o->pieces;

    return p->bytes && p->source_port == n->source_port &&
           o->destination_port == n->destination_port && net_ipv6_equal(&p->source, &n->source) &&
           net_ipv6_equal(&p->destination, &n->destination);
}

/* Whether it begins another datagram of the same port, which then has made room for it. */
static bool is_next_of(const struct outgoing *o, const struct net_note *n)
{
    const struct net_pieces *p = &o->pieces;

    return !n->at && p->bytes && p->source_port == n->source_port &&
           net_ipv6_equal(&p->source, &n->source);
}

/* Where a piece belongs; NULL: it doesn't begin a datagram, and that one isn't there. A port has
 * one at a time, so who begins many with it ends his own alone. */
static struct outgoing *find(const struct net_note *n)
{
    struct outgoing *oldest = table;

    for (struct outgoing *o = table; o < table + OUTGOING_DATAGRAMS; o++) {
        if (is_of(o, n))
            return o;
        if (is_next_of(o, n))
            net_pieces_forget(&o->pieces);
        if (!o->pieces.bytes)
            o->number = 0;
        if (o->number < oldest->number)
            oldest = o;
    }
    if (n->at)
        return NULL;
    oldest->number = ++numbers;
    oldest->destination_port = n->destination_port;
    return oldest;
}

/* UDP's header in front of its bytes, and the sum. */
static bool put_header(const struct net_note *n, const struct net_pieces *p,
                       struct fragments_datagram *d)
{
    given = malloc(UDP_SIZE + p->total);
    if (!given)
        return false;
    memcpy(given + UDP_SOURCE, &n->source_port, 2);
    memcpy(given + UDP_DESTINATION, &n->destination_port, 2);
    net_put16(given + UDP_LENGTH, (uint16_t)(UDP_SIZE + p->total));
    net_put16(given + UDP_CHECKSUM, 0);
    memcpy(given + UDP_SIZE, p->bytes, p->total);
    *d = (struct fragments_datagram){.source = n->destination,
                                     .destination = n->source,
                                     .protocol = IPV4_UDP,
                                     .data = given,
                                     .size = UDP_SIZE + p->total};
    uint16_t sum = fragments_sum(d);
    sum = sum ? sum : 0xffff; /* 0 would say that there is none */
    memcpy(given + UDP_CHECKSUM, &sum, sizeof sum);
    return true;
}

bool outgoing_take(const uint8_t *frame, size_t length, struct fragments_datagram *d)
{
    struct net_datagram whole;
    struct net_note n;

    free(given);
    given = NULL;
    if (!net_note_read(frame, length, &n) || n.kind != NOTE_PIECE || n.protocol != IPV4_UDP ||
        n.total > UINT16_MAX - UDP_SIZE - IPV4_LEAST)
        return false;
    struct outgoing *o = find(&n);
    if (!o)
        return false;
    net_pieces_take(&o->pieces, &n);
    if (!net_pieces_whole(&o->pieces, &whole))
        return false;
    bool is_made = put_header(&n, &o->pieces, d);
    net_pieces_forget(&o->pieces);
    if (is_made)
        memcpy(d->mac, frame + ETH_DESTINATION, sizeof d->mac);
    return is_made;
}

void outgoing_forget(void)
{
    for (struct outgoing *o = table; o < table + OUTGOING_DATAGRAMS; o++)
        net_pieces_forget(&o->pieces);
    free(given);
    given = NULL;
}
