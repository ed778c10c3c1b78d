/* Sockets as POSIX has them: addresses, ports, options, what is refused and how, time limits. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/time/time.h"
#include "netd.h"
#include "test.h"

#define MS 1000000UL

#define CHECK_ERRNO(call, wanted)                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK_EQ((call), -1);                                                                      \
        CHECK_EQ(errno, wanted);                                                                   \
    } while (0)

static struct sockaddr_in at(const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    CHECK_EQ(inet_aton(address, &in.sin_addr), 1);
    return in;
}

#define AT(variable) (struct sockaddr *)&(variable), sizeof(variable)

static int udp(void)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(s >= 0);
    return s;
}

static uint16_t port_of(int s)
{
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    CHECK_OK(getsockname(s, (struct sockaddr *)&own, &size));
    CHECK_EQ(size, sizeof own);
    return ntohs(own.sin_port);
}

static void texts(void)
{
    static const char *const bad[] = {
        "",         "1",      "1.2.3",    "1.2.3.4.5", "256.1.1.1",  "1.2.3.",    ".1.2.3.4",
        "1.2.3.4 ", "1..2.3", "-1.2.3.4", "0x1.2.3.4", "1.2.3.1000", "0001.2.3.4"};
    char text[INET_ADDRSTRLEN];
    uint32_t address;

    CHECK_EQ(inet_pton(AF_INET, "10.0.2.255", &address), 1);
    CHECK_EQ(ntohl(address), 0x0a0002ff);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (inet_pton(AF_INET, bad[i], &address) != 0)
            FAIL("\"%s\" is an address", bad[i]);
    CHECK(inet_ntop(AF_INET, &address, text, sizeof text) && !strcmp(text, "10.0.2.255"));
    CHECK(!inet_ntop(AF_INET, &address, text, 10) && errno == ENOSPC);
    CHECK_ERRNO(inet_pton(11, "::1", &address), EAFNOSUPPORT);
    CHECK_EQ(inet_addr("300.1.1.1"), INADDR_NONE);
}

static void refusals(void)
{
    struct sockaddr_in in = at("10.0.2.15", 4100), elsewhere = at("10.0.2.16", 4100);
    int file = open("/dev/null", O_RDWR), s = udp();
    char byte = 0;
    static char large[34561];

    CHECK_ERRNO(socket(11, SOCK_DGRAM, 0), EAFNOSUPPORT);
    CHECK_ERRNO(socket(AF_INET, 77, 0), EINVAL);
    CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), EPROTOTYPE);
    CHECK_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
    CHECK_ERRNO(bind(file, AT(in)), ENOTSOCK);
    CHECK_ERRNO(bind(4000, AT(in)), EBADF);
    CHECK_ERRNO(bind(s, AT(elsewhere)), EADDRNOTAVAIL);
    CHECK_ERRNO(bind(s, (struct sockaddr *)&in, 8), EINVAL);
    in.sin_family = 11;
    CHECK_ERRNO(bind(s, AT(in)), EAFNOSUPPORT);
    CHECK_ERRNO(send(s, &byte, 1, 0), EDESTADDRREQ);
    in = at("10.0.2.2", 9);
    CHECK_ERRNO(sendto(s, large, sizeof large, 0, AT(in)), EMSGSIZE);
    in = at("10.0.2.255", 9);
    CHECK_ERRNO(sendto(s, &byte, 1, 0, AT(in)), EACCES);
    in = at("224.0.0.1", 9);
    CHECK_ERRNO(sendto(s, &byte, 1, 0, AT(in)), ENETUNREACH);
    CHECK_ERRNO(shutdown(s, SHUT_RD), ENOTCONN);
    CHECK_ERRNO(shutdown(s, 3), EINVAL);
    CHECK_OK(close(s));
    CHECK_OK(close(file));
}

static void ports(void)
{
    struct sockaddr_in in = at("0.0.0.0", 4100);
    int a = udp(), b = udp(), c = udp();

    CHECK_EQ(port_of(a), 0);
    CHECK_OK(bind(a, AT(in)));
    CHECK_EQ(port_of(a), 4100);
    CHECK_ERRNO(bind(a, AT(in)), EINVAL); /* it has one */
    CHECK_ERRNO(bind(b, AT(in)), EADDRINUSE);
    in.sin_port = 0;
    CHECK_OK(bind(b, AT(in)));
    CHECK_OK(bind(c, AT(in)));
    CHECK(port_of(b) >= 49152 && port_of(c) >= 49152 && port_of(b) != port_of(c));
    CHECK_OK(close(a));
    a = udp();
    in.sin_port = htons(4100);
    CHECK_OK(bind(a, AT(in)));
    CHECK_OK(close(a));
    CHECK_OK(close(b));
    CHECK_OK(close(c));
}

