#include "calls.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    int number;
    const char *name;
} errors[] = {
#define NAME(error)                                                                                \
    {                                                                                              \
        error, #error                                                                              \
    }
    NAME(EACCES),          NAME(EADDRINUSE),   NAME(EADDRNOTAVAIL), NAME(EAFNOSUPPORT),
    NAME(EAGAIN),          NAME(EALREADY),     NAME(EBADF),         NAME(ECONNABORTED),
    NAME(ECONNREFUSED),    NAME(ECONNRESET),   NAME(EDESTADDRREQ),  NAME(EDOM),
    NAME(EFAULT),          NAME(EHOSTUNREACH), NAME(EINPROGRESS),   NAME(EINTR),
    NAME(EINVAL),          NAME(EISCONN),      NAME(EMFILE),        NAME(EMSGSIZE),
    NAME(ENETDOWN),        NAME(ENETUNREACH),  NAME(ENOBUFS),       NAME(ENODEV),
    NAME(ENOPROTOOPT),     NAME(ENOSPC),       NAME(ENOTCONN),      NAME(ENOTSOCK),
    NAME(ENOTTY),          NAME(EOPNOTSUPP),   NAME(EPERM),         NAME(EPIPE),
    NAME(EPROTONOSUPPORT), NAME(EPROTOTYPE),   NAME(ESPIPE),        NAME(ETIMEDOUT),
#undef NAME
};

static const char *area = "";
static volatile sig_atomic_t broken;

static void note(int signal)
{
    (void)signal;
    broken++;
}

static const char *name_of(int error)
{
    static char other[16];

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].number == error)
            return errors[i].name;
    snprintf(other, sizeof other, "%d", error);
    return other;
}

void calls_begin(const char *name)
{
    area = name;
}

static void say(const char *what, const char *result)
{
    printf("%s: %s = %s%s\n", area, what, result, broken ? " SIGPIPE" : "");
    fflush(stdout); /* up to where it came, if it hangs */
    broken = 0;
}

long calls_say(const char *what, long result)
{
    char number[24];
    int error = errno;

    snprintf(number, sizeof number, "%ld", result);
    say(what, result == -1 ? name_of(error) : number);
    return result;
}

long calls_say_made(const char *what, long result)
{
    say(what, result == -1 ? name_of(errno) : "done");
    return result;
}

void calls_tell(const char *what, long value)
{
    char number[24];

    snprintf(number, sizeof number, "%ld", value);
    say(what, number);
}

static long need(long result, const char *what)
{
    if (result < 0) {
        printf("%s fails: %s\n", what, name_of(errno));
        exit(1);
    }
    return result;
}
#define NEED(call) need(call, #call)

struct sockaddr_in calls_address(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((in_port_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int calls_socket(int type, in_port_t *port)
{
    struct sockaddr_in address = calls_address(0);
    socklen_t size = sizeof address;
    int fd = (int)NEED(socket(AF_INET, type, 0));

    if (port) {
        NEED(bind(fd, P(address), size));
        NEED(getsockname(fd, P(address), &size));
        *port = address.sin_port;
    }
    return fd;
}

void calls_connect(int ends[2])
{
    struct sockaddr_in address = calls_address(0);
    int listener = calls_socket(SOCK_STREAM, &address.sin_port);

    NEED(listen(listener, 1));
    ends[0] = calls_socket(SOCK_STREAM, NULL);
    NEED(connect(ends[0], P(address), sizeof address));
    ends[1] = (int)NEED(accept(listener, NULL, NULL));
    close(listener);
}

void calls_pair_of_datagrams(int ends[2])
{
    struct sockaddr_in address = calls_address(0);

    ends[1] = calls_socket(SOCK_DGRAM, &address.sin_port);
    ends[0] = calls_socket(SOCK_DGRAM, NULL);
    NEED(connect(ends[0], P(address), sizeof address));
}

void calls_await(int fd, short events)
{
    struct pollfd polled = {.fd = fd, .events = events};

    if (NEED(poll(&polled, 1, 20000)) == 0) {
        printf("%s: nothing comes\n", area);
        exit(1);
    }
}

const char *calls_program;

int main(int argc, char **argv)
{
    calls_program = argv[0];
    if (argc > 2 && !strcmp(argv[1], "echo")) {
        calls_echo(atoi(argv[2]));
        return 7;
    }
    signal(SIGPIPE, note);
    calls_descriptors();
    calls_ends();
    calls_bytes();
    calls_options();
    calls_polls();
    calls_names();
    calls_control();
    calls_pairs();
    puts("calls: done");
    return 0;
}
