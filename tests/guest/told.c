/*
 * What netd tells programs of their ports.
 *
 *   told refused ADDRESS PORT   a datagram of a connected socket's, and what is said of it
 *   told connect ADDRESS PORT   a connection, and why there is none
 *   told sizes PORT             answers each datagram with its size and sum
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

static struct sockaddr_in peer = {.sin_family = AF_INET};

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
    int s = socket(AF_INET, SOCK_DGRAM, 0), error = 0;
    struct pollfd poll_for = {.fd = s, .events = POLLIN};
    char byte = 'x';

    if (connect(s, (struct sockaddr *)&peer, sizeof peer) || send(s, &byte, 1, 0) != 1)
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
    int s = socket(AF_INET, SOCK_STREAM, 0);

    errno = 0;
    if (connect(s, (struct sockaddr *)&peer, sizeof peer) == 0)
        puts("told: connected");
    else
        printf("told: connect: %s\n", strerror(errno));
    return 0;
}

static int sizes(const struct sockaddr_in *own)
{
    static unsigned char bytes[65536];
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t size;

    if (bind(s, (const struct sockaddr *)own, sizeof *own))
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

static int die(const struct sockaddr_in *own)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(s, (const struct sockaddr *)own, sizeof *own) || listen(s, 1))
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
        inet_aton(argv[2], &peer.sin_addr);
        peer.sin_port = htons((uint16_t)atoi(argv[3]));
        return !strcmp(argv[1], "refused") ? refused() : connects();
    }
    if (argc != 3)
        return 2;
    peer.sin_port = htons((uint16_t)atoi(argv[2]));
    return !strcmp(argv[1], "sizes") ? sizes(&peer) : die(&peer);
}
