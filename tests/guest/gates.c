/*
 * Call gates as the kernel has them: who may bind one, what passes through it, and what comes back
 * when it can't.
 */
#include <string.h>

#include "libos/time/time.h"
#include "test.h"

#define T0     5
#define A0     10
#define A7     17
#define ANSWER 32 /* words of mirror's data page from there on are what it returns */

static struct aegis_cap cap_for(uint32_t env)
{
    struct aegis_cap cap;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, env, AEGIS_RIGHT_CALL, &cap));
    return cap;
}

/* The call with the registers of in; again, if too little is left of the slice. */
static void call(const uint64_t in[32], uint64_t out[32])
{
    for (;;) {
        around_gate(in, out);
        if (out[T0] || out[A0] != (uint64_t)-AEGIS_E_TIME)
            return;
        aegis_yield(0);
    }
}

/* By the library's stub, once the callee accepts and there is time. */
static int64_t call_plainly(uint32_t index)
{
    int64_t result;
    while ((result = aegis_gate_call(index)) == -AEGIS_E_TIME || result == -AEGIS_E_BUSY)
        aegis_yield(0);
    return result;
}

/* A server with a gate to it, which accepts. */
static void serve(struct raw *raw, uint32_t index, const char *blob, const char *blob_end)
{
    raw_run(raw, "server", blob, blob_end, 0);
    struct aegis_cap cap = cap_for(raw->env);
    CHECK_OK(aegis_gate_bind(index, &cap));
    CHECK_EQ(call_plainly(index), raw->env);
    raw->data[0] = 0;
}

static void end(struct raw *raw)
{
    CHECK_OK(aegis_env_end(raw->env, 0));
    raw_finish(raw);
}

/* Every register but t0 is the message, there and back. */
static void all_registers_are_the_message(void)
{
    struct raw server;
    uint64_t in[32], out[32];
    serve(&server, 3, blob_mirror, blob_mirror_end);
    for (int round = 0; round < 20; round++) {
        for (unsigned n = 0; n < 32; n++) {
            in[n] = 0x1000 * (unsigned)round + n;
            server.data[ANSWER + n] = ~(0x77000UL + 0x100 * n);
        }
        in[A0] = 3;
        in[A7] = AEGIS_CALL_gate_call;
        call(in, out);
        CHECK_EQ(server.data[0], round + 1);
        for (int n = 1; n < 32; n++) {
            CHECK_EQ(server.data[n], n == T0 ? exos.env : in[n]);
            uint64_t answer = n == T0   ? server.env
                              : n == A7 ? AEGIS_CALL_gate_return
                                        : server.data[ANSWER + n];
            if (out[n] != answer)
                FAIL("x%d came back as 0x%llx, not 0x%llx", n, (unsigned long long)out[n],
                     (unsigned long long)answer);
        }
    }
    end(&server);
}

/* One that fails keeps what any call keeps, and says so in t0. */
static void a_refused_call_changes_no_register(void)
{
    uint64_t in[32], out[32];
    for (unsigned n = 0; n < 32; n++)
        in[n] = 0x100 + n;
    in[A0] = 5;
    in[A7] = AEGIS_CALL_gate_call;
    around_gate(in, out);
    CHECK_EQ(out[A0], -AEGIS_E_NO_GATE);
    CHECK_EQ(out[T0], 0);
    for (int n = 1; n < 32; n++) {
        bool kept = n < 5 || n == 8 || n == 9 || n >= 18;
        if (n != A0 && out[n] != in[n] && (kept || out[n]))
            FAIL("x%d after it is 0x%llx", n, (unsigned long long)out[n]);
    }
}

