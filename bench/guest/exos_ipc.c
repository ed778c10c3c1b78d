/* Rows of group ipc that only ExOS has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/guest/measure.h"
#include "libos/ipc/lrpc.h"
#include "libos/ipc/special.h"
#include "libos/proc/proc.h"
#include "libos/proc/session.h"
#include "libos/vm/vm.h"

enum { TRUSTING, UNTRUSTING }; /* gates */

static void must(int64_t result, const char *what)
{
    if (result >= 0)
        return;
    printf("bench: %s: %s\n", what, proc_strerror(result));
    exit(1);
}

static struct exos_start *start_server(const char *how)
{
    char *const arguments[] = {"ipc-server", (char *)(uintptr_t)how};
    const struct aegis_cap none = {0};
    const struct proc_options options = {
        .name = "ipc-server", .argc = 2, .argv = arguments, .caps = &none, .cap_count = 1};
    struct proc server;
    must(proc_spawn(&server, &options), "ipc-server");
    return server.start;
}

/* A gate to a server that accepts. */
static void open_gate(uint32_t gate, const char *how)
{
    struct exos_start *start = start_server(how);
    struct aegis_predicate ready = AEGIS_WHEN(start->caps[0].name, NE, 0);
    aegis_wait(&ready, 1, AEGIS_FOREVER);
    must(aegis_gate_bind(gate, &start->caps[0]), "gate_bind");
    while (lrpc_call_untrusting(gate, 0, 0, 0, 0, 0, 0).error)
        aegis_yield(0);
}

static uint64_t run_trusting(uint64_t n)
{
    static bool open;
    if (!open)
        open_gate(TRUSTING, "trusting");
    open = true;
    aegis_yield(0); /* a slice of its own for each run: none is refused for lack of time */
    uint64_t total = COUNT_LOOP(n, {
        struct lrpc_result result =
            lrpc_call_trusting(TRUSTING, i_, LRPC_NONE, LRPC_NONE, LRPC_NONE, LRPC_NONE, LRPC_NONE);
        if (result.error)
            must(result.error, "lrpc_trusting");
    });
    return total;
}

static uint64_t run_untrusting(uint64_t n)
{
    static bool open;
    if (!open)
        open_gate(UNTRUSTING, "untrusting");
    open = true;
    aegis_yield(0);
    uint64_t total = COUNT_LOOP(n, {
        struct lrpc_result result = lrpc_call_untrusting(UNTRUSTING, i_, 0, 0, 0, 0, 0);
        if (result.error)
            must(result.error, "lrpc_untrusting");
    });
    return total;
}

/* A byte there and back by pipe', to a child that works in place, too. */
static uint8_t exchange(struct pipe_special *out, struct pipe_special *in, uint8_t byte)
{
    size_t count;
    uint8_t *room = pipe_room(out, &count);
    if (!room)
        must(-AEGIS_E_PEER_DIED, "pipe_special");
    *room = byte;
    pipe_put(out, 1);
    const uint8_t *bytes = pipe_bytes(in, &count);
    if (!bytes)
        must(-AEGIS_E_PEER_DIED, "pipe_special");
    byte = *bytes;
    pipe_took(in, 1);
    return byte;
}

/* Until the other side has closed what it doesn't use. */
static void work_in_place(struct pipe_special *special, int fd)
{
    while (pipe_special(special, fd) != 0) {
        must(errno == EBUSY ? 0 : -AEGIS_E_STATE, "pipe_special");
        aegis_yield(0);
    }
}

static void mirror(int in_fd, int out_fd)
{
    struct pipe_special in, out;
    size_t count;
    const uint8_t *bytes;
    work_in_place(&in, in_fd);
    work_in_place(&out, out_fd);
    while ((bytes = pipe_bytes(&in, &count))) {
        uint8_t byte = *bytes;
        pipe_took(&in, 1);
        uint8_t *room = pipe_room(&out, &count);
        if (!room)
            break;
        *room = byte;
        pipe_put(&out, 1);
    }
    _exit(0);
}

static uint64_t run_special(uint64_t n)
{
    static struct pipe_special in, out;
    if (!in.page) {
        int there[2], back[2];
        must(pipe(there) | pipe(back), "pipe");
        pid_t pid = fork();
        must(pid < 0 ? -AEGIS_E_NO_PAGE : 0, "fork");
        if (pid == 0) {
            close(there[1]);
            close(back[0]);
            mirror(there[0], back[1]);
        }
        close(there[0]);
        close(back[1]);
        work_in_place(&in, back[0]);
        work_in_place(&out, there[1]);
    }
    struct pipe_special to = out, from = in;
    return COUNT_LOOP(n, exchange(&to, &from, (uint8_t)i_));
}

/* A word that both see: whoever finds it odd, or even, increments it, and gives way to the other.
 */
static uint64_t run_shared(uint64_t n)
{
    static volatile uint64_t *word;
    static uint32_t peer;
    if (!word) {
        word = vm_shared_alloc(1);
        must(word ? 0 : -AEGIS_E_NO_PAGE, "vm_shared_alloc");
        pid_t pid = fork();
        must(pid < 0 ? -AEGIS_E_NO_PAGE : 0, "fork");
        if (pid == 0)
            for (uint32_t parent = proc_env(getppid(), NULL);;) {
                while (!*word)
                    aegis_yield_bare(parent);
                *word = 0;
            }
        peer = proc_env(pid, NULL);
    }
    volatile uint64_t *shared = word;
    return COUNT_LOOP(n, {
        *shared = 1;
        while (*shared)
            aegis_yield_bare(peer);
    });
}

const struct row exos_ipc_rows[] = {
    {"ipc", "pipe_special_roundtrip", 100, run_special},
    {"ipc", "shm_roundtrip", 100, run_shared},
    {"ipc", "lrpc_trusting", 100, run_trusting},
    {"ipc", "lrpc_untrusting", 100, run_untrusting},
    {NULL, NULL, 0, NULL},
};
