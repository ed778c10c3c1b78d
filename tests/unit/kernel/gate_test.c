/* Call gates against a model: who waits for whom, who serves whom, and what each call says,
 * whatever ends in between. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "kernel/gate.h"
#include "kernel/slice.h"
#include "kernel/turn.h"
#include "kernel/wake.h"
#include "random.h"
#include "world.h"

#define AT    0x10000UL
#define PEERS 5 /* beside the first */
#define STEPS 20000

/* What the model knows of a peer; peers are named by their index, -1 is nobody. */
enum doing { RUNS, ACCEPTS, CALLS };
static struct peer {
    uint32_t number;
    enum doing doing;
    int callee; /* of CALLS */
    int caller; /* whom it serves, or NOBODY, or ORPHAN */
    int gates[AEGIS_GATES];
    bool takes_calls, takes_mail; /* once it has accepted */
    int mail;                     /* who sent it, or NOBODY */
    bool forced;
    uint64_t entry;
    bool kept;             /* when it accepted last, somebody waited */
    int awaits;            /* whose turn it waits for */
    uint64_t since, asked; /* order of the waits; its slices when it asked last */
    uint64_t slices;
    struct aegis_cap *memory; /* mapped at AT in its space */
} peers[PEERS];
enum { NOBODY = -1, ORPHAN = -2 };
static uint64_t waits;
static int passed_by; /* calls that came before their turn */

static struct aegis_cap *mine; /* the first environment's */

static struct env *env_of(int peer)
{
    return env_table[peers[peer].number];
}

static void make(int peer)
{
    world_call_as(FIRST_ENV);
    uint32_t number = world_child("peer");
    peers[peer] =
        (struct peer){.number = number, .caller = NOBODY, .mail = NOBODY, .awaits = NOBODY};
    for (int i = 0; i < AEGIS_GATES; i++)
        peers[peer].gates[i] = NOBODY;
    world_call_as(number);
    /* Its tables and its page come from its own account, which is the first's. */
    peers[peer].memory = world_memory(AT, 1);
}

static int boot(void **state)
{
    (void)state;
    world_boot(NULL, 0);
    mine = world_memory(AT, 1);
    for (int i = 0; i < PEERS; i++)
        make(i);
    this_hart->donate_until = UINT64_MAX;
    return 0;
}

static int leave(void **state)
{
    (void)state;
    free(host_memory);
    return 0;
}

/* That the kernel has the same as the model. */
static void compare(void)
{
    for (int i = 0; i < PEERS; i++) {
        const struct peer *p = &peers[i];
        const struct env *env = env_of(i);
        assert_int_equal(gate_calls(env), p->doing == CALLS);
        assert_int_equal(gate_accepts(env), p->doing == ACCEPTS);
        if (p->doing == CALLS)
            assert_ptr_equal(gate_env(env->state), env_of(p->callee));
        if (p->doing != ACCEPTS && p->caller == ORPHAN)
            assert_int_equal(env->caller, GATE_ORPHAN);
        if (p->doing != ACCEPTS && p->caller == NOBODY)
            assert_int_equal(env->caller, GATE_NOBODY);
        if (p->doing != ACCEPTS && p->caller >= 0)
            assert_ptr_equal(env->caller == GATE_HELD ? env->held_caller : gate_env(env->caller),
                             env_of(p->caller));
        for (int g = 0; g < AEGIS_GATES; g++)
            assert_ptr_equal(env->gates[g], p->gates[g] < 0 ? NULL : env_of(p->gates[g]));
        assert_ptr_equal(env->turn.at, p->awaits < 0 ? NULL : env_of(p->awaits));
        assert_int_equal(env->mail.sender, p->mail < 0 ? 0 : peers[p->mail].number);
    }
}

static void try_bind(int self, uint32_t index, int other)
{
    world_call_as(FIRST_ENV);
    assert_int_equal(call_cap_mint(AEGIS_KIND_ENV, peers[other].number, AEGIS_RIGHT_CALL, AT), 0);
    *peers[self].memory = *mine;
    world_call_as(peers[self].number);
    long result = call_gate_bind(index, AT);
    if (index >= AEGIS_GATES) {
        assert_int_equal(result, -AEGIS_E_RANGE);
    } else if (peers[self].gates[index] >= 0) {
        assert_int_equal(result, -AEGIS_E_IN_USE);
    } else {
        assert_int_equal(result, 0);
        peers[self].gates[index] = other;
    }
}

