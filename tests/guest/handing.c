/*
 * handing: what becomes of sockets in a fork's child and in programs that are spawned. All peers
 * are processes of this machine, over the loop interface. handing MODE ...: such a program.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/net/ipv6.h"
#include "libos/net/share_internal.h"
#include "libos/vm/vm.h"

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        printf("handing: line %d: ", __LINE__);                                                    \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        exit(1);                                                                                   \
    } while (0)
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            FAIL("%s (errno %d)", #condition, errno);                                              \
    } while (0)
#define CHECK_EQ(value, wanted)                                                                    \
    do {                                                                                           \
        long got = (long)(value), want = (long)(wanted);                                           \
        if (got != want)                                                                           \
            FAIL("%s is %ld, not %ld (errno %d)", #value, got, want, errno);                       \
    } while (0)

#define SIZE       60000               /* bytes of a conversation */
#define RING_BYTES (128 + 32 * 2048UL) /* as much as what was handed over lies in */

static bool is_six;    /* streams are of IPv6, */
#define SIX_PORTS 1000 /* and their ports are so much higher */

static struct sockaddr_in at(uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)(port + (is_six ? SIX_PORTS : 0)))};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return in;
}

static struct sockaddr_in6 at6(uint16_t port)
{
    return (struct sockaddr_in6){.sin6_family = AF_INET6,
                                 .sin6_port = htons((uint16_t)(port + SIX_PORTS)),
                                 .sin6_addr = IN6ADDR_LOOPBACK_INIT};
}

/* Calls bind or connect with the address of the family. */
static void name(int s, uint16_t port,
                 int (*call)(int s, const struct sockaddr *address, socklen_t size))
{
    struct sockaddr_in four = at(port);
    struct sockaddr_in6 six = at6(port);

    CHECK_EQ(is_six ? call(s, (struct sockaddr *)&six, sizeof six)
                    : call(s, (struct sockaddr *)&four, sizeof four),
             0);
}

static int listen_at(uint16_t port)
{
    int on = 1, s = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

    CHECK(s >= 0);
    CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    name(s, port, bind);
    CHECK_EQ(listen(s, 8), 0);
    return s;
}

static int dial(uint16_t port)
{
    int s = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

    CHECK(s >= 0);
    name(s, port, connect);
    return s;
}

static unsigned char byte_at(size_t i)
{
    return (unsigned char)((i * 2654435761U) >> 11);
}

static void read_all(int s, void *bytes, size_t size)
{
    ssize_t done = recv(s, bytes, size, MSG_WAITALL);

    if (done == (ssize_t)size)
        return;
    char byte;
    ssize_t more = done < 0 ? done : recv(s, &byte, 1, 0);
    FAIL("%zd bytes of %zu came, and then %zd (errno %d)", done, size, more, errno);
}

static void write_all(int s, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t part = write(s, (const char *)bytes + done, size - done);
        CHECK(part > 0);
        done += (size_t)part;
    }
}

static void wait_for(pid_t pid, int wanted)
{
    int status;

    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted)
        FAIL("a child's status is 0x%x", status);
}

/* A process that connects, once `from` is closed in it, sends SIZE bytes, and gets them back. */
static pid_t client(uint16_t port, int from)
{
    static unsigned char out[SIZE], in[SIZE];
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid)
        return pid;
    close(from);
    int s = dial(port);
    for (size_t i = 0; i < SIZE; i++)
        out[i] = byte_at(i + port);
    for (size_t done = 0; done < SIZE; done += 10000) {
        write_all(s, out + done, 10000);
        read_all(s, in + done, 10000);
    }
    CHECK_EQ(memcmp(in, out, SIZE), 0);
    CHECK_EQ(shutdown(s, SHUT_WR), 0);
    CHECK_EQ(read(s, in, 1), 0);
    _exit(7);
}

static void echo(int in, int out)
{
    static char bytes[4096];
    ssize_t part;

    while ((part = read(in, bytes, sizeof bytes)) > 0)
        write_all(out, bytes, (size_t)part);
    CHECK_EQ(part, 0);
}

