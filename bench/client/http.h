/*
 * Requests for a page over connections that stay, each with one request under way.
 */
#ifndef BENCH_CLIENT_HTTP_H
#define BENCH_CLIENT_HTTP_H

#include "bench/client/echo.h"

/* Byte i of every page and stream that the bench's clients ask for. */
static inline uint8_t pattern_byte(uint64_t i)
{
    return (uint8_t)(i % 251);
}

/*
 * Opens plan->window connections to wire->guest, and gets plan->path over them until plan->count
 * requests beyond plan->warmup were answered. Each answer has to be a page of plan->size bytes of
 * the pattern, else it counts as wrong; what isn't answered within plan->timeout counts as lost,
 * and ends the run. Results are as those of echo_run, but that instructions are counted of all
 * requests together: result->total. Connections end with a reset.
 */
int http_run(struct wire *wire, const struct echo_plan *plan, struct echo_result *result);

#endif
