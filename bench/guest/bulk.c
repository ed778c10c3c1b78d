/*
 * bulk: takes and gives streams of bytes over TCP, for the bench's client (bench/client/bulk.h). On
 * port 9 it takes all that comes until the peer ends, and answers how many bytes that were; on port
 * 19 it reads how many bytes are wanted, and gives them. Numbers are 64 bits, high byte first. One
 * connection at a time, by ordinary sockets; the same source is compiled for Linux.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apps/program.h"

#define SINK   9
#define SOURCE 19
#define PERIOD 251            /* of the pattern: byte i is i modulo that */
#define BLOCK  (256 * PERIOD) /* bytes of a call */

const char program_name[] = "bulk";
const char program_usage[] = "bulk  (takes streams on port 9, gives them on port 19)";

static uint8_t block[BLOCK];

static int listen_on(uint16_t port)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
    int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(s, (struct sockaddr *)&own, sizeof own) || listen(s, 4))
        return -1;
    return s;
}

static void take(int s)
{
    static uint8_t bytes[BLOCK];
    uint8_t answer[8];
    uint64_t count = 0;
    ssize_t got;

    while ((got = recv(s, bytes, sizeof bytes, 0)) > 0)
        count += (uint64_t)got;
    for (int i = 0; i < 8; i++)
        answer[i] = (uint8_t)(count >> (56 - 8 * i));
    if (got == 0)
        send(s, answer, sizeof answer, MSG_NOSIGNAL);
}

static void give(int s)
{
    uint8_t asked[8];
    uint64_t left = 0;
    size_t at = 0;

    for (size_t have = 0; have < sizeof asked;) {
        ssize_t got = recv(s, asked + have, sizeof asked - have, 0);
        if (got <= 0)
            return;
        have += (size_t)got;
    }
    for (int i = 0; i < 8; i++)
        left = left << 8 | asked[i];
    while (left > 0) {
        size_t length = left < BLOCK - at ? left : BLOCK - at;
        ssize_t sent = send(s, block + at, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        left -= (uint64_t)sent;
        at = (at + (size_t)sent) % BLOCK;
    }
}

int main(int argc, char **argv)
{
    take_help(argc, argv);
    if (argc > 1)
        return usage();
    struct pollfd listeners[] = {{.fd = listen_on(SINK), .events = POLLIN},
                                 {.fd = listen_on(SOURCE), .events = POLLIN}};
    static void (*const serve[])(int) = {take, give};

    if (listeners[0].fd < 0 || listeners[1].fd < 0)
        return failed("ports 9 and 19");
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (uint8_t)(i % PERIOD);
    printf("bulk: ports %d and %d\n", SINK, SOURCE);
    fflush(stdout);
    while (poll(listeners, 2, -1) > 0)
        for (int i = 0; i < 2; i++) {
            int s = listeners[i].revents ? accept(listeners[i].fd, NULL, NULL) : -1;
            if (s < 0)
                continue;
            serve[i](s);
            close(s);
        }
    return failed("poll");
}