/* The oldest way to write a server. The parent reads and writes some of it before it forks. */
static void a_server_forks_for_each_client(void)
{
    enum { CLIENTS = 3 };
    int listener = listen_at(4300);
    pid_t clients[CLIENTS], workers[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client(4300, listener);
    for (int i = 0; i < CLIENTS; i++) {
        char bytes[1000];
        int s = accept(listener, NULL, NULL);
        CHECK(s >= 0);
        read_all(s, bytes, sizeof bytes);
        write_all(s, bytes, sizeof bytes);
        workers[i] = fork();
        CHECK(workers[i] >= 0);
        if (workers[i] == 0) {
            close(listener);
            echo(s, s);
            exit(0);
        }
        CHECK_EQ(close(s), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        wait_for(clients[i], 7);
        wait_for(workers[i], 0);
    }
    CHECK_EQ(close(listener), 0);
}

static pid_t spawn(char *const argv[], int in, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, 0);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, 4);
    CHECK_EQ(posix_spawn(&pid, "handing", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* As inetd does it. */
static void a_program_gets_a_connection_as_its_input(void)
{
    char *argv[] = {"handing", "echo", "0", "4", NULL};
    int listener = listen_at(4301);
    pid_t c = client(4301, listener);
    int s = accept(listener, NULL, NULL);
    CHECK(s >= 0);
    CHECK_EQ(fcntl(listener, F_SETFD, FD_CLOEXEC), 0);
    pid_t w = spawn(argv, s, s);
    CHECK_EQ(close(s), 0);
    wait_for(c, 7);
    wait_for(w, 0);
    CHECK_EQ(close(listener), 0);
}

/* A program gets the listener, and accepts; when it is over the parent goes on with it. */
static void a_program_gets_a_listener(void)
{
    char *argv[] = {"handing", "serve", "0", NULL};
    int listener = listen_at(4302);
    pid_t c = client(4302, listener);
    pid_t w = spawn(argv, listener, -1);

    wait_for(c, 7);
    wait_for(w, 0);
    c = client(4302, listener);
    int s = accept(listener, NULL, NULL);
    CHECK(s >= 0);
    echo(s, s);
    CHECK_EQ(close(s), 0);
    wait_for(c, 7);
    CHECK_EQ(close(listener), 0);
}

/* Whoever accepts; each connection is served where it was accepted. */
static void two_workers_accept_from_one_listener(void)
{
    enum { CLIENTS = 4 };
    int listener = listen_at(4303);
    pid_t clients[CLIENTS], workers[2];

    for (int i = 0; i < 2; i++) {
        workers[i] = fork();
        CHECK(workers[i] >= 0);
        for (int turn = 0; workers[i] == 0 && turn < CLIENTS / 2; turn++) {
            int s = accept(listener, NULL, NULL);
            CHECK(s >= 0);
            echo(s, s);
            CHECK_EQ(close(s), 0);
        }
        if (workers[i] == 0)
            exit(0);
    }
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client(4303, listener);
    for (int i = 0; i < CLIENTS; i++)
        wait_for(clients[i], 7);
    for (int i = 0; i < 2; i++)
        wait_for(workers[i], 0);
    CHECK_EQ(close(listener), 0);
}

/* A child accepts, and a child of that goes on with what it has accepted; whether or not those
 * before it keep the listener meanwhile. */
static void a_worker_forks_for_its_client(void)
{
    for (int closes = 0; closes < 3; closes++) {
        int listener = listen_at((uint16_t)(4312 + closes));
        pid_t c = client((uint16_t)(4312 + closes), listener), worker = fork();

        CHECK(worker >= 0);
        if (worker == 0) {
            int s = accept(listener, NULL, NULL);
            CHECK(s >= 0);
            pid_t pid = fork();
            CHECK(pid >= 0);
            if (pid == 0) {
                close(listener);
                echo(s, s);
                exit(0);
            }
            if (closes)
                CHECK_EQ(close(listener), 0);
            CHECK_EQ(close(s), 0);
            wait_for(pid, 0);
            exit(0);
        }
        if (closes == 2)
            CHECK_EQ(close(listener), 0);
        wait_for(c, 7);
        wait_for(worker, 0);
        if (closes != 2)
            CHECK_EQ(close(listener), 0);
    }
}

/* Two ends of one connection, both here. */
static void make_pair(uint16_t port, int *a, int *b)
{
    int listener = listen_at(port);
    *a = dial(port);
    *b = accept(listener, NULL, NULL);
    CHECK(*b >= 0);
    CHECK_EQ(close(listener), 0);
}

/* Parent and child speak in turn on one socket; which is read by a third one. */
static void both_use_one_connection(void)
{
    enum { TURNS = 2 };
    int a, b, pipes[2][2];
    char byte;

    make_pair(4304, &a, &b);
    CHECK_EQ(pipe(pipes[0]), 0);
    CHECK_EQ(pipe(pipes[1]), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    int mine = pid == 0;
    for (int i = 0; i < TURNS; i++) {
        byte = (char)('a' + i);
        if (mine) {
            CHECK_EQ(read(pipes[0][0], &byte, 1), 1);
            byte -= 'a' - 'A';
        }
        CHECK_EQ(write(a, &byte, 1), 1);
        CHECK_EQ(write(pipes[mine][1], &byte, 1), 1);
        if (!mine)
            CHECK_EQ(read(pipes[1][0], &byte, 1), 1);
    }
    if (pid == 0)
        exit(3);
    CHECK_EQ(close(a), 0);
    for (int i = 0; i < TURNS; i++) {
        char two[2];
        read_all(b, two, 2);
        CHECK_EQ(two[0], 'a' + i);
        CHECK_EQ(two[1], 'A' + i);
    }
    wait_for(pid, 3);
    CHECK_EQ(read(b, &byte, 1), 0); /* the last of both is gone */
    CHECK_EQ(close(b), 0);
    for (int i = 0; i < 4; i++)
        close(pipes[i / 2][i % 2]);
}

/* A child that has it and doesn't use it keeps it open until it ends. */
static void an_idle_child_keeps_it_open(void)
{
    int a, b, gate[2];
    char byte;

    make_pair(4305, &a, &b);
    CHECK_EQ(pipe(gate), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(b);
        CHECK_EQ(read(gate[0], &byte, 1), 1);
        exit(4);
    }
    CHECK_EQ(write(a, "x", 1), 1);
    CHECK_EQ(close(a), 0);
    CHECK_EQ(read(b, &byte, 1), 1);
    struct pollfd p = {.fd = b, .events = POLLIN};
    CHECK_EQ(poll(&p, 1, 100), 0);
    CHECK_EQ(write(gate[1], "y", 1), 1);
    wait_for(pid, 4);
    CHECK_EQ(read(b, &byte, 1), 0);
    CHECK_EQ(close(b), 0);
    close(gate[0]);
    close(gate[1]);
}

/* Who holds it dies: what it knew of the connection is lost, and others are told. */
static void a_killed_holder_loses_the_connection(void)
{
    int a, b, ready[2], status;
    char byte;

    make_pair(4306, &a, &b);
    CHECK_EQ(pipe(ready), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_EQ(write(a, "x", 1), 1);
        CHECK_EQ(write(ready[1], "x", 1), 1);
        for (;;)
            pause();
    }
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    errno = 0;
    CHECK_EQ(read(a, &byte, 1), -1);
    CHECK_EQ(errno, ECONNRESET);
    CHECK_EQ(close(a), 0);
    CHECK_EQ(close(b), 0);
    close(ready[0]);
    close(ready[1]);
}

/* As elsewhere, what _exit leaves out is atexit's functions and streams, not sockets. */
static void a_child_that_ends_by_exit_closes_its_own(void)
{
    int a, b;
    char byte;

    make_pair(4307, &a, &b);
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            close(b);
            CHECK_EQ(write(a, "x", 1), 1);
            _exit(5); /* it holds a */
        }
        if (i == 1)
            CHECK_EQ(close(a), 0);
        CHECK_EQ(read(b, &byte, 1), 1);
        if (i == 0) {
            CHECK_EQ(write(a, "y", 1), 1);
            CHECK_EQ(read(b, &byte, 1), 1);
            CHECK_EQ(byte, 'y');
        }
        wait_for(pid, 5);
    }
    CHECK_EQ(read(b, &byte, 1), 0);
    CHECK_EQ(close(b), 0);
}

static void *read_for_ever(void *socket)
{
    char byte;
    (void)!read((int)(intptr_t)socket, &byte, 1);
    return NULL;
}

static void leave(int signal)
{
    _exit(signal == SIGTERM ? 9 : 1);
}

/* Writes, tells so, and waits in a call on the socket, or lets another thread do that. */
static _Noreturn void wait_for_the_end(int s, int ready, int how)
{
    static char bytes[3000];
    pthread_t thread;

    if (how == 1)
        signal(SIGTERM, leave);
    if (how == 2)
        CHECK_EQ(pthread_create(&thread, NULL, read_for_ever, (void *)(intptr_t)s), 0);
    write_all(s, bytes, sizeof bytes);
    CHECK_EQ(write(ready, "x", 1), 1);
    if (how < 2)
        read_for_ever((void *)(intptr_t)s);
    for (;;)
        pause();
}

/* All that it has written comes, and then the end, whatever its threads were doing. */
static void who_is_ended_by_a_signal_says_goodbye(void)
{
    for (int how = 0; how < 3; how++) {
        static char bytes[3000];
        int listener = listen_at((uint16_t)(4341 + how)), ready[2], status;
        char byte;

        CHECK_EQ(pipe(ready), 0);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            close(listener);
            wait_for_the_end(dial((uint16_t)(4341 + how)), ready[1], how);
        }
        int s = accept(listener, NULL, NULL);
        CHECK(s >= 0);
        CHECK_EQ(read(ready[0], &byte, 1), 1);
        CHECK_EQ(kill(pid, SIGTERM), 0);
        read_all(s, bytes, sizeof bytes);
        CHECK_EQ(read(s, &byte, 1), 0);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, how == 1 ? 9 << 8 : SIGTERM);
        CHECK_EQ(close(s), 0);
        CHECK_EQ(close(listener), 0);
        close(ready[0]);
        close(ready[1]);
    }
}

