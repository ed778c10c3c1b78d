/*
 * Rows of group ipc that POSIX has, between two processes of one priority.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sched.h>
#include <sys/mman.h>

#include "bench/guest/measure.h"

#define CHUNK  65536 /* bytes of a write in pipe_kib */
#define CHUNKS 16    /* before the reader answers */
#define KIB    (CHUNK / 1024 * CHUNKS)

static char chunk[CHUNK] __attribute__((aligned(4096)));
static char *shared_chunk; /* the writer's: memory that it shares with the reader */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Each byte back, until the other side is gone. */
static void echo(int in, int out)
{
    char byte;
    while (read(in, &byte, 1) == 1)
        if (write(out, &byte, 1) != 1)
            break;
    _exit(0);
}

/* A byte back for each CHUNKS * CHUNK. */
static void swallow(int in, int out)
{
    size_t got = 0;
    for (ssize_t part; (part = read(in, chunk, sizeof chunk)) > 0;) {
        got += (size_t)part;
        if (got < (size_t)CHUNK * CHUNKS)
            continue;
        got = 0;
        if (write(out, "", 1) != 1)
            break;
    }
    _exit(0);
}

struct peer {
    int to, from;
};

/* Another process that does work with what is written to `to`, and answers at `from`. */
static struct peer start(void (*work)(int in, int out))
{
    int there[2], back[2];
    if (pipe(there) < 0 || pipe(back) < 0)
        fail("pipe");
    pid_t pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0) {
        close(there[1]);
        close(back[0]);
        work(there[0], back[1]);
    }
    close(there[0]);
    close(back[1]);
    return (struct peer){there[1], back[0]};
}

static uint64_t run_roundtrip(uint64_t n)
{
    static struct peer peer;
    char byte = 'x';
    if (!peer.to)
        peer = start(echo);
    return COUNT_LOOP(n, {
        if (write(peer.to, &byte, 1) != 1 || read(peer.from, &byte, 1) != 1)
            fail("pipe_roundtrip");
    });
}

static uint64_t run_kib(uint64_t n)
{
    static struct peer peer;
    char byte;
    if (!peer.to) {
        shared_chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared_chunk == MAP_FAILED)
            fail("mmap");
        memset(shared_chunk, 'x', CHUNK);
        peer = start(swallow);
    }
    return COUNT_LOOP((n + KIB - 1) / KIB, {
        for (int i = 0; i < CHUNKS; i++)
            if (write(peer.to, shared_chunk, CHUNK) != CHUNK)
                fail("pipe_kib");
        if (read(peer.from, &byte, 1) != 1)
            fail("pipe_kib");
    });
}

#if defined(__linux__) /* exos_ipc.c has it with a directed yield */
static uint64_t run_shared(uint64_t n)
{
    static volatile uint64_t *word;
    if (!word) {
        word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (word == MAP_FAILED)
            fail("mmap");
        pid_t pid = fork();
        if (pid < 0)
            fail("fork");
        while (pid == 0) {
            while (!*word)
                sched_yield();
            *word = 0;
        }
    }
    return COUNT_LOOP(n, {
        *word = 1;
        while (*word)
            sched_yield();
    });
}
#endif

const struct row ipc_rows[] = {
    {"ipc", "pipe_roundtrip", 100, run_roundtrip},
    {"ipc", "pipe_kib", KIB, run_kib},
#if defined(__linux__)
    {"ipc", "shm_roundtrip", 100, run_shared},
#endif
    {NULL, NULL, 0, NULL},
};