static void connecting(void)
{
    struct sockaddr_in peer = at("10.0.2.2", 9), seen, nobody = {.sin_family = AF_UNSPEC};
    socklen_t size = sizeof seen;
    int s = udp();

    CHECK_ERRNO(getpeername(s, (struct sockaddr *)&seen, &size), ENOTCONN);
    CHECK_OK(connect(s, AT(peer)));
    CHECK_OK(getpeername(s, (struct sockaddr *)&seen, &size));
    CHECK(seen.sin_port == peer.sin_port && seen.sin_addr.s_addr == peer.sin_addr.s_addr);
    CHECK_OK(getsockname(s, (struct sockaddr *)&seen, &size));
    CHECK_EQ(ntohl(seen.sin_addr.s_addr), 0x0a00020f);
    CHECK_EQ(send(s, "", 0, 0), 0);
    CHECK_EQ(write(s, "abc", 3), 3);
    CHECK_OK(shutdown(s, SHUT_WR));
    CHECK_ERRNO(write(s, "abc", 3), EPIPE);
    CHECK_OK(connect(s, AT(nobody)));
    CHECK_ERRNO(getpeername(s, (struct sockaddr *)&seen, &size), ENOTCONN);
    CHECK_OK(close(s));
}

static uint64_t passed(uint64_t since)
{
    return time_to_ns(time_now() - since) / MS;
}

static void waiting(void)
{
    struct sockaddr_in in = at("0.0.0.0", 0);
    struct timeval limit = {0, 30000};
    int many[6], s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct pollfd polled[6];
    char byte;

    CHECK_OK(bind(s, AT(in)));
    CHECK_ERRNO(recv(s, &byte, 1, 0), EAGAIN);
    CHECK_OK(fcntl(s, F_SETFL, 0));
    CHECK_ERRNO(recv(s, &byte, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_OK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    uint64_t begin = time_now();
    CHECK_ERRNO(recv(s, &byte, 1, 0), EAGAIN);
    CHECK(passed(begin) >= 30);
    CHECK_OK(close(s));
    for (int i = 0; i < 6; i++) {
        many[i] = udp();
        CHECK_OK(bind(many[i], AT(in)));
        polled[i] = (struct pollfd){.fd = many[i], .events = POLLIN};
    }
    begin = time_now();
    uint64_t slices = aegis_env(exos.env)->slices;
    CHECK_EQ(poll(polled, 6, 300), 0);
    CHECK(passed(begin) >= 300);
    CHECK(aegis_env(exos.env)->slices - slices < 10); /* asleep, on one predicate */
    polled[3].events |= POLLOUT;
    CHECK_EQ(poll(polled, 6, -1), 1);
    CHECK_EQ(polled[3].revents, POLLOUT);
    for (int i = 0; i < 6; i++)
        CHECK_OK(close(many[i]));
}

static void options(void)
{
    struct timeval limit = {1, 500000}, bad = {0, 1000000}, seen;
    socklen_t size = sizeof seen;
    int s = udp(), number = 0;
    struct stat status;

    CHECK_OK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    CHECK_OK(getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &seen, &size));
    CHECK(seen.tv_sec == 1 && seen.tv_usec == 500000);
    CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &bad, sizeof bad), EDOM);
    CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, 4), EINVAL);
    size = sizeof number;
    CHECK_OK(getsockopt(s, SOL_SOCKET, SO_TYPE, &number, &size));
    CHECK_EQ(number, SOCK_DGRAM);
    CHECK_OK(setsockopt(s, IPPROTO_IP, IP_TTL, &(int){3}, sizeof number));
    CHECK_OK(getsockopt(s, IPPROTO_IP, IP_TTL, &number, &size));
    CHECK_EQ(number, 3);
    CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_TTL, &(int){256}, sizeof number), EINVAL);
    CHECK_ERRNO(setsockopt(s, 99, 1, &number, sizeof number), ENOPROTOOPT);
    CHECK_ERRNO(getsockopt(s, SOL_SOCKET, 999, &number, &size), ENOPROTOOPT);
    CHECK_OK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof number));
    CHECK_OK(fstat(s, &status));
    CHECK(S_ISSOCK(status.st_mode));
    CHECK_OK(close(s));
}

