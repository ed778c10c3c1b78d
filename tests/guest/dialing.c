/*
 * dialing: a program's own connections share blocks of ports. All peers are this program, over the
 * loop interface.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libos/start/start.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("dialing: line %d: %s (errno %d)\n", __LINE__, #condition, errno);              \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define BLOCK 64
#define MANY  500

static struct sockaddr_in at(uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return in;
}

static int listen_at(uint16_t port)
{
    struct sockaddr_in own = at(port);
    int s = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(s >= 0 && bind(s, (struct sockaddr *)&own, sizeof own) == 0 && listen(s, 64) == 0);
    return s;
}

/* Connects to a listener of this program's. binds: to a port of its own. */
static int dial(uint16_t port, bool binds)
{
    struct sockaddr_in to = at(port), any = {.sin_family = AF_INET};
    int s = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(s >= 0);
    CHECK(!binds || bind(s, (struct sockaddr *)&any, sizeof any) == 0);
    CHECK(connect(s, (struct sockaddr *)&to, sizeof to) == 0);
    return s;
}

static uint16_t port_of(int s)
{
    struct sockaddr_in own;
    socklen_t size = sizeof own;

    CHECK(getsockname(s, (struct sockaddr *)&own, &size) == 0);
    return ntohs(own.sin_port);
}

/* Bindings that this program has. */
static int count_bindings(void)
{
    int count = 0;

    for (uint32_t b = 0; b < aegis_info()->binding_count; b++)
        count += aegis_binding(b)->owner == exos.env;
    return count;
}

static int clients[MANY], servers[MANY];

/* Each has a port of its own towards the one peer, and its bytes are its own. */
static void many_connections_of_one_program(void)
{
    static bool seen[65536];
    int listener = listen_at(4400), before = count_bindings();

    for (int i = 0; i < MANY; i++) {
        clients[i] = dial(4400, false);
        servers[i] = accept(listener, NULL, NULL);
        CHECK(servers[i] >= 0);
        CHECK(!seen[port_of(clients[i])]);
        seen[port_of(clients[i])] = true;
    }
    int blocks = (MANY + BLOCK - 1) / BLOCK;
    CHECK(count_bindings() - before <= 2 * blocks);
    for (int i = 0; i < MANY; i += 37)
        CHECK(write(clients[i], &i, sizeof i) == sizeof i);
    for (int i = 0; i < MANY; i += 37) {
        int number = -1;
        CHECK(read(servers[i], &number, sizeof number) == sizeof number && number == i);
    }
    for (int i = 0; i < MANY; i++)
        CHECK(close(servers[i]) == 0 && close(clients[i]) == 0);
    CHECK(close(listener) == 0);
}

/* One block is enough for them, however many peers there are, and it is given back. */
static void blocks_come_back(void)
{
    int a = listen_at(4401), b = listen_at(4402), before = count_bindings(), pairs[2 * BLOCK];
    struct timespec second = {1, 0};

    for (int i = 0; i < BLOCK; i++) {
        pairs[i] = dial(i % 2 ? 4401 : 4402, false);
        pairs[BLOCK + i] = accept(i % 2 ? a : b, NULL, NULL);
        CHECK(pairs[BLOCK + i] >= 0);
    }
    CHECK(count_bindings() - before <= 2);
    struct linger none = {.l_onoff = 1};
    for (int i = 0; i < 2 * BLOCK; i++) {
        setsockopt(pairs[i], SOL_SOCKET, SO_LINGER, &none, sizeof none); /* no TIME-WAIT */
        CHECK(close(pairs[i]) == 0);
    }
    for (int i = 0; count_bindings() > before; i++) {
        CHECK(i < 10);
        nanosleep(&second, NULL);
    }
    CHECK(close(a) == 0 && close(b) == 0);
}

/* A connection that a child goes on with keeps its port, though its maker knows nothing of it. */
static void what_a_child_has_is_not_dialled_again(void)
{
    int listener = listen_at(4403), s = dial(4403, false), other = accept(listener, NULL, NULL);
    uint16_t port = port_of(s);
    char byte = 'x';
    int status;

    CHECK(other >= 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(other);
        close(listener);
        while (read(s, &byte, 1) == 1)
            CHECK(write(s, &byte, 1) == 1);
        _exit(3);
    }
    CHECK(close(s) == 0);
    CHECK(write(other, &byte, 1) == 1 && read(other, &byte, 1) == 1);
    for (int i = 0; i < 2 * BLOCK; i++) {
        clients[i] = dial(4403, false);
        servers[i] = accept(listener, NULL, NULL);
        CHECK(servers[i] >= 0 && port_of(clients[i]) != port);
    }
    CHECK(write(other, &byte, 1) == 1 && read(other, &byte, 1) == 1);
    CHECK(shutdown(other, SHUT_WR) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
    for (int i = 0; i < 2 * BLOCK; i++)
        CHECK(close(clients[i]) == 0 && close(servers[i]) == 0);
    CHECK(close(other) == 0 && close(listener) == 0);
}

/* In the machine's own time, which counts instructions: with a port for each, and from blocks. */
static void tell_what_it_takes(void)
{
    int listener = listen_at(4404);

    for (int binds = 1; binds >= 0; binds--) {
        struct timespec from, to;
        long ns = 0;
        close(dial(4404, binds)); /* what is made once */
        close(accept(listener, NULL, NULL));
        for (int i = 0; i < 16; i++) {
            clock_gettime(CLOCK_MONOTONIC, &from);
            clients[i] = dial(4404, binds);
            clock_gettime(CLOCK_MONOTONIC, &to);
            ns += (to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec;
            servers[i] = accept(listener, NULL, NULL);
        }
        for (int i = 0; i < 16; i++)
            CHECK(close(clients[i]) == 0 && close(servers[i]) == 0);
        printf("dialing: %s %ld\n", binds ? "bound" : "unbound", ns / 16);
    }
    CHECK(close(listener) == 0);
}

int main(void)
{
    tell_what_it_takes();
    many_connections_of_one_program();
    blocks_come_back();
    what_a_child_has_is_not_dialled_again();
    printf("dialing: all is well\n");
    return 0;
}
