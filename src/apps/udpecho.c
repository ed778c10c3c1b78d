/*
 * udpecho: answers every datagram that comes to a port, by sockets, as it would anywhere: what
 * udp-echo does on a ring.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "apps/program.h"

const char program_name[] = "udpecho";
const char program_usage[] = "udpecho [PORT]  (answers each datagram; without PORT, 7)";

int main(int argc, char **argv)
{
    static char bytes[65536];
    long port = argc == 2 ? number(argv[1], 1, UINT16_MAX) : 7;
    struct sockaddr_in6 from, own = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    take_help(argc, argv);
    if (argc > 2 || port < 0)
        return usage();
    int s = socket(AF_INET6, SOCK_DGRAM, 0); /* of IPv4 as well */
    if (s < 0 || bind(s, (struct sockaddr *)&own, sizeof own)) {
        perror("udpecho: port");
        return 1;
    }
    printf("udpecho: port %ld\n", port);
    for (;;) {
        socklen_t size = sizeof from;
        ssize_t count = recvfrom(s, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size);
        if (count >= 0)
            count = sendto(s, bytes, (size_t)count, 0, (struct sockaddr *)&from, size);
        if (count < 0)
            perror("udpecho");
    }
}