static void try_unbind(int self, uint32_t index)
{
    long result = call_gate_unbind(index);

    if (index >= AEGIS_GATES) {
        assert_int_equal(result, -AEGIS_E_RANGE);
    } else if (peers[self].gates[index] < 0) {
        assert_int_equal(result, -AEGIS_E_NO_GATE);
    } else {
        assert_int_equal(result, 0);
        peers[self].gates[index] = NOBODY;
    }
}

/* Who has waited longest for a peer, of those who can still ask; the others wait no more. */
static int first_for(int peer)
{
    int first = NOBODY;

    for (int i = 0; i < PEERS; i++) {
        struct peer *p = &peers[i];
        if (p->awaits != peer)
            continue;
        if (p->doing != RUNS || p->forced || p->slices > p->asked + 1)
            p->awaits = NOBODY;
        else if (first == NOBODY || p->since < peers[first].since)
            first = i;
    }
    return first;
}

static void wait_for(int self, int peer)
{
    if (self == peer)
        return;
    if (peers[self].awaits != peer)
        peers[self].since = ++waits;
    peers[self].awaits = peer;
    peers[self].asked = peers[self].slices;
}

static void open_to_callers(int self)
{
    peers[self].kept = peers[self].takes_calls && first_for(self) != NOBODY;
}

static uint64_t accept_entries[2];
static long accept_result;

static void accept(void *argument)
{
    (void)argument;
    accept_result = call_gate_accept(accept_entries[0], accept_entries[1]);
}

static void try_accept(int self)
{
    struct peer *p = &peers[self];
    uint64_t kinds = random_below(4);

    accept_entries[0] = kinds & 1 ? 0x10000 + 2 * random_below(1000) : 0;
    accept_entries[1] = kinds & 2 ? 0x20000 : 0;
    enum host_end end = host_run(accept, NULL);
    if (!kinds) {
        assert_true(end == HOST_RETURNED && accept_result == -AEGIS_E_INVALID);
    } else if (p->caller >= 0) {
        assert_true(end == HOST_RETURNED && accept_result == -AEGIS_E_STATE);
    } else {
        assert_int_equal(end, HOST_LEFT);
        p->doing = ACCEPTS;
        p->caller = NOBODY;
        p->takes_calls = kinds & 1;
        p->takes_mail = kinds & 2;
        p->entry = accept_entries[0];
    }
    if (end == HOST_LEFT)
        open_to_callers(self);
}

static void try_call(int self, uint32_t index, bool late)
{
    this_hart->donate_until = late ? 0 : UINT64_MAX;
    host_csr_sepc = 0x4000 + 4 * random_below(100);
    uint64_t pc = host_csr_sepc;
    long result = call_gate_call(index);

    if (index >= AEGIS_GATES) {
        assert_int_equal(result, -AEGIS_E_RANGE);
        return;
    }
    int callee = peers[self].gates[index];
    if (callee < 0) {
        assert_int_equal(result, -AEGIS_E_NO_GATE);
    } else if (peers[callee].doing != ACCEPTS || !peers[callee].takes_calls ||
               peers[callee].forced) {
        assert_int_equal(result, -AEGIS_E_BUSY);
        wait_for(self, callee);
    } else if (late) {
        assert_int_equal(result, -AEGIS_E_TIME);
    } else if (peers[callee].kept && first_for(callee) != NOBODY && first_for(callee) != self) {
        assert_int_equal(result, -AEGIS_E_BUSY);
        wait_for(self, callee);
        passed_by++;
    } else {
        assert_int_equal(result, peers[self].number);
        assert_ptr_equal(this_hart->env, env_of(callee));
        assert_int_equal(host_csr_sepc, peers[callee].entry);
        assert_int_equal(host_csr_satp, env_of(callee)->satp);
        assert_int_equal(env_of(self)->pc, pc);
        if (peers[callee].kept) {
            peers[self].awaits = NOBODY;
            first_for(callee);
        }
        peers[callee].kept = false;
        peers[self].doing = CALLS;
        peers[self].callee = callee;
        peers[callee].doing = RUNS;
        peers[callee].caller = self;
        return;
    }
    assert_ptr_equal(this_hart->env, env_of(self));
    assert_int_equal(host_csr_sepc, pc);
}

