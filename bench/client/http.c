#define _GNU_SOURCE
#include "bench/client/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bench/client/segment.h"

#define ANSWER_MAX (PAGE_MAX + 2048) /* a page and its head */

struct asker {
    struct connection connection;
    uint64_t number; /* of the request under way, from 1; 0: none is */
    uint64_t start;
    size_t got;
    char answer[ANSWER_MAX + 1];
};

struct run {
    struct wire *wire;
    const struct echo_plan *plan;
    struct echo_result *result;
    struct asker *askers; /* plan->window of them */
    uint64_t next;        /* number of the next request */
    uint64_t answered;
    uint64_t first; /* when the first measured request was sent, */
    uint64_t insn;  /* and the counter then */
    size_t request_length;
    char request[512];
};

static uint64_t counted(const struct run *run)
{
    return run->plan->counter ? run->plan->counter->instructions : 0;
}

static int ask(struct run *run, struct asker *a)
{
    struct connection *c = &a->connection;

    a->number = run->next++;
    a->got = 0;
    if (a->number == run->plan->warmup + 1) {
        run->insn = counted(run);
        run->first = wire_now();
    }
    run->result->sent += a->number > run->plan->warmup;
    a->start = wire_now();
    if (connection_send(c, TCP_PSH | TCP_ACK, run->request, run->request_length))
        return -1;
    c->sent += (uint32_t)run->request_length;
    return 0;
}

/* The page, once all of it and its head are there, else NULL; *length as the head says. */
static const char *find_page(const struct asker *a, size_t *length)
{
    const char *end = memmem(a->answer, a->got, "\r\n\r\n", 4);
    const char *field = end ? strcasestr(a->answer, "\r\nContent-Length:") : NULL;

    if (!field || field >= end)
        return NULL;
    *length = strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
    end += 4;
    return (size_t)(a->answer + a->got - end) >= *length ? end : NULL;
}

static bool is_right(const struct run *run, const struct asker *a, const char *page, size_t length)
{
    if (strncmp(a->answer, "HTTP/1.1 200 ", strlen("HTTP/1.1 200 ")) != 0 ||
        length != run->plan->size || page + length != a->answer + a->got)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((uint8_t)page[i] != pattern_byte(i))
            return false;
    return true;
}

/* An answer is there. 0, or -1. */
static int take_answer(struct run *run, struct asker *a, bool right, uint64_t arrival)
{
    const struct echo_plan *plan = run->plan;
    struct echo_result *result = run->result;

    run->answered++;
    if (a->number > plan->warmup) {
        result->wrong += !right;
        result->rtt[result->received++] = arrival - a->start;
        result->duration = arrival - run->first;
    }
    a->number = 0;
    return run->next <= plan->warmup + plan->count ? ask(run, a) : 0;
}

/* What came of an answer is acknowledged by the next request, or else at once. */
static int take_segment(struct run *run, struct asker *a, const struct segment *s, uint64_t arrival)
{
    struct connection *c = &a->connection;
    size_t length;

    if (!s->length)
        return 0;
    if (s->number == c->next && a->number && s->length <= ANSWER_MAX - a->got) {
        memcpy(a->answer + a->got, s->data, s->length);
        a->got += s->length;
        a->answer[a->got] = 0;
        c->next += (uint32_t)s->length;
        const char *page = find_page(a, &length);
        if (page)
            return take_answer(run, a, is_right(run, a, page, length), arrival);
    }
    return connection_send(c, TCP_ACK, "", 0);
}

static int exchange_all(struct run *run, uint64_t end)
{
    const struct echo_plan *plan = run->plan;
    uint8_t frame[FRAME_MAX];
    struct segment s;
    uint64_t arrival;

    for (uint64_t i = 0; i < plan->window && run->next <= plan->warmup + plan->count; i++)
        if (ask(run, &run->askers[i]))
            return -1;
    while (run->answered < plan->warmup + plan->count) {
        uint64_t limit = wire_now() + plan->timeout;
        int got = segment_await(run->wire, frame, &s, limit < end ? limit : end, &arrival, false);
        if (got < 0)
            return -1;
        if (got == 0) {
            run->result->lost = run->result->sent - run->result->received;
            run->result->expired = arrival >= end;
            break;
        }
        uint64_t i = (uint64_t)(s.port - run->wire->self.port);
        if (i < plan->window && take_segment(run, &run->askers[i], &s, arrival))
            return -1;
    }
    if (plan->counter)
        run->result->total = echo_settled(plan) - run->insn;
    return 0;
}

int http_run(struct wire *wire, const struct echo_plan *plan, struct echo_result *result)
{
    struct run run = {.wire = wire, .plan = plan, .result = result, .next = 1};
    uint64_t end = wire_now() + plan->deadline;
    int status = 0;

    run.askers = calloc(plan->window, sizeof *run.askers);
    if (!run.askers) {
        fprintf(stderr, "bench-client: no memory for %llu connections\n",
                (unsigned long long)plan->window);
        return -1;
    }
    run.request_length =
        (size_t)snprintf(run.request, sizeof run.request,
                         "GET %s HTTP/1.1\r\nHost: guest\r\nUser-Agent: bench-client\r\n"
                         "Accept: */*\r\n\r\n",
                         plan->path);
    for (uint64_t i = 0; i < plan->window && status == 0; i++) {
        struct connection *c = &run.askers[i].connection;
        *c = (struct connection){
            .wire = wire, .port = (uint16_t)(wire->self.port + i), .own = TCP_NO_SCALE};
        status = connection_open(c, plan->timeout, end);
    }
    if (status == 0)
        status = exchange_all(&run, end);
    for (uint64_t i = 0; i < plan->window; i++)
        if (run.askers[i].connection.port)
            connection_send(&run.askers[i].connection, TCP_RST | TCP_ACK, "", 0);
    free(run.askers);
    return status;
}
