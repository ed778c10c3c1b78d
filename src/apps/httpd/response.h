/* What is answered to a request for a file, or to a mistake. Pure: also on the host. */
#ifndef HTTPD_RESPONSE_H
#define HTTPD_RESPONSE_H

#include "httpd/request.h"

#define HTTP_ETAG_SIZE   19 /* "0123456789abcdef" in its quotes */
#define HTTP_ANSWER_HEAD 640

struct http_file {
    const char *type; /* of its contents, as Content-Type says it */
    const void *bytes;
    size_t size;
    int64_t modified; /* seconds since 1970 */
    char etag[HTTP_ETAG_SIZE];
};

/* A head, and what follows it: bytes of the file, or of the answer itself. */
struct http_answer {
    int status;
    bool closes;
    size_t head_size;
    char head[HTTP_ANSWER_HEAD];
    const char *body;
    size_t body_size; /* 0 of HEAD */
    char text[64];    /* of an error */
};

/* Answers a request for a file: 200, 206, 304, 412 or 416. now: seconds since 1970. */
void http_answer_file(struct http_answer *answer, const struct http_request *r,
                      const struct http_file *file, int64_t now);

/*
 * Answers with an error. r is NULL if there is no request that could be read: then the connection
 * is closed.
 */
void http_answer_error(struct http_answer *answer, const struct http_request *r, int status,
                       int64_t now);

#endif
