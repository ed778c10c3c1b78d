#include "fragments.h"

#include <stdlib.h>

#include "libos/net/headers.h"
#include "libos/net/parse.h"

#define MORE       0x2000 /* of IPV4_FRAGMENT */
#define OFFSET     0x1fff /* in units of 8 bytes */
#define UNIT       8
#define UNITS      ((FRAGMENTS_DATA_MAX + UNIT - 1) / UNIT)
#define IPV4_ID    (ETH_SIZE + 4)
#define DATA_BEGIN (ETH_SIZE + IPV4_LEAST)

/* One under way: what identifies it (RFC 791), and what is there of it. */
static struct datagram {
    bool is_used;
    bool is_bad; /* it is dropped; its data is NULL */
    uint8_t protocol;
    uint16_t id;
    uint32_t source, destination;
    uint32_t begun;  /* seconds */
    uint64_t number; /* in the order in which they were begun */
    size_t total;    /* bytes, once the last fragment is there; else 0 */
    size_t have;     /* bytes that are there */
    size_t reach;    /* the end of what is there */
    uint8_t *data;   /* room for all */
    uint8_t there[(UNITS + 7) / 8];
} table[FRAGMENTS_DATAGRAMS];
static uint64_t numbers;
static uint8_t *given; /* the data of the last whole one */

/* A fragment. */
struct piece {
    const uint8_t *data;
    size_t at, size;
    bool is_last;
};

static void forget(struct datagram *d)
{
    free(d->data);
    memset(d, 0, sizeof *d);
}

static void spoil(struct datagram *d)
{
    free(d->data);
    d->data = NULL;
    d->is_bad = true;
}

static bool is_there(const struct datagram *d, size_t unit)
{
    return d->there[unit / 8] >> unit % 8 & 1;
}

static struct datagram *find(const uint8_t *frame)
{
    uint32_t source, destination;

    memcpy(&source, frame + IPV4_SOURCE, 4);
    memcpy(&destination, frame + IPV4_DESTINATION, 4);
    for (struct datagram *d = table; d < table + FRAGMENTS_DATAGRAMS; d++)
        if (d->is_used && d->source == source && d->destination == destination &&
            d->protocol == frame[IPV4_PROTOCOL] && d->id == net_get16(frame + IPV4_ID))
            return d;
    return NULL;
}

/* The oldest, of one sender's or of all's (`any`); NULL: there is none. */
static struct datagram *oldest(uint32_t source, bool any)
{
    struct datagram *found = NULL;

    for (struct datagram *d = table; d < table + FRAGMENTS_DATAGRAMS; d++)
        if (d->is_used && (any || d->source == source) && (!found || d->number < found->number))
            found = d;
    return found;
}

static struct datagram *take_place(uint32_t source)
{
    struct datagram *place = NULL;
    unsigned count = 0;

    for (struct datagram *d = table; d < table + FRAGMENTS_DATAGRAMS; d++) {
        count += d->is_used && d->source == source;
        if (!d->is_used)
            place = d;
    }
    if (!place || count >= FRAGMENTS_OF_ONE) {
        place = oldest(source, count < FRAGMENTS_OF_ONE);
        forget(place);
    }
    return place;
}

static struct datagram *begin(const uint8_t *frame, uint32_t now)
{
    uint32_t source;

    memcpy(&source, frame + IPV4_SOURCE, 4);
    struct datagram *d = take_place(source);
    uint8_t *data = malloc(UNITS * UNIT);
    if (!data)
        return NULL;
    *d = (struct datagram){.is_used = true,
                           .protocol = frame[IPV4_PROTOCOL],
                           .id = net_get16(frame + IPV4_ID),
                           .source = source,
                           .begun = now,
                           .number = numbers++,
                           .data = data};
    memcpy(&d->destination, frame + IPV4_DESTINATION, 4);
    return d;
}

/* What a frame holds; false if it isn't a fragment that fits into a datagram. */
static bool read_piece(const uint8_t *frame, size_t length, struct piece *piece)
{
    if (length < DATA_BEGIN || net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV4 ||
        frame[IPV4_FIRST] != NET_IPV4_PLAIN)
        return false;
    size_t total = net_get16(frame + IPV4_LENGTH);
    uint16_t word = net_get16(frame + IPV4_FRAGMENT);
    if (total <= IPV4_LEAST || total > length - ETH_SIZE || !(word & IPV4_MORE_OR_OFFSET) ||
        net_fold(net_sum(0, frame + ETH_SIZE, IPV4_LEAST)))
        return false;
    *piece = (struct piece){.data = frame + DATA_BEGIN,
                            .at = (size_t)(word & OFFSET) * UNIT,
                            .size = total - IPV4_LEAST,
                            .is_last = !(word & MORE)};
    return (piece->is_last || piece->size % UNIT == 0) &&
           piece->at + piece->size <= FRAGMENTS_DATA_MAX;
}

/* Whether all of it is there already, and the same. */
static bool is_again(const struct datagram *d, const struct piece *p)
{
    for (size_t unit = p->at / UNIT; unit * UNIT < p->at + p->size; unit++)
        if (!is_there(d, unit))
            return false;
    return p->at + p->size <= d->reach && !memcmp(d->data + p->at, p->data, p->size) &&
           (!p->is_last || p->at + p->size == d->total);
}

/* Puts a piece in its place, where nothing may be yet. */
static void put(struct datagram *d, const struct piece *p)
{
    size_t end = p->at + p->size;

    if ((p->is_last && (d->total || end < d->reach)) || (d->total && end > d->total)) {
        spoil(d);
        return;
    }
    for (size_t unit = p->at / UNIT; unit * UNIT < end; unit++) {
        if (is_there(d, unit)) {
            spoil(d);
            return;
        }
        d->there[unit / 8] |= (uint8_t)(1 << unit % 8);
    }
    memcpy(d->data + p->at, p->data, p->size);
    d->have += p->size;
    d->reach = end > d->reach ? end : d->reach;
    d->total = p->is_last ? end : d->total;
}

static void drop_old(uint32_t now)
{
    for (struct datagram *d = table; d < table + FRAGMENTS_DATAGRAMS; d++)
        if (d->is_used && now - d->begun >= FRAGMENTS_SECONDS)
            forget(d);
    free(given);
    given = NULL;
}

bool fragments_add(const uint8_t *frame, size_t length, uint32_t now,
                   struct fragments_datagram *whole)
{
    struct piece piece;

    drop_old(now);
    if (!read_piece(frame, length, &piece))
        return false;
    struct datagram *d = find(frame);
    if (!d)
        d = begin(frame, now);
    if (!d || d->is_bad || is_again(d, &piece))
        return false;
    put(d, &piece);
    if (d->is_bad || !d->total || d->have < d->total)
        return false;
    given = d->data;
    d->data = NULL;
    *whole = (struct fragments_datagram){.source = d->source,
                                         .destination = d->destination,
                                         .protocol = d->protocol,
                                         .data = given,
                                         .size = d->total};
    memcpy(whole->mac, frame + ETH_SOURCE, sizeof whole->mac);
    forget(d);
    return true;
}

void fragments_forget(void)
{
    for (struct datagram *d = table; d < table + FRAGMENTS_DATAGRAMS; d++)
        forget(d);
    free(given);
    given = NULL;
}
