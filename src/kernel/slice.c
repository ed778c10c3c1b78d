#include "kernel/slice.h"

#include "kernel/call.h"
#include "kernel/check/check.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/interrupt.h"
#include "kernel/net_end.h"
#include "kernel/quota.h"
#include "kernel/revoke.h"
#include "kernel/rv64/timer.h"
#include "kernel/rx.h"
#include "kernel/wake.h"

#define SLICES_A_SECOND 100

static struct aegis_slot *slots; /* exposed */
static uint32_t slot_end;        /* no slot from here on is taken */

_Noreturn void run_on_stack(uint64_t top, void (*function)(void)); /* entry.S */

void slice_init(void)
{
    slots = expose_alloc(AEGIS_SLOTS * sizeof(*slots), &info->slots);
    info->slice = (uint32_t)(info->timebase / SLICES_A_SECOND);
}

bool slice_is_free(void)
{
    for (uint32_t i = 0; i < AEGIS_SLOTS; i++)
        if (slots[i].env == 0)
            return true;
    return false;
}

bool slice_grant(uint32_t env)
{
    for (uint32_t i = 0; i < AEGIS_SLOTS; i++)
        if (slots[i].env == 0) {
            slots[i].env = env;
            quota_add(env, AEGIS_QUOTA_SLOTS, 1);
            if (i >= slot_end)
                slot_end = i + 1;
            return true;
        }
    return false;
}

uint32_t slice_slot(uint32_t index)
{
    return slots[index].env;
}

void slice_revoke(uint32_t env)
{
    for (uint32_t i = 0; i < AEGIS_SLOTS; i++)
        if (slots[i].env == env) {
            slots[i].env = 0;
            quota_subtract(env, AEGIS_QUOTA_SLOTS, 1);
        }
    while (slot_end > 0 && slots[slot_end - 1].env == 0)
        slot_end--;
}

/* Runs env from now to the end of a new slice. */
static _Noreturn void run(struct env *env)
{
    this_hart->slice_end = time_now() + info->slice;
    timer_set(this_hart->slice_end);
    env->info->slices++;
    env_enter(env);
}

/*
 * Looks at the slots [from, to), and runs the first whose environment can. Returns if nobody can:
 * whether it took a step of an environment's end; lowers *deadline to the earliest of those who
 * wait. Those ends may empty slots, which does no harm.
 */
static inline bool run_one_of(uint32_t from, uint32_t to, uint64_t now, uint64_t *deadline)
{
    bool stepped = false;

    for (const struct aegis_slot *slot = slots + from, *end = slots + to; slot < end; slot++) {
        struct env *env = env_table[slot->env];
        if (!env)
            continue;
        if (__builtin_expect(env->info->state == AEGIS_ENV_LIVE, 1)) {
            if (__builtin_expect(env->revocation.kind, 0)) {
                bool step = revoke_step(env, now);
                /* To count what it holds takes long, and many may be asked at once. What an
                 * interrupt changed, somebody may wait for whose slot was looked at before. */
                stepped |= interrupt_poll();
                if (step) {
                    stepped = true;
                    continue;
                }
                if (env->revocation.deadline < *deadline)
                    *deadline = env->revocation.deadline;
            }
            if (wake_ready(env, now)) {
                this_hart->slot = (uint32_t)(slot - slots);
                run(env);
            }
            if (env->wake.deadline < *deadline)
                *deadline = env->wake.deadline;
        } else if (env->info->state == AEGIS_ENV_ENDING) {
            env_end_step(env);
            check_walk("env_end_step");
            stepped = true;
            interrupt_poll();
        }
    }
    return stepped;
}

/*
 * Goes once round the vector from the slot behind the present one. Returns if nobody can run:
 * whether there is work left or news for whoever waits for an end; *deadline is the earliest of
 * those who wait.
 */
static bool run_somebody(uint64_t *deadline)
{
    uint64_t now = time_now(), earliest = AEGIS_FOREVER;
    uint32_t end = slot_end, next = this_hart->slot + 1 < end ? this_hart->slot + 1 : 0;
    bool stepped = run_one_of(next, end, now, &earliest);

    stepped |= run_one_of(0, next, now, &earliest);
    *deadline = earliest;
    return stepped;
}

static _Noreturn void schedule(void)
{
    uint64_t deadline;

    for (;;) {
        interrupt_poll();
        bool more = rx_unfinished && rx_continue();
        /* A step a turn: who ended bindings of its own takes the steps itself, but not everybody
         * whose bindings are taken does. */
        if (__builtin_expect(net_end_unsettled, 0)) {
            more |= net_end_settle();
            check_walk("net_end_settle");
            interrupt_poll();
        }
        if (run_somebody(&deadline) || more)
            continue;
        /*
         * An interrupt that comes between the last poll and wfi stays pending, and wfi returns at
         * once when an enabled interrupt is pending, although sstatus.SIE is clear (section 3.3.3):
         * none is lost.
         */
        timer_set(deadline);
        interrupt_wait();
    }
}

void slice_next(void)
{
    run_on_stack(this_hart->stack, schedule);
}

void slice_timer(struct env *env)
{
    if (time_now() < this_hart->slice_end)
        env_enter(env);
    slice_next();
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
    /* The rest of the slice goes along; its end stays where it was. Who is being taken from gets
     * none: it could keep up with that. */
    if (env && !env->revocation.forced && wake_ready(env, time_now()))
        env_enter(env);
    slice_next();
}
