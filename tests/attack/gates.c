/* Attacks on protected control transfer. */
#include "gates.h"

#include <stdlib.h>
#include <string.h>

#include "libos/gate/gate.h"
#include "libos/time/time.h"

#define SECOND 1000000000UL
#define ANSWER 32 /* mirror's words from there on are the registers that it returns */

uint64_t gates_now(void)
{
    return time_now();
}

struct aegis_cap gates_cap(uint32_t env)
{
    struct aegis_cap cap;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, env, AEGIS_RIGHT_CALL, &cap));
    return cap;
}

static int64_t call(uint32_t index)
{
    int64_t result;
    while ((result = aegis_gate_call(index)) == -AEGIS_E_TIME || result == -AEGIS_E_BUSY)
        aegis_yield(0);
    return result;
}

static void start(struct raw *raw, uint32_t index, const char *blob, const char *blob_end)
{
    raw_run(raw, "server", blob, blob_end, 0);
    struct aegis_cap cap = gates_cap(raw->env);
    CHECK_OK(aegis_gate_bind(index, &cap));
}

void gates_open(struct raw *raw, uint32_t index, const char *blob, const char *blob_end)
{
    start(raw, index, blob, blob_end);
    CHECK_EQ(call(index), raw->env);
}

void gates_close(struct raw *raw)
{
    CHECK_OK(aegis_env_end(raw->env, 0));
    raw_finish(raw);
}

void gates_start_pair(struct raw *caller, struct raw *callee, const char *blob,
                      const char *blob_end)
{
    raw_run(callee, "callee", blob, blob_end, 0);
    RAW(caller, relay, 0);
    struct aegis_cap cap = gates_cap(callee->env);
    memcpy(&caller->data[8], &cap, sizeof cap);
    aegis_yield(callee->env); /* it accepts */
    aegis_yield(0);
    caller->data[1] = 1;
    while (!*(volatile uint64_t *)callee->data)
        aegis_yield(0);
}

int64_t gates_serving_child(uint64_t number, uint64_t argument)
{
    struct raw raw;
    start(&raw, 0, blob_obeyer, blob_obeyer_end);
    raw.data[1] = number;
    raw.data[2] = argument;
    int64_t result = call(0);
    if (result == raw.env) {
        result = (int64_t)raw.data[3];
        CHECK_OK(aegis_env_end(raw.env, 0));
    }
    raw_finish(&raw);
    return result;
}

int64_t gate_to_the_dead(void)
{
    struct raw raw;
    gates_open(&raw, 0, blob_mirror, blob_mirror_end);
    struct aegis_cap cap = gates_cap(raw.env);
    uint32_t number = raw.env;
    CHECK_OK(aegis_env_end(raw.env, 0));
    CHECK_ERROR(aegis_gate_call(0), NO_GATE);
    CHECK_ERROR(aegis_gate_send(0, 1, 2, 3, 4), NO_GATE);
    raw_finish(&raw);
    raw_run(&raw, "another", blob_mirror, blob_mirror_end, 0);
    CHECK_EQ(raw.env, number);
    CHECK_ERROR(aegis_gate_bind(1, &cap), CAPABILITY);
    int64_t result = aegis_gate_call(0);
    gates_close(&raw);
    return result;
}

/* Before it accepts, while it serves, after it has. */
int64_t callee_ends_in_each_place(void)
{
    struct raw raw, caller;
    start(&raw, 0, blob_spin, blob_spin_end);
    CHECK_ERROR(aegis_gate_call(0), BUSY);
    gates_close(&raw);
    CHECK_ERROR(aegis_gate_call(0), NO_GATE);
    gates_open(&raw, 0, blob_mirror, blob_mirror_end);
    gates_close(&raw);
    CHECK_ERROR(aegis_gate_call(0), NO_GATE);
    gates_start_pair(&caller, &raw, blob_captor, blob_captor_end);
    gates_close(&raw);
    while (!*(volatile uint64_t *)caller.data)
        aegis_yield(0);
    CHECK_EQ(caller.data[2], 0);
    CHECK_EQ(caller.data[3], -AEGIS_E_PEER_DIED);
    gates_close(&caller);
    return gates_serving_child(AEGIS_CALL_env_end, 0);
}

