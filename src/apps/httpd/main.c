/*
 * httpd: a web server (RFC 9110, RFC 9112) for the files of the initial RAM disk. One process, one
 * poll, nothing that waits for one client.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apps/program.h"
#include "httpd/connection.h"
#include "httpd/files.h"
#include "libos/time/time.h"

#define CONNECTIONS_MAX 1100 /* more wait to be accepted */
#define NS_PER_MS       1000000UL
#define PORT            80

const char program_name[] = "httpd";
const char program_usage[] = "httpd [PORT [FOLDER]]  (a web server for the files of the RAM disk; "
                             "port 80, all files)";

static struct connection *connections[CONNECTIONS_MAX];
static struct pollfd polled[1 + CONNECTIONS_MAX]; /* the listener, then the connections */
static size_t open_count;

static int listen_on(uint16_t port)
{
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int s = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    if (s < 0)
        return -1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, (struct sockaddr *)&own, sizeof own) || listen(s, SOMAXCONN)) {
        int error = errno;
        close(s);
        errno = error;
        return -1;
    }
    return s;
}

/* Takes new clients as long as there are any, and room for them. */
static void accept_all(int listener)
{
    while (open_count < CONNECTIONS_MAX) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *c = connection_open(fd);
        if (!c) {
            close(fd);
            return;
        }
        polled[1 + open_count] = (struct pollfd){.fd = fd, .events = connection_events(c)};
        connections[open_count++] = c;
    }
}

/* The last one takes its place. */
static void drop(size_t i)
{
    connection_close(connections[i]);
    connections[i] = connections[--open_count];
    polled[1 + i] = polled[1 + open_count];
}

/* How long poll may wait, in milliseconds. */
static int patience(void)
{
    uint64_t now = time_now(), first = UINT64_MAX;

    for (size_t i = 0; i < open_count; i++) {
        uint64_t deadline = connection_deadline(connections[i]);
        first = deadline < first ? deadline : first;
    }
    if (first == UINT64_MAX)
        return -1;
    return first <= now ? 0 : (int)(time_to_ns(first - now) / NS_PER_MS) + 1;
}

static void serve(int listener)
{
    polled[0] =
        (struct pollfd){.fd = open_count < CONNECTIONS_MAX ? listener : -1, .events = POLLIN};
    if (poll(polled, 1 + open_count, patience()) < 0)
        return;
    uint64_t now = time_now();
    for (size_t i = open_count; i-- > 0;) {
        short events = polled[1 + i].revents;
        if (!events && now < connection_deadline(connections[i]))
            continue;
        if (connection_step(connections[i], events))
            polled[1 + i].events = connection_events(connections[i]);
        else
            drop(i);
    }
    if (polled[0].revents)
        accept_all(listener);
}

int main(int argc, char **argv)
{
    take_help(argc, argv);
    long port = argc > 1 ? number(argv[1], 1, UINT16_MAX) : PORT;
    if (argc > 3 || port < 0)
        return usage();
    int count = files_begin(argc > 2 ? argv[2] : "");
    if (count < 0)
        return failed("the RAM disk");
    int listener = listen_on((uint16_t)port);
    if (listener < 0)
        return failed("port");
    printf("httpd: port %ld, %d files\n", port, count);
    fflush(stdout);
    for (;;)
        serve(listener);
}
