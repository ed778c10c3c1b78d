/* What wget reads: addresses of pages, and the heads of servers' answers. Untrusted bytes; pure,
 * also on the host. */
#ifndef WGET_REPLY_H
#define WGET_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_MAX 1024

/* http://HOST[:PORT]/PATH; of a host that is written as [IPv6] what is in the brackets */
struct url {
    char host[256], port[6], path[URL_MAX];
};

/* Whether text is an address of HTTP, the scheme left out or not. Only visible ASCII is taken. */
bool url_read(const char *text, struct url *url);

/* Where a redirection leads from base: an address, or a path that begins with a slash. */
bool url_follow(const struct url *base, const char *location, struct url *url);

struct reply {
    int status;
    int64_t length;         /* of the body; -1: it isn't said, and the end is the connection's */
    char location[URL_MAX]; /* "" without one */
};

/*
 * Reads a head at the beginning of bytes. Returns its size, 0 if more of it has to come, or -1: it
 * is none, or has a coding that wget didn't ask for.
 */
int reply_read(const char *bytes, size_t size, struct reply *reply);

#endif
