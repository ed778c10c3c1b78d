#include "fragments.h"

#include <stdlib.h>

#include "libos/net/headers.h"
#include "libos/net/parse.h"

#define MORE       0x2000 /* of IPV4_FRAGMENT */
#define OFFSET     0x1fff /* in units of 8 bytes */
#define UNIT       8
#define UNITS      ((FRAGMENTS6_DATA_MAX + UNIT - 1) / UNIT)
#define IPV4_ID    (ETH_SIZE + 4)
#define DATA_BEGIN (ETH_SIZE + IPV4_LEAST)

/* One under way: what identifies it (RFC 791, RFC 8200), and what is there of it. */
static struct datagram {
    bool is_used;
    bool is_bad; /* it is dropped; its data is NULL */
    uint8_t protocol;
    uint32_t id;
    struct net_ipv6 source, destination;
    uint32_t begun;  /* seconds */
    uint64_t number; /* in the order in which they were begun */
    size_t total;    /* bytes, once the last fragment is there; else 0 */
    size_t have;     /* bytes that are there */
    size_t reach;    /* the end of what is there */
    size_t skip;     /* the first one's */
    size_t kept;     /* bytes of the first one's frame, behind the data; 0: it isn't there */
    uint8_t *data;   /* room for all */
    uint8_t there[(UNITS + 7) / 8];
    uint8_t begins[(UNITS + 7) / 8]; /* where a fragment did */
} table[FRAGMENTS_DATAGRAMS];
static uint64_t numbers;
static uint8_t *given; /* the data of the last whole one */

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

static bool is_set(const uint8_t *bits, size_t unit)
{
    return bits[unit / 8] >> unit % 8 & 1;
}

static void set(uint8_t *bits, size_t unit)
{
    bits[unit / 8] |= (uint8_t)(1 << unit % 8);
}

static bool is_ipv6(const struct datagram *d)
{
    return !net_ipv6_is_mapped(&d->source);
}

static uint32_t seconds_of(const struct datagram *d)
{
    return is_ipv6(d) ? FRAGMENTS6_SECONDS : FRAGMENTS_SECONDS;
}

static struct datagram *find(const struct fragments_piece *p)
{
    for (struct datagram *d = table; d < table + FRAGMENTS_DATAGRAMS; d++)
        if (d->is_used && d->id == p->id && net_ipv6_equal(&d->source, &p->source) &&
            net_ipv6_equal(&d->destination, &p->destination) &&
            (is_ipv6(d) || d->protocol == p->protocol))
            return d;
    return NULL;
}

/* The oldest, of one sender's or of all's (NULL); NULL: there is none. */
static struct datagram *oldest(const struct net_ipv6 *source)
{
    struct datagram *found = NULL;

    for (struct datagram *d = table; d < table + FRAGMENTS_DATAGRAMS; d++)
        if (d->is_used && (!source || net_ipv6_equal(&d->source, source)) &&
            (!found || d->number < found->number))
            found = d;
    return found;
}

static struct datagram *take_place(const struct net_ipv6 *source)
{
    struct datagram *place = NULL;
    unsigned count = 0;

    for (struct datagram *d = table; d < table + FRAGMENTS_DATAGRAMS; d++) {
        count += d->is_used && net_ipv6_equal(&d->source, source);
        if (!d->is_used)
            place = d;
    }
    if (!place || count >= FRAGMENTS_OF_ONE) {
        place = oldest(count < FRAGMENTS_OF_ONE ? NULL : source);
        forget(place);
    }
    return place;
}

static struct datagram *begin(const struct fragments_piece *p, uint32_t now)
{
    struct datagram *d = take_place(&p->source);
    uint8_t *data = malloc(UNITS * UNIT + FRAGMENTS_KEPT);

    if (!data)
        return NULL;
    *d = (struct datagram){.is_used = true,
                           .protocol = p->protocol,
                           .id = p->id,
                           .source = p->source,
                           .destination = p->destination,
                           .begun = now,
                           .number = numbers++,
                           .data = data};
    return d;
}

uint16_t fragments_sum(const struct fragments_datagram *d)
{
    uint8_t frame[ETH_SIZE + IPV6_SIZE], pseudo[12] = {0};

    if (fragments_is_ipv6(d)) {
        memcpy(frame + IPV6_SOURCE, &d->source, sizeof d->source);
        memcpy(frame + IPV6_DESTINATION, &d->destination, sizeof d->destination);
        return net_ipv6_sum(frame, d->data, d->size, d->protocol);
    }
    if (d->protocol == IPV4_ICMP)
        return net_fold(net_sum(0, d->data, d->size));
    memcpy(pseudo, &d->source.words[3], 4);
    memcpy(pseudo + 4, &d->destination.words[3], 4);
    pseudo[9] = d->protocol;
    net_put16(pseudo + 10, (uint16_t)d->size);
    return net_fold(net_sum(net_sum(0, pseudo, sizeof pseudo), d->data, d->size));
}