static int udp_at(uint16_t port)
{
    struct sockaddr_in own = at(port);
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(s >= 0);
    CHECK_EQ(bind(s, (struct sockaddr *)&own, sizeof own), 0);
    return s;
}

/* What has come and wasn't read goes along, and comes back with the socket. */
static void datagrams(void)
{
    struct sockaddr_in to = at(4307);
    int s = udp_at(4307), other = udp_at(4308);
    char text[8];

    for (int i = 0; i < 4; i++)
        CHECK_EQ(sendto(other, &i, sizeof i, 0, (struct sockaddr *)&to, sizeof to), sizeof i);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct sockaddr_in back = at(4308);
        for (int i = 0; i < 3; i++) {
            int number;
            CHECK_EQ(recv(s, &number, sizeof number, 0), sizeof number);
            CHECK_EQ(number, i);
        }
        CHECK_EQ(sendto(s, "child", 6, 0, (struct sockaddr *)&back, sizeof back), 6);
        exit(5);
    }
    CHECK_EQ(recv(other, text, sizeof text, 0), 6);
    wait_for(pid, 5);
    CHECK_EQ(sendto(other, "more", 5, 0, (struct sockaddr *)&to, sizeof to), 5);
    CHECK_EQ(recv(s, text, sizeof text, 0), sizeof(int));
    CHECK_EQ(text[0], 3);
    CHECK_EQ(recv(s, text, sizeof text, 0), 5);
    CHECK_EQ(close(s), 0);
    CHECK_EQ(close(other), 0);
    s = udp_at(4307); /* it was given back */
    CHECK_EQ(close(s), 0);
}

