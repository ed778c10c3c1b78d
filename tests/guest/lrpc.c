/*
 * Calls in registers, trusting and untrusting. Started with an argument, this program is a server.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/ipc/lrpc.h"
#include "libos/proc/proc.h"
#include "test.h"

enum { SUM, END, END_LATER, AGAIN }; /* what is asked for by the first word */
#define GATE 3

static uint64_t serve(uint32_t caller, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3,
                      uint64_t w4, uint64_t w5)
{
    static int left = 3;
    if (caller != exos.parent)
        return 0;
    if (w0 == END || (w0 == END_LATER && --left == 0))
        exit(0);
    if (w0 == AGAIN)
        return (uint64_t)-lrpc_serve(serve, true);
    return w1 + 10 * w2 + 100 * w3 + 1000 * w4 + 10000 * w5;
}

/* Both kinds, again in the next slice where too little is left of this one. */
static struct lrpc_result call(bool trusting, uint32_t gate, uint64_t w0, uint64_t w1, uint64_t w2,
                               uint64_t w3, uint64_t w4, uint64_t w5)
{
    struct lrpc_result result;
    while ((result = trusting ? lrpc_call_trusting(gate, w0, w1, w2, w3, w4, w5)
                              : lrpc_call_untrusting(gate, w0, w1, w2, w3, w4, w5))
               .error == -AEGIS_E_TIME)
        aegis_yield(0);
    return result;
}

static int be_server(const char *how)
{
    struct aegis_cap *shown = &exos.start->caps[0];
    aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CALL, shown);
    return (int)lrpc_serve(serve, !strcmp(how, "trusting"));
}

static struct proc start_server(const char *how)
{
    char *const argv[] = {"lrpc", (char *)(uintptr_t)how};
    const struct aegis_cap none = {0};
    const struct proc_options options = {
        .name = "lrpc", .argc = 2, .argv = argv, .caps = &none, .cap_count = 1};
    struct proc server;
    CHECK_OK(proc_spawn(&server, &options));
    struct aegis_predicate ready = AEGIS_WHEN(server.start->caps[0].name, NE, 0);
    aegis_wait(&ready, 1, AEGIS_FOREVER);
    CHECK_OK(aegis_gate_bind(GATE, &server.start->caps[0]));
    struct lrpc_result result;
    while ((result = call(false, GATE, SUM, 0, 0, 0, 0, 0)).error)
        aegis_yield(0);
    return server;
}

static void end_server(struct proc *server)
{
    struct proc_status status;
    proc_kill(server, 0);
    CHECK_EQ(proc_wait(server, &status, AEGIS_FOREVER), 1);
    CHECK_EQ(call(false, GATE, SUM, 0, 0, 0, 0, 0).error, -AEGIS_E_NO_GATE);
    CHECK_EQ(call(true, GATE, SUM, 0, 0, 0, 0, 0).error, -AEGIS_E_NO_GATE);
}

LRPC_STUB3(lrpc_call_trusting, GATE, int64_t, sum, int, int64_t, const char *)

static void words_go_there_and_one_comes_back(void)
{
    int64_t answer;
    struct lrpc_result result = call(false, GATE, SUM, 1, 2, 3, 4, 5);
    CHECK(result.error == 0 && result.value == 54321);
    result = call(true, GATE, SUM, 5, 4, 3, 2, 1);
    CHECK(result.error == 0 && result.value == 12345);
    CHECK_EQ(sum(SUM, -7, (const char *)1, &answer), 0);
    CHECK_EQ(answer, 3);
    CHECK_EQ(call(false, 15, 0, 0, 0, 0, 0, 0).error, -AEGIS_E_NO_GATE);
    CHECK_EQ(call(true, 16, 0, 0, 0, 0, 0, 0).error, -AEGIS_E_RANGE);
    CHECK_EQ(call(false, GATE, AGAIN, 0, 0, 0, 0, 0).value, AEGIS_E_STATE);
    CHECK_EQ(call(false, GATE, SUM, 1, 0, 0, 0, 0).value, 1);
}

/* Over more than a slice, so that calls are refused for lack of time and servers interrupted. */
static void many_calls_keep_registers(void)
{
    uint64_t total = 0, begin = aegis_env(exos.env)->slices;
    for (uint64_t i = 0; aegis_env(exos.env)->slices < begin + 4; i++) {
        int64_t one;
        struct lrpc_result two = lrpc_call_untrusting(GATE, SUM, i, 1, 0, 0, 0);
        CHECK_EQ(sum(SUM, (int64_t)i, (const char *)1, &one), 0);
        CHECK_EQ(one, i + 10);
        CHECK(two.error == 0 ? two.value == i + 10 : two.error == -AEGIS_E_TIME);
        total += i;
    }
    CHECK(total > 0);
}

/* Of what a client has in registers nothing gets to an untrusting call's server but the words, and
 * the other way round: a server of plain instructions adds up what it finds, and leaves rubbish. */
