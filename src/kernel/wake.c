#include "kernel/wake.h"

#include "kernel/call.h"
#include "kernel/env.h"
#include "kernel/gate.h"
#include "kernel/page.h"
#include "kernel/slice_round.h"
#include "kernel/user.h"

uint32_t wake_counters;

static inline bool holds(const struct wake_predicate *p)
{
    return (*p->word & p->mask) - p->low <= p->span;
}

/* The range of values, modulo 2^64, that an operator and its value stand for. */
static void set_range(struct wake_predicate *p, uint64_t op, uint64_t value)
{
    p->low = op == AEGIS_WAKE_NE ? value + 1 : value;
    p->span = op == AEGIS_WAKE_EQ ? 0 : op == AEGIS_WAKE_NE ? UINT64_MAX - 1 : UINT64_MAX - value;
}

static inline __attribute__((always_inline)) void cancel(struct env *env)
{
    struct wake *wake = &env->wake;

    for (uint32_t i = 0; i < wake->count; i++)
        if (wake->predicates[i].pinned)
            page_unpin(wake->predicates[i].pinned);
    wake_counters -= wake->counters;
    wake->counters = 0;
    wake->count = 0;
    wake->end = wake->predicates; /* for who sleeps without any (gate.h) */
    wake->deadline = gate_deadline(env);
    env->state = ENV_RUNS;
}

void wake_cancel(struct env *env)
{
    cancel(env);
}

/* Apart from the look, which is taken at every sleeper for every interrupt and needs no frame. */
static bool __attribute__((noinline)) wake_up(struct env *env, const struct wake_predicate *which)
{
    if (env->state != ENV_WAITS)
        return gate_take_mail(env);
    cancel(env);
    env->x[REG_A0] = (uint64_t)(which - env->wake.predicates);
    return true;
}

bool wake_ready(struct env *env, uint64_t now)
{
    const struct wake_predicate *p = env->wake.predicates;

    if (env->state == ENV_RUNS)
        return true;
    for (const struct wake_predicate *end = env->wake.end; p < end; p++)
        if (holds(p))
            return wake_up(env, p);
    return now >= env->wake.deadline && wake_up(env, p);
}

void wake_lose(struct env *env, const struct aegis_page *page, unsigned int level)
{
    for (const struct wake_predicate *p = env->wake.predicates; p < env->wake.end; p++)
        if (p->lent && (p->lent == page || level)) {
            wake_up(env, p);
            return;
        }
}

/* Of the counters of interfaces, which frames change without anybody's ring being touched. */
static bool is_counter(uaddr_t va)
{
    uaddr_t first = AEGIS_EXPOSED_BASE + offsetof(struct aegis_info, netifs);

    return va - first < sizeof(((struct aegis_info *)NULL)->netifs);
}

/*
 * Takes over the caller's predicate at an address; without effect until it counts. Returns whether
 * its word is a counter, or a negated error.
 */
static inline __attribute__((always_inline)) long arm(struct wake_predicate *p, uaddr_t predicate)
{
    struct aegis_predicate copy;
    const volatile struct aegis_predicate *asked = user_words(predicate, sizeof(copy), &copy);

    if (!asked)
        return -AEGIS_E_ADDRESS;
    uaddr_t va = (uaddr_t)asked->word;
    uint64_t op = asked->op;
    if (op > AEGIS_WAKE_GE)
        return -AEGIS_E_INVALID;
    if (va % sizeof(uint64_t))
        return -AEGIS_E_ALIGNMENT;
    p->mask = asked->mask;
    set_range(p, op, asked->value);
    p->word = user_look(this_hart->env, va, PTE_R);
    if (!p->word)
        return -AEGIS_E_ADDRESS;
    p->pinned = p->lent = NULL;
    if (va < AEGIS_EXPOSED_BASE) {
        struct aegis_page *page = page_of(virt_to_phys((const void *)p->word) >> PAGE_SHIFT);
        if (page->owner != this_hart->env->number)
            p->lent = page;
        else if (page_can_pin(page))
            p->pinned = page;
        else
            return -AEGIS_E_ADDRESS;
    }
    return is_counter(va);
}

long call_wait(uaddr_t predicates, uint64_t count, uint64_t deadline)
{
    struct env *self = this_hart->env;
    struct wake *wake = &self->wake;
    struct wake_predicate *p = wake->predicates, *end = p + count;
    uint32_t counters = 0;

    if (count > AEGIS_PREDICATES_MAX)
        return -AEGIS_E_RANGE;
    for (uaddr_t at = predicates; p < end; p++, at += sizeof(struct aegis_predicate)) {
        long armed = arm(p, at);
        if (armed < 0)
            return armed;
        counters += (uint32_t)armed;
    }

    while (p-- > wake->predicates)
        if (p->pinned)
            page_pin(p->pinned);
    wake->counters = counters;
    wake_counters += wake->counters;
    wake->count = (uint32_t)count;
    wake->end = end;
    wake->deadline = deadline;
    wake->arguments[0] = predicates;
    wake->arguments[1] = count;
    wake->arguments[2] = deadline;
    self->state = ENV_WAITS;
    env_save_call(self);
    if (__builtin_expect(self->in_epilogue, 0))
        slice_epilogue_ends(self);
    /*
     * Interrupts are off from here to the look that slice_next takes: whatever makes a predicate
     * true happened before that look, or raises an interrupt after it.
     */
    slice_next();
}
