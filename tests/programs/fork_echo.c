/* fork_echo PORT CLIENTS: TCP echo, a child for each client, until so many children have ended. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ended, failed;

/* Several children may have ended by one signal. */
static void reap(int signal)
{
    int status, before = errno;

    (void)signal;
    while (waitpid(-1, &status, WNOHANG) > 0) {
        ended++;
        failed += !WIFEXITED(status) || WEXITSTATUS(status);
    }
    errno = before;
}

static int listen_at(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((in_port_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_ANY)};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) || listen(fd, 16)) {
        perror("fork_echo: listen");
        exit(1);
    }
    return fd;
}

static int serve(int fd)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t done = 0, part; done < n; done += part)
            if ((part = write(fd, bytes + done, (size_t)(n - done))) < 0)
                return 1;
    return n < 0;
}

static void accept_one(int listener)
{
    int client = accept(listener, NULL, NULL);
    pid_t pid = client < 0 ? -1 : fork();

    if (pid == 0) {
        close(listener);
        _exit(serve(client));
    }
    if (client >= 0 && pid < 0)
        perror("fork_echo: fork");
    close(client); /* the child has it */
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    int listener = listen_at(argc > 1 ? atoi(argv[1]) : 7), wanted = argc > 2 ? atoi(argv[2]) : 1;
    sigset_t child, before;
    fd_set ready;

    /* The signal comes in pselect alone: not between the look at `ended` and the wait. */
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &before);
    sigaction(SIGCHLD, &action, NULL);
    printf("fork_echo: ready\n");
    fflush(stdout);
    while (ended < wanted) {
        FD_ZERO(&ready);
        FD_SET(listener, &ready);
        if (pselect(listener + 1, &ready, NULL, NULL, NULL, &before) > 0)
            accept_one(listener);
        else if (errno != EINTR)
            return 1;
    }
    printf("fork_echo: %d ended, %d failed\n", (int)ended, (int)failed);
    return 0;
}
