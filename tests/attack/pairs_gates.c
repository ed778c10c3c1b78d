/* The errors of calls about gates. */
#include <string.h>

#include "attack.h"
#include "gates.h"

int64_t gate_bind_RANGE(void)
{
    const struct aegis_cap *cap = &exos.start->caps[ATTACK_CAP_VICTIM_ENV];
    CHECK_ERROR(aegis_gate_bind(UINT32_MAX, cap), RANGE);
    return aegis_gate_bind(AEGIS_GATES, cap);
}

int64_t gate_bind_ADDRESS(void)
{
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_ERROR(aegis_gate_bind(0, (const struct aegis_cap *)bad_addresses[i]), ADDRESS);
    return aegis_gate_bind(0, (const struct aegis_cap *)(AEGIS_USER_END - 8));
}

/* For something else, for nobody, changed, and stale. */
int64_t gate_bind_CAPABILITY(void)
{
    struct aegis_cap forged = exos.start->caps[ATTACK_CAP_VICTIM_ENV], stale;
    CHECK_ERROR(aegis_gate_bind(0, &exos.start->caps[ATTACK_CAP_VICTIM_PAGE]), CAPABILITY);
    CHECK_ERROR(aegis_gate_bind(0, &exos.start->caps[ATTACK_CAP_CONSOLE]), CAPABILITY);
    forged.name ^= 1;
    CHECK_ERROR(aegis_gate_bind(0, &forged), CAPABILITY);
    forged.name = AEGIS_CAP_NAME(AEGIS_KIND_ENV, AEGIS_RIGHT_CALL, UINT32_MAX);
    CHECK_ERROR(aegis_gate_bind(0, &forged), CAPABILITY);
    forged.name = AEGIS_CAP_NAME(AEGIS_KIND_ENV, AEGIS_RIGHT_CALL, 0);
    CHECK_ERROR(aegis_gate_bind(0, &forged), CAPABILITY);
    stale = gates_cap(exos.env);
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_ENV, exos.env, AEGIS_REVOKE_STALE));
    return aegis_gate_bind(0, &stale);
}

/* CONTROL alone; and more rights than it had. */
int64_t gate_bind_RIGHTS(void)
{
    struct aegis_cap cap;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CONTROL, &cap));
    struct aegis_cap more = cap;
    more.name |= AEGIS_CAP_NAME(0, AEGIS_RIGHT_CALL, 0);
    CHECK_ERROR(aegis_gate_bind(0, &more), CAPABILITY);
    return aegis_gate_bind(0, &cap);
}

int64_t gate_bind_STATE(void)
{
    uint32_t child = child_make();
    struct aegis_cap cap = gates_cap(child);
    CHECK_OK(aegis_env_end(child, 0));
    int64_t result = aegis_gate_bind(0, &cap);
    struct aegis_predicate ended = aegis_when_ended(child);
    CHECK_EQ(aegis_wait(&ended, 1, AEGIS_FOREVER), 0);
    CHECK_OK(aegis_env_free(child));
    return result;
}

int64_t gate_bind_IN_USE(void)
{
    const struct aegis_cap *cap = &exos.start->caps[ATTACK_CAP_VICTIM_ENV];
    CHECK_OK(aegis_gate_bind(0, cap));
    int64_t result = aegis_gate_bind(0, cap);
    CHECK_OK(aegis_gate_unbind(0));
    return result;
}

int64_t gate_unbind_RANGE(void)
{
    CHECK_ERROR(aegis_gate_unbind(UINT32_MAX), RANGE);
    return aegis_gate_unbind(AEGIS_GATES);
}

int64_t gate_unbind_NO_GATE(void)
{
    return aegis_gate_unbind(AEGIS_GATES - 1);
}

/* Into the kernel's half, and between instructions. */
int64_t gate_accept_RANGE(void)
{
    CHECK_ERROR(aegis_gate_accept(AEGIS_PROGRAM_BASE + 1, 0), RANGE);
    CHECK_ERROR(aegis_gate_accept(AEGIS_USER_END, AEGIS_PROGRAM_BASE), RANGE);
    CHECK_ERROR(aegis_gate_accept(AEGIS_PROGRAM_BASE, 1UL << 63), RANGE);
    CHECK_ERROR(aegis_gate_accept(UINT64_MAX, 0), RANGE);
    return aegis_gate_accept(0xffffffff80200000, 0);
}

int64_t gate_accept_INVALID(void)
{
    return aegis_gate_accept(0, 0);
}

