#include "wget/reply.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX 16384

static bool is_visible(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    return true;
}

/* The path of a request: up to the fragment, with a slash at its beginning. */
static bool put_path(const char *text, struct url *url)
{
    size_t size = strcspn(text, "#");
    int length =
        snprintf(url->path, sizeof url->path, "%s%.*s", *text == '/' ? "" : "/", (int)size, text);
    return length < (int)sizeof url->path;
}

bool url_read(const char *text, struct url *url)
{
    if (strlen(text) >= URL_MAX || !is_visible(text))
        return false;
    if (!strncasecmp(text, "http://", 7))
        text += 7;
    else if (strstr(text, "://"))
        return false;
    size_t authority = strcspn(text, "/?#"), host = strcspn(text, ":/?#");
    size_t brackets = *text == '[' ? 2 : 0; /* around an address of IPv6: RFC 3986, 3.2.2 */
    if (brackets)
        host = strcspn(text, "]/?#") + 1;
    if (host < 1 + brackets || host > authority || host >= sizeof url->host ||
        memchr(text, '@', authority) || (host < authority && text[host] != ':'))
        return false;
    memcpy(url->host, text + brackets / 2, host - brackets);
    url->host[host - brackets] = 0;
    strcpy(url->port, "80");
    if (host < authority) {
        size_t digits = authority - host - 1;
        if (digits < 1 || digits >= sizeof url->port ||
            strspn(text + host + 1, "0123456789") < digits)
            return false;
        memcpy(url->port, text + host + 1, digits);
        url->port[digits] = 0;
    }
    return put_path(text + authority, url);
}

bool url_follow(const struct url *base, const char *location, struct url *url)
{
    if (*location != '/' || location[1] == '/')
        return strstr(location, "://") && url_read(location, url);
    if (!is_visible(location))
        return false;
    *url = *base;
    return put_path(location, url);
}

/* "HTTP/1.1 200 OK" */
static bool read_status(const char *line, size_t size, struct reply *reply)
{
    if (size < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
        return false;
    for (int i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return false;
        reply->status = reply->status * 10 + line[i] - '0';
    }
    return reply->status >= 100 && (size == 12 || line[12] == ' ');
}

static bool read_length(const char *value, size_t size, struct reply *reply)
{
    int64_t length = 0;

    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9' || length > INT64_MAX / 10 - 1)
            return false;
        length = length * 10 + (value[i] - '0');
    }
    if (!size || (reply->length >= 0 && reply->length != length))
        return false;
    reply->length = length;
    return true;
}

static bool read_field(const char *line, size_t size, struct reply *reply)
{
    const char *colon = memchr(line, ':', size);
    size_t name = colon ? (size_t)(colon - line) : 0;

    if (!name)
        return false;
    const char *value = colon + 1, *end = line + size;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (value < end && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    size_t length = (size_t)(end - value);
    if (name == 14 && !strncasecmp(line, "content-length", name))
        return read_length(value, length, reply);
    if (name == 17 && !strncasecmp(line, "transfer-encoding", name))
        return false;
    if (name == 8 && !strncasecmp(line, "location", name) && length < sizeof reply->location &&
        !memchr(value, 0, length)) {
        memcpy(reply->location, value, length);
        reply->location[length] = 0;
    }
    return true;
}

int reply_read(const char *bytes, size_t size, struct reply *reply)
{
    const char *at = bytes, *end = bytes + size, *newline;
    bool is_first = true;

    *reply = (struct reply){.length = -1};
    while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
        size_t length = (size_t)(newline - at);
        if (length && at[length - 1] == '\r')
            length--;
        if (is_first ? !read_status(at, length, reply) : length && !read_field(at, length, reply))
            return -1;
        at = newline + 1;
        if (!length)
            return at - bytes <= HEAD_MAX ? (int)(at - bytes) : -1;
        is_first = false;
    }
    return size < HEAD_MAX ? 0 : -1;
}
