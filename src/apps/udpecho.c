/*
 * udpecho: answers every datagram that comes to a port, by sockets, as it would anywhere: what
 * udp-echo does on a ring.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    static char bytes[65536];
    unsigned long port = argc == 2 ? strtoul(argv[1], NULL, 10) : 7;
    struct sockaddr_in from, own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    if (argc > 2 || port < 1 || port > 65535) {
        fprintf(stderr, "usage: udpecho [PORT]\n");
        return 2;
    }
    if (s < 0 || bind(s, (struct sockaddr *)&own, sizeof own)) {
        perror("udpecho: port");
        return 1;
    }
    printf("udpecho: port %lu\n", port);
    for (;;) {
        socklen_t size = sizeof from;
        ssize_t count = recvfrom(s, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size);
        if (count >= 0)
            count = sendto(s, bytes, (size_t)count, 0, (struct sockaddr *)&from, size);
        if (count < 0)
            perror("udpecho");
    }
}