/* What another process handed over lies in memory of the last one's, who closes unread. */
static void datagrams_that_nobody_reads(void)
{
    struct sockaddr_in to = at(4309), name;
    socklen_t size = sizeof name;
    int s = udp_at(4309), other = udp_at(4310);

    CHECK_EQ(sendto(other, "unread", 7, 0, (struct sockaddr *)&to, sizeof to), 7);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_EQ(getsockname(s, (struct sockaddr *)&name, &size), 0);
        exit(5);
    }
    wait_for(pid, 5);
    CHECK_EQ(getsockname(s, (struct sockaddr *)&name, &size), 0);
    CHECK_EQ(close(s), 0);
    void *first = malloc(RING_BYTES), *second = malloc(RING_BYTES);
    CHECK(first && second && first != second); /* as if it had been freed twice */
    free(first);
    free(second);
    CHECK_EQ(close(other), 0);
}

/* Who looks after a socket that has others closes it when they have gone, and waits there, too. */
static void a_late_close_lingers(void)
{
    const struct linger lingers = {1, 1};
    int listener = listen_at(4311), ready[2];
    char byte, bytes[1000] = {0};

    CHECK_EQ(pipe(ready), 0);
    pid_t server = fork();
    CHECK(server >= 0);
    if (server == 0) {
        CHECK(accept(listener, NULL, NULL) >= 0);
        CHECK_EQ(write(ready[1], "x", 1), 1);
        raise(SIGSTOP); /* and acknowledges nothing */
        exit(0);
    }
    int a = dial(4311);
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_EQ(setsockopt(a, SOL_SOCKET, SO_LINGER, &lingers, sizeof lingers), 0);
    CHECK_EQ(send(a, bytes, sizeof bytes, 0), sizeof bytes);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    CHECK_EQ(close(a), 0);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    sleep(3);
    CHECK_EQ(kill(server, SIGKILL), 0);
    CHECK_EQ(waitpid(server, NULL, 0), server);
    CHECK_EQ(close(listener), 0);
    close(ready[0]);
    close(ready[1]);
}

