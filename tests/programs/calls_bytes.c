/* Sending and receiving: flags, lengths, ends of connections. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "calls.h"

static char large[70000];

static void wait_for(int fd)
{
    calls_await(fd, POLLIN);
}

static void datagrams(void)
{
    struct sockaddr_in address, to;
    socklen_t size = sizeof address;
    int ends[2];
    char bytes[8] = "";
    struct iovec vector[2] = {{bytes, 2}, {bytes + 4, 3}};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};

    calls_begin("datagrams");
    calls_pair_of_datagrams(ends);
    TRY(recv(ends[1], bytes, 1, MSG_DONTWAIT));
    TRY(send(ends[0], large, sizeof large, 0));
    TRY(send(ends[0], large, 65508, 0));
    TRY(send(ends[0], "abcdefgh", 8, 0));
    wait_for(ends[1]);
    TRY(recv(ends[1], bytes, 3, MSG_PEEK));
    TRY(recv(ends[1], bytes, 3, MSG_PEEK | MSG_TRUNC));
    TRY(recvmsg(ends[1], &message, MSG_PEEK));
    TELL(message.msg_flags == MSG_TRUNC);
    TELL(memcmp(bytes, "ab", 2) || memcmp(bytes + 4, "cde", 3));
    TRY(recvmsg(ends[1], &message, MSG_TRUNC));
    TELL(message.msg_flags == MSG_TRUNC);
    TRY(recv(ends[1], bytes, 1, MSG_DONTWAIT));
    TRY(send(ends[0], "", 0, 0));
    wait_for(ends[1]);
    TRY(recvfrom(ends[1], bytes, 1, 0, P(address), &size));
    TELL(size);
    TELL(address.sin_family == AF_INET);
    TELL(ntohl(address.sin_addr.s_addr));
    TELL(memcmp(address.sin_zero, "\0\0\0\0\0\0\0", 8));
    TRY(send(ends[0], "abc", 3, MSG_OOB));
    TRY(send(ends[0], "abc", 3, MSG_DONTWAIT | MSG_NOSIGNAL));
    wait_for(ends[1]);
    TRY(recv(ends[1], bytes, 8, MSG_WAITALL)); /* one datagram */
    TRY(writev(ends[0], vector, 2));
    wait_for(ends[1]);
    TRY(readv(ends[1], vector, 1));
    message.msg_iovlen = 1025;
    TRY(sendmsg(ends[0], &message, 0));
    TRY(recvmsg(ends[1], &message, MSG_DONTWAIT));
    message.msg_iovlen = 0;
    TRY(sendmsg(ends[0], &message, 0));
    wait_for(ends[1]);
    TRY(recv(ends[1], bytes, 8, 0));

    /* To somebody. */
    to = calls_address(0);
    TRY(sendto(ends[1], "x", 1, 0, P(to), sizeof to));
    TRY(sendto(ends[1], "x", 1, 0, P(address), 1));
    TRY(sendto(ends[1], "x", 1, 0, P(address), sizeof address - 1));
    TRY(sendto(ends[1], "x", 1, 0, NULL, 0));
    to.sin_family = 77;
    TRY(sendto(ends[1], "x", 1, 0, P(to), sizeof to));
    TRY(sendto(ends[1], "back", 4, 0, P(address), sizeof address));
    wait_for(ends[0]);
    TRY(recv(ends[0], bytes, 8, 0));
    size = sizeof to;
    TRY(getsockname(ends[0], P(to), &size));
    TRY(sendto(ends[0], "self", 4, 0, P(to), sizeof to)); /* it is connected to another */
    TRY(recv(ends[0], bytes, 8, MSG_DONTWAIT));

    /* Shut. */
    TRY(shutdown(ends[1], SHUT_RD));
    TRY(shutdown(ends[0], SHUT_WR));
    TRY(send(ends[0], "x", 1, 0));
    TRY(shutdown(ends[0], SHUT_RD));
    TRY(recv(ends[0], bytes, 8, 0));
    close(ends[0]), close(ends[1]);
}

