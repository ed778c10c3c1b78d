/*
 * Heads that have been read before. Clients ask for the same in the same words again and again, so
 * the bytes of a head are looked up before they are taken apart. Pure: also on the host.
 */
#ifndef HTTPD_KNOWN_H
#define HTTPD_KNOWN_H

#include "httpd/response.h"

#define KNOWN_HEAD_MAX 504 /* bytes of a head that is kept */

/* A request for a whole file, without conditions, over a connection that stays. */
struct known {
    const struct http_file *file;
    const struct http_request *request; /* one that says that; its path is empty */
};

/* What a head asks for if it was kept, else NULL. It stays until the next known_keep. */
const struct known *known_find(const char *head, size_t size);

/* Keep what http_read has made of a head, returning 0, and whose file it is; what isn't such a
 * request, or is too long, is left. */
void known_keep(const char *head, size_t size, const struct http_request *r,
                const struct http_file *file);

#endif
