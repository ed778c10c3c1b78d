/*
 * rivals KIND...: what programs at work get done beside a rival of each kind (rival.c;
 * tests/system/test_rivals.py). The measure are rivals that compute: they take their slices, and
 * whatever else one does may cost the others no more than that.
 *
 * At work are a program that computes, one that opens and closes a port every few milliseconds,
 * clients of an echo by UDP, of one by TCP, and of httpd, over the loop interface, and one that
 * sends datagrams through the device. For each it says how much it did, and how long a piece of its
 * work took at most.
 */
#include "rivals.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
#include "libos/start/start.h"
#include "libos/time/time.h"

#define MS       1000000UL
#define SETTLE   (300 * MS)  /* before a measurement */
#define MEASURED (1500 * MS) /* what it takes */
#define RETRY    300         /* ms for an answer by UDP */
#define PAUSE    5000        /* us between two ports, or two datagrams */

enum job { COMPUTE, OPEN, UDP, TCP, HTTP, SEND, JOBS };

/* What those at work have done: memory of all processes. */
static struct progress {
    volatile uint64_t done, longest; /* pieces of work; ticks that one took at most */
} * progress;

struct sockaddr_in rivals_at(const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

    inet_aton(address, &in.sin_addr);
    return in;
}

void rivals_give_up(const char *what)
{
    perror(what);
    printf("rivals: FAIL %s\n", what);
    fflush(stdout);
    _exit(1);
}

/* A piece of work that began then is done; returns the time. */
static uint64_t note(enum job job, uint64_t began)
{
    uint64_t now = time_now();

    if (now - began > progress[job].longest)
        progress[job].longest = now - began;
    progress[job].done++;
    return now;
}

/* Its longest time is that for which it didn't run. */
static void compute(void)
{
    for (uint64_t last = time_now();;)
        last = note(COMPUTE, last);
}

static void open_ports(void)
{
    for (;;) {
        struct sockaddr_in in = rivals_at("0.0.0.0", 0);
        uint64_t began = time_now();
        int s = socket(AF_INET, SOCK_DGRAM, 0);
        if (s < 0 || bind(s, AT(in)))
            rivals_give_up("bind");
        close(s);
        note(OPEN, began);
        usleep(PAUSE);
    }
}

static void echo_udp(void)
{
    struct sockaddr_in in = rivals_at("127.0.0.1", ECHO_PORT);
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct pollfd readable = {.fd = s, .events = POLLIN};

    if (s < 0 || connect(s, AT(in)))
        rivals_give_up("connect by UDP");
    for (uint64_t number = 1;; number++) {
        uint64_t began = time_now(), got = 0;
        while (got != number) { /* what comes late is none */
            if (send(s, &number, sizeof number, 0) != sizeof number && errno != ECONNREFUSED)
                rivals_give_up("send by UDP");
            while (got != number && poll(&readable, 1, RETRY) == 1)
                if (recv(s, &got, sizeof got, 0) < 0 && errno != ECONNREFUSED)
                    rivals_give_up("receive by UDP");
        }
        note(UDP, began);
    }
}

static int connected(uint16_t port)
{
    struct sockaddr_in in = rivals_at("127.0.0.1", port);

    for (int tries = 0; tries < 100; tries++) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(s, AT(in)) == 0)
            return s;
        close(s); /* the server begins */
        usleep(20000);
    }
    rivals_give_up("connect");
}

static void echo_tcp(void)
{
    int s = connected(ECHO_PORT);
    char text[64] = "echo";

    for (;;) {
        uint64_t began = time_now();
        if (send(s, text, sizeof text, 0) != sizeof text ||
            recv(s, text, sizeof text, MSG_WAITALL) != sizeof text)
            rivals_give_up("echo by TCP");
        note(TCP, began);
    }
}

