/*
 * Servers in C (libos/gate): answers, chains of calls, ends at every place, messages, upcalls while
 * nobody calls.
 */
#include <stdlib.h>
#include <string.h>

#include "libos/gate/gate.h"
#include "libos/proc/proc.h"
#include "libos/slice/slice.h"
#include "libos/time/time.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "test.h"

/* The start block's capabilities: the next server of a chain, and words that both look at; GO ends
 * what a server would linger or block in for longer. */
enum { NEXT, STAGE, SEEN, GO, CAPS };
#define WORD(start, place) (*(volatile uint64_t *)&(start)->caps[place].name)

/* What a server is asked to do, in word 0. */
enum order { ADD, PASS_ON, END, STAY, LINGER, BLOCK, HOOK };

static void until(const volatile uint64_t *word, uint64_t value)
{
    uint64_t limit = test_deadline();
    while (*word != value) {
        if (time_now() > limit)
            FAIL("a word is still %llu", (unsigned long long)*word);
        aegis_yield(0);
    }
}

/* Servers. */

static double sum = 0.5;

/* Where a slice ends while it serves: nothing is left of it that the caller could have. */
static void slice_ends_here(struct aegis_context *context)
{
    (void)context;
    exos.start->caps[SEEN].mac = (uint64_t)aegis_gate_return();
}

static void answer(uint32_t caller, uint64_t words[GATE_WORDS])
{
    exos.start->caps[STAGE].name++;
    switch ((enum order)words[0]) {
    case ADD:
        sum += 1.25; /* floating-point registers are each one's own */
        words[0] = caller;
        for (int i = 1; i < GATE_WORDS; i++)
            words[i] += (uint64_t)i + exos.env;
        return;
    case PASS_ON:
        if (words[1]-- == 0) {
            words[2] = exos.env;
            return;
        }
        if (gate_invoke(0, words) < 0)
            words[3]++;
        return;
    case END:
        exit(7);
    case STAY:
        for (;;)
            aegis_wait(NULL, 0, AEGIS_FOREVER);
    case LINGER: /* so many slices */
        for (uint64_t end = aegis_env(exos.env)->slices + words[1];
             aegis_env(exos.env)->slices < end && !WORD(exos.start, GO);)
            words[2]++;
        return;
    case BLOCK: { /* asleep while it serves */
        struct aegis_predicate go = AEGIS_WHEN(WORD(exos.start, GO), NE, 0);
        aegis_wait(&go, 1, time_after(words[1]));
        return;
    }
    case HOOK:
        CHECK_OK(slice_set(slice_ends_here, NULL));
    }
}

static void receive(uint32_t sender, const uint64_t words[AEGIS_SEND_WORDS])
{
    exos.start->caps[SEEN].name = words[0] + words[1] + words[2] + words[3];
    exos.start->caps[SEEN].mac = sender;
}

static void revoked(enum aegis_kind kind, uint32_t count)
{
    exos.start->caps[SEEN].generation = (uint64_t)kind << 32 | count;
}

static int server(void)
{
    const struct aegis_cap none = {0};
    if (memcmp(&exos.start->caps[NEXT], &none, sizeof none))
        CHECK_OK(aegis_gate_bind(0, &exos.start->caps[NEXT]));
    upcall_set_revoke(revoked);
    CHECK_OK(gate_serve(answer, receive));
    return 1;
}

/* The callers. */

static struct aegis_cap cap_for(uint32_t env)
{
    struct aegis_cap cap;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, env, AEGIS_RIGHT_CALL, &cap));
    return cap;
}

static void spawn(struct proc *proc, const char *part, const struct aegis_cap *next)
{
    char *const arguments[] = {"serving", (char *)(uintptr_t)part};
    struct aegis_cap caps[CAPS];
    memset(caps, 0, sizeof caps);
    if (next)
        caps[NEXT] = *next;
    struct proc_options options = {
        .name = "serving", .argc = 2, .argv = arguments, .caps = caps, .cap_count = CAPS};
    CHECK_OK(proc_spawn(proc, &options));
}

/* Calls one that may not accept yet. */
static int64_t invoke(uint32_t index, uint64_t words[GATE_WORDS])
{
    int64_t result;
    while ((result = gate_invoke(index, words)) == -AEGIS_E_BUSY)
        aegis_yield(0);
    return result;
}

/* Spawns a server with a gate to it at index, and waits until it accepts. */
static void open_server(struct proc *proc, uint32_t index, const struct aegis_cap *next)
{
    uint64_t words[GATE_WORDS] = {ADD};
    spawn(proc, "server", next);
    struct aegis_cap cap = cap_for(proc->env);
    CHECK_OK(aegis_gate_bind(index, &cap));
    CHECK_EQ(invoke(index, words), proc->env);
    WORD(proc->start, STAGE) = 0;
}

static void end(struct proc *proc, uint64_t value)
{
    struct proc_status status;
    CHECK_EQ(proc_wait(proc, &status, time_after(20000000000)), 1);
    CHECK_EQ(status.reason, value ? AEGIS_EXIT_STATUS : AEGIS_EXIT_KILLED);
    CHECK_EQ(status.value, value);
}

