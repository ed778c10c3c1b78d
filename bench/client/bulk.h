/*
 * Streams of bytes over one TCP connection, as fast as the other end takes or gives them
 * (bench/guest/bulk.c).
 */
#ifndef BENCH_CLIENT_BULK_H
#define BENCH_CLIENT_BULK_H

#include "bench/client/echo.h"

#define BULK_NUMBER 8 /* bytes of a number in either direction, high byte first */

/*
 * Sends plan->bytes bytes and the end of the stream; the guest answers how many came, and until
 * that answer the time runs. What isn't acknowledged is sent again (result->resent counts
 * segments). Sets received to 1 if the number is right, else wrong to 1, or lost if no answer came
 * before the deadline; duration, which is the one rtt as well. Returns 0, or -1 with a sentence on
 * stderr.
 */
int bulk_in(struct wire *wire, const struct echo_plan *plan, struct echo_result *result);

/*
 * Asks for plan->bytes bytes, and takes them; each has to be the pattern's (http.h). Results are
 * as those of bulk_in.
 */
int bulk_out(struct wire *wire, const struct echo_plan *plan, struct echo_result *result);

#endif