static void try_return(int self, bool late)
{
    struct peer *p = &peers[self];
    int caller = p->caller;

    this_hart->epilogue = late; /* its slice is over, and slice_timer has held the caller */
    if (late)
        gate_hold_caller(env_of(self));
    long result = call_gate_return();
    this_hart->epilogue = false;

    if (caller == NOBODY) {
        assert_int_equal(result, -AEGIS_E_STATE);
    } else if (caller == ORPHAN) {
        assert_int_equal(result, -AEGIS_E_PEER_DIED);
        p->caller = NOBODY;
    } else if (peers[caller].forced || late) {
        assert_int_equal(result, -AEGIS_E_BUSY);
    } else {
        assert_int_equal(result, p->number);
        assert_ptr_equal(this_hart->env, env_of(caller));
        assert_int_equal(host_csr_sepc, env_of(caller)->pc + 4);
        open_to_callers(self);
        p->doing = ACCEPTS;
        p->caller = NOBODY;
        peers[caller].doing = RUNS;
    }
}

static void try_send(int self, uint32_t index)
{
    long result = call_gate_send(index, 1, 2, 3, (uint64_t)self);

    if (index >= AEGIS_GATES) {
        assert_int_equal(result, -AEGIS_E_RANGE);
        return;
    }
    int to = peers[self].gates[index];
    if (to < 0) {
        assert_int_equal(result, -AEGIS_E_NO_GATE);
    } else if (!peers[to].takes_mail) {
        assert_int_equal(result, -AEGIS_E_STATE);
    } else if (peers[to].mail >= 0) {
        assert_int_equal(result, -AEGIS_E_BUSY);
    } else {
        assert_int_equal(result, 0);
        peers[to].mail = self;
    }
}

/* A slot of a peer's comes up. */
static void give_slot(int peer)
{
    struct peer *p = &peers[peer];
    bool ready = wake_ready(env_of(peer), 12345);

    if (p->doing == ACCEPTS && p->mail >= 0 && p->takes_mail) {
        const struct env *env = env_of(peer);
        assert_true(ready);
        assert_int_equal(env->pc, 0x20000);
        assert_int_equal(env->x[REG_T0], peers[p->mail].number);
        assert_int_equal(env->x[REG_A0 + 3], p->mail);
        assert_int_equal(env->x[REG_SP], 0);
        p->doing = RUNS;
        p->caller = NOBODY;
        p->mail = NOBODY;
    } else {
        assert_int_equal(ready, p->doing == RUNS);
    }
    struct env *last = gate_callee_of(env_of(peer));
    assert_false(gate_calls(last));
}

static void try_end(int peer)
{
    world_call_as(FIRST_ENV);
    struct peer gone = peers[peer];
    int caller = gone.doing == ACCEPTS ? NOBODY : gone.caller;
    world_end(gone.number);
    if (caller >= 0) {
        const struct env *env = env_of(caller);
        assert_int_equal(env->x[REG_A0], -AEGIS_E_PEER_DIED);
        for (int n = 1; n < REGS; n++)
            assert_true(n == REG_A0 || env->x[n] == 0);
        peers[caller].doing = RUNS;
    }
    if (gone.doing == CALLS)
        peers[gone.callee].caller = ORPHAN;
    for (int i = 0; i < PEERS; i++) {
        if (peers[i].awaits == peer)
            peers[i].awaits = NOBODY;
        for (int g = 0; g < AEGIS_GATES; g++)
            if (peers[i].gates[g] == peer)
                peers[i].gates[g] = NOBODY;
    }
    assert_int_equal(call_env_free(gone.number), 0);
    make(peer);
    for (int i = 0; i < PEERS; i++) /* its number is another's: a message keeps it */
        if (peers[i].mail == peer)
            assert_int_equal(env_of(i)->mail.sender, gone.number);
}

static void try_sever(int by, int peer)
{
    world_call_as(by < 0 ? FIRST_ENV : peers[by].number);
    long result = call_cap_revoke(AEGIS_KIND_ENV, peers[peer].number, AEGIS_REVOKE_SEVER);

    if (by >= 0 && by != peer) {
        assert_int_equal(result, -AEGIS_E_OWNER);
        return;
    }
    assert_int_equal(result, 0);
    for (int i = 0; i < PEERS; i++)
        for (int g = 0; i != by && g < AEGIS_GATES; g++)
            if (peers[i].gates[g] == peer)
                peers[i].gates[g] = NOBODY;
}

static void try_force(int peer)
{
    struct env *env = env_of(peer);

    peers[peer].forced = env->forced = !env->forced;
    env->forced ? gate_hold(env) : gate_release(env);
    if (!env->forced && peers[peer].doing == ACCEPTS)
        open_to_callers(peer);
}

