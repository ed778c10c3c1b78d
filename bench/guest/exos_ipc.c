/* Rows of group ipc that only ExOS has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/guest/measure.h"
#include "libos/ipc/lrpc.h"
#include "libos/proc/proc.h"

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

const struct row exos_ipc_rows[] = {
    {"ipc", "lrpc_trusting", 100, run_trusting},
    {"ipc", "lrpc_untrusting", 100, run_untrusting},
    {NULL, NULL, 0, NULL},
};
