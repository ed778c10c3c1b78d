/* Environments, and what they run by. */
#include "kernel/check/mutate.h"

#include "kernel/env.h"
#include "kernel/gate.h"
#include "kernel/turn.h"
#include "kernel/quota.h"
#include "kernel/slice.h"

/* An environment beside the first. */
static struct env *other_env(void)
{
    for (uint32_t n = FIRST_ENV + 1; n < ENV_COUNT; n++)
        if (env_table[n])
            return env_table[n];
    return NULL;
}

bool break_env_table(void)
{
    env_table[FIRST_ENV]->info++;
    return true;
}

bool break_env_nobody(void)
{
    env_infos[ENV_COUNT - 1].pages++;
    return true;
}

bool break_env_owner(void)
{
    struct env *env = other_env();

    if (env)
        env_infos[env->number].owner = ENV_COUNT - 1;
    return env;
}

bool break_env_generation(void)
{
    for (uint32_t n = 1; n < ENV_COUNT; n++)
        if (env_infos[n].generation) {
            check_all();
            env_infos[n].generation--;
            return true;
        }
    return false;
}

bool break_slot_owner(void)
{
    slice_slots[AEGIS_SLOTS - 1].env = ENV_COUNT - 1;
    return true;
}

bool break_slot_count(void)
{
    slice_chores.ending_without++;
    return true;
}

bool break_slot_generation(void)
{
    for (uint32_t i = 0; i < AEGIS_SLOTS; i++)
        if (slice_slots[i].generation) {
            check_all();
            slice_slots[i].generation--;
            return true;
        }
    return false;
}

bool break_hart_env(void)
{
    struct env *env = this_hart->env;

    if (env)
        env->satp ^= 1UL << SATP_ASID_SHIFT;
    return env;
}

bool break_wake_word(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && env_table[n]->wake.count && mutate_mapped_page()) {
            env_table[n]->wake.predicates[0].word = page_memory(mutate_mapped_page());
            return true;
        }
    return false;
}

bool break_upcall_page(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && env_table[n]->upcall) {
            page_of(virt_to_phys(env_table[n]->upcall) >> PAGE_SHIFT)->state = AEGIS_PAGE_PTABLE;
            return true;
        }
    return false;
}

bool break_direct(void)
{
    if (!this_hart->env || !this_hart->direct.causes)
        return false;
    this_hart->direct.handler += 2;
    return true;
}

bool break_quota(void)
{
    accounts[FIRST_ENV].used[AEGIS_QUOTA_BINDINGS]++;
    return true;
}

bool break_env_usual(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && !env_table[n]->is_unusual) {
            env_infos[n].debt++;
            return true;
        }
    return false;
}

bool break_revoking(void)
{
    env_infos[FIRST_ENV].revoking = 1;
    return true;
}

/* A gate to one that is about to be gone. */
bool break_gate_callee(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && env_infos[n].state == AEGIS_ENV_ENDING) {
            env_table[FIRST_ENV]->gates[0] = env_table[n];
            return true;
        }
    return false;
}

/* Whom it serves has been forgotten. */
bool break_gate_caller(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && gate_calls(env_table[n])) {
            gate_env(env_table[n]->state)->caller = GATE_NOBODY;
            return true;
        }
    return false;
}

bool break_turn_count(void)
{
    turn_count++;
    return true;
}

bool break_gate_state(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && env_table[n]->state > 0) {
            env_table[n]->state += 2;
            return true;
        }
    return false;
}

bool break_failed_call(void)
{
    env_infos[FIRST_ENV].generation++;
    return true;
}
