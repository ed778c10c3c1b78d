#include "kernel/revoke.h"

#include "kernel/abort.h"
#include "kernel/call.h"
#include "kernel/expose.h"
#include "kernel/gate.h"
#include "kernel/print.h"
#include "kernel/rv64/timer.h"
#include "kernel/upcall.h"

void revoke_cancel(struct env *env)
{
    env->revocation.kind = AEGIS_KIND_NONE;
    if (env->forced)
        gate_release(env);
    env->forced = false;
    env->info->revoking = 0;
}

/* Shows how much is left to give up; returns whether nothing is. */
static bool is_done(struct env *env)
{
    struct revocation *r = &env->revocation;
    uint64_t held = abort_held(r->kind, env);

    if (held <= r->goal) {
        revoke_cancel(env);
        return true;
    }
    env->info->revoking = (uint64_t)r->kind << 32 | (held - r->goal);
    return false;
}

bool revoke_step(struct env *env, uint64_t now)
{
    struct revocation *r = &env->revocation;

    if (is_done(env))
        return false;
    if (!r->asked) {
        r->asked = upcall_deliver(env, AEGIS_CAUSE_REVOKE, env->info->revoking);
        r->slices = env->info->slices + AEGIS_REVOKE_SLICES;
    }
    /* Who waits, or can't be asked, is given no slices: the time limit is for those. */
    if (now < r->deadline && !(r->asked && env->info->slices >= r->slices))
        return false;
    env->forced = true;
    gate_hold(env);
    if (!abort_step(r->kind, env, r->goal))
        return true;
    if (!is_done(env)) {
        print("aegis: environment %u (%s) has no more to take\n", env->number, env->info->name);
        revoke_cancel(env);
    }
    return true;
}

long call_revoke(uint32_t number, uint32_t kind, uint64_t count)
{
    struct env *env;
    long error = env_target(number, &env);

    if (error)
        return error;
    if (env == this_hart->env || !abort_knows(kind))
        return -AEGIS_E_INVALID;
    if (env->info->state != AEGIS_ENV_LIVE)
        return -AEGIS_E_STATE;
    if (env->revocation.kind && !is_done(env))
        return -AEGIS_E_BUSY;
    uint64_t held = abort_held(kind, env);
    if (count == 0 || count > held)
        return -AEGIS_E_RANGE;

    env->takable = NULL;
    env->is_unusual = true;
    env->revocation = (struct revocation){
        .kind = kind,
        .goal = held - count,
        .deadline = time_now() + AEGIS_REVOKE_SECONDS * info->timebase,
    };
    env->info->revoking = (uint64_t)kind << 32 | count;
    return 0;
}
