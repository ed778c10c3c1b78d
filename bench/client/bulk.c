#include "bench/client/bulk.h"

#include <stdio.h>
#include <string.h>

#include "bench/client/bytes.h"
#include "bench/client/http.h"
#include "bench/client/segment.h"

#define PERIOD     251         /* of the pattern */
#define SCALE      3           /* of the client's window: half a MiB */
#define RESEND     200000000UL /* ns without news after which is sent again */
#define DUPLICATES 3 /* acknowledgements that say the same: the segment is lost (RFC 5681) */
#define ACK_EVERY  2 /* segments (RFC 9293, 3.8.6.3) */
#define NOW        0 /* a deadline that is over */

struct sender {
    struct connection c;
    uint32_t first, end; /* numbers of the stream's first byte, and of the one behind the last */
    uint32_t acked;      /* all before were acknowledged */
    uint32_t most;       /* behind the last that was sent ever */
    unsigned same;       /* acknowledgements without news */
    uint64_t news;       /* when something was acknowledged last */
};

static uint8_t pattern[PERIOD + TCP_PAYLOAD_MAX];

static void make_pattern(void)
{
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = pattern_byte(i);
}

static void put_number(uint8_t to[BULK_NUMBER], uint64_t number)
{
    put32(to, (uint32_t)(number >> 32));
    put32(to + 4, (uint32_t)number);
}

static uint64_t get_number(const uint8_t from[BULK_NUMBER])
{
    return (uint64_t)get32(from) << 32 | get32(from + 4);
}

static int begin(struct connection *c, struct wire *wire, const struct echo_plan *plan,
                 uint64_t end)
{
    *c = (struct connection){.wire = wire, .port = wire->self.port, .own = SCALE};
    make_pattern();
    return connection_open(c, plan->timeout, end);
}

/* Sends the stream's segment that begins at `number`, the end of the stream as one without bytes.
 */
static int send_piece(struct sender *s, uint32_t number, uint32_t length)
{
    struct connection c = s->c;

    c.sent = number;
    return connection_send(&c, length ? TCP_ACK : TCP_FIN | TCP_ACK,
                           pattern + (number - s->first) % PERIOD, length);
}

/* How many bytes the next segment gets: only full ones are sent before the last. 0: not now. */
static uint32_t next_length(const struct sender *s)
{
    uint32_t under_way = s->c.sent - s->acked, left = s->end - s->c.sent;
    uint32_t room = s->c.window > under_way ? s->c.window - under_way : 0;
    uint32_t length = left < TCP_PAYLOAD_MAX ? left : TCP_PAYLOAD_MAX;

    if (length <= room)
        return length;
    return under_way == 0 ? room : 0;
}

static void take_acknowledgement(struct sender *s, const struct segment *got,
                                 struct echo_result *result, uint64_t arrival)
{
    uint32_t more = got->acknowledged - s->acked, window = got->window << s->c.scale;

    if (!(got->flags & TCP_ACK) || more > s->most - s->acked)
        return;
    if (more) {
        s->acked = got->acknowledged;
        s->same = 0;
        s->news = arrival;
        if (s->acked - s->first > s->c.sent - s->first)
            s->c.sent = s->acked;
    } else if (got->length == 0 && window == s->c.window && s->most != s->acked &&
               ++s->same == DUPLICATES) {
        uint32_t left = s->end - s->acked;
        send_piece(s, s->acked, left < TCP_PAYLOAD_MAX ? left : TCP_PAYLOAD_MAX);
        result->resent++;
    }
    s->c.window = window;
}

/* The stream, or its end once all before was acknowledged; false: nothing can be sent now. */
static bool send_next(struct sender *s)
{
    bool ends = s->c.sent == s->end && s->acked == s->end;
    bool is_over = s->c.sent - s->first > s->end - s->first;
    uint32_t length = ends || is_over ? 0 : next_length(s);

    if (!length && !ends)
        return false;
    send_piece(s, s->c.sent, length);
    s->c.sent += length ? length : 1;
    if (s->c.sent - s->first > s->most - s->first)
        s->most = s->c.sent;
    return true;
}

