/* The round of the slice vector. All that others call in here doesn't return (CMakeLists.txt). */
#include "kernel/schedule.h"

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
#include "kernel/rx.h"
#include "kernel/slice.h"
#include "kernel/slice_round.h"
#include "kernel/wake.h"

/* Runs env from now to an end in its slot. */
static inline __attribute__((always_inline)) _Noreturn void run_to(struct env *env, uint64_t end)
{
    this_hart->epilogue = false;
    slice_set_end(end);
    this_hart->donate_until = end - AEGIS_DONATE_MIN;
    env->info->slices++;
    if (__builtin_expect(this_hart->env == env && env->in_call, 1)) { /* as env_enter does */
        check_walk(NULL);
        irqoff_end();
        env->in_call = false;
        env_resume_call(env);
    }
    env_enter(env);
}

/* Runs env from now to the end of a new slice of owner's, less what that one owes. */
static _Noreturn void run(struct env *owner, struct env *env)
{
    uint64_t owes = owner->info->debt;

    owner->info->debt = 0;
    owner->slot = this_hart->slot;
    run_to(env, time_now() + check_slice(info->slice) - owes);
}

/* The same of one that owes nothing, in a slot of its own. */
static inline __attribute__((always_inline)) _Noreturn void run_usual(struct env *env,
                                                                      uint32_t slot, uint64_t now)
{
    this_hart->slot = slot;
    env->slot = slot;
    run_to(env, now + check_slice(info->slice));
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

static void end_step(struct env *env)
{
    env_end_step(env);
    check_walk("env_end_step");
    interrupt_poll();
}

/*
 * What is rare about an environment whose slot comes up: it is ending, is asked for something, or
 * owes. Returns whether its turn is over with that; *changed is set if the round has to be gone
 * again: then something is new. A step of an end may empty slots, which does no harm.
 */
static __attribute__((noinline)) bool turn_rarely(struct env *env, uint64_t now, uint64_t *deadline,
                                                  bool *changed)
{
    if (env->info->state != AEGIS_ENV_LIVE) {
        if (env->info->state == AEGIS_ENV_ENDING) {
            end_step(env);
            *changed = true;
        }
        return true;
    }
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
    env->is_unusual = env->info->debt || env->revocation.kind != AEGIS_KIND_NONE;
    return false;
}

/* An environment's slot comes up: it runs, if it can. */
static void turn(struct env *env, uint32_t slot, uint64_t now, uint64_t *deadline, bool *changed)
{
    if (env->is_unusual && turn_rarely(env, now, deadline, changed))
        return;
    if (wake_ready(env, now)) {
        this_hart->slot = slot;
        run(env, env);
    }
    if (gate_calls(env))
        run_callee(env, slot, now, deadline);
    else if (env->wake.deadline < *deadline)
        *deadline = env->wake.deadline;
    env->info->debt = 0; /* it would have been given at least that */
}

/*
 * Looks at the slots [from, to), and runs the first whose environment can. Lowers *deadline to the
 * earliest of those who wait, and sets *changed as turn_rarely does.
 */
static void run_one_of(uint32_t from, uint32_t to, uint64_t now, uint64_t *deadline, bool *changed)
{
    for (uint32_t i = from; i < to; i++)
        if (slice_runs[i])
            turn(slice_runs[i], i, now, deadline, changed);
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
static __attribute__((noinline)) bool run_somebody(uint64_t *deadline)
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

/* Whether one of env's predicates holds: then it waits no more, for env->state is ENV_WAITS. */
static inline __attribute__((always_inline)) bool wakes(struct env *env)
{
    const struct wake_predicate *p = env->wake.predicates, *end = env->wake.end;

    __asm__("" : "+r"(p)); /* gcc 12 would keep where it begins, too */
    if (p == end)
        return false;
    do
        if (__builtin_expect(wake_may_hold(p), 0) && wake_holds(p)) {
            __asm__("" : "+r"(env));
            wake_up(env, (uint64_t)(p - env->wake.predicates));
            return true;
        }
    while (++p != end);
    return false;
}

/*
 * run_one_of where nothing is out of the ordinary, which is most of what is done between two
 * slices. False if something is: then nobody was run, and all slots have to be looked at once more.
 * No value is needed behind a call: who wakes, runs.
 */
static inline __attribute__((always_inline)) bool
run_usual_one_of(struct env *const *slot, struct env *const *end, uint64_t now, uint64_t *deadline)
{
    for (; slot < end; slot++) {
        struct env *env = *slot;
        if (!env)
            continue;
        if (__builtin_expect(env->is_unusual, 0))
            return false;
        if (env->state == ENV_WAITS ? wakes(env) : env->state == ENV_RUNS)
            run_usual(env, (uint32_t)(slot - slice_runs), now);
        if (env->state != ENV_WAITS && gate_calls(env))
            return false;
        uint64_t until = env->wake.deadline;
        if (until < *deadline) {
            *deadline = until;
            if (now >= until)
                return false;
        }
    }
    return true;
}

/* run_somebody in a round without anything out of the ordinary; false: it has to be run_somebody,
 * and nobody was run. */
static inline __attribute__((always_inline)) bool run_somebody_usual(uint64_t *deadline)
{
    uint64_t now = time_now(), earliest = AEGIS_FOREVER;
    struct env *const *first = slice_runs, *const *end = first + slice_slot_end,
                      *const *next = first + this_hart->slot + 1;

    if (__builtin_expect(slice_fresh != 0, 0))
        return false;
    next = next < end ? next : first;
    if (!run_usual_one_of(next, end, now, &earliest) ||
        !run_usual_one_of(first, next, now, &earliest))
        return false;
    *deadline = earliest;
    return true;
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
static __attribute__((noinline)) bool do_chores(void)
{
    bool more = slice_chores.rx_unfinished && rx_continue();

    /* A step a turn: who ended bindings of its own takes the steps itself, but not everybody
     * whose bindings are taken does. */
    if (slice_chores.net_end_unsettled) {
        more |= net_end_settle();
        check_walk("net_end_settle");
        interrupt_poll();
    }
    if (slice_chores.ending_without) {
        end_slotless();
        more = true;
    }
    return more;
}

/*
 * Everybody slept, and an interrupt has put frames into somebody's ring. If that one waits for
 * them, it goes on in the slot in which it ran last, before anybody else is looked at: the round
 * goes on from there once it gives the processor away. Returns if there is more to do first.
 */
static inline __attribute__((always_inline)) void run_receiver(void)
{
    struct env *env = env_table[wake_receiver];

    if (!env || env->is_unusual || env->state != ENV_WAITS || slice_runs[env->slot] != env ||
        !wakes(env))
        return;
    run_usual(env, env->slot, time_now());
}

void slice_schedule(void)
{
    uint64_t deadline;

    for (;;) {
        charge_begin();
        irqoff_end();
        irqoff_begin();
        if (__builtin_expect(interrupt_is_pending(), 0))
            interrupt_poll();
        bool more = __builtin_expect(slice_chores.any != 0, 0) && do_chores();
        if (__builtin_expect(time_now() >= disk_deadline, 0))
            disk_expire();
        charge_end();
        if ((!run_somebody_usual(&deadline) && run_somebody(&deadline)) || more)
            continue;
        /*
         * An interrupt that comes between the last poll and wfi stays pending, and wfi returns at
         * once when an enabled interrupt is pending, although sstatus.SIE is clear (section 3.3.3):
         * none is lost.
         */
        timer_set(deadline < disk_deadline ? deadline : disk_deadline);
        interrupt_wait();
        run_receiver();
    }
}