static void binding_errors(void)
{
    struct raw raw;
    raw_create(&raw, "server", blob_mirror, blob_mirror_end);
    struct aegis_cap cap = cap_for(raw.env), other, page;
    uint64_t ppn = test_page();
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, raw.env, AEGIS_RIGHT_CONTROL, &other));
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, ppn, AEGIS_RIGHT_READ, &page));
    CHECK_ERROR(aegis_gate_bind(AEGIS_GATES, &cap), RANGE);
    CHECK_ERROR(aegis_gate_bind(UINT32_MAX, &cap), RANGE);
    CHECK_ERROR(aegis_gate_bind(0, NULL), ADDRESS);
    CHECK_ERROR(aegis_gate_bind(0, &other), RIGHTS);
    CHECK_ERROR(aegis_gate_bind(0, &page), CAPABILITY);
    other = cap;
    other.mac ^= 1;
    CHECK_ERROR(aegis_gate_bind(0, &other), CAPABILITY);
    CHECK_OK(aegis_gate_bind(0, &cap)); /* it need not run yet */
    CHECK_ERROR(aegis_gate_bind(0, &cap), IN_USE);
    CHECK_OK(aegis_gate_bind(AEGIS_GATES - 1, &cap));
    CHECK_ERROR(aegis_gate_unbind(AEGIS_GATES), RANGE);
    CHECK_ERROR(aegis_gate_unbind(1), NO_GATE);
    CHECK_OK(aegis_gate_unbind(0));
    CHECK_ERROR(aegis_gate_unbind(0), NO_GATE);
    CHECK_ERROR(aegis_gate_call(0), NO_GATE);
    CHECK_ERROR(aegis_gate_call(AEGIS_GATES), RANGE);
    CHECK_ERROR(aegis_gate_send(0, 0, 0, 0, 0), NO_GATE);
    CHECK_ERROR(aegis_gate_send(UINT32_MAX, 0, 0, 0, 0), RANGE);
    CHECK_ERROR(aegis_gate_return(), STATE);
    CHECK_ERROR(aegis_gate_accept(0, 0), INVALID);
    CHECK_ERROR(aegis_gate_accept(1, 0), RANGE);
    CHECK_ERROR(aegis_gate_accept(RAW_CODE, AEGIS_USER_END), RANGE);
    CHECK_ERROR(aegis_gate_accept(0xffffffff80200000, 0), RANGE);

    /* Its number is somebody else's afterwards, and the gate nobody's. */
    CHECK_OK(aegis_env_end(raw.env, 0));
    CHECK_ERROR(aegis_gate_bind(0, &cap), STATE);
    raw_finish(&raw);
    CHECK_ERROR(aegis_gate_call(AEGIS_GATES - 1), NO_GATE);
    struct raw next;
    RAW(&next, spin, 0);
    CHECK_EQ(next.env, raw.env);
    CHECK_ERROR(aegis_gate_bind(0, &cap), CAPABILITY);
    CHECK_ERROR(aegis_gate_call(AEGIS_GATES - 1), NO_GATE);
    end(&next);
    CHECK_OK(aegis_page_free(ppn));
}

static void who_does_not_accept_is_busy(void)
{
    struct raw server;
    struct aegis_cap cap = cap_for(exos.env);
    CHECK_OK(aegis_gate_bind(0, &cap));
    CHECK_ERROR(aegis_gate_call(0), BUSY); /* itself */
    CHECK_ERROR(aegis_gate_send(0, 0, 0, 0, 0), STATE);
    CHECK_OK(aegis_gate_unbind(0));
    raw_create(&server, "server", blob_mirror, blob_mirror_end);
    cap = cap_for(server.env);
    CHECK_OK(aegis_gate_bind(0, &cap));
    CHECK_ERROR(aegis_gate_call(0), BUSY); /* not started */
    raw_start(&server, 0);
    CHECK_EQ(call_plainly(0), server.env);
    end(&server);
}

/* relay calls captor, which keeps it: for as long as captor lives. */
static void start_captive(struct raw *relay, struct raw *captor)
{
    RAW(captor, captor, 0);
    aegis_yield(captor->env);
    RAW(relay, relay, 0);
    struct aegis_cap cap = cap_for(captor->env);
    memcpy(&relay->data[8], &cap, sizeof cap);
    relay->data[1] = 1;
    while (!*(volatile uint64_t *)captor->data)
        aegis_yield(0);
}

static void a_callee_that_ends_leaves_peer_died(void)
{
    for (int i = 0; i < 5; i++) {
        struct raw relay, captor;
        start_captive(&relay, &captor);
        uint64_t n = aegis_env(relay.env)->slices;
        aegis_wait(NULL, 0, time_after(50000000));
        CHECK_EQ(aegis_env(relay.env)->slices, n); /* it waits, and the other runs */
        CHECK_EQ(relay.data[0], 0);
        end(&captor);
        while (!*(volatile uint64_t *)relay.data)
            aegis_yield(0);
        CHECK_EQ(relay.data[2], 0);
        CHECK_EQ(relay.data[3], -AEGIS_E_PEER_DIED);
        relay.data[1] = 0;
        CHECK_EQ(raw_finish(&relay).exit_value, 0);
    }
}

/* The caller's slices are the callee's for as long as it serves. */
static void a_call_gives_the_callers_slices_too(void)
{
    struct raw relay, captor;
    start_captive(&relay, &captor);
    uint64_t serving = aegis_env(captor.env)->slices, own = aegis_env(exos.env)->slices;
    while (aegis_env(exos.env)->slices < own + 6) /* one of three slots is this program's */
        ;
    serving = aegis_env(captor.env)->slices - serving;
    if (serving < 10 || serving > 14)
        FAIL("%llu slices of 12", (unsigned long long)serving);
    end(&captor);
    end(&relay);
}

