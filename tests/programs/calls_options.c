/* Options of sockets: what is told, what may be set, and lengths that are too short or too long. */
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "calls.h"

/* What it is, in `room` bytes. */
#define SHOW(fd, level, option, room) show(#option, fd, level, option, room)
static void show(const char *what, int fd, int level, int option, socklen_t room)
{
    unsigned char value[64];
    socklen_t size = room;
    int number = 0;

    memset(value, 0xee, sizeof value);
    calls_say(what, getsockopt(fd, level, option, value, &size));
    TELL(size);
    memcpy(&number, value, sizeof number);
    TELL(number);
}

/* What it is, and what it is when it was set. */
#define SET(fd, level, option, value) set(#option " to " #value, fd, level, option, value)
static void set(const char *what, int fd, int level, int option, int value)
{
    show("before", fd, level, option, sizeof value);
    calls_say(what, setsockopt(fd, level, option, &value, sizeof value));
    show("behind", fd, level, option, sizeof value);
}

static void wrong(int fd)
{
    int number = 1;
    socklen_t size = sizeof number;

    TRY(getsockopt(fd, SOL_SOCKET, 9999, &number, &size));
    TRY(setsockopt(fd, SOL_SOCKET, 9999, &number, sizeof number));
    TRY(getsockopt(fd, IPPROTO_IP, 9999, &number, &size));
    TRY(setsockopt(fd, IPPROTO_IP, 9999, &number, sizeof number));
    TRY(setsockopt(fd, IPPROTO_TCP, 9999, &number, sizeof number));
    TRY(setsockopt(fd, IPPROTO_IPV6, 9999, &number, sizeof number));
    TRY(setsockopt(fd, SOL_SOCKET, SO_TYPE, &number, sizeof number));
    TRY(setsockopt(fd, SOL_SOCKET, SO_ERROR, &number, sizeof number));
    TRY(setsockopt(fd, SOL_SOCKET, SO_DOMAIN, &number, sizeof number));
    TRY(setsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &number, sizeof number));
    TRY(setsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &number, sizeof number));
    TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &number, 0));
    TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &number, sizeof number - 1));
    TRY(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &number, 1));
    TRY(setsockopt(fd, SOL_SOCKET, SO_LINGER, &number, sizeof number));
    TRY(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &number, sizeof number));
    int64_t longer[2] = {1};
    TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, longer, sizeof longer));
    TRY(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, longer, sizeof longer));
    for (socklen_t room = 0; room <= 8; room += 2)
        SHOW(fd, SOL_SOCKET, SO_TYPE, room);
    size = (socklen_t)-1;
    TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, &number, &size));
}

static void of_any(int type)
{
    int fd = calls_socket(type, NULL);

    wrong(fd);
    SHOW(fd, SOL_SOCKET, SO_DOMAIN, sizeof(int));
    SHOW(fd, SOL_SOCKET, SO_PROTOCOL, sizeof(int));
    SHOW(fd, SOL_SOCKET, SO_ACCEPTCONN, sizeof(int));
    SHOW(fd, SOL_SOCKET, SO_ERROR, sizeof(int));
    close(fd);
    fd = calls_socket(type, NULL);
    SET(fd, SOL_SOCKET, SO_REUSEADDR, 7);
    SET(fd, SOL_SOCKET, SO_BROADCAST, 1);
    SET(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    SET(fd, IPPROTO_IP, IP_TTL, 7);
    SET(fd, IPPROTO_IP, IP_TTL, 0);
    SET(fd, IPPROTO_IP, IP_TTL, 256);
    SET(fd, IPPROTO_IP, IP_TTL, -1);
    SET(fd, IPPROTO_IP, IP_TOS, 0x10);
    SET(fd, IPPROTO_IP, IP_TOS, 0xb8);
    SET(fd, IPPROTO_IP, IP_TOS, 0);
    unsigned char byte = 9;
    TRY(setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, 1));
    SHOW(fd, IPPROTO_IP, IP_TTL, sizeof(int));
    byte = 0x20;
    TRY(setsockopt(fd, IPPROTO_IP, IP_TOS, &byte, 1));
    SHOW(fd, IPPROTO_IP, IP_TOS, 1);
    close(fd);
}