/* In a fork's child: what the parent has open the child uses too, and what it opens is its own. */
static int as_child(int parents)
{
    struct sockaddr_in in = at("0.0.0.0", 4101), taken = at("0.0.0.0", 4100),
                       peer = at("10.0.2.2", 9);
    int s = udp();

    CHECK_EQ(send(parents, "abc", 3, 0), 3);
    CHECK_ERRNO(bind(s, AT(taken)), EADDRINUSE);
    CHECK_OK(bind(s, AT(in)));
    CHECK_EQ(sendto(s, "abc", 3, 0, AT(peer)), 3);
    CHECK_OK(close(s));
    CHECK_OK(close(parents));
    return 42;
}

static void forking(void)
{
    struct sockaddr_in in = at("0.0.0.0", 4100), peer = at("10.0.2.2", 9);
    int s = udp(), status;

    CHECK_OK(bind(s, AT(in)));
    CHECK_OK(connect(s, AT(peer)));
    CHECK_EQ(send(s, "abc", 3, 0), 3);
    pid_t pid = fork();
    if (pid == 0)
        exit(as_child(s));
    CHECK(pid > 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 42);
    CHECK_EQ(send(s, "abc", 3, 0), 3);
    CHECK_OK(close(s));
}

/* Sends `text` to an address, and finds it at `to` as from another, which it returns. */
static struct sockaddr_in carry(int from, const char *address, uint16_t port, int to)
{
    struct sockaddr_in in = at(address, port), source;
    socklen_t size = sizeof source;
    char text[8] = "";

    CHECK_EQ(sendto(from, "abc", 3, 0, AT(in)), 3);
    CHECK_EQ(recvfrom(to, text, sizeof text, MSG_DONTWAIT, (struct sockaddr *)&source, &size), 3);
    CHECK(!strcmp(text, "abc"));
    CHECK_EQ(ntohs(source.sin_port), port_of(from));
    return source;
}