int64_t callee_never_returns(void)
{
    struct raw caller, callee;
    gates_start_pair(&caller, &callee, blob_captor, blob_captor_end);
    uint64_t mine = aegis_env(exos.env)->slices, theirs = aegis_env(callee.env)->slices;
    for (int i = 0; i < 10; i++)
        aegis_yield(0);
    mine = aegis_env(exos.env)->slices - mine;
    theirs = aegis_env(callee.env)->slices - theirs;
    CHECK(mine >= 10 && theirs <= 2 * mine + 2);
    gates_close(&caller); /* its owner can end it all the same */
    CHECK_EQ(aegis_env(callee.env)->state, AEGIS_ENV_LIVE);
    gates_close(&callee);
    return 0;
}

int64_t gate_after_sever(void)
{
    struct raw caller, callee;
    raw_run(&callee, "callee", blob_mirror, blob_mirror_end, 0);
    RAW(&caller, relay, 0);
    struct aegis_cap cap = gates_cap(callee.env);
    memcpy(&caller.data[8], &cap, sizeof cap);
    /* Capabilities that are stale open no gate; one that was opened before is cleared. */
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_ENV, callee.env, AEGIS_REVOKE_SEVER));
    caller.data[1] = 1;
    while (!*(volatile uint64_t *)caller.data)
        aegis_yield(0);
    CHECK_EQ(caller.data[2], 0);
    int64_t result = (int64_t)caller.data[3];
    gates_close(&caller);
    gates_close(&callee);
    return result;
}

/* In the library's hands the callee's word for it is part of its answer, not an error. */
int64_t answer_that_looks_like_an_error(void)
{
    struct raw raw;
    uint64_t words[GATE_WORDS] = {0};
    gates_open(&raw, 0, blob_mirror, blob_mirror_end);
    for (int n = 0; n < 32; n++)
        raw.data[ANSWER + n] = (uint64_t)-AEGIS_E_PEER_DIED;
    CHECK_EQ(call(0), raw.env);
    CHECK_EQ(gate_invoke(0, words), raw.env);
    for (int n = 0; n < GATE_WORDS; n++)
        CHECK_EQ(words[n], -AEGIS_E_PEER_DIED);
    gates_close(&raw);
    return 0;
}

#define PEERS 6

/* One peer of any kind, with a gate to it; half of them call another one that is there. */
static void start_peer(unsigned *seed, struct raw *raws, uint32_t index)
{
    static const struct {
        const char *code, *end;
    } servers[] = {{blob_mirror, blob_mirror_end},
                   {blob_yielder, blob_yielder_end},
                   {blob_captor, blob_captor_end}};
    if (rand_r(seed) % 2) {
        int kind = rand_r(seed) % 3;
        start(&raws[index], index, servers[kind].code, servers[kind].end);
        return;
    }
    start(&raws[index], index, blob_relay, blob_relay_end);
    struct aegis_cap cap = gates_cap(raws[(unsigned)rand_r(seed) % (index + 1)].env);
    memcpy(&raws[index].data[8], &cap, sizeof cap);
    raws[index].data[1] = 1;
}

/* One round: peers call each other, get messages, and end in any order, whatever they are at. */
static void life_among_peers(unsigned *seed)
{
    struct raw raws[PEERS];
    for (uint32_t i = 0; i < PEERS; i++)
        start_peer(seed, raws, i);
    uint32_t first = (uint32_t)rand_r(seed) % PEERS;
    for (int i = 0; i < 60; i++) {
        uint32_t peer = (uint32_t)rand_r(seed) % PEERS;
        aegis_gate_send(peer, 1, 2, 3, 4);
        aegis_yield(rand_r(seed) % 2 ? raws[peer].env : 0);
        if (i % 20 == 19)
            aegis_env_end(raws[first++ % PEERS].env, 0);
    }
    for (uint32_t i = 0; i < PEERS; i++)
        aegis_env_end(raws[first++ % PEERS].env, 0);
    for (uint32_t i = 0; i < PEERS; i++)
        raw_finish(&raws[i]);
    for (uint32_t i = 0; i < AEGIS_GATES; i++)
        CHECK_ERROR(aegis_gate_unbind(i), NO_GATE);
}

int64_t thousands_of_calls(void)
{
    uint64_t before = aegis_info()->free_pages;
    unsigned seed = 1;
    struct raw raw;
    gates_open(&raw, 0, blob_mirror, blob_mirror_end);
    for (int i = 0; i < 5000; i++)
        CHECK_EQ(call(0), raw.env);
    gates_close(&raw);
    for (int i = 0; i < 30; i++)
        life_among_peers(&seed);
    CHECK_EQ(aegis_info()->free_pages, before);
    return 0;
}