/* An upcall comes to it, before it goes on. */
static void try_interrupt(int peer)
{
    struct peer *p = &peers[peer];

    assert_int_equal(gate_interrupt(env_of(peer)), p->doing != CALLS);
    if (p->doing != ACCEPTS)
        return;
    assert_int_equal(env_of(peer)->x[REG_A7], AEGIS_CALL_gate_accept);
    assert_int_equal(env_of(peer)->x[REG_A0], p->entry);
    p->doing = RUNS;
    p->caller = NOBODY;
}

static void step(void)
{
    int self = (int)random_below(PEERS), other = (int)random_below(PEERS);
    uint32_t index = (uint32_t)random_below(AEGIS_GATES + 1) / (1 + (uint32_t)random_below(4));
    uint64_t what = random_below(20);

    if (what == 0)
        try_end(self);
    else if (what == 1)
        try_sever((int)random_below(PEERS + 1) - 1, other);
    else if (what == 2)
        try_force(self);
    else if (what == 3)
        give_slot(self);
    else if (what == 4)
        try_interrupt(self);
    if (random_below(20) == 0) /* it has a slice, and asks in it or not */
        env_of(other)->info->slices = ++peers[other].slices;
    if (what < 5 || peers[self].doing != RUNS || peers[self].forced)
        return;
    world_call_as(peers[self].number);
    if (what < 8)
        try_bind(self, index, other);
    else if (what == 8)
        try_unbind(self, index);
    else if (what < 12)
        try_accept(self);
    else if (what < 15)
        try_call(self, index, random_below(5) == 0);
    else if (what < 18)
        try_return(self, random_below(5) == 0);
    else
        try_send(self, index);
}

static void every_call_does_as_the_model_says(void **state)
{
    (void)state;
    seed_random(20261122);
    for (int i = 0; i < STEPS; i++) {
        step();
        compare();
    }
    assert_true(passed_by > 0); /* the order of turns was looked at */
}

static void a_gate_needs_a_capability_to_call(void **state)
{
    static const struct {
        uint32_t rights;
        long result;
    } cases[] = {{AEGIS_RIGHT_CONTROL, -AEGIS_E_RIGHTS},
                 {AEGIS_RIGHT_CALL, 0},
                 {AEGIS_RIGHT_CALL | AEGIS_RIGHT_CONTROL, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        world_call_as(FIRST_ENV);
        assert_int_equal(call_cap_mint(AEGIS_KIND_ENV, peers[0].number, cases[i].rights, AT), 0);
        assert_int_equal(call_gate_bind(0, AT), cases[i].result);
        if (!cases[i].result)
            assert_int_equal(call_gate_unbind(0), 0);
        mine->mac ^= 1;
        assert_int_equal(call_gate_bind(0, AT), -AEGIS_E_CAPABILITY);
        mine->mac ^= 1;
        mine->name ^= 1; /* another environment's number */
        assert_int_equal(call_gate_bind(0, AT), -AEGIS_E_CAPABILITY);
        mine->name |= AEGIS_CAP_NAME(0, 0, 0xffffffffff);
        assert_int_equal(call_gate_bind(0, AT), -AEGIS_E_CAPABILITY);
    }
    assert_int_equal(call_gate_bind(0, UINT64_MAX), -AEGIS_E_ADDRESS);
}

static void gates_are_taken_one_by_one_and_named(void **state)
{
    uint64_t number;

    (void)state;
    world_call_as(FIRST_ENV);
    assert_int_equal(call_cap_mint(AEGIS_KIND_ENV, peers[1].number, AEGIS_RIGHT_CALL, AT), 0);
    assert_int_equal(call_gate_bind(2, AT), 0);
    assert_int_equal(call_gate_bind(AEGIS_GATES - 1, AT), 0);
    struct env *first = env_table[FIRST_ENV];
    assert_int_equal(gate_held(first), 2);
    assert_true(gate_valid(FIRST_ENV * AEGIS_GATES + 2));
    assert_false(gate_valid(FIRST_ENV * AEGIS_GATES + 3));
    assert_false(gate_valid((uint64_t)ENV_COUNT * AEGIS_GATES));
    assert_true(gate_take(first, &number));
    assert_int_equal(number, FIRST_ENV * AEGIS_GATES + AEGIS_GATES - 1);
    assert_int_equal(gate_owner(number), FIRST_ENV);
    assert_true(gate_take(first, &number));
    assert_int_equal(number, FIRST_ENV * AEGIS_GATES + 2);
    assert_false(gate_take(first, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gate_needs_a_capability_to_call),
        cmocka_unit_test(gates_are_taken_one_by_one_and_named),
        cmocka_unit_test(every_call_does_as_the_model_says),
    };

    return cmocka_run_group_tests(tests, boot, leave);
}
