#include "rtt_http.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "clock.h"

#define HEAD_MAX    8192
#define REQUEST_MAX 2048
#define FIELD       "\r\nContent-Length:"

/* What has come of an answer, with a zero behind it. */
struct answer {
    char text[HEAD_MAX + RTT_PAGE_MAX + 1];
    size_t got;
    const char *page; /* once the head is whole */
    size_t size;      /* of the page, as the head says */
};

static int send_request(const struct rtt_http *http, int fd, struct why *why)
{
    char text[REQUEST_MAX];
    int length =
        snprintf(text, sizeof text,
                 "GET %s HTTP/1.1\r\nHost: guest\r\nUser-Agent: aegisctl\r\n\r\n", http->path);

    if (length < 0 || (size_t)length >= sizeof text) {
        return why_set(why, "the path is longer than %d bytes", REQUEST_MAX - 100);
    }
    return send(fd, text, (size_t)length, MSG_NOSIGNAL) == length
               ? 0
               : why_set(why, "cannot send: %s", strerror(errno));
}

/* Look for the end of the head. 0: all is well so far. */
static int read_head(struct answer *a, struct why *why)
{
    const char *end = memmem(a->text, a->got, "\r\n\r\n", 4), *field;
    char *behind;

    if (end == NULL) {
        return a->got > HEAD_MAX
                   ? why_set(why, "the answer's head is longer than %d bytes", HEAD_MAX)
                   : 0;
    }
    if (strncmp(a->text, "HTTP/1.1 200 ", strlen("HTTP/1.1 200 ")) != 0) {
        return why_set(why, "the server says '%.*s'", (int)strcspn(a->text, "\r\n"), a->text);
    }
    field = strcasestr(a->text, FIELD);
    if (field == NULL || field >= end) {
        return why_set(why, "the answer doesn't say how long the page is");
    }
    a->size = strtoul(field + strlen(FIELD), &behind, 10);
    if (*behind != '\r' || a->size > RTT_PAGE_MAX) {
        return why_set(why, "the page is longer than %d bytes, or of no length", RTT_PAGE_MAX);
    }
    a->page = end + 4;
    return 0;
}

static int read_answer(struct answer *a, int fd, int64_t deadline_ms, struct why *why)
{
    while (a->page == NULL || (size_t)(a->text + a->got - a->page) < a->size) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, clock_left(deadline_ms)) == 0) {
            return why_set(why, "%zu bytes of an answer came in time, not all", a->got);
        }
        n = recv(fd, a->text + a->got, sizeof a->text - 1 - a->got, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return why_set(why, "the connection is gone: %s", n ? strerror(errno) : "closed");
        }
        a->got += n > 0 ? (size_t)n : 0;
        a->text[a->got] = '\0';
        if (a->page == NULL && read_head(a, why) != 0) {
            return -1;
        }
    }
    return 0;
}

int rtt_http_exchange(struct rtt_http *http, int fd, int64_t deadline_ms, struct why *why)
{
    static struct answer a;

    a.got = 0;
    a.page = NULL;
    if (send_request(http, fd, why) != 0 || read_answer(&a, fd, deadline_ms, why) != 0) {
        return -1;
    }
    if (a.page + a.size != a.text + a.got) {
        return why_set(why, "more came than the page");
    }
    if (http->page == NULL) {
        http->page = malloc(a.size + 1);
        http->size = a.size;
        return http->page == NULL ? why_set(why, "no memory for a page of %zu bytes", a.size)
                                  : (memcpy(http->page, a.page, a.size), 0);
    }
    return a.size == http->size && memcmp(a.page, http->page, a.size) == 0
               ? 0
               : why_set(why, "the page is not what it was before");
}
