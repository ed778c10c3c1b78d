/* select_echo PORT [CLIENTS]: TCP echo, one process, select. With CLIENTS it ends when so many have
 * left. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_at(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((in_port_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_ANY)};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) || listen(fd, 16)) {
        perror("select_echo: listen");
        exit(1);
    }
    return fd;
}

static int write_all(int fd, const char *bytes, size_t count)
{
    while (count) {
        ssize_t n = write(fd, bytes, count);
        if (n < 0 && errno != EINTR)
            return -1;
        bytes += n > 0 ? n : 0;
        count -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Whether the client is still there. */
static int serve(int fd)
{
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);

    return n > 0 && write_all(fd, bytes, (size_t)n) == 0;
}

int main(int argc, char **argv)
{
    int listener = listen_at(argc > 1 ? atoi(argv[1]) : 7), most = listener;
    int left = argc > 2 ? atoi(argv[2]) : -1;
    fd_set all, ready;

    signal(SIGPIPE, SIG_IGN);
    FD_ZERO(&all);
    FD_SET(listener, &all);
    printf("select_echo: ready\n");
    fflush(stdout);
    while (left != 0) {
        ready = all;
        if (select(most + 1, &ready, NULL, NULL, NULL) < 0) {
            if (errno == EINTR)
                continue;
            perror("select_echo: select");
            return 1;
        }
        for (int fd = 0; fd <= most; fd++) {
            if (!FD_ISSET(fd, &ready))
                continue;
            if (fd == listener) {
                int client = accept(listener, NULL, NULL);
                if (client < 0)
                    continue;
                FD_SET(client, &all);
                most = client > most ? client : most;
            } else if (!serve(fd)) {
                close(fd);
                FD_CLR(fd, &all);
                left -= left > 0;
            }
        }
    }
    printf("select_echo: done\n");
    return 0;
}