/* A socket that has no port yet is everybody's own. */
static void fresh_sockets_are_copies(void)
{
    int u = socket(AF_INET, SOCK_DGRAM, 0), t = socket(AF_INET, SOCK_STREAM, 0), gate[2];
    struct sockaddr_in own = at(4309);
    char byte;

    CHECK_EQ(pipe(gate), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_EQ(read(gate[0], &byte, 1), 1);
        CHECK_EQ(bind(u, (struct sockaddr *)&own, sizeof own), -1);
        _exit(errno == EADDRINUSE && close(t) == 0 ? 6 : 1);
    }
    CHECK_EQ(bind(u, (struct sockaddr *)&own, sizeof own), 0);
    CHECK_EQ(write(gate[1], "x", 1), 1);
    wait_for(pid, 6);
    CHECK_EQ(close(u), 0);
    CHECK_EQ(close(t), 0);
    CHECK_EQ(close(gate[0]), 0);
    CHECK_EQ(close(gate[1]), 0);
}

/* Binds what a port has of one peer on the loop interface, or on the device's, inside of what a
 * capability names. */
static int64_t bind_frames(const struct aegis_cap *parent, uint16_t port, uint16_t peer,
                           bool is_loop)
{
    const struct net_host *host = net_service();
    const struct net_ipv6 loopback = {{0, 0, 0, NET_WIRE32(1)}};
    struct net_port_range range = {.protocol = IPPROTO_TCP,
                                   .family = is_six ? NET_IPV6 : NET_IPV4,
                                   .address = ntohl(host->address),
                                   .identifier = net_ipv6_identifier(host->mac),
                                   .low = port,
                                   .high = port,
                                   .peer_port = peer,
                                   .peer =
                                       is_six ? loopback : net_ipv6_mapped(htonl(INADDR_LOOPBACK)),
                                   .is_loop = is_loop};
    struct net_filter received, sent;

    if (!is_loop)
        memcpy(range.mac, host->mac, sizeof range.mac);
    net_filter_received(&received, &range);
    net_filter_sent(&sent, &range);
    const struct aegis_net_binding request = {.parent = *parent,
                                              .ingress = received.words,
                                              .ingress_size = received.size,
                                              .egress = sent.words,
                                              .egress_size = sent.size};
    return net_bind(&request);
}

