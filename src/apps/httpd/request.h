/*
 * Requests of HTTP/1.1 (RFC 9112), as untrusted bytes: where a head ends, and what it says. Pure:
 * also on the host.
 */
#ifndef HTTPD_REQUEST_H
#define HTTPD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 8192 /* bytes of a head: 431 beyond, or 414 if that is the target's fault */
#define HTTP_PATH_MAX 1024 /* bytes of a path, decoded: 414 beyond */
#define HTTP_BODY_MAX (1UL << 20) /* bytes of a body, which nobody reads: 413 beyond */

/* Bytes of the head; text NULL: the field isn't there. */
struct http_span {
    const char *text;
    size_t size;
};

enum http_method { HTTP_GET, HTTP_HEAD };

struct http_request {
    enum http_method method;
    char path[HTTP_PATH_MAX + 1]; /* decoded, without the query; begins with a slash */
    bool keep_alive;
    uint64_t body; /* bytes behind the head */
    /* Fields, without blanks at their ends; the last one of a name counts. */
    struct http_span range, if_range, if_match, if_none_match, if_modified_since,
        if_unmodified_since;
};

/*
 * The bytes of the head at the beginning of bytes, empty lines before it included, or 0 if its end
 * isn't there yet. The first `seen` bytes were looked at before, in vain.
 */
size_t http_head_size(const char *bytes, size_t size, size_t seen);

/*
 * Reads a whole head. Returns 0, or the status of an error (400, 405, 413, 414, 501, 505): then the
 * connection is to be closed but for 405, for which *r is filled as for a GET.
 */
int http_read(const char *head, size_t size, struct http_request *r);

/* The status for a head of HTTP_HEAD_MAX bytes that doesn't end there: 414 or 431. */
int http_too_long(const char *head, size_t size);

#endif