static void lingers(int type)
{
    struct linger linger = {1, 3};
    int fd = calls_socket(type, NULL);
    socklen_t size = sizeof linger;

    TRY(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    linger.l_onoff = linger.l_linger = 9;
    TRY(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
    TELL(linger.l_onoff);
    TELL(linger.l_linger);
    TELL(size);
    size = 4;
    TRY(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
    TELL(size);
    linger.l_onoff = 0;
    TRY(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    close(fd);
}

static void of_tcp(void)
{
    int fd = calls_socket(SOCK_STREAM, NULL), datagrams = calls_socket(SOCK_DGRAM, NULL),
        number = 1;

    calls_begin("options of TCP");
    SET(fd, IPPROTO_TCP, TCP_NODELAY, 5);
    SET(fd, IPPROTO_TCP, TCP_KEEPIDLE, 100);
    SET(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0);
    SET(fd, IPPROTO_TCP, TCP_KEEPINTVL, 100);
    SET(fd, IPPROTO_TCP, TCP_KEEPINTVL, -1);
    SET(fd, IPPROTO_TCP, TCP_KEEPCNT, 5);
    SET(fd, IPPROTO_TCP, TCP_KEEPCNT, 128);
    TRY(setsockopt(datagrams, IPPROTO_TCP, TCP_NODELAY, &number, sizeof number));
    TRY(listen(fd, 1));
    SHOW(fd, SOL_SOCKET, SO_ACCEPTCONN, sizeof(int));
    close(fd), close(datagrams);
}

/* Of a listener's: what a connection has from it. */
static void inherited(void)
{
    struct sockaddr_in address = calls_address(0);
    int listener = calls_socket(SOCK_STREAM, &address.sin_port), number = 1;

    calls_begin("options that are inherited");
    TRY(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &number, sizeof number));
    TRY(setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &number, sizeof number));
    number = 0x10;
    TRY(setsockopt(listener, IPPROTO_IP, IP_TTL, &number, sizeof number));
    TRY(listen(listener, 1));
    int fd = calls_socket(SOCK_STREAM, NULL);
    TRY(connect(fd, P(address), sizeof address));
    int connection = (int)MAKES(accept(listener, NULL, NULL));
    SHOW(connection, IPPROTO_TCP, TCP_NODELAY, sizeof(int));
    SHOW(connection, SOL_SOCKET, SO_KEEPALIVE, sizeof(int));
    SHOW(connection, IPPROTO_IP, IP_TTL, sizeof(int));
    SHOW(connection, SOL_SOCKET, SO_ACCEPTCONN, sizeof(int));
    SHOW(listener, SOL_SOCKET, SO_ACCEPTCONN, sizeof(int));
    close(fd), close(connection), close(listener);
}

static void times(int type)
{
    struct timeval time = {0, 20000}, wrong = {0, 1000000}, none = {0, 0};
    socklen_t size = sizeof time;
    int ends[2];
    char byte;

    if (type == SOCK_STREAM)
        calls_connect(ends);
    else
        calls_pair_of_datagrams(ends);
    TRY(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &wrong, sizeof wrong));
    TRY(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    TRY(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
    time.tv_usec = 0;
    TRY(getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, &size));
    TELL(time.tv_sec);
    TELL(time.tv_usec);
    TELL(size == sizeof time);
    TRY(recv(ends[0], &byte, 1, 0));
    TRY(read(ends[0], &byte, 1));
    TRY(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none));
    TRY(getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, &size));
    TELL(time.tv_usec);
    TRY(recv(ends[0], &byte, 1, MSG_DONTWAIT));
    close(ends[0]), close(ends[1]);

    struct sockaddr_in address = calls_address(0);
    int listener = calls_socket(SOCK_STREAM, &address.sin_port);
    time = (struct timeval){0, 20000};
    TRY(listen(listener, 1));
    TRY(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    TRY(accept(listener, NULL, NULL));
    close(listener);
}

void calls_options(void)
{
    calls_begin("options of streams");
    of_any(SOCK_STREAM);
    lingers(SOCK_STREAM);
    calls_begin("options of datagrams");
    of_any(SOCK_DGRAM);
    lingers(SOCK_DGRAM);
    of_tcp();
    inherited();
    calls_begin("times of streams");
    times(SOCK_STREAM);
    calls_begin("times of datagrams");
    times(SOCK_DGRAM);
}
