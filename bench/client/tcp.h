/*
 * TCP echo round trips over one connection: a segment there, a segment back, each acknowledging the
 * other way, as both ends do where a program answers at once.
 */
#ifndef BENCH_CLIENT_TCP_H
#define BENCH_CLIENT_TCP_H

#include "bench/client/echo.h"
#include "bench/client/segment.h"

/*
 * Opens a connection to wire->guest and carries the plan out: plan->window is 1, plan->size 1 to
 * TCP_PAYLOAD_MAX. What isn't answered in time is sent again, and counts as lost. Results are as
 * those of echo_run; the connection ends with a reset.
 */
int tcp_run(struct wire *wire, const struct echo_plan *plan, struct echo_result *result);

#endif
