/* bind, listen, connect, accept, shutdown: in the order that is meant, and in others. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"

static void names(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    memset(&address, 0xff, sizeof address);
    TRY(getsockname(fd, P(address), &size));
    TELL(size);
    TELL(address.sin_family == AF_INET);
    TELL(ntohl(address.sin_addr.s_addr));
    TELL(address.sin_port != 0);
    size = 3;
    memset(&address, 0xff, sizeof address);
    TRY(getsockname(fd, P(address), &size));
    TELL(size);
    TELL(((unsigned char *)&address)[3]);
    size = sizeof address;
    TRY(getpeername(fd, P(address), &size));
}

static void binds(int type)
{
    struct sockaddr_in address = calls_address(0), foreign = calls_address(0), other;
    int fd = calls_socket(type, NULL), second = calls_socket(type, NULL);

    foreign.sin_addr.s_addr = inet_addr("192.0.2.1");
    names(fd);
    TRY(bind(fd, P(foreign), sizeof foreign));
    TRY(bind(fd, P(address), sizeof address - 1));
    TRY(bind(fd, P(address), 1));
    const struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    TRY(bind(fd, (const struct sockaddr *)&six, sizeof six));
    other = address;
    other.sin_family = 77;
    TRY(bind(fd, P(other), sizeof other));
    TRY(bind(fd, P(address), sizeof address));
    names(fd);
    TRY(bind(fd, P(address), sizeof address));
    socklen_t size = sizeof address;
    TRY(getsockname(fd, P(address), &size));
    TRY(bind(second, P(address), sizeof address));
    other = calls_address(0);
    other.sin_addr.s_addr = htonl(INADDR_ANY);
    other.sin_port = address.sin_port;
    TRY(bind(second, P(other), sizeof other));
    close(fd);
    TRY(bind(second, P(other), sizeof other));
    names(second);
    close(second);
}

static void unconnected(int type)
{
    struct sockaddr_in address = calls_address(0);
    int fd = calls_socket(type | SOCK_NONBLOCK, NULL);
    char byte = 0;

    TRY(recv(fd, &byte, 1, 0));
    TRY(recv(fd, &byte, 1, MSG_PEEK));
    TRY(shutdown(fd, SHUT_RD));
    TRY(shutdown(fd, 7));
    TRY(accept(fd, NULL, NULL));
    TRY(connect(fd, P(address), 1));
    TRY(connect(fd, P(address), sizeof address - 1));
    address.sin_family = 77;
    TRY(connect(fd, P(address), sizeof address));
    const struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    TRY(connect(fd, (const struct sockaddr *)&six, sizeof six));
    close(fd);
    fd = calls_socket(type, NULL);
    TRY(send(fd, &byte, 1, 0));
    TRY(send(fd, &byte, 1, MSG_NOSIGNAL));
    TRY(write(fd, &byte, 1));
    close(fd);
}

static void listeners(void)
{
    struct sockaddr_in address = calls_address(0);
    socklen_t size = sizeof address;
    int fd = calls_socket(SOCK_STREAM | SOCK_NONBLOCK, &address.sin_port);
    int datagrams = calls_socket(SOCK_DGRAM, NULL), number = -1;
    char byte = 0;

    TRY(listen(datagrams, 1));
    TRY(accept(datagrams, NULL, NULL));
    TRY(listen(fd, -1));
    TRY(listen(fd, 5));
    TRY(listen(fd, 0));
    TRY(getpeername(fd, P(address), &size));
    TRY(accept(fd, NULL, NULL));
    TRY(recv(fd, &byte, 1, 0));
    TRY(send(fd, &byte, 1, 0));
    TRY(bind(fd, P(address), sizeof address));
    TRY(connect(fd, P(address), sizeof address));

    int other = calls_socket(SOCK_STREAM, NULL);
    TRY(connect(other, P(address), sizeof address));
    calls_await(fd, POLLIN);
    size = 3;
    struct sockaddr_in from;
    memset(&from, 0xff, sizeof from);
    int connection = (int)MAKES(accept(fd, P(from), &size));
    TELL(size);
    TELL(((unsigned char *)&from)[3]);
    TELL((fcntl(connection, F_GETFL) & O_NONBLOCK) != 0);
    TRY(listen(connection, 1));
    TRY(listen(other, 1));
    TRY(accept(connection, NULL, NULL));
    TRY(connect(other, P(address), sizeof address));
    TRY(bind(other, P(from), sizeof from));
    size = sizeof number;
    TRY(shutdown(fd, SHUT_WR));
    TRY(shutdown(other, SHUT_RDWR));
    TRY(shutdown(other, SHUT_RDWR));
    close(connection), close(other), close(fd), close(datagrams);

    fd = calls_socket(SOCK_STREAM, NULL); /* without bind */
    TRY(listen(fd, 1));
    names(fd);
    close(fd);
}