bool fragments_read(const uint8_t *frame, size_t length, struct fragments_piece *piece)
{
    uint32_t source, destination;

    if (length < DATA_BEGIN || net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV4 ||
        frame[IPV4_FIRST] != NET_IPV4_PLAIN)
        return false;
    size_t total = net_get16(frame + IPV4_LENGTH);
    uint16_t word = net_get16(frame + IPV4_FRAGMENT);
    if (total <= IPV4_LEAST || total > length - ETH_SIZE || !(word & IPV4_MORE_OR_OFFSET) ||
        net_fold(net_sum(0, frame + ETH_SIZE, IPV4_LEAST)))
        return false;
    memcpy(&source, frame + IPV4_SOURCE, 4);
    memcpy(&destination, frame + IPV4_DESTINATION, 4);
    *piece = (struct fragments_piece){.source = net_ipv6_mapped(source),
                                      .destination = net_ipv6_mapped(destination),
                                      .id = net_get16(frame + IPV4_ID),
                                      .protocol = frame[IPV4_PROTOCOL],
                                      .data = frame + DATA_BEGIN,
                                      .at = (size_t)(word & OFFSET) * UNIT,
                                      .size = total - IPV4_LEAST,
                                      .is_last = !(word & MORE),
                                      .frame = frame,
                                      .length = length};
    return (piece->is_last || piece->size % UNIT == 0) &&
           piece->at + piece->size <= FRAGMENTS_DATA_MAX;
}

/* Whether it has the bounds of one that came, as far as units tell: where the next one begins, or
 * nothing is. */
static bool has_come(const struct datagram *d, size_t begin, size_t end)
{
    if (!is_set(d->begins, begin))
        return false;
    for (size_t unit = begin + 1; unit < end; unit++)
        if (is_set(d->begins, unit))
            return false;
    return end >= UNITS || !is_set(d->there, end) || is_set(d->begins, end);
}

/* Whether all of it is there already, and the same. */
static bool is_again(const struct datagram *d, const struct fragments_piece *p)
{
    size_t begin = p->at / UNIT, end = (p->at + p->size + UNIT - 1) / UNIT;

    for (size_t unit = begin; unit < end; unit++)
        if (!is_set(d->there, unit))
            return false;
    return p->at + p->size <= d->reach && !memcmp(d->data + p->at, p->data, p->size) &&
           (!p->is_last || p->at + p->size == d->total) && (!is_ipv6(d) || has_come(d, begin, end));
}

/* The frame of the first one, and what only that says. */
static void keep_first(struct datagram *d, const struct fragments_piece *p)
{
    d->kept = p->length < FRAGMENTS_KEPT ? p->length : FRAGMENTS_KEPT;
    memcpy(d->data + (size_t)UNITS * UNIT, p->frame, d->kept);
    d->protocol = p->protocol;
    d->skip = p->skip;
}

/* Puts a piece in its place, where nothing may be yet. */
static void put(struct datagram *d, const struct fragments_piece *p)
{
    size_t end = p->at + p->size;

    if ((p->is_last && (d->total || end < d->reach)) || (d->total && end > d->total)) {
        spoil(d);
        return;
    }
    for (size_t unit = p->at / UNIT; unit * UNIT < end; unit++) {
        if (is_set(d->there, unit)) {
            spoil(d);
            return;
        }
        set(d->there, unit);
    }
    set(d->begins, p->at / UNIT);
    if (p->at == 0)
        keep_first(d, p);
    memcpy(d->data + p->at, p->data, p->size);
    d->have += p->size;
    d->reach = end > d->reach ? end : d->reach;
    d->total = p->is_last ? end : d->total;
}

/* Whether a datagram's time is over. */
static bool is_over(const struct datagram *d, uint32_t now)
{
    return d->is_used && now - d->begun >= seconds_of(d);
}

bool fragments_expire(uint32_t now, uint8_t *frame, size_t *length, struct icmp_out *error)
{
    struct datagram *d = table;

    while (d < table + FRAGMENTS_DATAGRAMS && !is_over(d, now))
        d++;
    if (d == table + FRAGMENTS_DATAGRAMS)
        return false;
    *error = (struct icmp_out){is_ipv6(d) ? ICMP6_OUT_TIME_EXCEEDED : ICMP_OUT_TIME_EXCEEDED,
                               ICMP_OUT_REASSEMBLY, 0};
    *length = d->is_bad ? 0 : d->kept;
    if (*length)
        memcpy(frame, d->data + (size_t)UNITS * UNIT, *length);
    forget(d);
    return true;
}

bool fragments_due(uint32_t *when)
{
    const struct datagram *first = NULL;

    for (const struct datagram *d = table; d < table + FRAGMENTS_DATAGRAMS; d++)
        if (d->is_used &&
            (!first || (int32_t)(d->begun + seconds_of(d) - first->begun - seconds_of(first)) < 0))
            first = d;
    if (first)
        *when = first->begun + seconds_of(first);
    return first;
}

bool fragments_add(const struct fragments_piece *p, uint32_t now, struct fragments_datagram *whole)
{
    free(given);
    given = NULL;
    if (!p->size || p->at + p->size > FRAGMENTS6_DATA_MAX)
        return false;
    struct datagram *d = find(p);
    if (d && is_over(d, now)) {
        forget(d);
        d = NULL;
    }
    if (!d)
        d = begin(p, now);
    if (!d || d->is_bad || is_again(d, p))
        return false;
    put(d, p);
    if (d->is_bad || !d->total || d->have < d->total)
        return false;
    given = d->data;
    d->data = NULL;
    *whole = (struct fragments_datagram){.source = d->source,
                                         .destination = d->destination,
                                         .protocol = d->protocol,
                                         .data = given + d->skip,
                                         .size = d->total - d->skip};
    memcpy(whole->mac, p->frame + ETH_SOURCE, sizeof whole->mac);
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
