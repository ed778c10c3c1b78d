/*
 * Wake-up predicates (SOSP '95's and Xok's way to wait without a kernel that knows for what): an
 * environment names words and what they must be; the kernel looks when its slot comes up.
 *
 * Invariant: each predicate's word lies in an exposed page, in a page of the environment's own that
 * is pinned for it, or in another's that the environment has mapped. Another's is not pinned: who
 * waits must not keep its owner from giving it up, or losing it. A page that is mapped is memory,
 * so when a mapping of the page leaves the environment, it waits no more.
 */
#ifndef AEGIS_KERNEL_WAKE_H
#define AEGIS_KERNEL_WAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/env.h"

struct aegis_page;

/*
 * Of wake_ready: env waits no more, because of predicate number which or, behind the last of
 * them, the deadline, and its a0 tells that. False if it can't run all the same: it accepts, and
 * has no mail.
 */
bool wake_up(struct env *env, uint64_t which);

static inline bool wake_holds_of(const struct wake_predicate *p, uint64_t word)
{
    return (word & p->mask) - p->low <= p->span;
}

static inline bool wake_holds(const struct wake_predicate *p)
{
    return wake_holds_of(p, *p->word);
}

/* In fewer instructions: false if it doesn't hold. */
static inline bool wake_may_hold(const struct wake_predicate *p)
{
    return *p->watched != p->asleep;
}

/*
 * Whether env can run: it waits for nothing, or a predicate holds, or its deadline has come. Then
 * it waits no more, and its a0 tells which. In line, since it is asked of every sleeper between any
 * two slices.
 */
static inline __attribute__((always_inline)) bool wake_ready(struct env *env, uint64_t now)
{
    const struct wake_predicate *p = env->wake.predicates;

    if (env->state == ENV_RUNS)
        return true;
    for (const struct wake_predicate *end = env->wake.end; p < end; p++)
        if (wake_holds(p))
            return wake_up(env, (uint64_t)(p - env->wake.predicates));
    return __builtin_expect(now >= env->wake.deadline, 0) && wake_up(env, env->wake.count);
}

/*
 * Whose ring a frame was put into last, 0: nobody's yet. When everybody sleeps, that one is looked
 * at first (schedule.c).
 */
extern uint32_t wake_receiver;

/*
 * How many armed predicates look at a counter of an interface (struct aegis_netif_info). While
 * there are none, a frame that a handler has dealt with is nothing that somebody waits for, and
 * nobody's predicates need a look.
 */
extern uint32_t wake_counters;

/* Forgets what env waits for, and unpins it. */
void wake_cancel(struct env *env);

/*
 * A mapping of page, of a level (1: of the megapage that begins there), is leaving env, which waits
 * for something: if a word of it may lie there, env is woken, by that predicate.
 */
void wake_lose(struct env *env, const struct aegis_page *page, unsigned int level);

#endif
