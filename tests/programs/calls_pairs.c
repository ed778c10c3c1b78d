/* socketpair: both ways, ends, times, and other processes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"

extern char **environ;

static char large[100000];

static void pair(int ends[2])
{
    MAKES(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
}

static void makes(void)
{
    struct stat status;
    int ends[2];

    calls_begin("socketpair");
    TRY(socketpair(AF_INET, SOCK_STREAM, 0, ends));
    TRY(socketpair(9999, SOCK_STREAM, 0, ends));
    TRY(socketpair(AF_UNIX, 77, 0, ends));
    TRY(socketpair(AF_UNIX, SOCK_STREAM, IPPROTO_TCP, ends));
    MAKES(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
    TELL((fcntl(ends[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_RDWR | O_NONBLOCK));
    TELL(fcntl(ends[1], F_GETFD) == FD_CLOEXEC);
    TRY(fstat(ends[0], &status));
    TELL(S_ISSOCK(status.st_mode));
    TRY(lseek(ends[0], 0, SEEK_SET));
    TRY(recv(ends[0], large, 1, 0));
    close(ends[0]), close(ends[1]);
}

static void as_sockets(void)
{
    struct sockaddr_storage address;
    struct sockaddr_in in = calls_address(9);
    socklen_t size = sizeof address;
    int ends[2], number = -1;

    calls_begin("a pair as sockets");
    pair(ends);
    TRY(getsockname(ends[0], P(address), &size));
    TELL(size);
    TELL(address.ss_family == AF_UNIX);
    TRY(getpeername(ends[0], P(address), &size));
    TRY(listen(ends[0], 1));
    TRY(accept(ends[0], NULL, NULL));
    TRY(shutdown(ends[0], 7));
    size = sizeof number;
    TRY(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &number, &size));
    TELL(number == SOCK_STREAM);
    TRY(getsockopt(ends[0], SOL_SOCKET, SO_DOMAIN, &number, &size));
    TELL(number == AF_UNIX);
    TRY(getsockopt(ends[0], SOL_SOCKET, SO_PROTOCOL, &number, &size));
    TELL(number);
    TRY(getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &number, &size));
    TELL(number);
    TRY(getsockopt(ends[0], IPPROTO_IP, IP_TTL, &number, &size));
    TRY(setsockopt(ends[0], IPPROTO_IP, IP_TTL, &number, size));
    TRY(sendto(ends[0], "x", 1, 0, P(in), sizeof in));
    close(ends[0]), close(ends[1]);
}

static void bytes_go(void)
{
    struct timeval time = {0, 20000};
    char bytes[8] = "";
    struct iovec vector[2] = {{bytes, 2}, {bytes + 4, 3}};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
    int ends[2], number = -1;

    calls_begin("a pair's bytes");
    pair(ends);
    TRY(recv(ends[0], bytes, 1, MSG_DONTWAIT));
    TRY(send(ends[1], "abcdefgh", 8, 0));
    TRY(write(ends[0], "back", 4));
    TRY(ioctl(ends[0], FIONREAD, &number));
    TELL(number);
    TRY(recv(ends[0], bytes, 3, MSG_PEEK));
    TRY(recvmsg(ends[0], &message, 0));
    TELL(message.msg_flags);
    TELL(memcmp(bytes, "ab", 2) || memcmp(bytes + 4, "cde", 3));
    TRY(read(ends[0], bytes, 8));
    TELL(memcmp(bytes, "fgh", 3));
    TRY(recv(ends[1], bytes, 8, MSG_DONTWAIT | MSG_WAITALL));
    TRY(setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    TRY(recv(ends[1], bytes, 1, 0));
    TRY(read(ends[1], bytes, 1));
    TRY(send(ends[0], "", 0, 0));
    TRY(recv(ends[1], bytes, 1, MSG_DONTWAIT));
    long sent = 0, got = 0, n;
    while (sent < 100 << 20 && (n = send(ends[0], large, sizeof large, MSG_DONTWAIT)) > 0)
        sent += n;
    TELL(errno == EAGAIN);
    TRY(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
    TRY(send(ends[0], large, sizeof large, 0));
    while ((n = recv(ends[1], large, sizeof large, MSG_DONTWAIT)) > 0)
        got += n;
    TELL(sent > 0 && got == sent);
    close(ends[0]), close(ends[1]);
}

static void ends_of_it(void)
{
    char bytes[8];
    int ends[2];

    calls_begin("a pair's ends");
    pair(ends);
    TRY(send(ends[0], "last", 4, 0));
    TRY(shutdown(ends[0], SHUT_WR));
    TRY(send(ends[0], "x", 1, 0));
    TRY(send(ends[0], "x", 1, MSG_NOSIGNAL));
    TRY(recv(ends[1], bytes, 8, MSG_WAITALL));
    TRY(recv(ends[1], bytes, 8, 0));
    TRY(send(ends[1], "back", 4, 0));
    TRY(recv(ends[0], bytes, 8, 0));
    TRY(shutdown(ends[0], SHUT_RD));
    TRY(recv(ends[0], bytes, 8, 0));
    TRY(send(ends[1], "x", 1, 0));
    TRY(send(ends[1], "x", 1, MSG_NOSIGNAL));
    close(ends[0]);
    TRY(recv(ends[1], bytes, 8, 0));
    close(ends[1]);
    pair(ends);
    TRY(close(ends[0]));
    TRY(recv(ends[1], bytes, 8, 0));
    TRY(send(ends[1], "x", 1, MSG_NOSIGNAL));
    TRY(write(ends[1], "x", 1));
    close(ends[1]);
}

static void polled(void)
{
    int ends[2];
    char byte;

    calls_begin("polls of a pair");
    pair(ends);
    calls_show("new", ends[0]);
    TRY(send(ends[1], "x", 1, 0));
    calls_show("a byte", ends[0]);
    TRY(shutdown(ends[1], SHUT_WR));
    TRY(recv(ends[0], &byte, 1, 0));
    calls_show("the peer's end", ends[0]);
    calls_show("the own end", ends[1]);
    TRY(shutdown(ends[0], SHUT_WR));
    calls_show("both ends", ends[0]);
    close(ends[0]), close(ends[1]);
    pair(ends);
    close(ends[1]);
    calls_show("closed there", ends[0]);
    close(ends[0]);
}

void calls_echo(int fd)
{
    ssize_t n;

    while ((n = read(fd, large, 1000)) > 0)
        write(fd, large, (size_t)n);
}

/* A child that echoes until it sees the end; a program of its own, or not. */
static void with_child(bool is_spawned)
{
    char bytes[8] = "", number[8];
    int ends[2], status = -1;
    pid_t pid = 0;

    pair(ends);
    snprintf(number, sizeof number, "%d", ends[1]);
    char *const argv[] = {(char *)calls_program, (char *)"echo", number, NULL};
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    if (is_spawned) {
        TRY(posix_spawn(&pid, calls_program, NULL, NULL, argv, environ));
    } else if ((pid = fork()) == 0) {
        close(ends[0]);
        calls_echo(ends[1]);
        _exit(7);
    }
    close(ends[1]);
    TRY(send(ends[0], "there", 5, 0));
    TRY(recv(ends[0], bytes, 5, MSG_WAITALL));
    TELL(memcmp(bytes, "there", 5));
    long sent = 0, got = 0;
    struct pollfd each = {.fd = ends[0]};
    while (sent < 300000 ||
           got < sent) { /* more than both ways hold: neither side may wait for ever */
        each.events = (short)(POLLIN | (sent < 300000 ? POLLOUT : 0));
        poll(&each, 1, -1);
        ssize_t n = each.revents & POLLOUT ? send(ends[0], large, 5000, MSG_DONTWAIT) : 0;
        sent += n > 0 ? n : 0;
        n = each.revents & POLLIN ? recv(ends[0], large, 5000, MSG_DONTWAIT) : 0;
        got += n > 0 ? n : 0;
        if (n == 0 && each.revents & POLLHUP)
            break;
    }
    TELL(sent == got);
    TRY(shutdown(ends[0], SHUT_WR));
    TRY(recv(ends[0], bytes, 8, 0));
    TELL(waitpid(pid, &status, 0) == pid);
    TELL(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    close(ends[0]);
}

void calls_pairs(void)
{
    makes();
    as_sockets();
    bytes_go();
    ends_of_it();
    polled();
    calls_begin("a pair and a fork");
    with_child(false);
    calls_begin("a pair and a program");
    with_child(true);
}
