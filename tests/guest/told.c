/*
 * What netd tells programs of their ports.
 *
 *   told refused ADDRESS PORT   a datagram of a connected socket's, and what is said of it
 *   told connect ADDRESS PORT   a connection, and why there is none
 *   told path ADDRESS PORT      datagrams, and how large they may be
 *   told long ADDRESS PORT      sends a datagram that takes several frames
 *   told sizes PORT             answers each datagram with its size and sum
 *   told sizes6 PORT            the same in IPv6
 *   told inside OWN PEER PORT   a conversation of this machine's with itself, at OWN from PORT + 1,
 *                               and what has been said of it once something is of one with PEER
 *   told die PORT               listens, and ends without a word
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE 20000 /* ms */

static struct sockaddr_in own = {.sin_family = AF_INET};
static struct sockaddr_storage peer; /* of either family */
static socklen_t peer_size;

static void read_peer(const char *address, const char *port)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&peer;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&peer;
    in_port_t number = htons((uint16_t)strtoul(port, NULL, 10));

    if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = number;
        peer_size = sizeof *six;
    } else {
        inet_pton(AF_INET, address, &four->sin_addr);
        four->sin_family = AF_INET;
        four->sin_port = number;
        peer_size = sizeof *four;
    }
}

static int make(int type)
{
    return socket(peer.ss_family, type, 0);
}

/* Asks for nothing else meanwhile. */
static bool await_error(int s, int *error)
{
    socklen_t size = sizeof *error;

    for (int ms = 0; ms < PATIENCE; ms += 10) {
        if (getsockopt(s, SOL_SOCKET, SO_ERROR, error, &size) || *error)
            return *error;
        usleep(10000);
    }
    return false;
}

static int refused(void)
{
    int s = make(SOCK_DGRAM), error = 0;
    struct pollfd poll_for = {.fd = s, .events = POLLIN};
    char byte = 'x';

    if (connect(s, (struct sockaddr *)&peer, peer_size) || send(s, &byte, 1, 0) != 1)
        return 1;
    int ready = poll(&poll_for, 1, PATIENCE);
    printf("told: ready %d, events %s%s\n", ready, poll_for.revents & POLLIN ? "in " : "",
           poll_for.revents & POLLERR ? "error" : "");
    if (recv(s, &byte, 1, MSG_DONTWAIT) == -1)
        printf("told: recv: %s\n", strerror(errno));
    if (recv(s, &byte, 1, MSG_DONTWAIT) == -1) /* once */
        printf("told: again: %s\n", strerror(errno));
    if (send(s, &byte, 1, 0) == 1 && await_error(s, &error))
        printf("told: SO_ERROR: %s\n", strerror(error));
    if (send(s, &byte, 1, 0) == 1 && poll(&poll_for, 1, PATIENCE) == 1 &&
        send(s, &byte, 1, 0) == -1)
        printf("told: send: %s\n", strerror(errno));
    return 0;
}

static int connects(void)
{
    int s = make(SOCK_STREAM);

    errno = 0;
    if (connect(s, (struct sockaddr *)&peer, peer_size) == 0)
        puts("told: connected");
    else
        printf("told: connect: %s\n", strerror(errno));
    return 0;
}

/* What is known of the way, as far as the socket is told. */
static int path_of(int s)
{
    int mtu = 0;
    socklen_t size = sizeof mtu;

    return getsockopt(s, IPPROTO_IPV6, IPV6_MTU, &mtu, &size) ? -errno : mtu;
}

static int path(void)
{
    static char bytes[2000];
    int s = make(SOCK_DGRAM), error = 0;

    if (path_of(s) != -ENOTCONN || connect(s, (struct sockaddr *)&peer, peer_size))
        return 1;
    printf("told: path %d\n", path_of(s));
    if (send(s, bytes, 1452, 0) == 1452 && await_error(s, &error))
        printf("told: path %d: %s\n", path_of(s), strerror(error));
    ssize_t more = send(s, bytes, (size_t)path_of(s) - 47, 0);
    printf("told: one byte more: %s\n", more < 0 ? strerror(errno) : "sent");
    printf("told: sent %d\n", (int)send(s, bytes, (size_t)path_of(s) - 48, 0));
    ssize_t other = sendto(s, bytes, 1452, 0, (struct sockaddr *)&peer, peer_size);
    printf("told: named %d\n", (int)other); /* Who names an address may know better */
    if (connect(s, (struct sockaddr *)&peer, peer_size) == 0)
        printf("told: path %d again\n", path_of(s));
    return 0;
}

static int send_long(void)
{
    static unsigned char bytes[20000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i % 251);
    ssize_t sent =
        sendto(make(SOCK_DGRAM), bytes, sizeof bytes, 0, (struct sockaddr *)&peer, peer_size);
    printf("told: sent %zd\n", sent);
    return 0;
}

static int sizes(int family)
{
    static unsigned char bytes[65536];
    const struct sockaddr_in6 own6 = {.sin6_family = AF_INET6, .sin6_port = own.sin_port};
    bool is_six = family == AF_INET6;
    int s = socket(family, SOCK_DGRAM, 0);
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t size;

    if (bind(s, is_six ? (const void *)&own6 : &own, is_six ? sizeof own6 : sizeof own))
        return 1;
    puts("told: bound");
    while ((size = recvfrom(s, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length)) >= 0) {
        unsigned sum = 0;
        char text[40];
        for (ssize_t i = 0; i < size; i++)
            sum = sum * 31 + bytes[i];
        int text_size = snprintf(text, sizeof text, "%zd %u", size, sum);
        sendto(s, text, (size_t)text_size, 0, (struct sockaddr *)&from, length);
    }
    return 1;
}

/* A socket of the peer's family, with a port of its own if `port` isn't 0. */
static int make_bound(int port)
{
    struct sockaddr_in6 any = {.sin6_family = peer.ss_family, .sin6_port = htons((uint16_t)port)};
    int s = make(SOCK_DGRAM);

    return bind(s, (struct sockaddr *)&any, peer_size) ? -1 : s;
}

static bool say_hello(int s)
{
    return connect(s, (struct sockaddr *)&peer, peer_size) == 0 && send(s, "x", 1, 0) == 1;
}

static int inside(const char *there, const char *port)
{
    int number = atoi(port), error = 0, told = 0, server = make_bound(number);
    int client = make_bound(number + 1), other = make(SOCK_DGRAM);
    socklen_t size = sizeof error;

    if (server < 0 || client < 0 || !say_hello(client))
        return 1;
    read_peer(there, port);
    if (!say_hello(other) || !await_error(other, &told) ||
        getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &size))
        return 1;
    printf("told: outside %s, inside %s\n", strerror(told), strerror(error));
    return 0;
}

static int die(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(s, (const struct sockaddr *)&own, sizeof own) || listen(s, 1))
        return 1;
    puts("told: listens");
    fflush(stdout);
    raise(SIGKILL);
    return 1;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 4) {
        read_peer(argv[2], argv[3]);
        if (!strcmp(argv[1], "path"))
            return path();
        if (!strcmp(argv[1], "long"))
            return send_long();
        return !strcmp(argv[1], "refused") ? refused() : connects();
    }
    if (argc == 5) {
        read_peer(argv[2], argv[4]);
        return inside(argv[3], argv[4]);
    }
    if (argc != 3)
        return 2;
    own.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    if (!strncmp(argv[1], "sizes", 5))
        return sizes(argv[1][5] ? AF_INET6 : AF_INET);
    return die();
}
