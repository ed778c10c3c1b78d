#include "kernel/slice_round.h"

#include "kernel/call.h"
#include "kernel/charge.h"
#include "kernel/check/check.h"
#include "kernel/disk.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/gate.h"
#include "kernel/interrupt.h"
#include "kernel/irqoff.h"
#include "kernel/net_end.h"
#include "kernel/revoke.h"
#include "kernel/rv64/timer.h"
#include "kernel/rx.h"
#include "kernel/slice.h"
#include "kernel/upcall.h"
#include "kernel/wake.h"

_Noreturn void run_on_stack(uint64_t top, void (*function)(void)); /* entry.S */

static void set_end(uint64_t end)
{
    this_hart->slice_end = end;
    timer_set(end);
}

/* Runs env from now to the end of a new slice of owner's, less what that one owes. */
static _Noreturn void run(struct env *owner, struct env *env)
{
    uint64_t owes = owner->info->debt;

    owner->info->debt = 0;
    this_hart->epilogue = false;
    set_end(time_now() + check_slice(info->slice) - owes);
    this_hart->donate_until = this_hart->slice_end - AEGIS_DONATE_MIN;
    env->info->slices++;
    env_enter(env);
}

/* Whoever serves env through a gate runs in env's slots, too, and env pays; returns if that one
 * can't. */
static __attribute__((noinline)) void run_callee(struct env *env, uint32_t slot, uint64_t now,
                                                 uint64_t *deadline)
{
    struct env *callee = gate_callee_of(env);

    if (callee->forced)
        return;
    if (wake_ready(callee, now)) {
        this_hart->slot = slot;
        run(env, callee);
    }
    if (callee->wake.deadline < *deadline)
        *deadline = callee->wake.deadline;
}

/*
 * What is rare about a live environment whose slot comes up: it is asked for something, or owes.
 * Returns whether its turn is over with that; *changed is set if the round has to be gone again.
 */
static __attribute__((noinline)) bool turn_rarely(struct env *env, uint64_t now, uint64_t *deadline,
                                                  bool *changed)
{
    if (env->revocation.kind != AEGIS_KIND_NONE) {
        bool step = revoke_step(env, now);
        /* To count what it holds takes long, and many may be asked at once. What an interrupt
         * changed, somebody may wait for whose slot was looked at before. */
        *changed |= interrupt_poll() || step;
        if (step)
            return true;
        if (env->revocation.deadline < *deadline)
            *deadline = env->revocation.deadline;
    }
    if (env->info->debt >= info->slice) { /* this slot pays for it */
        env->info->debt -= info->slice;
        *changed = true;
        return true;
    }
    return false;
}

static void end_step(struct env *env)
{
    env_end_step(env);
    check_walk("env_end_step");
    interrupt_poll();
}

/*
 * Looks at the slots [from, to), and runs the first whose environment can. Lowers *deadline to the
 * earliest of those who wait, and sets *changed if it took a step of an environment's end, or
 * something else is new. Those ends may empty slots, which does no harm. Most of what is done
 * between two slices is done here, once a slot.
 */
static inline __attribute__((always_inline)) void
run_one_of(uint32_t from, uint32_t to, uint64_t now, uint64_t *deadline, bool *changed)
{
    for (const struct aegis_slot *slot = slice_slots + from, *end = slice_slots + to; slot < end;
         slot++) {
        struct env *env = env_table[slot->env];
        if (!env)
            continue;
        if (__builtin_expect(env->info->state != AEGIS_ENV_LIVE, 0)) {
            if (env->info->state != AEGIS_ENV_ENDING)
                continue;
            end_step(env);
            *changed = true;
            continue;
        }
        bool is_rare = env->info->debt || env->revocation.kind != AEGIS_KIND_NONE;
        if (__builtin_expect(is_rare, 0) && turn_rarely(env, now, deadline, changed))
            continue;
        if (wake_ready(env, now)) {
            this_hart->slot = (uint32_t)(slot - slice_slots);
            run(env, env);
        }
        if (__builtin_expect(gate_calls(env), 0))
            run_callee(env, (uint32_t)(slot - slice_slots), now, deadline);
        else if (env->wake.deadline < *deadline)
            *deadline = env->wake.deadline;
        if (__builtin_expect(is_rare, 0))
            env->info->debt = 0; /* it would have been given at least that */
    }
}

/* The same for the rest of a round, but for the slots that are fresh (slice.h): that is rare. */
static __attribute__((noinline)) void run_one_not_fresh(uint32_t from, uint32_t to, uint64_t now,
                                                        uint64_t *deadline, bool *changed)
{
    if (from == 0) /* a round begins */
        slice_fresh = 0;
    for (uint32_t i = from; i < to; i++)
        if (!(slice_fresh >> i & 1))
            run_one_of(i, i + 1, now, deadline, changed);
    slice_fresh = 0;
    *changed = true;
}

/*
 * Goes once round the vector from the slot behind the present one. Returns if nobody can run:
 * whether there is work left or news for whoever waits for an end; *deadline is the earliest of
 * those who wait.
 */
static bool run_somebody(uint64_t *deadline)
{
    uint64_t now = time_now(), earliest = AEGIS_FOREVER;
    uint32_t end = slice_slot_end, next = this_hart->slot + 1 < end ? this_hart->slot + 1 : 0;
    bool changed = false;

    if (__builtin_expect(slice_fresh != 0, 0))
        run_one_not_fresh(next, end, now, &earliest, &changed);
    else
        run_one_of(next, end, now, &earliest, &changed);
    run_one_of(0, next, now, &earliest, &changed);
    *deadline = earliest;
    return changed;
}

/* A step of the end of one that has no slot to do it in; each has its turn. */
static void end_slotless(void)
{
    static uint32_t last;

    for (uint32_t i = 0; i < ENV_COUNT; i++) {
        last = (last + 1) % ENV_COUNT;
        const struct aegis_env_info *e = &env_infos[last];
        if (e->state == AEGIS_ENV_ENDING && e->slots == 0) {
            end_step(env_table[last]);
            return;
        }
    }
}

/* What is done at the boundary of two slices, for nobody in particular; returns whether there is
 * more of it. */
static bool do_chores(void)
{
    bool more = rx_unfinished && rx_continue();

    /* A step a turn: who ended bindings of its own takes the steps itself, but not everybody
     * whose bindings are taken does. */
    if (__builtin_expect(net_end_unsettled, 0)) {
        more |= net_end_settle();
        check_walk("net_end_settle");
        interrupt_poll();
    }
    if (__builtin_expect(time_now() >= disk_deadline, 0))
        disk_expire();
    if (__builtin_expect(slice_ending_without, 0)) {
        end_slotless();
        more = true;
    }
    return more;
}

static _Noreturn void schedule(void)
{
    uint64_t deadline;

    for (;;) {
        charge_begin();
        irqoff_end();
        irqoff_begin();
        if (__builtin_expect(interrupt_is_pending(), 0))
            interrupt_poll();
        bool more = do_chores();
        charge_end();
        if (run_somebody(&deadline) || more)
            continue;
        /*
         * An interrupt that comes between the last poll and wfi stays pending, and wfi returns at
         * once when an enabled interrupt is pending, although sstatus.SIE is clear (section 3.3.3):
         * none is lost.
         */
        timer_set(deadline < disk_deadline ? deadline : disk_deadline);
        interrupt_wait();
    }
}

void slice_next(void)
{
    run_on_stack(this_hart->stack, schedule);
}

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
    charge_owe(env->info, now - from);
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
        set_end(now + info->epilogue);
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