static void streams(void)
{
    struct sockaddr_in address = calls_address(0);
    socklen_t size = sizeof address;
    int ends[2];
    char bytes[8] = "";
    struct iovec vector[2] = {{bytes, 2}, {bytes + 4, 3}};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};

    calls_begin("streams");
    calls_connect(ends);
    TRY(recv(ends[1], bytes, 1, MSG_DONTWAIT));
    TRY(recv(ends[1], bytes, 1, MSG_OOB));
    TRY(send(ends[0], "", 0, 0));
    TRY(send(ends[0], "abcdefgh", 8, 0));
    wait_for(ends[1]);
    TRY(recv(ends[1], bytes, 0, 0));
    TRY(recv(ends[1], bytes, 3, MSG_PEEK));
    TELL(memcmp(bytes, "abc", 3));
    TRY(recv(ends[1], bytes, 3, MSG_PEEK | MSG_WAITALL));
    TRY(recvmsg(ends[1], &message, 0));
    TELL(message.msg_flags);
    TELL(memcmp(bytes, "ab", 2) || memcmp(bytes + 4, "cde", 3));
    TRY(recv(ends[1], bytes, 2, MSG_TRUNC)); /* of a stream: they are thrown away */
    TELL(memcmp(bytes, "ab", 2));
    size = sizeof address;
    memset(&address, 0xff, sizeof address);
    TRY(recvfrom(ends[1], bytes, 8, 0, P(address), &size));
    TELL(size);
    TRY(recv(ends[1], bytes, 8, MSG_DONTWAIT | MSG_WAITALL));
    TRY(send(ends[0], "abc", 3, 0));
    wait_for(ends[1]);
    TRY(recv(ends[1], bytes, 8, MSG_DONTWAIT | MSG_WAITALL));
    address = calls_address(9);
    TRY(sendto(ends[0], "to", 2, 0, P(address), sizeof address)); /* as if it said nothing */
    wait_for(ends[1]);
    TRY(recv(ends[1], bytes, 8, 0));
    message.msg_iovlen = 1025;
    TRY(sendmsg(ends[0], &message, 0));
    TRY(recvmsg(ends[1], &message, MSG_DONTWAIT));

    /* A closed half. */
    calls_begin("a stream's end");
    TRY(send(ends[0], "last", 4, 0));
    TRY(shutdown(ends[0], SHUT_WR));
    TRY(send(ends[0], "x", 1, 0));
    TRY(send(ends[0], "x", 1, MSG_NOSIGNAL));
    TRY(write(ends[0], "x", 1));
    TRY(recv(ends[1], bytes, 8, MSG_WAITALL));
    TRY(recv(ends[1], bytes, 8, 0));
    TRY(recv(ends[1], bytes, 8, MSG_PEEK));
    TRY(send(ends[1], "back", 4, 0));
    wait_for(ends[0]);
    TRY(recv(ends[0], bytes, 8, 0));
    TRY(shutdown(ends[0], SHUT_RD));
    TRY(recv(ends[0], bytes, 8, 0));
    TRY(close(ends[0]));
    TRY(shutdown(ends[1], SHUT_RDWR));
    TRY(recv(ends[1], bytes, 8, 0));
    TRY(send(ends[1], "x", 1, 0));
    close(ends[1]);
}

/* The peer ends with something unread, or wants to be rude: a reset. */
static void resets(bool lingers)
{
    const struct linger none = {1, 0};
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int ends[2], error = -1;
    char byte;

    calls_connect(ends);
    if (lingers) {
        TRY(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &none, sizeof none));
    } else {
        TRY(send(ends[1], "unread", 6, 0));
        wait_for(ends[0]);
    }
    TRY(close(ends[0]));
    wait_for(ends[1]);
    TRY(recv(ends[1], &byte, 1, 0));
    TRY(recv(ends[1], &byte, 1, 0));
    TRY(send(ends[1], &byte, 1, 0));
    TRY(getpeername(ends[1], P(address), &size));
    TRY(shutdown(ends[1], SHUT_WR));
    size = sizeof error;
    TRY(getsockopt(ends[1], SOL_SOCKET, SO_ERROR, &error, &size));
    TELL(error);
    close(ends[1]);
}

/* Whose peer has closed may still send: the first segment brings the reset. */
static void sends_into_a_reset(void)
{
    int ends[2];
    char byte;

    calls_connect(ends);
    TRY(close(ends[0]));
    wait_for(ends[1]);
    TRY(recv(ends[1], &byte, 1, 0));
    TRY(send(ends[1], "x", 1, 0));
    calls_await(ends[1], POLLERR);
    TRY(send(ends[1], "x", 1, 0));
    TRY(send(ends[1], "x", 1, 0));
    TRY(recv(ends[1], &byte, 1, 0));
    close(ends[1]);
}

/* A reader that doesn't read. */
static void fills(void)
{
    int ends[2];
    long sent = 0, n;

    calls_connect(ends);
    while (sent < 100 << 20 && (n = send(ends[0], large, sizeof large, MSG_DONTWAIT)) > 0)
        sent += n;
    TELL(sent > 0);
    TELL(errno == EAGAIN);
    while (sent > 0 && (n = recv(ends[1], large, sizeof large, 0)) > 0)
        sent -= n;
    TELL(sent);
    TRY(recv(ends[1], large, sizeof large, MSG_DONTWAIT));
    close(ends[0]), close(ends[1]);
}

void calls_bytes(void)
{
    datagrams();
    streams();
    calls_begin("a reset by SO_LINGER");
    resets(true);
    calls_begin("a reset with bytes unread");
    resets(false);
    calls_begin("a reset by sending");
    sends_into_a_reset();
    calls_begin("a full stream");
    fills();
}
