/*
 * The peer's UDP echo: what a program on Linux does to answer datagrams, and no more. Argument: the
 * port.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in self = {.sin_family = AF_INET};
    if (argc != 2) {
        fprintf(stderr, "usage: udp-echo PORT\n");
        return 2;
    }
    self.sin_port = htons((uint16_t)atoi(argv[1]));
    if (fd < 0 || bind(fd, (struct sockaddr *)&self, sizeof(self)) < 0) {
        perror("udp-echo: socket");
        return 1;
    }
    printf("udp-echo: ready\n");
    fflush(stdout);
    for (;;) {
        static char bytes[2048];
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        ssize_t length = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &size);
        if (length >= 0)
            sendto(fd, bytes, (size_t)length, 0, (struct sockaddr *)&from, size);
    }
}