static __attribute__((naked)) void nosy(void)
{
    __asm__ volatile("mv   s0, ra\n"
                     "or   s0, s0, sp\n"
                     "or   s0, s0, tp\n"
                     "or   s0, s0, t1\n"
                     "or   s0, s0, t2\n"
                     "or   s0, s0, s1\n"
                     "or   s0, s0, s2\n"
                     "or   s0, s0, s6\n"
                     "or   s0, s0, s11\n"
                     "or   s0, s0, t3\n"
                     "or   a0, s0, t6\n"
                     "li   ra, -1\n"
                     "li   sp, -1\n"
                     "li   tp, -1\n"
                     "li   s0, -1\n"
                     "li   s1, -1\n"
                     "li   s5, -1\n"
                     "li   s11, -1\n"
                     "addi a7, a7, 1\n" /* gate_return */
                     "ecall\n"
                     "ebreak");
}

static void strangers_see_and_spoil_nothing(void)
{
    struct proc server = start_server("nosy");
    uint64_t kept = 0x1234;
    __asm__ volatile("" : "+r"(kept));
    struct lrpc_result result = call(false, GATE, 0, 0, 0, 0, 0, 0);
    __asm__ volatile("" : "+r"(kept));
    CHECK_EQ(kept, 0x1234);
    CHECK(result.error == 0 && result.value == 0);
    CHECK_EQ(strtol("12", NULL, 10), 12);
    end_server(&server);
}

/* An untrusting server gives its own registers away as little. */
static void an_untrusting_server_shows_nothing(void)
{
    uint64_t seen;
    __asm__ volatile("li a0, %1\n"
                     "li a1, %2\n"
                     "li a7, %3\n"
                     "addi sp, sp, -32\n"
                     "sd tp, 0(sp)\n"
                     "sd ra, 8(sp)\n"
                     "lla t1, own_sp\n"
                     "sd sp, 0(t1)\n"
                     "li ra, 0\n"
                     "li sp, 0\n"
                     "li tp, 0\n"
                     "ecall\n"
                     "or %0, ra, sp\n"
                     "or %0, %0, tp\n"
                     "or %0, %0, t1\n"
                     "or %0, %0, t3\n"
                     "or %0, %0, t6\n"
                     "or %0, %0, a1\n"
                     "or %0, %0, a6\n"
                     "lla t1, own_sp\n"
                     "ld sp, 0(t1)\n"
                     "ld tp, 0(sp)\n"
                     "ld ra, 8(sp)\n"
                     "addi sp, sp, 32\n"
                     : "=&r"(seen)
                     : "i"(GATE), "i"(SUM), "i"(AEGIS_CALL_gate_call)
                     : "memory", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "t0", "t1", "t2",
                       "t3", "t4", "t5", "t6");
    CHECK_EQ(seen, 0);
}
__asm__(".bss\n.balign 8\nown_sp: .zero 8\n.text\n");

static void a_server_that_ends_is_told(void)
{
    struct proc_status status;
    struct proc server = start_server("untrusting");
    CHECK_EQ(call(false, GATE, END, 0, 0, 0, 0, 0).error, -AEGIS_E_PEER_DIED);
    CHECK_EQ(proc_wait(&server, &status, AEGIS_FOREVER), 1);
    CHECK(status.reason == AEGIS_EXIT_STATUS);
    CHECK_EQ(call(false, GATE, END, 0, 0, 0, 0, 0).error, -AEGIS_E_NO_GATE);

    static jmp_buf where;
    static int rounds;
    static struct proc trusted;
    trusted = start_server("trusting");
    lrpc_when_peer_dies(&where);
    if (setjmp(where) == 0)
        for (;; rounds++)
            call(true, GATE, END_LATER, 0, 0, 0, 0, 0);
    lrpc_when_peer_dies(NULL);
    CHECK_EQ(rounds, 2);
    CHECK_EQ(proc_wait(&trusted, &status, AEGIS_FOREVER), 1);
}

/* Servers are ended from outside at moments that vary, while they serve or not. */
static void a_server_that_is_killed_is_told(void)
{
    for (int round = 0; round < 20; round++) {
        struct proc server = start_server("untrusting");
        struct lrpc_result result = {0};
        for (int i = 0; i < round; i++)
            result = call(false, GATE, SUM, 1, 0, 0, 0, 0);
        CHECK_EQ(result.error, 0);
        end_server(&server);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "nosy")) {
        aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CALL, &exos.start->caps[0]);
        return (int)aegis_gate_accept((uint64_t)(uintptr_t)nosy, 0);
    }
    if (argc > 1)
        return be_server(argv[1]);
    static const char *const kinds[] = {"trusting", "untrusting"};
    for (int i = 0; i < 2; i++) {
        struct proc server = start_server(kinds[i]);
        words_go_there_and_one_comes_back();
        many_calls_keep_registers();
        if (i == 1)
            an_untrusting_server_shows_nothing();
        end_server(&server);
    }
    strangers_see_and_spoil_nothing();
    a_server_that_ends_is_told();
    a_server_that_is_killed_is_told();
    return 0;
}