/* Whoever serves finds nobody to return to, and goes on; others find it accepting again. */
static void a_caller_that_ends_leaves_an_orphan(void)
{
    struct raw relay, captor;
    start_captive(&relay, &captor);
    struct aegis_cap cap = cap_for(captor.env);
    CHECK_OK(aegis_gate_bind(0, &cap));
    CHECK_ERROR(aegis_gate_call(0), BUSY);
    end(&relay);
    CHECK_ERROR(aegis_gate_call(0), BUSY);
    uint64_t counted = captor.data[0], limit = test_deadline();
    while (*(volatile uint64_t *)captor.data == counted) {
        CHECK(time_now() < limit);
        aegis_yield(captor.env);
        aegis_yield(0);
    }
    end(&captor);
    CHECK_ERROR(aegis_gate_call(0), NO_GATE);
}

/* With SEVER, what others made; the one who revokes keeps its own. */
static void severing_clears_the_gates_of_others(void)
{
    struct raw server, relay;
    serve(&server, 0, blob_mirror, blob_mirror_end);
    struct aegis_cap cap = cap_for(server.env);
    for (int sever = 0; sever < 2; sever++) {
        RAW(&relay, relay, 0);
        memcpy(&relay.data[8], &cap, sizeof cap);
        if (sever)
            CHECK_OK(aegis_cap_revoke(AEGIS_KIND_ENV, server.env, AEGIS_REVOKE_SEVER));
        relay.data[1] = 1;
        while (!*(volatile uint64_t *)relay.data)
            aegis_yield(0);
        CHECK_EQ(relay.data[2], sever ? 0 : server.env);
        if (sever)
            CHECK_EQ(relay.data[3], -AEGIS_E_NO_GATE);
        relay.data[1] = 0;
        raw_finish(&relay);
    }
    CHECK_EQ(call_plainly(0), server.env);
    CHECK_ERROR(aegis_gate_bind(1, &cap), CAPABILITY);
    end(&server);
}

/* A call late in the slice is refused, and none comes when nothing is left. */
static void a_donation_needs_a_minimum(void)
{
    struct raw server;
    uint64_t refused = 0, slices = aegis_env(exos.env)->slices;
    serve(&server, 0, blob_mirror, blob_mirror_end);
    while (!refused && aegis_env(exos.env)->slices < slices + 200) {
        int64_t result = aegis_gate_call(0);
        refused += result == -AEGIS_E_TIME;
        CHECK(result == server.env || result == -AEGIS_E_TIME);
    }
    CHECK(refused > 0);
    end(&server);
}

/* Waits until the mirror was entered so often. */
static void until_entered(const struct raw *server, uint64_t count)
{
    while (*(volatile uint64_t *)server->data < count)
        aegis_yield(0);
}

/* What gate_send leaves is taken when the other's slot comes up, and there is one at a time. */
static void a_message_waits_for_its_receiver(void)
{
    struct raw server;
    uint64_t entered = 0, slice;
    bool call_was_first;
    serve(&server, 0, blob_mirror, blob_mirror_end);
    for (uint64_t i = 1; i <= 3; i++) {
        uint64_t words[] = {i, i + 1, i << 40, UINT64_MAX};
        slice = aegis_env(exos.env)->slices;
        CHECK_OK(aegis_gate_send(0, i, i + 1, i << 40, UINT64_MAX));
        int64_t second = aegis_gate_send(0, i, i + 1, i << 40, UINT64_MAX);
        /* Taken, if the slice ended in between. */
        CHECK(second == -AEGIS_E_BUSY || (second == 0 && aegis_env(exos.env)->slices > slice));
        until_entered(&server, entered += second == 0 ? 2 : 1);
        for (unsigned n = 1; n < 32; n++)
            CHECK_EQ(server.data[n], n == T0                 ? exos.env
                                     : n >= A0 && n < A0 + 4 ? words[n - A0]
                                                             : 0);
    }
    do { /* A call that comes first is served first. */
        slice = aegis_env(exos.env)->slices;
        CHECK_OK(aegis_gate_send(0, 7, 7, 7, 7));
        CHECK_EQ(call_plainly(0), server.env);
        call_was_first = server.data[0] == entered + 1;
        CHECK(call_was_first || aegis_env(exos.env)->slices > slice);
        until_entered(&server, entered += 2);
    } while (!call_was_first);
    CHECK_EQ(server.data[A0], 7);
    CHECK_OK(aegis_gate_send(0, 8, 8, 8, 8)); /* never taken */
    end(&server);
}

int main(void)
{
    all_registers_are_the_message();
    a_refused_call_changes_no_register();
    binding_errors();
    who_does_not_accept_is_busy();
    a_callee_that_ends_leaves_peer_died();
    a_call_gives_the_callers_slices_too();
    a_caller_that_ends_leaves_an_orphan();
    severing_clears_the_gates_of_others();
    a_donation_needs_a_minimum();
    a_message_waits_for_its_receiver();
    return 0;
}
