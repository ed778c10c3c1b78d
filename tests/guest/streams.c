/*
 * streams ADDRESS PORT CLOSED: what POSIX says of stream sockets, against a peer at PORT that does
 * what the first byte of a connection says (test_streams.py), and CLOSED, where nobody listens.
 * streams ADDRESS PORT echo SIZE: sends SIZE bytes to an echo, which must come back; by another
 * connection if one is given up.
 * streams bye PORT: says "bye" to whoever connects, and closes at once.
 * streams ports: takes and gives back a port again and again, and says when it can't, or can again.
 * streams once|again PORT: serves one connection, as its first byte says, and ends (serve_one);
 *   "again" says SO_REUSEADDR.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in peer = {.sin_family = AF_INET}, closed = {.sin_family = AF_INET};

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        printf("streams: line %d: ", __LINE__);                                                    \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        exit(1);                                                                                   \
    } while (0)
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            FAIL("%s (errno %d)", #condition, errno);                                              \
    } while (0)
#define CHECK_EQ(value, wanted)                                                                    \
    do {                                                                                           \
        long got = (long)(value), want = (long)(wanted);                                           \
        if (got != want)                                                                           \
            FAIL("%s is %ld, not %ld (errno %d)", #value, got, want, errno);                       \
    } while (0)
#define CHECK_ERRNO(call, wanted)                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK_EQ(call, -1);                                                                        \
        CHECK_EQ(errno, wanted);                                                                   \
    } while (0)
#define AT(variable) (struct sockaddr *)&(variable), sizeof(variable)

static int stream(int flags)
{
    int s = socket(AF_INET, SOCK_STREAM | flags, 0);
    CHECK(s >= 0);
    return s;
}

/* A connection whose other end does as `what` says. */
static int dial(char what)
{
    int s = stream(0);
    CHECK_EQ(connect(s, AT(peer)), 0);
    CHECK_EQ(write(s, &what, 1), 1);
    return s;
}

static int option(int s, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    CHECK_EQ(getsockopt(s, level, name, &value, &size), 0);
    return value;
}

static void set(int s, int level, int name, int value)
{
    CHECK_EQ(setsockopt(s, level, name, &value, sizeof value), 0);
}

static short polled(int s, short events, int ms)
{
    struct pollfd p = {.fd = s, .events = events};
    CHECK(poll(&p, 1, ms) >= 0);
    return p.revents;
}

static void refusals(void)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(4000)}, seen;
    socklen_t size = sizeof seen;
    int a = stream(0), b = stream(0);
    char byte;

    CHECK_ERRNO(recv(a, &byte, 1, 0), ENOTCONN);
    CHECK_ERRNO(send(a, "x", 1, MSG_NOSIGNAL), ENOTCONN);
    CHECK_ERRNO(shutdown(a, SHUT_WR), ENOTCONN);
    CHECK_ERRNO(accept(a, NULL, NULL), EINVAL);
    CHECK_ERRNO(connect(a, AT(closed)), ECONNREFUSED);
    CHECK_EQ(connect(a, AT(peer)), 0); /* another attempt */
    CHECK_ERRNO(connect(a, AT(peer)), EISCONN);
    CHECK_ERRNO(listen(a, 1), EINVAL);
    CHECK_ERRNO(bind(a, AT(own)), EINVAL);
    CHECK_EQ(getpeername(a, (struct sockaddr *)&seen, &size), 0);
    CHECK(seen.sin_port == peer.sin_port && seen.sin_addr.s_addr == peer.sin_addr.s_addr);
    CHECK_EQ(getsockname(a, (struct sockaddr *)&seen, &size), 0);
    CHECK_EQ(ntohl(seen.sin_addr.s_addr), 0x0a00020f);
    CHECK_ERRNO(recv(a, &byte, 1, MSG_OOB), EINVAL);
    CHECK_EQ(close(a), 0);
    a = stream(0);
    CHECK_EQ(bind(b, AT(own)), 0);
    CHECK_ERRNO(bind(a, AT(own)), EADDRINUSE);
    CHECK_EQ(listen(b, 5), 0);
    CHECK_ERRNO(bind(a, AT(own)), EADDRINUSE);
    CHECK_EQ(option(b, SOL_SOCKET, SO_ACCEPTCONN), 1);
    CHECK_EQ(fcntl(b, F_SETFL, O_NONBLOCK), 0);
    CHECK_ERRNO(accept(b, NULL, NULL), EAGAIN);
    CHECK_EQ(polled(b, POLLIN, 0), 0);
    CHECK_EQ(close(b), 0);
    CHECK_EQ(bind(a, AT(own)), 0); /* it is free at once: there was no connection */
    CHECK_EQ(close(a), 0);
    a = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERRNO(listen(a, 1), EOPNOTSUPP);
    CHECK_EQ(close(a), 0);
}

