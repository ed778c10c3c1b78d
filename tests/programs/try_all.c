/* try_all HOST SERVICE: connects to the first address that answers, sends standard input and prints
 * what comes back, both until their ends. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first that takes the connection, or -1. */
static int connect_to(const char *host, const char *service)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    int fd = -1, error = getaddrinfo(host, service, &hints, &list);

    if (error) {
        fprintf(stderr, "try_all: %s: %s\n", host, gai_strerror(error));
        return -1;
    }
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        perror("try_all: connect");
    return fd;
}

int main(int argc, char **argv)
{
    char line[512];
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    char name[NI_MAXHOST];
    int fd = argc > 2 ? connect_to(argv[1], argv[2]) : -1;

    if (fd < 0)
        return 1;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) ||
        getnameinfo((struct sockaddr *)&peer, size, name, sizeof name, NULL, 0, NI_NUMERICHOST))
        return 1;
    printf("try_all: connected to %s\n", name);
    FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
    if (!in || !out)
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        fputs(line, out);
        fflush(out);
        if (!fgets(line, sizeof line, in))
            break;
        printf("back: %s", line);
    }
    shutdown(fd, SHUT_WR);
    while (fgets(line, sizeof line, in))
        printf("late: %s", line);
    printf("try_all: %s\n", ferror(in) ? "error" : "end");
    return 0;
}
