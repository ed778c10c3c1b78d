/*
 * aegisctl rtt: round trips of UDP datagrams, or over a TCP connection, to an echo service in the
 * machine, one at a time; or of requests to a web server (rtt_http.h).
 *
 * Each payload holds its number and this run's nonce, and is filled from both, so that an answer
 * that is late, doubled, cut or altered is told from the right one.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "commands.h"
#include "rtt_http.h"
#include "rtt_print.h"

#define SIZE_MAX_UDP 1472 /* what fits an Ethernet frame */
#define SIZE_USUAL   60
#define GIVE_UP      10 /* datagrams lost in a row */

struct run {
    long count, size, limit_ms;
    uint32_t nonce;
    bool tcp;
    struct rtt_http http; /* with a path: what is asked, over TCP */
    int fd;
    int64_t *times; /* ns, of the answered ones */
    long answered, lost, wrong;
};

static void fill(const struct run *run, uint32_t number, uint8_t *payload)
{
    uint32_t state = run->nonce ^ number;

    memcpy(payload, &number, 4);
    memcpy(payload + 4, &run->nonce, 4);
    for (long i = 8; i < run->size; i++) {
        state = state * 1664525 + 1013904223; /* Numerical Recipes' generator */
        payload[i] = (uint8_t)(state >> 24);
    }
}

enum verdict { RIGHT, LATE, WRONG };

/* Late: the right answer to an earlier datagram that was given up. */
static enum verdict judge(const struct run *run, uint32_t number, const uint8_t *expected,
                          const uint8_t *got, ssize_t size)
{
    uint8_t earlier[SIZE_MAX_UDP];
    uint32_t claimed;

    if (size == run->size && memcmp(got, expected, (size_t)size) == 0) {
        return RIGHT;
    }
    if (size != run->size) {
        return WRONG;
    }
    memcpy(&claimed, got, 4);
    if (claimed >= number) {
        return WRONG;
    }
    fill(run, claimed, earlier);
    return memcmp(got, earlier, (size_t)size) == 0 ? LATE : WRONG;
}

/* Wait for the answer to one datagram. Returns 1, 0 at its deadline, -1 if the socket fails. */
static int await_answer(struct run *run, uint32_t number, const uint8_t *expected, int64_t deadline,
                        struct why *why)
{
    uint8_t got[SIZE_MAX_UDP + 1];

    for (;;) {
        struct pollfd p = {.fd = run->fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, clock_left(deadline)) == 0) {
            return 0;
        }
        n = recv(run->fd, got, sizeof got, MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return why_set(why, "nobody answers there: %s", strerror(errno));
        }
        if (n < 0) {
            continue;
        }
        switch (judge(run, number, expected, got, n)) {
        case RIGHT:
            return 1;
        case WRONG:
            run->wrong++;
            break;
        case LATE:
            break;
        }
    }
}

/* The same over a connection, which brings the answer in pieces, and none of it late. */
static int await_bytes(struct run *run, const uint8_t *expected, int64_t deadline, struct why *why)
{
    uint8_t got[SIZE_MAX_UDP];
    size_t at = 0, size = (size_t)run->size;

    while (at < size) {
        struct pollfd p = {.fd = run->fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, clock_left(deadline)) == 0) {
            return why_set(why, "%zu of %zu bytes came back within %ld ms", at, size,
                           run->limit_ms);
        }
        n = recv(run->fd, got + at, size - at, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return why_set(why, "the connection is gone: %s", n ? strerror(errno) : "closed");
        }
        at += n > 0 ? (size_t)n : 0;
    }
    if (memcmp(got, expected, size) != 0) {
        return why_set(why, "what came back is not what was sent (%ld right before)",
                       run->answered);
    }
    return 1;
}

static int exchange_pages(struct run *run, struct why *why)
{
    for (; run->answered < run->count; run->answered++) {
        int64_t start = clock_ns();

        if (rtt_http_exchange(&run->http, run->fd, clock_ms() + run->limit_ms, why) != 0) {
            return why_in(why, "after %ld answers", run->answered);
        }
        run->times[run->answered] = clock_ns() - start;
    }
    run->size = (long)run->http.size;
    return 0;
}

static int exchange_all(struct run *run, struct why *why)
{
    uint8_t payload[SIZE_MAX_UDP];
    int in_a_row = 0;

    for (long i = 0; i < run->count; i++) {
        int64_t start;
        int status;

        fill(run, (uint32_t)i, payload);
        start = clock_ns();
        if (send(run->fd, payload, (size_t)run->size, 0) != run->size) {
            return why_set(why, "cannot send: %s", strerror(errno));
        }
        status = run->tcp
                     ? await_bytes(run, payload, clock_ms() + run->limit_ms, why)
                     : await_answer(run, (uint32_t)i, payload, clock_ms() + run->limit_ms, why);
        if (status < 0) {
            return -1;
        }
        if (status > 0) {
            run->times[run->answered++] = clock_ns() - start;
            in_a_row = 0;
        } else {
            run->lost++;
            if (++in_a_row == GIVE_UP) {
                return why_set(why,
                               "%d datagrams in a row were not answered within %ld ms each (%ld "
                               "answered before, %ld wrong answers); aegisctl list shows who gets "
                               "frames, aegisctl capture which arrive",
                               GIVE_UP, run->limit_ms, run->answered, run->wrong);
            }
        }
    }
    return 0;
}