/* A port of 127.0.0.1 that nobody has. */
static struct sockaddr_in nobody(int type)
{
    struct sockaddr_in address = calls_address(0);
    int fd = calls_socket(type, &address.sin_port);

    close(fd);
    return address;
}

static void refusals(void)
{
    struct sockaddr_in address = nobody(SOCK_STREAM);
    int fd = calls_socket(SOCK_STREAM, NULL), error = -1;
    socklen_t size = sizeof error;
    char byte = 0;

    calls_begin("a refused connect");
    TRY(connect(fd, P(address), sizeof address));
    TRY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    TELL(error);
    TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
    TRY(connect(fd, P(address), sizeof address)); /* again */
    close(fd);

    calls_begin("a refused connect that nobody waits for");
    fd = calls_socket(SOCK_STREAM | SOCK_NONBLOCK, NULL);
    TRY(connect(fd, P(address), sizeof address));
    calls_await(fd, POLLOUT);
    TRY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    TELL(error == ECONNREFUSED);
    TRY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    TELL(error);
    close(fd);

    calls_begin("refused datagrams");
    address = nobody(SOCK_DGRAM);
    fd = calls_socket(SOCK_DGRAM, NULL);
    TRY(connect(fd, P(address), sizeof address));
    TRY(send(fd, "x", 1, 0));
    calls_await(fd, POLLERR);
    TRY(recv(fd, &byte, 1, 0));
    TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
    TRY(send(fd, "x", 1, 0));
    calls_await(fd, POLLERR);
    TRY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    TELL(error == ECONNREFUSED);
    TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
    close(fd);
}

static void connects(void)
{
    struct sockaddr_in address = calls_address(0), none = {.sin_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    int listener = calls_socket(SOCK_STREAM, &address.sin_port), error = -1;
    int fd = calls_socket(SOCK_STREAM | SOCK_NONBLOCK, NULL);
    struct sockaddr_in any = address;

    calls_begin("connect");
    TRY(listen(listener, 5));
    TRY(connect(fd, P(address), sizeof address));
    calls_await(fd, POLLOUT);
    size = sizeof error;
    TRY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    TELL(error);
    names(fd);
    TRY(send(fd, "x", 1, 0));
    close(fd);
    fd = calls_socket(SOCK_STREAM, NULL);
    any.sin_addr.s_addr = htonl(INADDR_ANY); /* this machine */
    TRY(connect(fd, P(any), sizeof any));
    names(fd);
    close(fd), close(listener);

    calls_begin("connected datagrams");
    int other = calls_socket(SOCK_DGRAM, &address.sin_port);
    fd = calls_socket(SOCK_DGRAM | SOCK_NONBLOCK, NULL);
    TRY(connect(fd, P(address), sizeof address));
    names(fd);
    TRY(connect(fd, P(address), sizeof address));
    TRY(connect(fd, P(none), sizeof none));
    TRY(getpeername(fd, P(address), &size));
    TRY(send(fd, "x", 1, 0));
    TRY(connect(fd, P(none), sizeof none));
    close(fd), close(other);
}

void calls_ends(void)
{
    calls_begin("bind of a stream");
    binds(SOCK_STREAM);
    calls_begin("bind of datagrams");
    binds(SOCK_DGRAM);
    calls_begin("a stream that isn't connected");
    unconnected(SOCK_STREAM);
    calls_begin("datagrams that aren't connected");
    unconnected(SOCK_DGRAM);
    calls_begin("listeners");
    listeners();
    refusals();
    connects();
}
