#include "dhcp.h"

#include <string.h>

#include "dhcp_message.h"

#define SECOND        1000UL
#define FIRST_WAIT    4000UL  /* RFC 2131, 4.1: then twice as long each time, */
#define LONGEST_WAIT  64000UL /* give or take a second */
#define REQUESTS_MOST 4       /* without an answer to an offer, then from the beginning */
#define LEAST_AGAIN   60000UL /* between two questions for more time, 4.4.5 */
#define AFTER_REFUSAL 2000UL  /* so that a server that refuses always isn't asked all the time */

static void ask(struct dhcp *d, enum dhcp_kind kind, uint64_t now, struct dhcp_out *out)
{
    d->asked = now;
    out->size = dhcp_write(out->frame, d, kind, (uint16_t)((now - d->began) / SECOND));
}

/* When a question without an answer is repeated. */
static uint64_t wait_of(unsigned tries, uint32_t random)
{
    uint64_t wait = FIRST_WAIT << (tries < 4 ? tries : 4);

    return (wait < LONGEST_WAIT ? wait : LONGEST_WAIT) - SECOND + random % (2 * SECOND);
}

static void enter(struct dhcp *d, enum dhcp_state state, uint64_t due)
{
    d->state = state;
    d->due = due;
    d->tries = 0;
}

void dhcp_begin(struct dhcp *d, const uint8_t mac[6], uint64_t now)
{
    memset(d, 0, sizeof *d);
    memcpy(d->mac, mac, sizeof d->mac);
    enter(d, DHCP_INIT, now);
}

/* When a time of the lease's comes. */
static uint64_t at(const struct dhcp *d, uint32_t seconds)
{
    return d->leased + seconds * SECOND;
}

/* Asks for more time: the next question comes after half of what is left. */
static void ask_for_more(struct dhcp *d, uint64_t now, uint64_t end, struct dhcp_out *out)
{
    uint64_t half = (end - now) / 2;

    ask(d, DHCP_REQUEST, now, out);
    d->due = half > LEAST_AGAIN ? now + half : end - now > LEAST_AGAIN ? now + LEAST_AGAIN : end;
}

static enum dhcp_event lose(struct dhcp *d, uint64_t due)
{
    bool had = d->state >= DHCP_BOUND;

    enter(d, DHCP_INIT, due);
    return had ? DHCP_LOST : DHCP_NOTHING;
}

static void begin_exchange(struct dhcp *d, uint64_t now, uint32_t random)
{
    d->number = random;
    d->began = now;
}

enum dhcp_event dhcp_tick(struct dhcp *d, uint64_t now, uint32_t random, struct dhcp_out *out)
{
    out->size = 0;
    if (now < d->due)
        return DHCP_NOTHING;
    if (d->state >= DHCP_BOUND && now >= at(d, d->lease.seconds))
        return lose(d, now);
    switch (d->state) {
    case DHCP_REQUESTING:
        if (d->tries < REQUESTS_MOST) {
            ask(d, DHCP_REQUEST, now, out);
            d->due = now + wait_of(d->tries++, random);
            return DHCP_NOTHING;
        }
        /* fall through */
    case DHCP_INIT:
        enter(d, DHCP_SELECTING, now);
        begin_exchange(d, now, random);
        /* fall through */
    case DHCP_SELECTING:
        ask(d, DHCP_DISCOVER, now, out);
        d->due = now + wait_of(d->tries++, random);
        return DHCP_NOTHING;
    case DHCP_BOUND:
        enter(d, DHCP_RENEWING, now);
        begin_exchange(d, now, random);
        /* fall through */
    case DHCP_RENEWING:
        if (now < at(d, d->lease.rebind)) {
            ask_for_more(d, now, at(d, d->lease.rebind), out);
            return DHCP_NOTHING;
        }
        enter(d, DHCP_REBINDING, now);
        /* fall through */
    case DHCP_REBINDING:
        ask_for_more(d, now, at(d, d->lease.seconds), out);
        return DHCP_NOTHING;
    }
    return DHCP_NOTHING;
}

static enum dhcp_event take_lease(struct dhcp *d, const struct dhcp_lease *lease)
{
    d->lease = *lease;
    d->leased = d->asked;
    enter(d, DHCP_BOUND, lease->seconds == UINT32_MAX ? UINT64_MAX : at(d, lease->renew));
    return DHCP_HAVE;
}

enum dhcp_event dhcp_receive(struct dhcp *d, const uint8_t *frame, size_t length, uint64_t now,
                             struct dhcp_out *out)
{
    struct dhcp_lease lease;
    bool waits = d->state == DHCP_REQUESTING || d->state >= DHCP_RENEWING;
    enum dhcp_kind kind = dhcp_read(frame, length, d, &lease);

    out->size = 0;
    if (d->state == DHCP_SELECTING && kind == DHCP_OFFER) {
        d->offer = lease;
        enter(d, DHCP_REQUESTING, now); /* dhcp_tick asks for it */
        return DHCP_NOTHING;
    }
    if (!waits || (kind != DHCP_ACK && kind != DHCP_NAK))
        return DHCP_NOTHING;
    if (d->state == DHCP_REQUESTING && lease.server != d->offer.server)
        return DHCP_NOTHING;
    if (kind == DHCP_NAK)
        return lose(d, now + AFTER_REFUSAL);
    return take_lease(d, &lease);
}
