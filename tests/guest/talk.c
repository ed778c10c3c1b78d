/*
 * talk ADDRESS PORT COUNT SIZE [SOCKETS]: sends COUNT datagrams of SIZE bytes to an echo there, by
 * turns from some connected sockets, and waits by poll for what comes back, which must be the same.
 * Says how many came.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SOCKETS_MAX 16
#define PATIENCE    3000 /* ms for an answer */

static unsigned char out[2048], in[2048];

static int talk(struct pollfd *sockets, int count, size_t size, int number)
{
    int which = number % count;

    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)(i * 7 + (unsigned)number);
    if (send(sockets[which].fd, out, size, 0) != (ssize_t)size) {
        perror("talk: send");
        return 0;
    }
    if (poll(sockets, (nfds_t)count, PATIENCE) != 1 || !(sockets[which].revents & POLLIN))
        return 0;
    return recv(sockets[which].fd, in, sizeof in, 0) == (ssize_t)size && !memcmp(in, out, size);
}

int main(int argc, char **argv)
{
    struct pollfd sockets[SOCKETS_MAX];
    struct sockaddr_in peer = {.sin_family = AF_INET};
    int good = 0, count = argc == 6 ? atoi(argv[5]) : 1;

    if (argc < 5 || inet_aton(argv[1], &peer.sin_addr) != 1 || count < 1 || count > SOCKETS_MAX ||
        strtoul(argv[4], NULL, 10) > sizeof out)
        return 2;
    peer.sin_port = htons((uint16_t)atoi(argv[2]));
    for (int i = 0; i < count; i++) {
        sockets[i] = (struct pollfd){.fd = socket(AF_INET, SOCK_DGRAM, 0), .events = POLLIN};
        if (connect(sockets[i].fd, (struct sockaddr *)&peer, sizeof peer)) {
            perror("talk: connect");
            return 1;
        }
    }
    for (int i = 0; i < atoi(argv[3]); i++)
        good += talk(sockets, count, strtoul(argv[4], NULL, 10), i);
    printf("talk: %d of %s came back\n", good, argv[3]);
    return good != atoi(argv[3]);
}
