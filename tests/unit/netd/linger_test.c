/*
 * Connections whose programs have ended: every kind of segment in every state, against the rules of
 * RFC 9293, 3.10.7.4, said once more here; and a whole goodbye.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "linger.h"

#define OWN  0xffffff00U /* so that sums wrap */
#define PEER 0x7ffffff0U

/* A segment at places relative to what is expected, and what is to come of it. */
static enum linger_answer hear(struct linger *l, uint8_t flags, int32_t at, size_t data,
                               int32_t acknowledges, bool *anew)
{
    const struct linger_segment s = {.sequence = l->peer_next + (uint32_t)at,
                                     .acknowledges = l->own_next + (uint32_t)acknowledges,
                                     .data = data,
                                     .flags = flags};
    return linger_take(l, &s, anew);
}

static const enum net_linger_state states[] = {NET_LINGER_FIN_WAIT_1, NET_LINGER_FIN_WAIT_2,
                                               NET_LINGER_CLOSING, NET_LINGER_LAST_ACK,
                                               NET_LINGER_TIME_WAIT};
#define STATES (sizeof states / sizeof *states)

/* Whether the state is one in which the peer has said its end. */
static bool has_ended(enum net_linger_state s)
{
    return s == NET_LINGER_CLOSING || s == NET_LINGER_LAST_ACK || s == NET_LINGER_TIME_WAIT;
}

static void check(enum net_linger_state state, uint8_t flags, int32_t at, size_t data, int32_t ack)
{
    struct linger l = {state, OWN, PEER};
    bool anew;
    enum linger_answer how = hear(&l, flags, at, data, ack, &anew);
    bool is_over = l.state == NET_LINGER_NONE, is_reset = flags & LINGER_RST;
    bool is_new_data = data && at + (int32_t)data > 0;

    assert_true(l.own_next == OWN && (l.peer_next == PEER || l.peer_next == PEER + 1));
    if (is_reset) {
        assert_int_equal(is_over, at == 0);
        assert_true(how != LINGER_RESETS); /* never for one */
        return;
    }
    if (flags & LINGER_SYN || !(flags & LINGER_ACK) || ack > 0) { /* nothing changes */
        assert_true(l.state == state && l.peer_next == PEER && !anew);
        return;
    }
    if (how == LINGER_RESETS) { /* bytes that nobody will read */
        assert_true(is_over && is_new_data && !has_ended(state));
        return;
    }
    assert_true(!is_new_data || has_ended(state));
    if (is_over) {
        assert_true(state == NET_LINGER_LAST_ACK && ack == 0 && how == LINGER_SILENCE);
        return;
    }
    assert_int_equal(linger_says_end(l.state), linger_says_end(state) && ack < 0);
    if (l.peer_next != PEER) { /* its end, in its place */
        assert_true(flags & LINGER_FIN && at + (int32_t)data == 0 && !has_ended(state));
        assert_true(has_ended(l.state) && anew);
    }
    if (at != 0 || data || flags & LINGER_FIN) /* what takes up room, or is out of place */
        assert_int_equal(how, LINGER_ACKNOWLEDGES);
    else
        assert_int_equal(how, LINGER_SILENCE);
}

static void every_segment_in_every_state(void **state)
{
    static const int32_t places[] = {-100000, -2, -1, 0, 1, 2, 100000};
    static const size_t sizes[] = {0, 1, 2, 1460};
    static const int32_t acks[] = {-100000, -1, 0, 1};

    (void)state;
    for (size_t i = 0; i < STATES; i++)
        for (uint8_t flags = 0; flags < 32; flags++)
            for (size_t at = 0; at < sizeof places / sizeof *places; at++)
                for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++)
                    for (size_t ack = 0; ack < sizeof acks / sizeof *acks; ack++)
                        check(states[i], flags, places[at], sizes[size], acks[ack]);
}

static void a_goodbye_from_our_side(void **state)
{
    struct linger l = {NET_LINGER_FIN_WAIT_1, OWN, PEER};
    bool anew;

    (void)state;
    assert_int_equal(hear(&l, LINGER_ACK, 0, 0, 0, &anew), LINGER_SILENCE);
    assert_true(l.state == NET_LINGER_FIN_WAIT_2 && anew);
    assert_int_equal(hear(&l, LINGER_ACK | LINGER_FIN, 0, 0, 0, &anew), LINGER_ACKNOWLEDGES);
    assert_true(l.state == NET_LINGER_TIME_WAIT && anew && l.peer_next == PEER + 1);
    assert_int_equal(hear(&l, LINGER_ACK | LINGER_FIN, -1, 0, 0, &anew), LINGER_ACKNOWLEDGES);
    assert_true(l.state == NET_LINGER_TIME_WAIT && anew); /* its answer was lost */
    assert_int_equal(hear(&l, LINGER_RST, -1, 0, 0, &anew), LINGER_ACKNOWLEDGES);
    assert_true(l.state == NET_LINGER_TIME_WAIT);
    assert_int_equal(hear(&l, LINGER_SYN, 1, 0, 0, &anew), LINGER_RESETS); /* nobody listens */
    assert_int_equal(hear(&l, LINGER_SYN, -1, 0, 0, &anew), LINGER_ACKNOWLEDGES);
    assert_true(l.state == NET_LINGER_TIME_WAIT);
    l.peer_next = PEER; /* who opens anew resets by the number that it was told (RFC 9293, 3.5.1) */
    assert_int_equal(hear(&l, LINGER_RST, 0, 0, 0, &anew), LINGER_SILENCE);
    assert_int_equal(l.state, NET_LINGER_NONE);
}

static void both_ends_at_once(void **state)
{
    struct linger l = {NET_LINGER_FIN_WAIT_1, OWN, PEER};
    bool anew;

    (void)state;
    assert_int_equal(hear(&l, LINGER_ACK | LINGER_FIN, 0, 0, -1, &anew), LINGER_ACKNOWLEDGES);
    assert_true(l.state == NET_LINGER_CLOSING && linger_says_end(l.state));
    assert_int_equal(hear(&l, LINGER_ACK, 0, 0, 0, &anew), LINGER_SILENCE);
    assert_true(l.state == NET_LINGER_TIME_WAIT && anew);

    l = (struct linger){NET_LINGER_FIN_WAIT_1, OWN, PEER}; /* one segment says both */
    assert_int_equal(hear(&l, LINGER_ACK | LINGER_FIN, 0, 0, 0, &anew), LINGER_ACKNOWLEDGES);
    assert_int_equal(l.state, NET_LINGER_TIME_WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_segment_in_every_state),
                                       cmocka_unit_test(a_goodbye_from_our_side),
                                       cmocka_unit_test(both_ends_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