static void options(void)
{
    struct linger linger = {1, 5}, seen = {0};
    socklen_t size = sizeof seen;
    int s = stream(0);

    CHECK_EQ(option(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    CHECK_EQ(option(s, IPPROTO_TCP, TCP_NODELAY), 0);
    set(s, IPPROTO_TCP, TCP_NODELAY, 1);
    set(s, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(s, SOL_SOCKET, SO_REUSEADDR, 1);
    set(s, IPPROTO_TCP, TCP_KEEPIDLE, 9);
    set(s, SOL_SOCKET, SO_SNDBUF, 4000);
    CHECK_EQ(connect(s, AT(peer)), 0);
    CHECK_EQ(option(s, IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_EQ(option(s, SOL_SOCKET, SO_KEEPALIVE), 1);
    CHECK_EQ(option(s, SOL_SOCKET, SO_REUSEADDR), 1);
    CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPIDLE), 9);
    CHECK_EQ(option(s, SOL_SOCKET, SO_SNDBUF), 4000);
    CHECK_EQ(option(s, IPPROTO_TCP, TCP_MAXSEG), 1460);
    CHECK_EQ(option(s, SOL_SOCKET, SO_ERROR), 0);
    CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    CHECK_EQ(getsockopt(s, SOL_SOCKET, SO_LINGER, &seen, &size), 0);
    CHECK(seen.l_onoff && seen.l_linger == 5);
    CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, 99, &size, sizeof size), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &size, 1), EINVAL);
    CHECK_EQ(close(s), 0);
}

/* Begins to connect to a neighbour that isn't there; what it hears of it takes some seconds. */
static int dial_nobody(void)
{
    struct sockaddr_in nobody = peer;
    int s = stream(SOCK_NONBLOCK);

    nobody.sin_addr.s_addr = inet_addr("10.0.2.201");
    CHECK_ERRNO(connect(s, AT(nobody)), EINPROGRESS);
    CHECK_ERRNO(connect(s, AT(nobody)), EALREADY);
    CHECK_EQ(polled(s, POLLOUT | POLLIN, 0), 0);
    return s;
}

static void hear_of_nobody(int s)
{
    CHECK(polled(s, POLLOUT, 20000) & POLLERR);
    CHECK_EQ(option(s, SOL_SOCKET, SO_ERROR), EHOSTUNREACH);
    CHECK_EQ(close(s), 0);
}

