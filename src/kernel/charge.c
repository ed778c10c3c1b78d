#include "kernel/charge.h"

#include "kernel/env.h"
#include "kernel/expose.h"

/*
 * A frame's or an answer's time is no more than a part of a slice: no entry's budget takes longer.
 * What does is a host that took the processor away meanwhile, which is nobody's fault.
 */
#define WORKS_A_SLICE 16

void charge_owe(uint32_t number, uint64_t ticks)
{
    struct aegis_env_info *env = &env_infos[number];
    uint64_t most = (uint64_t)AEGIS_DEBT_SLICES_MAX * info->slice;

    env->charged += ticks;
    env->debt = ticks > most - env->debt ? most : env->debt + ticks;
    if (env_table[number])
        env_table[number]->is_unusual = true;
}

uint64_t charge_work(uint32_t env, uint64_t since)
{
    uint64_t now = time_now(), ticks = now - since, most = info->slice / WORKS_A_SLICE;

    charge_owe(env, ticks < most ? ticks : most);
    return now;
}

uint64_t charge_answer(uint32_t env, uint64_t since)
{
    if (env != this_hart->payer)
        return charge_work(env, since);
    uint64_t now = time_now();
    this_hart->paid += now - since;
    env_infos[env].charged += now - since;
    return now;
}

bool charge_credit_is_spent(uint32_t env)
{
    return env_infos[env].debt >= info->slice / 2;
}

bool charge_is_broke(uint32_t env)
{
    return env_infos[env].debt >= info->slice;
}