/* The host's port that leads to a port of the guest, as the broker knows. */
static int ask_port(const char *instance, long guest, bool tcp, long *port, struct why *why)
{
    struct control_info info = {0};
    struct control_informed informed;
    struct control_forward_row row;
    struct client_session session;
    struct control_message reply;
    size_t position = 0;
    int status;

    status = client_open(&session, instance, why);
    if (status == 0) {
        status = client_ask(&session, CONTROL_INFO, CONTROL_RECORD_info, &info, CLIENT_LIMIT_MS,
                            &reply, why);
    }
    if (status == 0 &&
        control_decode(CONTROL_RECORD_informed, reply.body, reply.size, &informed) != 0) {
        status = why_set(why, "the broker's reply is malformed");
    }
    while (status == 0 && *port == 0 &&
           control_next_row(CONTROL_RECORD_forward_row, reply.body, reply.size, &position, &row) >
               0) {
        *port = row.guest == (uint32_t)guest && row.tcp == tcp ? (long)row.host : 0;
    }
    client_close(&session);
    if (status == 0 && strcmp(informed.net, "user") != 0) {
        client_printable(informed.net);
        return why_set(why,
                       "instance %s runs with --net %s, and only --net user gives it ports of the "
                       "host: start one with aegisctl run --net user --port 0:%ld",
                       instance, informed.net, guest);
    }
    if (status == 0 && *port == 0) {
        return why_set(
            why,
            "no port of the host leads to port %ld of instance %s; start it with aegisctl "
            "run --port 0:%ld%s",
            guest, instance, guest, tcp ? "/tcp" : "");
    }
    return status;
}

static int open_socket(long port, bool tcp, struct why *why)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        return why_set(why, "no socket to 127.0.0.1:%ld: %s", port, strerror(errno));
    }
    if (tcp) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return fd;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void print_result(struct run *run, long port, enum rtt_format format)
{
    const struct rtt_result result = {.times = run->times,
                                      .answered = run->answered,
                                      .lost = run->lost,
                                      .wrong = run->wrong,
                                      .size = run->size,
                                      .port = port};

    qsort(run->times, (size_t)run->answered, sizeof run->times[0], compare);
    rtt_print(&result, format);
}

/* Why a run that came to its end has failed. */
static void tell_wrong(const struct run *run, long port, struct why *why)
{
    if (run->wrong == 0) {
        why_set(why, "127.0.0.1:%ld: none of %ld datagrams was answered within %ld ms", port,
                run->count, run->limit_ms);
    } else {
        why_set(why, "127.0.0.1:%ld: %ld answers were wrong, %ld right", port, run->wrong,
                run->answered);
    }
}

static int measure(struct run *run, long port, enum rtt_format format)
{
    struct why why;
    int status = 0;

    run->fd = open_socket(port, run->tcp, &why);
    run->times = calloc((size_t)run->count, sizeof run->times[0]);
    if (run->times == NULL || getrandom(&run->nonce, sizeof run->nonce, 0) != sizeof run->nonce) {
        why_set(&why, "no memory for %ld round trips, or no random number", run->count);
        status = -1;
    } else if (run->fd < 0 ||
               (run->http.path ? exchange_pages(run, &why) : exchange_all(run, &why)) != 0) {
        status = -1;
    }
    if (status != 0) {
        why_in(&why, "127.0.0.1:%ld", port);
        status = why_print(&why, "rtt");
    } else {
        print_result(run, port, format);
        status = run->wrong == 0 && run->answered > 0 ? 0 : 1;
        if (status != 0) {
            tell_wrong(run, port, &why);
            why_print(&why, "rtt");
        }
    }
    if (run->fd >= 0) {
        close(run->fd);
    }
    free(run->times);
    free(run->http.page);
    return status;
}

static int rtt(const struct command *command, int argc, char **argv)
{
    const char *name = INSTANCE_DEFAULT;
    struct run run = {.count = 1000, .limit_ms = 1000, .fd = -1};
    long port = 0, guest = 7;
    bool json = false, plain = false;
    const struct option_row rows[] = {
        {"count", OPTION_NUMBER, &run.count, "N", "datagrams, one after the other (default: 1000)",
         1, 10000000},
        {"size", OPTION_NUMBER, &run.size, "BYTES", "payload of each (default: 60)", 8,
         SIZE_MAX_UDP},
        {"limit", OPTION_NUMBER, &run.limit_ms, "MS",
         "how long to wait for each answer (default: 1000)", 1, 60000},
        {"guest", OPTION_NUMBER, &guest, "PORT", "port of the guest (default: 7)", 1, 65535},
        {"port", OPTION_NUMBER, &port, "PORT",
         "port of the host, if not the one that leads to --guest", 1, 65535},
        {"tcp", OPTION_FLAG, &run.tcp, NULL, "over one connection of TCP instead of UDP", 0, 0},
        {"http", OPTION_TEXT, &run.http.path, "PATH",
         "GET PATH from a web server, over one connection, instead", 0, 0},
        {"json", OPTION_FLAG, &json, NULL, "print one JSON object instead", 0, 0},
        {"no-histogram", OPTION_FLAG, &plain, NULL, "print the table alone", 0, 0},
        {"instance", OPTION_TEXT, &name, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (run.http.path && (run.size != 0 || run.http.path[0] != '/')) {
        return usage_error(command, "--http takes a path that begins with /, and no --size: a page "
                                    "has its own");
    }
    run.tcp |= run.http.path != NULL;
    run.size = run.size ? run.size : SIZE_USUAL;
    if (port == 0 && ask_port(name, guest, run.tcp, &port, &why) != 0) {
        return why_print(&why, "rtt");
    }
    return measure(&run, port, json ? RTT_JSON : plain ? RTT_TABLE : RTT_HISTOGRAM);
}

const struct command command_rtt = {
    "rtt", "", 0, 0, "Measure round trips of UDP datagrams, over TCP, or of pages, to the machine.",
    rtt,
};
