/*
 * UDP echo round trips.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "bench/client/echo.h"

#define SETTLE_MAX 50000000ULL /* ns; a guest that never rests is not waited for longer */
#define SHOWN      64          /* bytes of a wrong frame */

struct request {
    uint64_t sequence; /* from 1; 0: the place is free */
    uint64_t start;
    uint64_t insn; /* the counter when it was sent */
};

struct run {
    struct wire *wire;
    const struct echo_plan *plan;
    struct echo_result *result;
    struct request requests[WINDOW_MAX];
    uint64_t next; /* sequence number of the next request */
    uint64_t under_way;
    uint64_t first; /* when the first measured request was sent */
};

/* The payload names its request and fills the rest with bytes that differ from one to the next. */
static void fill_payload(uint8_t *payload, uint64_t size, uint64_t sequence)
{
    uint64_t head[2] = {sequence, sequence * 0x9e3779b97f4a7c15ULL};
    memcpy(payload, head, sizeof(head));
    for (uint64_t i = sizeof(head); i < size; i++)
        payload[i] = (uint8_t)(sequence + i * 7);
}

static bool measured(const struct run *run, uint64_t sequence)
{
    return sequence > run->plan->warmup;
}

static int send_request(struct run *run, struct request *request)
{
    uint8_t payload[PAYLOAD_MAX], frame[FRAME_MAX];
    const struct echo_plan *plan = run->plan;
    uint64_t sequence = run->next;
    fill_payload(payload, plan->size, sequence);
    size_t length = wire_datagram(run->wire, frame, payload, plan->size, (uint16_t)sequence);
    request->sequence = sequence;
    request->insn = plan->counter ? plan->counter->instructions : 0;
    request->start = wire_now();
    if (wire_send(run->wire, frame, length) < 0) {
        fprintf(stderr, "bench-client: sending request %llu: %s\n", (unsigned long long)sequence,
                strerror(errno));
        return -1;
    }
    if (sequence == plan->warmup + 1)
        run->first = request->start;
    run->next++;
    run->under_way++;
    if (measured(run, sequence))
        run->result->sent++;
    return 0;
}

uint64_t echo_settled(const struct echo_plan *plan)
{
    uint64_t start = wire_now(), since = start, now;
    uint64_t count = plan->counter->instructions;
    while ((now = wire_now()) - since < plan->settle && now - start < SETTLE_MAX) {
        uint64_t new = plan->counter->instructions;
        if (new != count) {
            count = new;
            since = now;
        }
    }
    return count;
}

static void take_answer(struct run *run, struct request *request, uint64_t arrival)
{
    struct echo_result *result = run->result;
    if (measured(run, request->sequence)) {
        if (result->insn)
            result->insn[result->received] = echo_settled(run->plan) - request->insn;
        result->rtt[result->received++] = arrival - request->start;
        result->duration = arrival - run->first;
    } else if (result->insn) {
        echo_settled(run->plan);
    }
    request->sequence = 0;
    run->under_way--;
}

/* Counts a frame that is no answer, and shows the first one. */
static void note_wrong(struct run *run, const uint8_t *frame, size_t length)
{
    if (run->result->wrong++)
        return;
    fprintf(stderr, "not an answer, of %zu bytes:", length);
    for (size_t i = 0; i < length && i < SHOWN; i++)
        fprintf(stderr, " %02x", frame[i]);
    fputc('\n', stderr);
}

/* Sorts a frame that came: an answer to a request, ARP, wrong, or late. */
static void take_frame(struct run *run, const uint8_t *frame, size_t length, uint64_t arrival)
{
    uint8_t expected[PAYLOAD_MAX];
    uint64_t sequence;
    size_t size;
    if (wire_answer_arp(run->wire, frame, length))
        return;
    const uint8_t *payload = wire_payload(run->wire, frame, length, &size);
    if (!payload) {
        note_wrong(run, frame, length);
        return;
    }
    memcpy(&sequence, payload, size < sizeof(sequence) ? 0 : sizeof(sequence));
    if (size != run->plan->size || sequence == 0 || sequence >= run->next) {
        note_wrong(run, frame, length);
        return;
    }
    fill_payload(expected, size, sequence);
    if (memcmp(payload, expected, size) != 0) {
        note_wrong(run, frame, length);
        return;
    }
    for (uint64_t i = 0; i < run->plan->window; i++) {
        if (run->requests[i].sequence == sequence) {
            take_answer(run, &run->requests[i], arrival);
            return;
        }
    }
    run->result->late++;
}

/* Gives up requests that waited too long; returns the moment at which the next one will have. */
static uint64_t expire_requests(struct run *run, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (uint64_t i = 0; i < run->plan->window; i++) {
        struct request *request = &run->requests[i];
        if (request->sequence == 0)
            continue;
        uint64_t end = request->start + run->plan->timeout;
        if (end > now) {
            next = end < next ? end : next;
            continue;
        }
        if (measured(run, request->sequence))
            run->result->lost++;
        request->sequence = 0;
        run->under_way--;
    }
    return next;
}

static int fill_window(struct run *run, uint64_t last)
{
    for (uint64_t i = 0; i < run->plan->window && run->next <= last; i++)
        if (run->requests[i].sequence == 0 && send_request(run, &run->requests[i]) < 0)
            return -1;
    return 0;
}

int echo_run(struct wire *wire, const struct echo_plan *plan, struct echo_result *result)
{
    struct run run = {.wire = wire, .plan = plan, .result = result, .next = 1};
    uint64_t last = plan->warmup + plan->count, end = wire_now() + plan->deadline;
    uint8_t frame[FRAME_MAX];
    uint64_t arrival;
    while (run.next <= last || run.under_way) {
        uint64_t now = wire_now();
        if (now >= end) {
            result->lost = result->sent - result->received;
            result->expired = true;
            return 0;
        }
        uint64_t next = expire_requests(&run, now);
        if (fill_window(&run, last) < 0)
            return -1;
        if (next == UINT64_MAX)
            next = now + plan->timeout;
        long length = wire_receive(wire, frame, sizeof(frame), next < end ? next : end, &arrival);
        if (length < 0) {
            fprintf(stderr, "bench-client: receiving: %s\n", strerror(errno));
            return -1;
        }
        if (length > 0)
            take_frame(&run, frame, (size_t)length, arrival);
    }
    return 0;
}