static void kill(struct proc *proc)
{
    CHECK_OK(proc_kill(proc, 0));
    end(proc, 0);
}

static void answers(void)
{
    struct proc proc;
    open_server(&proc, 0, NULL);
    for (uint64_t round = 0; round < 200; round++) {
        uint64_t words[GATE_WORDS] = {ADD, round, round * 3, ~round, round << 50, 1};
        sum *= 1.0000001;
        CHECK_EQ(gate_invoke(0, words), proc.env);
        CHECK_EQ(words[0], exos.env);
        CHECK_EQ(words[1], round + 1 + proc.env);
        CHECK_EQ(words[3], ~round + 3 + proc.env);
        CHECK_EQ(words[5], 6 + proc.env);
    }
    CHECK(sum > 0.50000999 && sum < 0.50001001);
    kill(&proc);
    uint64_t words[GATE_WORDS] = {ADD, 1, 2, 3, 4, 5};
    CHECK_ERROR(gate_invoke(0, words), NO_GATE);
    CHECK_EQ(words[5], 5);
}

/* A calls B calls C ...: the last one's answer comes back to the first. */
static void chains(void)
{
    struct proc procs[6];
    struct aegis_cap next;
    for (int i = 0; i < 6; i++) {
        open_server(&procs[i], (uint32_t)i, i ? &next : NULL);
        next = cap_for(procs[i].env);
    }
    for (uint64_t depth = 0; depth < 6; depth++) {
        uint64_t words[GATE_WORDS] = {PASS_ON, depth};
        CHECK_EQ(gate_invoke(5, words), procs[5].env);
        CHECK_EQ(words[2], procs[5 - depth].env);
        CHECK_EQ(words[3], 0);
    }
    uint64_t words[GATE_WORDS] = {PASS_ON, 6}; /* the last one has no gate */
    CHECK_EQ(gate_invoke(5, words), procs[5].env);
    CHECK_EQ(words[3], 1);
    /* One in the middle ends: who called it is told, and answers. */
    CHECK_OK(proc_kill(&procs[2], 0));
    end(&procs[2], 0);
    words[0] = PASS_ON, words[1] = 5, words[3] = 0;
    CHECK_EQ(gate_invoke(5, words), procs[5].env);
    CHECK_EQ(words[3], 1);
    for (int i = 0; i < 6; i++)
        if (i != 2)
            kill(&procs[i]);
}

/* A caller of its own, for what would stop this program: calls with the order that its argument
 * says, and tells the result. */
static int caller(enum order order)
{
    uint64_t words[GATE_WORDS] = {order, UINT32_MAX}; /* a year of slices, or seconds */
    CHECK_OK(aegis_gate_bind(0, &exos.start->caps[NEXT]));
    WORD(exos.start, STAGE) = 1;
    exos.start->caps[SEEN].mac = (uint64_t)gate_invoke(0, words);
    WORD(exos.start, STAGE) = 2;
    aegis_wait(NULL, 0, AEGIS_FOREVER);
    return 1;
}

static void the_callee_ends(void)
{
    struct proc serving, calling;
    uint64_t words[GATE_WORDS] = {END};
    open_server(&serving, 0, NULL);
    CHECK_ERROR(gate_invoke(0, words), PEER_DIED);
    CHECK_ERROR(gate_invoke(0, words), NO_GATE);
    end(&serving, 7);

    /* Killed while it sleeps in its service. */
    open_server(&serving, 0, NULL);
    struct aegis_cap cap = cap_for(serving.env);
    spawn(&calling, "stay", &cap);
    until(&WORD(serving.start, STAGE), 1);
    CHECK_ERROR(gate_invoke(0, words), BUSY);
    kill(&serving);
    until(&WORD(calling.start, STAGE), 2);
    CHECK_EQ(calling.start->caps[SEEN].mac, -AEGIS_E_PEER_DIED);
    kill(&calling);
}

static void the_caller_ends(void)
{
    static const char *const ways[] = {"linger", "block"};
    struct proc serving, calling;
    open_server(&serving, 0, NULL);
    struct aegis_cap cap = cap_for(serving.env);
    for (int i = 0; i < 2; i++) {
        uint64_t words[GATE_WORDS] = {ADD};
        WORD(serving.start, STAGE) = WORD(serving.start, GO) = 0;
        spawn(&calling, ways[i], &cap);
        until(&WORD(serving.start, STAGE), 1);
        CHECK_EQ(WORD(calling.start, STAGE), 1);
        kill(&calling);
        CHECK_ERROR(gate_invoke(0, words), BUSY); /* it still serves the dead */
        WORD(serving.start, GO) = 1;
        CHECK_EQ(invoke(0, words), serving.env);
        CHECK_EQ(words[0], exos.env);
    }
    kill(&serving);
}

