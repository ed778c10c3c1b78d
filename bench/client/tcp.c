/* TCP as far as an echo's client needs it (RFC 9293): one segment under way at any time. */
#include "bench/client/tcp.h"

#include <string.h>

#include "bench/client/segment.h"

struct echo {
    struct connection connection;
    const struct echo_plan *plan;
};

/* Waits for the bytes that were sent to come back: 1, 0 if the time is over, 2 if they are others.
 */
static int await_echo(struct echo *e, const uint8_t *payload, uint64_t deadline, uint64_t *arrival)
{
    uint8_t frame[FRAME_MAX], came[TCP_PAYLOAD_MAX];
    struct connection *c = &e->connection;
    size_t got = 0;
    struct segment s;

    while (got < e->plan->size) {
        int result = segment_await(c->wire, frame, &s, deadline, arrival, false);
        if (result <= 0)
            return result;
        if (s.port != c->port || s.number != c->next || !s.length || s.length > e->plan->size - got)
            continue;
        memcpy(came + got, s.data, s.length);
        got += s.length;
        c->next += (uint32_t)s.length;
    }
    return memcmp(came, payload, got) == 0 ? 1 : 2;
}

/* One round trip. 0, or -1. */
static int exchange(struct echo *e, uint64_t number, struct echo_result *result)
{
    const struct echo_plan *plan = e->plan;
    struct connection *c = &e->connection;
    uint8_t payload[TCP_PAYLOAD_MAX];
    bool measured = number >= plan->warmup;
    uint64_t insn = plan->counter ? plan->counter->instructions : 0, start = wire_now(), arrival;
    int came;

    for (size_t i = 0; i < plan->size; i++)
        payload[i] = (uint8_t)(number * 7 + i);
    result->sent += measured;
    do {
        connection_send(c, TCP_PSH | TCP_ACK, payload, plan->size);
        came = await_echo(e, payload, wire_now() + plan->timeout, &arrival);
        result->lost += measured && came == 0;
        if (came == 0 && result->lost > plan->count)
            return 0;
    } while (came == 0);
    if (came < 0)
        return -1;
    c->sent += (uint32_t)plan->size;
    uint64_t settled = plan->counter ? echo_settled(plan) : 0;
    if (!measured)
        return 0;
    result->wrong += came == 2;
    if (result->insn)
        result->insn[result->received] = settled - insn;
    result->rtt[result->received++] = arrival - start;
    return 0;
}

int tcp_run(struct wire *wire, const struct echo_plan *plan, struct echo_result *result)
{
    struct echo e = {.connection = {.wire = wire, .port = wire->self.port, .own = TCP_NO_SCALE},
                     .plan = plan};
    uint64_t end = wire_now() + plan->deadline, first = 0, i;

    if (connection_open(&e.connection, plan->timeout, end))
        return -1;
    for (i = 0; i < plan->warmup + plan->count && wire_now() < end; i++) {
        if (i == plan->warmup)
            first = wire_now();
        if (exchange(&e, i, result))
            return -1;
    }
    result->duration = wire_now() - first;
    result->expired = i < plan->warmup + plan->count;
    return connection_send(&e.connection, TCP_RST, "", 0);
}
