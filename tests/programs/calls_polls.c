/* What poll and select say of sockets in each state. */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>

#include "calls.h"

#define ALL (POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM)

/* The events by letters, so that their numbers don't matter. */
static long letters(int fd, short events)
{
    static const struct {
        short event;
        long digit;
    } each[] = {{POLLIN, 1},           {POLLOUT, 10},         {POLLERR, 100},
                {POLLHUP, 1000},       {POLLNVAL, 10000},     {POLLPRI, 100000},
                {POLLRDNORM, 1000000}, {POLLWRNORM, 10000000}};
    struct pollfd polled = {.fd = fd, .events = events};
    long result = 0;

    if (poll(&polled, 1, 0) < 0)
        return -1;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        result += polled.revents & each[i].event ? each[i].digit : 0;
    return result;
}

static long selected(int fd)
{
    struct timeval now = {0, 0};
    fd_set in, out, special;

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&special);
    FD_SET(fd, &in);
    FD_SET(fd, &out);
    FD_SET(fd, &special);
    long count = select(fd + 1, &in, &out, &special, &now);
    if (count < 0)
        return -1;
    return count * 1000 + !!FD_ISSET(fd, &in) * 100 + !!FD_ISSET(fd, &out) * 10 +
           !!FD_ISSET(fd, &special);
}

void calls_show(const char *state, int fd)
{
    char what[64];

    snprintf(what, sizeof what, "%s: all", state);
    calls_tell(what, letters(fd, ALL));
    snprintf(what, sizeof what, "%s: none", state);
    calls_tell(what, letters(fd, 0));
    snprintf(what, sizeof what, "%s: select", state);
    calls_tell(what, selected(fd));
}

static void of_streams(void)
{
    struct sockaddr_in address = calls_address(0);
    int listener = calls_socket(SOCK_STREAM, &address.sin_port), ends[2];
    const struct linger none = {1, 0};
    char byte;

    calls_begin("polls of streams");
    int fd = calls_socket(SOCK_STREAM, NULL);
    calls_show("new", fd);
    calls_show("bound", listener);
    TRY(listen(listener, 1));
    calls_show("listens", listener);
    TRY(connect(fd, P(address), sizeof address));
    calls_await(listener, POLLIN);
    calls_show("somebody there", listener);
    close(fd), close(listener);
    calls_connect(ends);
    calls_show("connected", ends[0]);
    TRY(send(ends[1], "x", 1, 0));
    calls_await(ends[0], POLLIN);
    calls_show("a byte", ends[0]);
    TRY(shutdown(ends[1], SHUT_WR));
    TRY(recv(ends[0], &byte, 1, 0));
    calls_await(ends[0], POLLIN);
    calls_show("the peer's end", ends[0]);
    calls_show("the own end", ends[1]);
    TRY(shutdown(ends[0], SHUT_WR));
    calls_await(ends[1], POLLHUP);
    calls_show("both ends", ends[1]);
    calls_show("both ends, there", ends[0]);
    close(ends[0]), close(ends[1]);
    calls_connect(ends);
    TRY(shutdown(ends[0], SHUT_RD));
    calls_show("reading shut", ends[0]);
    close(ends[0]), close(ends[1]);
    calls_connect(ends);
    TRY(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &none, sizeof none));
    close(ends[0]);
    calls_await(ends[1], POLLIN);
    calls_show("reset", ends[1]);
    TRY(recv(ends[1], &byte, 1, 0));
    calls_show("reset, and told", ends[1]);
    close(ends[1]);
}

static void of_datagrams(void)
{
    int ends[2];

    calls_begin("polls of datagrams");
    int fd = calls_socket(SOCK_DGRAM, NULL);
    calls_show("new", fd);
    close(fd);
    calls_pair_of_datagrams(ends);
    calls_show("connected", ends[0]);
    TRY(send(ends[0], "x", 1, 0));
    calls_await(ends[1], POLLIN);
    calls_show("one there", ends[1]);
    TRY(shutdown(ends[0], SHUT_RD));
    calls_show("reading shut", ends[0]);
    TRY(shutdown(ends[0], SHUT_WR));
    calls_show("both shut", ends[0]);
    close(ends[1]);
    close(ends[0]);
}

static void wrong(void)
{
    struct pollfd polled[2] = {{.fd = -1, .events = ALL, .revents = ALL}};
    struct timeval time = {0, 0}, negative = {-1, 0}, too_many = {0, 1000000};
    fd_set set;
    int fd = calls_socket(SOCK_STREAM, NULL);

    calls_begin("poll and select");
    TELL(FD_SETSIZE);
    TRY(poll(polled, 1, 0));
    TELL(polled[0].revents);
    TRY(poll(NULL, 0, 1));
    polled[0] = (struct pollfd){.fd = fd, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = dup(fd), .events = POLLIN};
    close(polled[1].fd);
    TRY(poll(polled, 2, -1));
    TELL(polled[1].revents == POLLNVAL);
    FD_ZERO(&set);
    FD_SET(polled[1].fd, &set);
    TRY(select(polled[1].fd + 1, &set, NULL, NULL, &time));
    TRY(select(-1, NULL, NULL, NULL, &time));
    TRY(select(0, NULL, NULL, NULL, &negative));
    TRY(select(0, NULL, NULL, NULL, &too_many));
    TRY(select(0, NULL, NULL, NULL, &time));
    close(fd);
}

void calls_polls(void)
{
    of_streams();
    of_datagrams();
    wrong();
}