/* In a callee that takes several slices, or sleeps, and answers all the same. */
static void slices_end_in_the_callee(void)
{
    struct proc serving;
    open_server(&serving, 0, NULL);
    for (int i = 0; i < 3; i++) {
        uint64_t words[GATE_WORDS] = {i == 2 ? BLOCK : LINGER, i == 2 ? 60000000 : 4};
        uint64_t slices = aegis_env(serving.env)->slices, begun = time_now();
        CHECK_EQ(gate_invoke(0, words), serving.env);
        CHECK(i < 2 || time_now() - begun >= aegis_info()->timebase * 6 / 100);
        CHECK(aegis_env(serving.env)->slices >= slices + (i == 2 ? 1 : 4));
        if (i < 2)
            CHECK(words[2] > 100);
    }
    kill(&serving);
}

/* In its epilogue, which is no time to return in; the rest is as before. */
static void slices_end_in_the_callees_epilogue(void)
{
    struct proc serving;
    open_server(&serving, 0, NULL);
    uint64_t words[GATE_WORDS] = {HOOK};
    CHECK_EQ(gate_invoke(0, words), serving.env);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t overruns = aegis_env(exos.env)->overruns;
        serving.start->caps[SEEN].mac = 0;
        words[0] = LINGER, words[1] = 4, words[2] = 0;
        CHECK_EQ(gate_invoke(0, words), serving.env);
        CHECK(words[2] > 100);
        CHECK_EQ(serving.start->caps[SEEN].mac, -AEGIS_E_BUSY);
        CHECK_EQ(aegis_env(exos.env)->overruns, overruns);
    }
    kill(&serving);
}

static void messages(void)
{
    struct proc serving;
    open_server(&serving, 0, NULL);
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t slice = aegis_env(exos.env)->slices;
        WORD(serving.start, SEEN) = 0;
        while (aegis_gate_send(0, i, 1, 2, 3) == -AEGIS_E_BUSY) /* the one before, sent twice */
            aegis_yield(0);
        /* The first is there until the server's slot comes up. */
        if (i % 2 && aegis_gate_send(0, i, 1, 2, 3) != -AEGIS_E_BUSY)
            CHECK(aegis_env(exos.env)->slices > slice);
        until(&WORD(serving.start, SEEN), i + 6);
        CHECK_EQ(serving.start->caps[SEEN].mac, exos.env);
        uint64_t words[GATE_WORDS] = {ADD};
        CHECK_EQ(invoke(0, words), serving.env);
    }
    /* Sent while it serves another, and sleeps: taken afterwards. */
    struct proc calling;
    struct aegis_cap cap = cap_for(serving.env);
    WORD(serving.start, STAGE) = WORD(serving.start, GO) = 0;
    spawn(&calling, "block", &cap);
    until(&WORD(serving.start, STAGE), 1);
    while (aegis_gate_send(0, 100, 0, 0, 0) == -AEGIS_E_BUSY)
        aegis_yield(0);
    aegis_yield(serving.env);
    CHECK_EQ(WORD(calling.start, STAGE),
             1); /* the message doesn't wake what the service sleeps on */
    WORD(serving.start, GO) = 1;
    until(&WORD(serving.start, SEEN), 100);
    CHECK_EQ(WORD(calling.start, STAGE), 2);
    CHECK_EQ(calling.start->caps[SEEN].mac, serving.env);
    kill(&calling);
    kill(&serving);
}

/* Who accepts is asked like anybody, and served in between; then gates are taken by force. */
static void revocation(void)
{
    struct proc serving, other;
    uint64_t words[GATE_WORDS] = {PASS_ON, 1};
    open_server(&other, 1, NULL);
    struct aegis_cap cap = cap_for(other.env);
    open_server(&serving, 0, &cap);
    CHECK_ERROR(aegis_revoke(serving.env, AEGIS_KIND_GATE, 2), RANGE);
    CHECK_OK(aegis_revoke(serving.env, AEGIS_KIND_GATE, 1));
    until(&serving.start->caps[SEEN].generation, (uint64_t)AEGIS_KIND_GATE << 32 | 1);
    CHECK_EQ(invoke(0, words), serving.env);
    if (aegis_env(serving.env)->revoking) /* its time isn't over yet */
        CHECK_EQ(words[2], other.env);
    until(&aegis_env(serving.env)->revoking, 0);
    words[1] = 1, words[3] = 0;
    CHECK_EQ(invoke(0, words), serving.env);
    CHECK_EQ(words[3], 1); /* it is gone */
    kill(&serving);
    kill(&other);
}

int main(int argc, char **argv)
{
    const char *part = test_argument(argc, argv, 1);
    if (!strcmp(part, "server"))
        return server();
    if (*part)
        return caller(!strcmp(part, "stay") ? STAY : !strcmp(part, "linger") ? LINGER : BLOCK);
    answers();
    chains();
    the_callee_ends();
    the_caller_ends();
    slices_end_in_the_callee();
    slices_end_in_the_callees_epilogue();
    messages();
    revocation();
    return 0;
}