/* The answer's head has the size of what follows. */
static void get(void)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    static char answer[4096];
    int s = connected(HTTP_PORT);

    for (;;) {
        uint64_t began = time_now();
        size_t size = 0, whole = sizeof answer;
        if (send(s, request, sizeof request - 1, 0) != sizeof request - 1)
            rivals_give_up("request");
        while (size < whole) {
            ssize_t more = recv(s, answer + size, sizeof answer - 1 - size, 0);
            if (more <= 0)
                rivals_give_up("answer");
            size += (size_t)more;
            answer[size] = 0;
            const char *length = strstr(answer, "Content-Length: "),
                       *end = strstr(answer, "\r\n\r\n");
            if (length && end)
                whole = (size_t)(end + 4 - answer) + strtoul(length + 16, NULL, 10);
        }
        note(HTTP, began);
    }
}

static void send_away(void)
{
    struct sockaddr_in in = rivals_at("0.0.0.0", SEND_PORT), to = rivals_at(GATEWAY, 9);
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    char text[64] = "sent";

    if (s < 0 || bind(s, AT(in)) || connect(s, AT(to)))
        rivals_give_up("port to send from");
    for (;;) {
        uint64_t began = time_now();
        if (send(s, text, sizeof text, 0) != sizeof text)
            rivals_give_up("send through the device");
        note(SEND, began);
        usleep(PAUSE);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} jobs[JOBS] = {{"compute", compute}, {"open", open_ports}, {"udp", echo_udp},
                {"tcp", echo_tcp},    {"http", get},        {"send", send_away}};

/* A process of its own, and a group, for ever. */
static pid_t begin(void (*run)(void))
{
    pid_t pid = fork();

    if (pid < 0)
        rivals_give_up("fork");
    if (pid == 0) {
        setpgid(0, 0);
        run();
        _exit(1);
    }
    return pid;
}

static void serve(const char *program)
{
    char name[16];
    char *argv[] = {name, NULL};
    pid_t pid;

    strncpy(name, program, sizeof name - 1)[sizeof name - 1] = 0;
    if (posix_spawn(&pid, name, NULL, NULL, argv, environ))
        rivals_give_up(program);
}

static void keep_place(void)
{
    for (;;)
        pause();
}

/* Ends a process and its group. */
static void end(pid_t pid)
{
    int status;

    kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) != pid)
        ;
}

static void wait_for(uint64_t ns)
{
    uint64_t until = time_after(ns);

    while (time_now() < until)
        usleep(10000);
}

/* What is done within the time of a measurement, and how long the longest piece took, in us. */
static void measure(const char *kind)
{
    uint64_t before[JOBS], ticks_a_us = aegis_info()->timebase / 1000000;

    for (int i = 0; i < JOBS; i++) {
        before[i] = progress[i].done;
        progress[i].longest = 0;
    }
    uint64_t began = time_now();
    wait_for(MEASURED);
    printf("rivals: %s us %llu", kind, (unsigned long long)((time_now() - began) / ticks_a_us));
    for (int i = 0; i < JOBS; i++)
        printf(" %s %llu longest %llu", jobs[i].name,
               (unsigned long long)(progress[i].done - before[i]),
               (unsigned long long)(progress[i].longest / ticks_a_us));
    puts("");
    fflush(stdout);
}

/* Beside one rival. It says when that is there, so that floods from outside can begin. */
static void beside(const char *name)
{
    const struct rival *r = rivals;

    while (r < rivals + rival_count && strcmp(r->name, name))
        r++;
    if (r == rivals + rival_count)
        rivals_give_up(name);
    pid_t pid = begin(r->run);
    printf("rivals: begin %s\n", name);
    fflush(stdout);
    wait_for(SETTLE);
    measure(name);
    printf("rivals: end %s\n", name);
    fflush(stdout);
    end(pid);
}

int main(int argc, char **argv)
{
    progress =
        mmap(NULL, AEGIS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED)
        rivals_give_up("mmap");
    serve("udpecho");
    serve("tcpecho");
    serve("httpd");
    pid_t place =
        begin(keep_place); /* a rival's slot comes behind the servers, before who asks them */
    for (int i = 0; i < JOBS; i++)
        begin(jobs[i].run);
    for (int i = 0; i < JOBS; i++)
        while (progress[i].done < 3)
            wait_for(SETTLE);
    end(place);
    for (int i = 1; i < argc; i++)
        beside(argv[i]);
    puts("rivals: DONE");
    fflush(stdout);
    return 0;
}
