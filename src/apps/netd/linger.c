#include "linger.h"

static bool is_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

/* Our FIN has arrived. */
static void end_own(struct linger *l, bool *anew)
{
    static const enum net_linger_state next[] = {
        [NET_LINGER_FIN_WAIT_1] = NET_LINGER_FIN_WAIT_2,
        [NET_LINGER_CLOSING] = NET_LINGER_TIME_WAIT,
        [NET_LINGER_LAST_ACK] = NET_LINGER_NONE,
    };

    *anew = true;
    l->state = next[l->state];
}

/* The peer's. */
static void end_peer(struct linger *l, bool *anew)
{
    l->peer_next++;
    *anew = true;
    l->state = l->state == NET_LINGER_FIN_WAIT_1 ? NET_LINGER_CLOSING : NET_LINGER_TIME_WAIT;
}

/* Only the very sequence number that is expected ends a connection, others are asked back (RFC
 * 5961, 3.2). */
static enum linger_answer take_reset(struct linger *l, const struct linger_segment *s)
{
    if (s->sequence != l->peer_next)
        return LINGER_ACKNOWLEDGES;
    l->state = NET_LINGER_NONE;
    return LINGER_SILENCE;
}

/* Nobody listens: who opens anew behind a connection that is over is refused, others hear what the
 * old one was at (RFC 5961, 4.2). */
static enum linger_answer take_opening(const struct linger *l, const struct linger_segment *s)
{
    bool is_new = l->state == NET_LINGER_TIME_WAIT && !(s->flags & LINGER_ACK) &&
                  is_after(s->sequence, l->peer_next);
    return is_new ? LINGER_RESETS : LINGER_ACKNOWLEDGES;
}

/* The FIN of who has said it before. */
static bool is_fin_again(const struct linger *l, const struct linger_segment *s)
{
    return s->flags & LINGER_FIN && l->state == NET_LINGER_TIME_WAIT &&
           s->sequence + (uint32_t)s->data + 1 == l->peer_next;
}

enum linger_answer linger_take(struct linger *l, const struct linger_segment *s, bool *anew)
{
    uint32_t end = s->sequence + (uint32_t)s->data;
    bool may_say_end = l->state == NET_LINGER_FIN_WAIT_1 || l->state == NET_LINGER_FIN_WAIT_2;

    *anew = false;
    if (s->flags & LINGER_RST)
        return take_reset(l, s);
    if (s->flags & LINGER_SYN)
        return take_opening(l, s);
    if (!(s->flags & LINGER_ACK))
        return LINGER_SILENCE;
    if (is_after(s->acknowledges, l->own_next))
        return LINGER_ACKNOWLEDGES;
    if (s->data && may_say_end && is_after(end, l->peer_next)) {
        l->state = NET_LINGER_NONE; /* nobody will read it (RFC 1122, 4.2.2.13) */
        return LINGER_RESETS;
    }
    if (s->acknowledges == l->own_next && linger_says_end(l->state))
        end_own(l, anew);
    if (l->state == NET_LINGER_NONE)
        return LINGER_SILENCE;
    if (s->flags & LINGER_FIN && may_say_end && end == l->peer_next) {
        end_peer(l, anew);
        return LINGER_ACKNOWLEDGES;
    }
    *anew |= is_fin_again(l, s);
    return s->data || s->flags & LINGER_FIN || s->sequence != l->peer_next ? LINGER_ACKNOWLEDGES
                                                                           : LINGER_SILENCE;
}