/* What is sent to the machine's own addresses comes over the loop interface. */
static void own_addresses(void)
{
    struct sockaddr_in in = at("127.0.0.1", 4200), outside = at("10.0.2.2", 9), source;
    int a = udp(), b = udp(), c = udp(), d = udp();
    static char large[1472], got[1472];

    CHECK_OK(bind(a, AT(in)));
    in = at("0.0.0.0", 4201);
    CHECK_OK(bind(c, AT(in)));
    CHECK_EQ(carry(b, "127.0.0.1", 4200, a).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    CHECK_EQ(carry(b, "127.0.0.1", 4201, c).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    CHECK_EQ(carry(b, "0.0.0.0", 4201, c).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    source = carry(b, "10.0.2.15", 4201, c);
    CHECK_EQ(source.sin_addr.s_addr, inet_addr("10.0.2.15"));
    carry(c, "10.0.2.15", ntohs(source.sin_port), b);
    /* Each has only what its address gets, and sends only from there. */
    in = at("10.0.2.15", 4200);
    CHECK_EQ(sendto(b, "abc", 3, 0, AT(in)), 3);
    CHECK_ERRNO(recv(a, got, sizeof got, MSG_DONTWAIT), EAGAIN);
    CHECK_ERRNO(sendto(a, "abc", 3, 0, AT(outside)), EINVAL);
    in = at("127.1.2.3", 4202);
    CHECK_OK(bind(d, AT(in)));
    CHECK_EQ(carry(d, "127.0.0.1", 4200, a).sin_addr.s_addr, inet_addr("127.1.2.3"));
    carry(a, "127.1.2.3", 4202, d);
    in = at("127.0.0.1", 4999); /* nobody's */
    CHECK_EQ(sendto(a, "abc", 3, 0, AT(in)), 3);
    /* Connected: nobody else's, and not after it is dissolved. */
    in = at("127.0.0.1", 4201);
    CHECK_OK(connect(b, AT(in)));
    socklen_t size = sizeof source;
    CHECK_OK(getsockname(b, (struct sockaddr *)&source, &size));
    CHECK_EQ(source.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    in.sin_port = source.sin_port;
    CHECK_EQ(sendto(a, "abc", 3, 0, AT(in)), 3);
    CHECK_ERRNO(recv(b, got, sizeof got, MSG_DONTWAIT), EAGAIN);
    carry(c, "127.0.0.1", ntohs(source.sin_port), b);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CHECK_OK(connect(b, &none, sizeof none));
    carry(a, "127.0.0.1", ntohs(source.sin_port), b);
    carry(c, "10.0.2.15", ntohs(source.sin_port), b);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 5);
    in = at("127.0.0.1", 4201);
    CHECK_EQ(sendto(a, large, sizeof large, 0, AT(in)), sizeof large);
    CHECK_EQ(recv(c, got, sizeof got, 0), sizeof got);
    CHECK(!memcmp(large, got, sizeof got));
    close(a), close(b), close(c), close(d);
}

/* Echoes until an empty datagram comes. */
static int echo_as_child(void)
{
    struct sockaddr_in in = at("0.0.0.0", 4210), from;
    int s = udp();
    char text[64];

    CHECK_OK(bind(s, AT(in)));
    for (;;) {
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(s, text, sizeof text, 0, (struct sockaddr *)&from, &size);
        CHECK(got >= 0);
        CHECK_EQ(sendto(s, text, (size_t)got, 0, (struct sockaddr *)&from, size), got);
        if (got == 0)
            return 42;
    }
}

static void neighbours_within_the_machine(void)
{
    struct timeval limit = {.tv_usec = 100000};
    struct sockaddr_in to = at("10.0.2.15", 4210);
    pid_t pid = fork();
    char text[64];
    int status;

    if (pid == 0)
        exit(echo_as_child());
    CHECK(pid > 0);
    int s = udp();
    CHECK_OK(connect(s, AT(to)));
    CHECK_OK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    for (int tries = 0;; tries++) { /* until it is there */
        CHECK_EQ(send(s, "?", 1, 0), 1);
        if (recv(s, text, sizeof text, 0) == 1)
            break;
        CHECK(errno == EAGAIN && tries < 100);
    }
    limit = (struct timeval){.tv_sec = 20};
    CHECK_OK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    for (size_t i = 50; i-- > 0;) {
        memset(text, (int)i, i);
        CHECK_EQ(send(s, text, i, 0), i);
        while (recv(s, text, sizeof text, 0) != (ssize_t)i) /* late answers to '?' */
            CHECK(i > 1 && text[0] == '?');
        CHECK(i == 0 || text[i - 1] == (char)i);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 42);
    CHECK_OK(close(s));
}

int main(void)
{
    if (aegis_info()->netif_count == 0)
        return 0;
    texts();
    int s = udp();
    struct sockaddr_in in = at("0.0.0.0", 4100);
    CHECK_ERRNO(bind(s, AT(in)), ENETDOWN); /* nobody has introduced netd */
    CHECK_OK(close(s));
    netd_start();
    netd_introduce();
    refusals();
    ports();
    connecting();
    waiting();
    options();
    forking();
    own_addresses();
    neighbours_within_the_machine();
    netd_end();
    return 0;
}
