/*
 * tcpecho: sends back what comes over TCP connections to a port, by sockets, as it would anywhere:
 * one process, poll, nothing that waits. What a peer doesn't take isn't read from it either, so
 * that it stops.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apps/program.h"

const char program_name[] = "tcpecho";
const char program_usage[] = "tcpecho [PORT]  (sends back what connections bring; without PORT, 7)";

#define CONNECTIONS 2000
#define BUFFER      8192

/* What a connection has sent and not got back; fds[i + 1] is its descriptor. */
static struct connection {
    char *bytes; /* BUFFER of them, while there are any */
    size_t size, done;
} connections[CONNECTIONS];
static struct pollfd fds[CONNECTIONS + 1];
static nfds_t count;

static void forget(nfds_t i)
{
    close(fds[i + 1].fd);
    free(connections[i].bytes);
    count--;
    connections[i] = connections[count];
    fds[i + 1] = fds[count + 1];
    connections[count] = (struct connection){0};
    fds[0].events = POLLIN;
}

/* The rest of the buffer. false: the connection is over. */
static bool send_back(struct connection *c, int fd)
{
    ssize_t sent = 0;

    while (c->done < c->size && (sent = send(fd, c->bytes + c->done, c->size - c->done,
                                             MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
        c->done += (size_t)sent;
    return sent >= 0 || errno == EAGAIN;
}

/* What can be done now; false: it is over. */
static bool pump(struct connection *c, struct pollfd *polled)
{
    char bytes[BUFFER];
    struct connection now = c->bytes ? *c : (struct connection){.bytes = bytes};
    ssize_t got = BUFFER; /* less: there was nothing more */

    bool lives = send_back(&now, polled->fd);
    while (lives && now.done == now.size && got == BUFFER) {
        got = recv(polled->fd, now.bytes, BUFFER, MSG_DONTWAIT);
        if (got <= 0)
            break;
        now.size = (size_t)got;
        now.done = 0;
        lives = send_back(&now, polled->fd);
    }
    lives = lives && (got > 0 || (got < 0 && errno == EAGAIN));
    bool is_behind = lives && now.done < now.size;
    if (is_behind && !c->bytes) {
        c->bytes = malloc(BUFFER);
        if (!c->bytes)
            return false;
        memcpy(c->bytes, bytes, BUFFER);
    } else if (!is_behind) {
        free(c->bytes);
        c->bytes = NULL;
    }
    c->size = now.size;
    c->done = now.done;
    polled->events = is_behind ? POLLOUT : POLLIN;
    return lives;
}

static void accept_all(void)
{
    int fd, on = 1;

    while (count < CONNECTIONS && (fd = accept4(fds[0].fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fds[++count] = (struct pollfd){.fd = fd, .events = POLLIN, .revents = POLLIN};
    }
    fds[0].events = count < CONNECTIONS ? POLLIN : 0;
}

static int listen_at(const struct sockaddr *own, socklen_t size)
{
    int s = socket(own->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

    if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || bind(s, own, size) ||
        listen(s, SOMAXCONN))
        return -1;
    return s;
}

/** A listener in IPv6, which IPv4's connections come to as well, or in IPv4 where the system has
 * been told to do without. */
static int listen_on(uint16_t port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    int s = listen_at((struct sockaddr *)&six, sizeof six);

    return s < 0 && errno == EAFNOSUPPORT ? listen_at((struct sockaddr *)&four, sizeof four) : s;
}

int main(int argc, char **argv)
{
    long port = argc == 2 ? number(argv[1], 1, UINT16_MAX) : 7;

    take_help(argc, argv);
    if (argc > 2 || port < 0)
        return usage();
    fds[0] = (struct pollfd){.fd = listen_on((uint16_t)port), .events = POLLIN};
    if (fds[0].fd < 0) {
        perror("tcpecho: port");
        return 1;
    }
    printf("tcpecho: port %ld\n", port);
    for (;;) {
        if (poll(fds, count + 1, -1) < 0)
            perror("tcpecho");
        if (fds[0].revents)
            accept_all();
        for (nfds_t i = count; i-- > 0;)
            if (fds[i + 1].revents && !pump(&connections[i], &fds[i + 1]))
                forget(i);
    }
}
