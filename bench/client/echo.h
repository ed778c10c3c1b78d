/*
 * UDP echo round trips, with a window of requests under way.
 */
#ifndef BENCH_CLIENT_ECHO_H
#define BENCH_CLIENT_ECHO_H

#include <stdint.h>
#include "bench/client/wire.h"
#include "bench/plugin/counter.h"

#define WINDOW_MAX 256

struct echo_plan {
    uint64_t count;    /* requests to measure */
    uint64_t warmup;   /* requests before them that are not measured */
    uint64_t size;     /* bytes of UDP payload, PAYLOAD_MIN to PAYLOAD_MAX */
    uint64_t window;   /* requests under way at once, 1 to WINDOW_MAX */
    uint64_t timeout;  /* ns after which a request counts as lost */
    uint64_t deadline; /* ns for everything */
    const struct counter
        *counter;     /* of the guest's instructions; NULL: not counted. Needs window 1 */
    uint64_t settle;  /* ns without an instruction after which the guest has finished an echo */
    uint64_t bytes;   /* of a stream (bulk.h) */
    const char *path; /* of a page (http.h) */
};
#define PAYLOAD_MIN 16
#define PAGE_MAX    65536 /* bytes of a page: size */

struct echo_result {
    uint64_t sent, received, lost, wrong, late;
    uint64_t duration; /* ns from the first measured request to the last answer */
    uint64_t *rtt;     /* received round trips in ns, in order of arrival */
    uint64_t *insn;    /* instructions of each; NULL if not counted */
    uint64_t total;    /* instructions of all together, where they aren't counted one by one */
    uint64_t resent;   /* segments of a stream that were sent again */
    bool expired;      /* the deadline passed before all was sent */
};

/*
 * Carries the plan out. rtt and insn have room for plan->count values and belong to the caller;
 * insn may be NULL. A request without an answer in time counts as lost; an answer with other bytes,
 * addresses or checksums than it should have as wrong; one that comes after it was given up, or
 * twice, as late. Returns 0, or -1 with a sentence on stderr when the wire failed.
 */
int echo_run(struct wire *wire, const struct echo_plan *plan, struct echo_result *result);

/* Waits until the guest has executed nothing for plan->settle ns; returns the count then. */
uint64_t echo_settled(const struct echo_plan *plan);

#endif
