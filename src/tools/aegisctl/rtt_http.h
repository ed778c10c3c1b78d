/* A web server as what answers: one GET at a time over a connection that stays. */
#ifndef AEGISCTL_RTT_HTTP_H
#define AEGISCTL_RTT_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "why.h"

#define RTT_PAGE_MAX (1 << 20) /* bytes of a page */

struct rtt_http {
    const char *path; /* what is asked for, as in the request's line */
    char *page;       /* the first answer's: all have to be equal; whose struct this is frees it */
    size_t size;      /* of it */
};

/*
 * Ask for the path over the connected socket fd, and wait for all of the answer (RFC 9112: 200,
 * with a Content-Length) until deadline_ms of the monotonic clock. Returns 0, or -1 with *why: the
 * connection is gone, nothing in time, no page, or another than before.
 */
int rtt_http_exchange(struct rtt_http *http, int fd, int64_t deadline_ms, struct why *why);

#endif