/* Looks for the capabilities by which a socket is handed over, and tries what can be had by them:
 * the connection itself, and nothing of another one's port. */
static int grab(uint16_t own, uint16_t others, uint16_t peer)
{
    const struct vm_region *region = vm_region_next(VM_SHARED_BASE);

    while (region && ((const struct share_page *)region->start)->magic != SHARE_MAGIC)
        region = vm_region_next(region->end);
    CHECK(region);
    const struct net_offer offer = ((const struct share_page *)region->start)->offer;
    const struct aegis_cap *caps[] = {&offer.port.parent, &offer.inside[0], &offer.loop,
                                      &offer.inside[1]};
    for (int i = 0; i < 8; i++)
        CHECK(bind_frames(caps[i / 2], others, i % 2 ? peer : 0, i / 4) < 0);
    int64_t binding = bind_frames(&offer.inside[1], own, peer, true);
    CHECK(binding >= 0);
    CHECK_EQ(aegis_net_unbind((uint32_t)binding), 0);
    echo(0, 0);
    return 0;
}

static uint16_t port_of(int s)
{
    struct sockaddr_in6 name; /* its port is where that of struct sockaddr_in is */
    socklen_t size = sizeof name;

    CHECK_EQ(getsockname(s, (struct sockaddr *)&name, &size), 0);
    return ntohs(name.sin6_port);
}

static int hidden(int s)
{
    CHECK(s >= 0);
    CHECK_EQ(fcntl(s, F_SETFD, FD_CLOEXEC), 0);
    return s;
}

/* Of two connections of a block of ports: what the program is given is one of them. */
static void who_is_given_one_connection_gets_no_other(void)
{
    int listener = hidden(listen_at(4350)), a[2], b[2];
    char numbers[3][8], byte = 'x';
    char *argv[] = {"handing", is_six ? "grab6" : "grab", numbers[0], numbers[1], numbers[2], NULL};

    for (int i = 0; i < 2; i++) {
        a[i] = hidden(dial(4350));
        b[i] = hidden(accept(listener, NULL, NULL));
        snprintf(numbers[i], sizeof numbers[i], "%d", port_of(a[i]));
    }
    snprintf(numbers[2], sizeof numbers[2], "%d", port_of(listener));
    pid_t pid = spawn(argv, a[0], -1);
    CHECK_EQ(close(a[0]), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(write(b[i], &byte, 1), 1);
        CHECK_EQ(read(i ? a[i] : b[i], &byte, 1), 1);
    }
    CHECK_EQ(shutdown(b[0], SHUT_WR), 0);
    wait_for(pid, 0);
    CHECK_EQ(read(b[0], &byte, 1), 0);
    CHECK_EQ(close(a[1]), 0);
    CHECK_EQ(close(b[0]), 0);
    CHECK_EQ(close(b[1]), 0);
    CHECK_EQ(close(listener), 0);
}

static void execve_takes_it_along(void)
{
    char *argv[] = {"handing", "echo", "5", "5", NULL};
    int listener = listen_at(4310);
    pid_t c = client(4310, listener);
    int s = accept(listener, NULL, NULL);
    char bytes[100];

    CHECK(s >= 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(listener);
        CHECK_EQ(dup2(s, 5), 5);
        read_all(5, bytes, sizeof bytes); /* it is the holder, then */
        write_all(5, bytes, sizeof bytes);
        execve("handing", argv, environ);
        _exit(1);
    }
    CHECK_EQ(close(s), 0);
    wait_for(c, 7);
    wait_for(pid, 0);
    CHECK_EQ(close(listener), 0);
}

/* Whoever has a socket, too, may write anything into the pages by which it is handed over. What of
 * it goes wrong then is the conversation, and no other process. */
