/* wget: fetches a page by HTTP and prints it, as there is no disk to put it on. */
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "apps/program.h"
#include "wget/reply.h"

#define REDIRECTIONS 10
#define PATIENCE     30 /* s without a byte */
#define ROOM         32768

const char program_name[] = "wget";
const char program_usage[] =
    "wget [-S] URL  (prints what http://HOST[:PORT]/PATH has; -S: its head, too, on "
    "standard error)";

static bool shows_head;

static int complain(const struct url *url, const char *text)
{
    fflush(stdout);
    fprintf(stderr, "wget: %s:%s%s: %s\n", url->host, url->port, url->path, text);
    return -1;
}

static int connect_to(const struct url *url)
{
    const struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM};
    const struct timeval patience = {.tv_sec = PATIENCE};
    struct addrinfo *list;
    int error = getaddrinfo(url->host, url->port, &hints, &list), s = -1;

    if (error)
        return complain(url, gai_strerror(error));
    for (const struct addrinfo *at = list; at && s < 0; at = at->ai_next) {
        s = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
        if (s >= 0 && connect(s, at->ai_addr, at->ai_addrlen)) {
            error = errno;
            close(s);
            errno = error;
            s = -1;
        }
    }
    error = errno;
    freeaddrinfo(list);
    if (s < 0)
        return complain(url, strerror(error));
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return s;
}

/* HTTP/1.0: so that the body is not in chunks, and ends with the connection. */
static bool ask(int s, const struct url *url)
{
    char request[URL_MAX + 512];
    bool is_usual = !strcmp(url->port, "80"), is_six = strchr(url->host, ':');
    size_t size = (size_t)snprintf(
        request, sizeof request,
        "GET %s HTTP/1.0\r\nHost: %s%s%s%s%s\r\nUser-Agent: wget (Aegis-V)\r\nAccept: */*\r\n\r\n",
        url->path, is_six ? "[" : "", url->host, is_six ? "]" : "", is_usual ? "" : ":",
        is_usual ? "" : url->port);
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(s, request + sent, size - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

/* What came behind the head, in [begin, size) of bytes, and the rest. 0, or -1 when the reason has
 * been said. */
static int print_body(int s, const struct url *url, const struct reply *reply, char bytes[ROOM],
                      size_t begin, size_t size)
{
    int64_t left = reply->length;

    for (;;) {
        size_t count = size - begin;
        if (left >= 0 && (int64_t)count > left)
            count = (size_t)left;
        if (fwrite(bytes + begin, 1, count, stdout) != count)
            return complain(url, "standard output takes no more");
        left -= left >= 0 ? (int64_t)count : 0;
        if (left == 0)
            return 0;
        ssize_t got = recv(s, bytes, ROOM, 0);
        if (got < 0)
            return complain(url, errno == EAGAIN ? "the server says nothing" : strerror(errno));
        if (got == 0)
            return left > 0 ? complain(url, "the server ended before the page did") : 0;
        begin = 0;
        size = (size_t)got;
    }
}

/* One request: 0, 1 with *next for a redirection, or -1. */
static int fetch_on(int s, const struct url *url, struct url *next)
{
    static char bytes[ROOM];
    struct reply reply;
    size_t size = 0;
    int head = 0;

    if (!ask(s, url))
        return complain(url, strerror(errno));
    while (head == 0) {
        ssize_t got = recv(s, bytes + size, sizeof bytes - size, 0);
        if (got <= 0)
            return complain(url,
                            got == 0 ? "the server ended before it answered" : strerror(errno));
        size += (size_t)got;
        head = reply_read(bytes, size, &reply);
    }
    if (head < 0)
        return complain(url, "the answer isn't HTTP");
    if (shows_head)
        fwrite(bytes, 1, (size_t)head, stderr);
    if (reply.status / 100 == 3 && reply.location[0])
        return url_follow(url, reply.location, next)
                   ? 1
                   : complain(url, "the server redirects to what isn't HTTP");
    if (reply.status != 200) {
        char text[32];
        snprintf(text, sizeof text, "the server says %d", reply.status);
        return complain(url, text);
    }
    return print_body(s, url, &reply, bytes, (size_t)head, size);
}

int main(int argc, char **argv)
{
    struct url url, next;
    int result = 1;

    take_help(argc, argv);
    shows_head = argc > 1 && !strcmp(argv[1], "-S");
    if (argc != 2 + shows_head || !url_read(argv[argc - 1], &url))
        return usage();
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i <= REDIRECTIONS && result == 1; i++) {
        int s = connect_to(&url);
        result = s < 0 ? -1 : fetch_on(s, &url, &next);
        if (s >= 0)
            close(s);
        if (result == 1)
            url = next;
    }
    if (result == 1)
        result = complain(&url, "too many redirections");
    return finish(result < 0);
}
