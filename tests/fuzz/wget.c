/* Any bytes as a server's answer and as an address: what is taken is whole, and ends. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "apps/wget/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(const struct url *url)
{
    assert(url->host[0] && strlen(url->host) < sizeof url->host &&
           strlen(url->port) < sizeof url->port);
    assert(url->path[0] == '/' && strlen(url->path) < sizeof url->path);
    assert(!strpbrk(url->path, " \r\n") && !strpbrk(url->host, " \r\n/"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char begin[] = "HTTP/1.1 301 Moved\r\nLocation: ";
    const struct url base = {"host", "80", "/"};
    char *plain = malloc(size + 1), *behind = malloc(sizeof begin + size);
    struct reply reply;
    struct url url;

    memcpy(plain, data, size);
    plain[size] = 0;
    int head = reply_read(plain, size, &reply);
    assert(head <= (int)size &&
           (head <= 0 || (reply.status >= 100 && reply.status <= 999 && reply.length >= -1)));
    if (url_read(plain, &url))
        check_url(&url);
    memcpy(behind, begin, sizeof begin - 1);
    memcpy(behind + sizeof begin - 1, data, size);
    if (reply_read(behind, sizeof begin - 1 + size, &reply) > 0) {
        assert(strlen(reply.location) < sizeof reply.location);
        if (url_follow(&base, reply.location, &url))
            check_url(&url);
    }
    free(plain);
    free(behind);
    return 0;
}