static void not_blocking(void)
{
    static char bytes[400000];
    int s = stream(SOCK_NONBLOCK), on = 1;
    ssize_t sent = 0, part;

    CHECK_ERRNO(connect(s, AT(closed)), EINPROGRESS);
    CHECK(polled(s, POLLOUT, 5000) & POLLERR);
    CHECK_EQ(option(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    CHECK_EQ(option(s, SOL_SOCKET, SO_ERROR), 0);
    CHECK_EQ(close(s), 0);
    s = stream(0);
    CHECK_EQ(ioctl(s, FIONBIO, &on), 0);
    CHECK_ERRNO(connect(s, AT(peer)), EINPROGRESS);
    CHECK_EQ(polled(s, POLLOUT | POLLIN, 5000), POLLOUT);
    CHECK_EQ(option(s, SOL_SOCKET, SO_ERROR), 0);
    CHECK_ERRNO(recv(s, bytes, 1, 0), EAGAIN);
    CHECK_EQ(write(s, "h", 1), 1); /* holds: it reads nothing more */
    while ((part = write(s, bytes, sizeof bytes)) > 0)
        sent += part;
    CHECK_EQ(errno, EAGAIN);
    CHECK(sent >= 100000);
    CHECK_EQ(close(s), 0);
}

static void bytes_and_flags(void)
{
    char bytes[100], more[50];
    struct iovec parts[2] = {{bytes, 3}, {more, 50}};
    struct timeval limit = {0, 50000};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    int s = dial('e'), ready = -1;

    CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    CHECK_ERRNO(recv(s, bytes, 1, 0), EAGAIN);
    CHECK_ERRNO(recv(s, bytes, 1, MSG_DONTWAIT), EAGAIN);
    limit = (struct timeval){0};
    CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    CHECK_EQ(send(s, "0123456789", 10, 0), 10);
    CHECK(polled(s, POLLIN, 5000) & POLLIN);
    while (ready < 10) {
        usleep(1000);
        CHECK_EQ(ioctl(s, FIONREAD, &ready), 0);
    }
    CHECK_EQ(recv(s, bytes, 4, MSG_PEEK), 4);
    CHECK_EQ(recv(s, bytes, sizeof bytes, MSG_PEEK), 10);
    CHECK_EQ(readv(s, parts, 2), 10);
    CHECK(!memcmp(bytes, "012", 3) && !memcmp(more, "3456789", 7));
    memcpy(bytes, "abc", 3);
    CHECK_EQ(writev(s, parts, 2), 53);
    CHECK_EQ(recv(s, bytes, 53, MSG_WAITALL), 53);
    CHECK(!memcmp(bytes, "abc3456789", 10));
    CHECK_EQ(sendmsg(s, &message, 0), 53);
    memset(more, 0, sizeof more);
    CHECK_EQ(recvmsg(s, &message, MSG_WAITALL), 53);
    CHECK(!memcmp(bytes, "abc", 3) && !memcmp(more, "3456789", 7));
    CHECK_EQ(recv(s, bytes, 0, 0), 0);
    CHECK_EQ(close(s), 0);
}

static void selected(void)
{
    int s = dial('e');
    fd_set in, out;
    struct timeval limit = {5, 0};

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(s, &in);
    FD_SET(s, &out);
    CHECK_EQ(select(s + 1, &in, &out, NULL, &limit), 1);
    CHECK(FD_ISSET(s, &out) && !FD_ISSET(s, &in));
    CHECK_EQ(write(s, "x", 1), 1);
    FD_ZERO(&in);
    FD_SET(s, &in);
    CHECK_EQ(select(s + 1, &in, NULL, NULL, &limit), 1);
    CHECK_EQ(close(s), 0);
}

static volatile sig_atomic_t broken;

static void note(int signal)
{
    broken = signal;
}

static size_t drain(int s)
{
    static char bytes[16384];
    size_t total = 0;
    ssize_t got;
    while ((got = read(s, bytes, sizeof bytes)) > 0)
        total += (size_t)got;
    CHECK_EQ(got, 0);
    return total;
}

static void endings(void)
{
    char bytes[10];

    signal(SIGPIPE, note);
    int s = dial('e'); /* our way ends first */
    CHECK_EQ(write(s, "last", 4), 4);
    CHECK_EQ(shutdown(s, SHUT_WR), 0);
    CHECK_ERRNO(write(s, "x", 1), EPIPE);
    CHECK_EQ(broken, SIGPIPE);
    broken = 0;
    CHECK_ERRNO(send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(broken, 0);
    CHECK_EQ(drain(s), 4);
    CHECK(polled(s, POLLIN, 0) & POLLHUP);
    CHECK_EQ(close(s), 0);
    s = dial('s'); /* the peer's way ends first: it sends 100,000 bytes and shuts */
    CHECK_EQ(drain(s), 100000);
    CHECK_EQ(polled(s, POLLIN, 0), POLLIN);
    CHECK_EQ(write(s, "more", 4), 4);
    CHECK_EQ(read(s, bytes, 1), 0);
    CHECK_EQ(close(s), 0);
    s = dial('r'); /* it resets */
    CHECK(polled(s, POLLIN, 5000) & POLLERR);
    CHECK_ERRNO(read(s, bytes, 1), ECONNRESET);
    CHECK_EQ(read(s, bytes, 1), 0);
    CHECK_ERRNO(send(s, bytes, 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(close(s), 0);
    s = dial('e');
    CHECK_EQ(shutdown(s, SHUT_RD), 0);
    CHECK_EQ(read(s, bytes, 1), 0);
    CHECK_EQ(close(s), 0);
}

#define THREADS 6
#define ROUNDS  40

static void *talk(void *argument)
{
    unsigned char out[3000], in[3000];
    unsigned number = (unsigned)(uintptr_t)argument;
    int s = dial('e');

    for (unsigned i = 0; i < ROUNDS; i++) {
        memset(out, (int)(i + number * 41), sizeof out);
        size_t size = 1 + (i * 997 + number * 131) % sizeof out;
        CHECK_EQ(send(s, out, size, 0), size);
        CHECK_EQ(recv(s, in, size, MSG_WAITALL), size);
        CHECK(!memcmp(in, out, size));
    }
    CHECK_EQ(close(s), 0);
    return NULL;
}

static volatile bool done;

static void *compute(void *argument)
{
    volatile unsigned long *count = argument;
    while (!done)
        (*count)++;
    return NULL;
}

static void threads(void)
{
    unsigned long count = 0;
    pthread_t talkers[THREADS], computer;

    CHECK_EQ(pthread_create(&computer, NULL, compute, &count), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&talkers[i], NULL, talk, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(talkers[i], NULL), 0);
    done = true;
    CHECK_EQ(pthread_join(computer, NULL), 0);
    CHECK(count > 0);
}

static int listen_at(uint32_t address, uint16_t port)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
    int s = stream(0);
    own.sin_addr.s_addr = htonl(address);
    CHECK_EQ(bind(s, AT(own)), 0);
    CHECK_EQ(listen(s, 4), 0);
    return s;
}

static struct sockaddr_in own_at(const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    CHECK_EQ(inet_aton(address, &in.sin_addr), 1);
    return in;
}

/* Within one program: it connects to itself. */
static void to_oneself(const char *address, uint16_t port)
{
    struct sockaddr_in to = own_at(address, port), from;
    int a = stream(SOCK_NONBLOCK), listener = listen_at(INADDR_ANY, port);
    socklen_t size = sizeof from;
    char text[4] = "";

    CHECK_ERRNO(connect(a, AT(to)), EINPROGRESS);
    int b = accept(listener, (struct sockaddr *)&from, &size);
    CHECK(b >= 0);
    CHECK_EQ(from.sin_addr.s_addr, to.sin_addr.s_addr);
    CHECK_EQ(polled(a, POLLOUT, 10000), POLLOUT);
    CHECK_EQ(getsockname(a, (struct sockaddr *)&from, &size), 0);
    CHECK_EQ(from.sin_addr.s_addr, to.sin_addr.s_addr);
    CHECK_EQ(write(a, "abc", 3), 3);
    CHECK_EQ(read(b, text, sizeof text), 3);
    CHECK(!strcmp(text, "abc"));
    CHECK_EQ(close(a), 0);
    CHECK_EQ(read(b, text, sizeof text), 0);
    CHECK_EQ(close(b), 0);
    CHECK_EQ(close(listener), 0);
}

/* Another process's: a megabyte there and back. */
static void to_a_child(void)
{
    static unsigned char out[8192], in[8192];
    struct sockaddr_in to = own_at("127.0.0.1", 4202);
    int tries = 0, status, s;
    pid_t pid = fork();

    if (pid == 0) {
        int b = accept(listen_at(INADDR_LOOPBACK, 4202), NULL, NULL);
        for (ssize_t part; (part = read(b, in, sizeof in)) > 0;)
            CHECK_EQ(write(b, in, (size_t)part), part);
        _exit(close(b) == 0 ? 42 : 1);
    }
    CHECK(pid > 0);
    while (s = stream(0), connect(s, AT(to)) != 0) { /* until it listens */
        CHECK(errno == ECONNREFUSED && tries++ < 1000);
        CHECK_EQ(close(s), 0);
        usleep(10000);
    }
    for (unsigned i = 0; i < 128; i++) {
        memset(out, (int)i, sizeof out);
        CHECK_EQ(send(s, out, sizeof out, 0), sizeof out);
        CHECK_EQ(recv(s, in, sizeof in, MSG_WAITALL), sizeof in);
        CHECK(!memcmp(in, out, sizeof out));
    }
    CHECK_EQ(close(s), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 42);
}

/* Over the loop interface. */
static void within_the_machine(void)
{
    struct sockaddr_in nobody = own_at("127.0.0.1", 4999), any = own_at("0.0.0.0", 4999);
    struct sockaddr_in own = own_at("127.0.0.1", 0), outside = own_at("10.0.2.2", 9);
    int s = stream(0);

    CHECK_ERRNO(connect(s, AT(nobody)), ECONNREFUSED);
    CHECK_ERRNO(connect(s, AT(any)), ECONNREFUSED); /* the same */
    CHECK_EQ(close(s), 0);
    s = stream(0);
    CHECK_EQ(bind(s, AT(own)), 0);
    CHECK_ERRNO(connect(s, AT(outside)), EINVAL);
    CHECK_EQ(close(s), 0);
    to_oneself("127.0.0.1", 4200);
    to_oneself("10.0.2.15", 4201);
    to_a_child();
}

/* What is written last arrives although the process ends at once; the host looks. */
static void last_words(void)
{
    static char bytes[100000];
    int s = dial('k');
    CHECK_EQ(write(s, bytes, sizeof bytes), sizeof bytes);
    printf("streams: all is well\n");
    exit(0);
}

/* Byte number `at` of what is sent. */
static unsigned char byte_at(size_t at)
{
    return (unsigned char)((at * 2654435761U) >> 13);
}

static bool is_lost(void)
{
    return errno == ETIMEDOUT || errno == ECONNRESET || errno == EPIPE || errno == EHOSTUNREACH;
}

/* Whether it came back, all of it; false if TCP gave the connection up at either end, as it does
 * when nothing of a segment came through a dozen times. */
static bool transfer(size_t size)
{
    static unsigned char bytes[8192];
    size_t sent = 0, came = 0;
    int s = stream(0);
    ssize_t part = 1;

    set(s, SOL_SOCKET, SO_KEEPALIVE, 1); /* the other end may have given up without a word */
    set(s, IPPROTO_TCP, TCP_KEEPIDLE, 20);
    set(s, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(s, IPPROTO_TCP, TCP_KEEPCNT, 12);
    while (connect(s, AT(peer)))
        CHECK(is_lost());
    CHECK_EQ(fcntl(s, F_SETFL, O_NONBLOCK), 0);
    while (came < size && part > 0) {
        short ready = polled(s, POLLIN | (sent < size ? POLLOUT : 0), -1);
        if (ready & POLLOUT) {
            size_t next = size - sent < sizeof bytes ? size - sent : sizeof bytes;
            for (size_t i = 0; i < next; i++)
                bytes[i] = byte_at(sent + i);
            part = send(s, bytes, next, MSG_NOSIGNAL);
            sent += part > 0 ? (size_t)part : 0;
        }
        if (part <= 0 || !(ready & (POLLIN | POLLERR)))
            continue;
        part = recv(s, bytes, sizeof bytes, 0);
        for (ssize_t i = 0; i < part; i++)
            if (bytes[i] != byte_at(came + (size_t)i))
                FAIL("a wrong byte");
        came += part > 0 ? (size_t)part : 0;
    }
    CHECK(part > 0 || (part < 0 && is_lost()));
    CHECK_EQ(close(s), 0);
    return part > 0;
}

static void echo(size_t size)
{
    unsigned connections = 1;

    while (!transfer(size))
        connections++;
    printf("streams: %zu bytes came back by connection %u\n", size, connections);
}

static void say_bye(uint16_t port)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
    int s = stream(0);

    set(s, SOL_SOCKET, SO_REUSEADDR, 1);
    CHECK_EQ(bind(s, AT(own)), 0);
    CHECK_EQ(listen(s, SOMAXCONN), 0);
    printf("streams: says bye\n");
    for (;;) {
        int c = accept(s, NULL, NULL);
        CHECK(c >= 0);
        send(c, "bye", 3, MSG_NOSIGNAL); /* it may be reset already */
        close(c);
    }
}

/* A child has the connection, and echoes; its first word says that it has it, since what comes
 * while it is handed over may be lost, and be sent again by a true peer. */
static void serve_by_a_child(int c)
{
    char bytes[100];
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_EQ(write(c, "!", 1), 1);
        for (ssize_t part; (part = read(c, bytes, sizeof bytes)) > 0;)
            CHECK_EQ(write(c, bytes, (size_t)part), part);
        _exit(close(c) == 0 ? 43 : 1);
    }
    CHECK_EQ(close(c), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 43);
}

/* "c": closes at once; "e": after the peer's end; "d": is killed; "t": is terminated; "f": forks;
 * "m": closes, and serves one more. */
static void serve_one(uint16_t port, int reuses)
{
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int s = socket(AF_INET6, SOCK_STREAM, 0);
    char what = 0, byte;

    set(s, SOL_SOCKET, SO_REUSEADDR, reuses);
    if (bind(s, AT(own))) {
        printf("streams: port %d: %s\n", port, strerror(errno));
        return;
    }
    CHECK_EQ(listen(s, SOMAXCONN), 0);
    printf("streams: one at port %d\n", port);
    do {
        int c = accept(s, NULL, NULL);
        CHECK(c >= 0);
        CHECK_EQ(recv(c, &what, 1, 0), 1);
        if (what == 'd' || what == 't')
            raise(what == 'd' ? SIGKILL : SIGTERM);
        while (what == 'e' && recv(c, &byte, 1, 0) > 0)
            ;
        if (what == 'f')
            serve_by_a_child(c);
        else
            close(c);
    } while (what == 'm');
}

static _Noreturn void take_ports(void)
{
    for (int before = -1, now;; before = now) {
        int s = socket(AF_INET, SOCK_DGRAM, 0);
        struct sockaddr_in any = {.sin_family = AF_INET};

        now = s >= 0 && bind(s, AT(any)) == 0 ? 0 : errno;
        if (now != before)
            printf("streams: ports: %s\n", now ? strerror(now) : "a port");
        close(s);
        usleep(50000);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "ports"))
        take_ports();
    if (argc == 3 && (!strcmp(argv[1], "once") || !strcmp(argv[1], "again"))) {
        serve_one((uint16_t)atoi(argv[2]), !strcmp(argv[1], "again"));
        return 0;
    }
    if (argc == 3 && !strcmp(argv[1], "bye"))
        say_bye((uint16_t)atoi(argv[2]));
    if (argc == 5 && !strcmp(argv[3], "echo") && inet_aton(argv[1], &peer.sin_addr) == 1) {
        peer.sin_port = htons((uint16_t)atoi(argv[2]));
        echo(strtoul(argv[4], NULL, 10));
        return 0;
    }
    if (argc != 4 || inet_aton(argv[1], &peer.sin_addr) != 1)
        return 2;
    closed.sin_addr = peer.sin_addr;
    peer.sin_port = htons((uint16_t)atoi(argv[2]));
    closed.sin_port = htons((uint16_t)atoi(argv[3]));
    int nobody = dial_nobody();
    refusals();
    options();
    not_blocking();
    bytes_and_flags();
    selected();
    endings();
    threads();
    hear_of_nobody(nobody);
    within_the_machine();
    last_words();
}