static void scribble(void)
{
    uint64_t random = (uint64_t)getpid() * 0x9e3779b97f4a7c15UL;

    for (const struct vm_region *r = vm_region_next(VM_SHARED_BASE); r && r->start < VM_END;
         r = vm_region_next(r->end)) {
        volatile uint8_t *bytes = (volatile uint8_t *)r->start;
        for (int i = 0; i < 60; i++) {
            random = random * 6364136223846793005UL + 1442695040888963407UL;
            size_t most = i % 3 ? 512 : r->end - r->start;
            bytes[(random >> 33) % most] = (uint8_t)(random >> 20);
        }
    }
}

static void a_child_that_scribbles_spoils_the_conversation_alone(void)
{
    for (int turn = is_six ? 4 : 0; turn < 6; turn++) {
        int a, b, status;
        char byte = 'x';
        make_pair((uint16_t)(4320 + turn), &a, &b);
        int u = udp_at((uint16_t)(4330 + turn));
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            CHECK_EQ(fcntl(a, F_SETFL, O_NONBLOCK), 0);
            send(a, &byte, 1, MSG_NOSIGNAL);
            for (int i = 0; i < 20; i++) {
                scribble();
                usleep(5000);
            }
            _exit(0);
        }
        CHECK_EQ(fcntl(a, F_SETFL, O_NONBLOCK), 0);
        CHECK_EQ(fcntl(b, F_SETFL, O_NONBLOCK), 0);
        for (int i = 0; i < 40; i++) {
            send(a, &byte, 1, MSG_NOSIGNAL);
            recv(b, &byte, 1, 0);
            recv(u, &byte, 1, MSG_DONTWAIT);
            usleep(5000);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status))
            FAIL("a scribbling child ended by signal %d", WTERMSIG(status));
        close(a);
        close(b);
        close(u);
    }
    int s = udp_at(4340); /* all else goes on */
    CHECK_EQ(close(s), 0);
}

static const struct {
    const char *name;
    void (*run)(void);
    bool has_family; /* is run in IPv6, too */
} cases[] = {
    {"a server forks for each client", a_server_forks_for_each_client, false},
    {"a program gets a connection", a_program_gets_a_connection_as_its_input, true},
    {"a program gets a listener", a_program_gets_a_listener, false},
    {"two workers accept", two_workers_accept_from_one_listener, true},
    {"a worker forks", a_worker_forks_for_its_client, false},
    {"both use one connection", both_use_one_connection, false},
    {"an idle child", an_idle_child_keeps_it_open, false},
    {"a killed holder", a_killed_holder_loses_the_connection, true},
    {"_exit", a_child_that_ends_by_exit_closes_its_own, true},
    {"a signal's end", who_is_ended_by_a_signal_says_goodbye, false},
    {"datagrams", datagrams, false},
    {"unread datagrams", datagrams_that_nobody_reads, false},
    {"a late close", a_late_close_lingers, false},
    {"fresh sockets", fresh_sockets_are_copies, false},
    {"one connection of many", who_is_given_one_connection_gets_no_other, true},
    {"execve", execve_takes_it_along, false},
    {"a scribbling child", a_child_that_scribbles_spoils_the_conversation_alone, true},
};

/* All, or the one that is named. */
static void run_cases(const char *wanted)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if ((is_six && !cases[i].has_family) || (wanted && strcmp(wanted, cases[i].name)))
            continue;
        printf("handing: %s%s\n", cases[i].name, is_six ? " in IPv6" : "");
        cases[i].run();
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "echo")) {
        echo(atoi(argv[2]), atoi(argv[3]));
        return 0;
    }
    if (argc == 3 && !strcmp(argv[1], "serve")) {
        int s = accept(atoi(argv[2]), NULL, NULL);
        CHECK(s >= 0);
        echo(s, s);
        return 0;
    }
    if (argc == 5 && !strncmp(argv[1], "grab", 4)) {
        is_six = argv[1][4] == '6';
        return grab((uint16_t)atoi(argv[2]), (uint16_t)atoi(argv[3]), (uint16_t)atoi(argv[4]));
    }
    for (int six = 0; six < 2; six++) {
        is_six = six;
        run_cases(argc > 1 ? argv[1] : NULL);
    }
    printf("handing: all is well\n");
    return 0;
}
