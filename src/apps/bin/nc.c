/* nc: bytes between standard input and output and a connection, or datagrams. */
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "apps/program.h"

#define ROOM 4096

const char program_name[] = "nc";
const char program_usage[] =
    "nc [-46u] [-w SECONDS] HOST PORT\n"
    "       nc [-46u] [-w SECONDS] -l PORT  (-4, -6: IPv4, IPv6 alone; -u: UDP; "
    "-l: wait for a peer; -w: end after so long a silence)";

static bool is_udp, listens;
static int family;       /* AF_UNSPEC: any */
static int silence = -1; /* ms */

/* One direction. */
struct flow {
    int from, to;
    size_t at, size; /* of bytes: what is still to be written */
    bool ended;      /* nothing more comes */
    char bytes[ROOM];
};

static int no_name(const char *what, int error)
{
    fprintf(stderr, "nc: %s: %s\n", what, gai_strerror(error));
    return -1;
}

/* The first datagram's sender is the peer from then on. */
static int await_peer(int s)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;

    if (!is_udp) {
        int fd = accept(s, NULL, NULL);
        close(s);
        return fd;
    }
    char byte;
    if (recvfrom(s, &byte, 1, MSG_PEEK, (struct sockaddr *)&peer, &size) < 0 ||
        connect(s, (struct sockaddr *)&peer, size))
        return -1;
    return s;
}

static int open_socket(const struct addrinfo *at)
{
    int s = socket(at->ai_family, at->ai_socktype, at->ai_protocol), on = 1;

    if (s < 0)
        return -1;
    if (family == AF_INET6)
        setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listens ? bind(s, at->ai_addr, at->ai_addrlen) == 0 && (is_udp || listen(s, 1) == 0)
                : connect(s, at->ai_addr, at->ai_addrlen) == 0)
        return listens ? await_peer(s) : s;
    int error = errno;
    close(s);
    errno = error;
    return -1;
}

/* A socket with a peer, or -1 when the reason has been said. */
static int find_peer(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_flags = listens ? AI_PASSIVE : AI_ADDRCONFIG,
                                   .ai_family = listens && !family ? AF_INET6 : family,
                                   .ai_socktype = is_udp ? SOCK_DGRAM : SOCK_STREAM};
    struct addrinfo *list;
    int error = getaddrinfo(host, port, &hints, &list), s = -1;

    if (error)
        return no_name(host ? host : port, error);
    for (const struct addrinfo *at = list; at && s < 0; at = at->ai_next)
        s = open_socket(at);
    error = errno;
    freeaddrinfo(list);
    errno = error;
    if (s < 0)
        failed(host ? host : port);
    return s;
}

/* Reads, or writes what has been read. False: the direction is over. */
static bool move(struct flow *f)
{
    ssize_t n = f->size ? write(f->to, f->bytes + f->at, f->size) : read(f->from, f->bytes, ROOM);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (f->size && n > 0) {
        f->at += (size_t)n;
        f->size -= (size_t)n;
    } else if (!f->size && n >= 0 && (n > 0 || (is_udp && f->from > STDERR_FILENO))) {
        f->at = 0; /* an empty datagram ends nothing */
        f->size = (size_t)n;
    } else {
        f->ended = true;
        f->size = 0;
        return n == 0;
    }
    return true;
}

static struct pollfd next_of(const struct flow *f)
{
    return (struct pollfd){.fd = f->ended  ? -1
                                 : f->size ? f->to
                                           : f->from,
                           .events = f->size ? POLLOUT : POLLIN};
}

/* Until the peer ends, or both are silent for too long. 0 or 1. */
static int relay(int s)
{
    static struct flow out, in;

    out = (struct flow){.from = STDIN_FILENO, .to = s};
    in = (struct flow){.from = s, .to = STDOUT_FILENO};
    while (!in.ended) {
        struct pollfd polled[] = {next_of(&out), next_of(&in)};
        int ready = poll(polled, 2, silence);
        if (ready == 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return failed("poll");
        if (ready < 0)
            continue;
        if (polled[0].revents && !move(&out))
            return failed("peer");
        if (polled[0].revents && out.ended && !is_udp)
            shutdown(s, SHUT_WR);
        if (polled[1].revents && !move(&in))
            return failed("peer");
    }
    return 0;
}

int main(int argc, char **argv)
{
    int option;

    take_help(argc, argv);
    while ((option = getopt(argc, argv, "46ulw:")) != -1) {
        long seconds = option == 'w' ? number(optarg, 1, 1000000) : 0;
        if (option == '?' || seconds < 0)
            return usage();
        family = option == '4' ? AF_INET : option == '6' ? AF_INET6 : family;
        is_udp |= option == 'u';
        listens |= option == 'l';
        silence = seconds ? (int)seconds * 1000 : silence;
    }
    if (argc - optind != (listens ? 1 : 2))
        return usage();
    signal(SIGPIPE, SIG_IGN);
    int s = find_peer(listens ? NULL : argv[optind], argv[argc - 1]);
    if (s < 0)
        return 1;
    fcntl(s, F_SETFL, O_NONBLOCK);
    int status = relay(s);
    close(s);
    return status;
}