/* Until the guest's number is there: 1, with the moment in *arrival; 0: the time is over; -1. */
static int send_all(struct sender *s, struct echo_result *result, uint8_t number[BULK_NUMBER],
                    uint64_t deadline, uint64_t *arrival)
{
    uint8_t frame[FRAME_MAX];
    struct segment got;
    bool sent = true;

    while (wire_now() < deadline) {
        int came =
            segment_await(s->c.wire, frame, &got, sent ? NOW : wire_now() + RESEND, arrival, true);
        if (came < 0)
            return -1;
        if (came && got.port == s->c.port) {
            take_acknowledgement(s, &got, result, *arrival);
            if (got.length >= BULK_NUMBER && got.number == s->c.next) {
                memcpy(number, got.data, BULK_NUMBER);
                return 1;
            }
            if (sent)
                continue; /* perhaps there are more */
        } else if (!came && !sent && *arrival - s->news >= RESEND) {
            s->c.sent = s->acked;
            if (s->c.window == 0)
                s->c.window = 1; /* to ask whether it still is */
            s->news = *arrival;
            result->resent++;
        }
        sent = send_next(s);
    }
    return 0;
}

static void conclude(const struct echo_plan *plan, struct echo_result *result, int came, bool right,
                     uint64_t insn)
{
    result->sent = 1;
    result->received = came > 0 && right;
    result->rtt[0] = result->duration;
    result->wrong = came > 0 && !right;
    result->lost = came == 0;
    result->expired = came == 0;
    if (plan->counter)
        result->total = echo_settled(plan) - insn;
}

int bulk_in(struct wire *wire, const struct echo_plan *plan, struct echo_result *result)
{
    uint64_t deadline = wire_now() + plan->deadline, arrival = 0, start;
    uint64_t insn = plan->counter ? plan->counter->instructions : 0;
    uint8_t number[BULK_NUMBER] = {0};
    struct sender s = {.same = 0};

    if (begin(&s.c, wire, plan, deadline))
        return -1;
    s.first = s.acked = s.most = s.c.sent;
    s.end = s.first + (uint32_t)plan->bytes;
    s.news = start = wire_now();
    int came = send_all(&s, result, number, deadline, &arrival);
    connection_send(&s.c, TCP_RST | TCP_ACK, "", 0);
    if (came < 0)
        return -1;
    result->duration = arrival - start;
    conclude(plan, result, came, get_number(number) == plan->bytes, insn);
    return 0;
}

/* Takes bytes in their order until there are enough: 1, 2 if they are others, 0 if the time is
 * over, -1. */
static int take_all(struct connection *c, uint64_t bytes, uint64_t deadline, uint64_t *arrival)
{
    uint64_t done = 0, since_ack = 0;
    uint8_t frame[FRAME_MAX];
    struct segment s;

    while (done < bytes && wire_now() < deadline) {
        int came =
            segment_await(c->wire, frame, &s, since_ack ? NOW : wire_now() + RESEND, arrival, true);
        if (came < 0)
            return -1;
        bool is_next = came && s.port == c->port && s.length && s.number == c->next;
        if (is_next) {
            if (s.length > bytes - done || memcmp(s.data, pattern + done % PERIOD, s.length) != 0)
                return 2;
            done += s.length;
            c->next += (uint32_t)s.length;
            since_ack++;
        }
        if (is_next ? since_ack < ACK_EVERY : came && !s.length)
            continue;
        connection_send(c, TCP_ACK, "", 0);
        since_ack = 0;
    }
    return done == bytes;
}

int bulk_out(struct wire *wire, const struct echo_plan *plan, struct echo_result *result)
{
    uint64_t deadline = wire_now() + plan->deadline, arrival = 0, start;
    uint64_t insn = plan->counter ? plan->counter->instructions : 0;
    uint8_t number[BULK_NUMBER];
    struct connection c;

    if (begin(&c, wire, plan, deadline))
        return -1;
    put_number(number, plan->bytes);
    start = wire_now();
    connection_send(&c, TCP_PSH | TCP_ACK, number, sizeof number);
    c.sent += sizeof number;
    int came = take_all(&c, plan->bytes, deadline, &arrival);
    connection_send(&c, TCP_RST | TCP_ACK, "", 0);
    if (came < 0)
        return -1;
    result->duration = arrival - start;
    conclude(plan, result, came, came == 1, insn);
    return 0;
}
