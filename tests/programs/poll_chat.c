/* poll_chat PORT: who says a line says it to all others; poll, and sockets that don't wait. It ends
 * by SIGTERM, or when the last one has left. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 16
#define LINE 256

static struct pollfd polled[MOST + 1]; /* the listener is behind the clients */
static struct client {
    int number;
    char line[LINE];
    size_t length;
} clients[MOST];
static nfds_t count;
static volatile sig_atomic_t over;

static void stop(int signal)
{
    (void)signal;
    over = 1;
}

/* To all but one; who doesn't read loses what is said. */
static void tell(nfds_t but, const char *text, size_t length)
{
    for (nfds_t i = 0; i < count; i++)
        if (i != but)
            send(polled[i].fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say(nfds_t who, const char *text)
{
    char line[LINE + 32];
    int length = snprintf(line, sizeof line, "%d %s\n", clients[who].number, text);
    tell(who, line, (size_t)length);
}

static void join(int listener)
{
    static int number;
    int fd = accept(listener, NULL, NULL);

    if (fd < 0)
        return;
    if (count == MOST) {
        close(fd);
        return;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    clients[count] = (struct client){.number = ++number};
    polled[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    say(count - 1, "is here");
    send(fd, "welcome\n", 8, MSG_NOSIGNAL);
}

static void leave(nfds_t who)
{
    say(who, "has left");
    close(polled[who].fd);
    count--;
    polled[who] = polled[count];
    clients[who] = clients[count];
}

static void hear(nfds_t who)
{
    struct client *c = &clients[who];
    ssize_t n = recv(polled[who].fd, c->line + c->length, LINE - 1 - c->length, 0);
    char *end;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        leave(who);
        return;
    }
    c->length += (size_t)n;
    while ((end = memchr(c->line, '\n', c->length)) || c->length == LINE - 1) {
        size_t whole = end ? (size_t)(end - c->line) : c->length;
        c->line[whole] = 0;
        say(who, c->line);
        whole += end != NULL;
        c->length -= whole;
        memmove(c->line, c->line + whole, c->length);
    }
}

int main(int argc, char **argv)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port =
                                            htons((in_port_t)(argc > 1 ? atoi(argv[1]) : 7)),
                                        .sin_addr.s_addr = htonl(INADDR_ANY)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), came = 0;

    signal(SIGTERM, stop);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) || listen(listener, 4)) {
        perror("poll_chat: listen");
        return 1;
    }
    printf("poll_chat: ready\n");
    fflush(stdout);
    while (!over && (!came || count)) {
        polled[count] = (struct pollfd){.fd = listener, .events = POLLIN};
        if (poll(polled, count + 1, -1) < 0 && errno != EINTR)
            return 1;
        int joins = polled[count].revents & POLLIN;
        for (nfds_t i = count; i-- > 0 && !over;) /* who leaves is replaced by one behind him */
            if (polled[i].revents)
                hear(i);
        if (joins) {
            join(listener);
            came = 1;
        }
    }
    printf("poll_chat: %s\n", over ? "stopped" : "empty");
    return 0;
}
