#include "kernel/slice_round.h"

#include "kernel/call.h"
#include "kernel/charge.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/gate.h"
#include "kernel/rv64/timer.h"
#include "kernel/schedule.h"
#include "kernel/upcall.h"
#include "kernel/wake.h"

void slice_extend(uint64_t ticks)
{
    this_hart->slice_end += ticks; /* when the timer comes, that is seen */
    if (!this_hart->epilogue)
        this_hart->donate_until += ticks;
}

/* env was still in its epilogue: from `from` on it had what isn't its own. Many of them in a row,
 * for longer than a host's pause, end it. */
static void overrun(struct env *env, uint64_t from, uint64_t now)
{
    if (env->info->overruns < UINT16_MAX)
        env->info->overruns++;
    charge_owe(env->number, now - from);
    if (env->overruns++ == 0)
        env->overrun_since = now;
    if (env->overruns >= AEGIS_OVERRUNS_MAX &&
        now - env->overrun_since >= AEGIS_OVERRUN_SECONDS * info->timebase)
        env_begin_end(env, AEGIS_EXIT_OVERRUN, env->overruns, env->pc, 0);
}

void slice_timer(struct env *env)
{
    uint64_t now = time_now();

    if (now < this_hart->slice_end) {
        timer_set(this_hart->slice_end);
        env_enter(env);
    }
    if (this_hart->epilogue) {
        overrun(env, this_hart->slice_end - info->epilogue, now);
    } else if (env->in_epilogue) {
        overrun(env, now, now); /* of an earlier slice: this one was its own */
    } else if (env->epilogue && upcall_enter(env, env->epilogue, AEGIS_CAUSE_SLICE, 0)) {
        env->in_epilogue = true;
        this_hart->epilogue = true;
        this_hart->donate_until = 0; /* of a slice that is over */
        gate_hold_caller(env);
        slice_set_end(now + info->epilogue);
        env_enter(env);
    }
    slice_next();
}

void slice_epilogue_ends(struct env *env)
{
    env->in_epilogue = false;
    env->overruns = 0;
}

long call_yield(uint32_t number)
{
    struct env *self = this_hart->env, *env = NULL;

    if (number != 0 && number != self->number) {
        if (number >= ENV_COUNT || env_infos[number].state == AEGIS_ENV_NONE)
            return -AEGIS_E_RANGE;
        if (env_infos[number].state != AEGIS_ENV_LIVE)
            return -AEGIS_E_STATE;
        env = env_table[number];
    }
    env_save_call(self);
    if (__builtin_expect(self->in_epilogue, 0)) {
        slice_epilogue_ends(self);
        if (self->prologue) {
            self->x[REG_A0] = self->epilogue_frame;
            self->pc = self->prologue;
        }
    }
    /* The rest of the slice goes along; its end stays where it was. Of one that is over there is
     * none; and who is being taken from gets none: it could keep up with that. */
    if (env && !this_hart->epilogue && !env->forced && wake_ready(env, time_now()))
        env_enter(env);
    slice_next();
}

long call_slice_bind(uint64_t epilogue, uint64_t prologue)
{
    struct env *self = this_hart->env;

    if (epilogue % 2 || prologue % 2)
        return -AEGIS_E_ALIGNMENT;
    if (epilogue >= AEGIS_USER_END || prologue >= AEGIS_USER_END)
        return -AEGIS_E_RANGE;
    if (!epilogue && prologue)
        return -AEGIS_E_INVALID;
    if (!self->upcall && epilogue)
        return -AEGIS_E_STATE;
    self->epilogue = epilogue;
    self->prologue = prologue;
    return 0;
}