/* A child that serves this program accepts again, without having returned. */
int64_t gate_accept_STATE(void)
{
    return gates_serving_child(AEGIS_CALL_gate_accept, AEGIS_PROGRAM_BASE);
}

int64_t gate_call_RANGE(void)
{
    CHECK_ERROR(aegis_gate_call(UINT32_MAX), RANGE);
    return aegis_gate_call(AEGIS_GATES);
}

int64_t gate_call_NO_GATE(void)
{
    return aegis_gate_call(0);
}

/* The victim, which serves others, but not through gates. */
int64_t gate_call_BUSY(void)
{
    CHECK_OK(aegis_gate_bind(0, &exos.start->caps[ATTACK_CAP_VICTIM_ENV]));
    int64_t result = aegis_gate_call(0);
    CHECK_OK(aegis_gate_unbind(0));
    return result;
}

/* With what is left of a slice that is nearly over: as long as it takes to come to one. */
int64_t gate_call_TIME(void)
{
    struct raw raw;
    int64_t result = 0;
    gates_open(&raw, 0, blob_mirror, blob_mirror_end);
    for (uint64_t i = 0; i < 1000000 && result != -AEGIS_E_TIME; i++) {
        for (volatile int wait = 0; wait < 1000; wait++)
            ;
        result = aegis_gate_call(0);
        CHECK(result == raw.env || result == -AEGIS_E_TIME);
    }
    gates_close(&raw);
    return result;
}

int64_t gate_call_PEER_DIED(void)
{
    return gates_serving_child(AEGIS_CALL_env_end, 0);
}

int64_t gate_return_STATE(void)
{
    return aegis_gate_return();
}

/*
 * What gate_return answers while its caller is being taken from. 0: on this host that was over
 * before the callee came to return.
 */
static int64_t return_to_one_taken_from(void)
{
    struct raw caller, callee;
    gates_start_pair(&caller, &callee, blob_yielder, blob_yielder_end);
    for (int i = 0; i < 96; i++)
        CHECK_OK(aegis_page_give(test_page(), caller.env));
    CHECK_OK(aegis_revoke(caller.env, AEGIS_KIND_PAGE, 96));
    while ((uint32_t)aegis_env(caller.env)->revoking == 96)
        aegis_yield(0); /* until the deadline is over, and some are taken */
    volatile uint64_t *answer = &callee.data[2];
    callee.data[1] = AEGIS_CALL_gate_return;
    while (!*answer && aegis_env(caller.env)->revoking)
        aegis_yield(callee.env);
    int64_t result = (int64_t)*answer;
    aegis_env_end(caller.env, 0);
    raw_finish(&caller);
    CHECK_OK(aegis_env_end(callee.env, 0));
    raw_finish(&callee);
    return result;
}

/* Its caller doesn't run until what is taken from it is gone. */
int64_t gate_return_BUSY(void)
{
    int64_t result = 0;

    for (int tries = 0; tries < 50 && result == 0; tries++)
        result = return_to_one_taken_from();
    return result;
}

int64_t gate_return_PEER_DIED(void)
{
    struct raw caller, callee;
    gates_start_pair(&caller, &callee, blob_yielder, blob_yielder_end);
    CHECK_OK(aegis_env_end(caller.env, 0));
    callee.data[1] = AEGIS_CALL_gate_return;
    while (!*(volatile uint64_t *)&callee.data[2])
        aegis_yield(callee.env);
    int64_t result = (int64_t)callee.data[2];
    raw_finish(&caller);
    CHECK_OK(aegis_env_end(callee.env, 0));
    raw_finish(&callee);
    return result;
}

int64_t gate_send_RANGE(void)
{
    CHECK_ERROR(aegis_gate_send(UINT32_MAX, 0, 0, 0, 0), RANGE);
    return aegis_gate_send(AEGIS_GATES, 0, 0, 0, 0);
}

int64_t gate_send_NO_GATE(void)
{
    return aegis_gate_send(0, 1, 2, 3, 4);
}

int64_t gate_send_STATE(void)
{
    CHECK_OK(aegis_gate_bind(0, &exos.start->caps[ATTACK_CAP_VICTIM_ENV]));
    int64_t result = aegis_gate_send(0, 1, 2, 3, 4);
    CHECK_OK(aegis_gate_unbind(0));
    return result;
}

int64_t gate_send_BUSY(void)
{
    struct raw raw;
    gates_open(&raw, 0, blob_mirror, blob_mirror_end);
    int64_t result = 0;
    while (result == 0) /* it may run in between, and take one */
        result = aegis_gate_send(0, 1, 2, 3, 4);
    gates_close(&raw);
    return result;
}
