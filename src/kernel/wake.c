#include "kernel/wake.h"

#include "kernel/call.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/gate.h"
#include "kernel/page.h"
#include "kernel/slice_round.h"
#include "kernel/user.h"

uint32_t wake_counters, wake_receiver;

/* Watched where a predicate's own word has no value that is sure. */
static const volatile uint64_t awake = 1;

/* A value of the word at which the predicate doesn't hold: the present one, unless it does. */
static __attribute__((noinline)) void find_asleep(struct wake_predicate *p)
{
    uint64_t word = *p->word;
    bool holds = wake_holds_of(p, word);

    p->watched = holds ? &awake : p->word;
    p->asleep = holds ? awake - 1 : word;
}

/* What is asked of the predicate's word: the range of values, modulo 2^64, that an operator and its
 * value stand for. */
static inline __attribute__((always_inline)) void
set_range(struct wake_predicate *p, const volatile struct aegis_predicate *asked, uint64_t op)
{
    uint64_t value = asked->value;

    p->mask = asked->mask;
    p->watched = p->word;
    p->asleep = value;
    if (__builtin_expect(op == AEGIS_WAKE_NE && p->mask == UINT64_MAX, 1)) {
        p->low = value + 1;
        p->span = UINT64_MAX - 1;
        return;
    }
    p->low = op == AEGIS_WAKE_NE ? value + 1 : value;
    p->span = op == AEGIS_WAKE_EQ ? 0 : op == AEGIS_WAKE_NE ? UINT64_MAX - 1 : UINT64_MAX - value;
    find_asleep(p);
}

static inline __attribute__((always_inline)) void cancel(struct env *env)
{
    struct wake *wake = &env->wake;

    for (uint32_t i = 0; wake->has_pages && i < wake->count; i++)
        if (wake->predicates[i].pinned)
            page_unpin(wake->predicates[i].pinned);
    if (__builtin_expect(wake->counters != 0, 0)) {
        wake_counters -= wake->counters;
        wake->counters = 0;
    }
    wake->count = 0;
    wake->end = wake->predicates; /* for who sleeps without any (gate.h) */
    wake->deadline = gate_deadline(env);
    env->state = ENV_RUNS;
}

void wake_cancel(struct env *env)
{
    cancel(env);
}

bool wake_up(struct env *env, uint64_t which)
{
    if (env->state != ENV_WAITS)
        return gate_take_mail(env);
    cancel(env);
    env->x[REG_A0] = which;
    return true;
}

void wake_lose(struct env *env, const struct aegis_page *page, unsigned int level)
{
    const struct wake_predicate *p = env->wake.predicates;

    for (uint64_t i = 0; env->wake.has_pages && p < env->wake.end; i++, p++)
        if (p->lent && (p->lent == page || level)) {
            wake_up(env, i);
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
 * Takes over the caller's predicate; without effect until it counts. Returns whether its word is a
 * counter, or a negated error.
 */
static long arm(const struct env *self, struct wake_predicate *p,
                const volatile struct aegis_predicate *asked)
{
    uaddr_t va = (uaddr_t)asked->word;
    uint64_t op = asked->op;
    if (op > AEGIS_WAKE_GE)
        return -AEGIS_E_INVALID;
    if (va % sizeof(uint64_t))
        return -AEGIS_E_ALIGNMENT;
    p->word = user_look(self, va, PTE_R);
    if (!p->word)
        return -AEGIS_E_ADDRESS;
    set_range(p, asked, op);
    p->pinned = p->lent = NULL;
    if (va < AEGIS_EXPOSED_BASE) {
        struct aegis_page *page = page_of(virt_to_phys((const void *)p->word) >> PAGE_SHIFT);
        if (page->owner != self->number)
            p->lent = page;
        else if (page_can_pin(page))
            p->pinned = page;
        else
            return -AEGIS_E_ADDRESS;
    }
    return is_counter(va);
}

/* From here on env waits for the predicates that it has armed. */
static inline __attribute__((always_inline)) _Noreturn void
sleep_now(struct env *self, uint64_t count, uint32_t counters, bool has_pages, uaddr_t predicates,
          uint64_t deadline)
{
    struct wake *wake = &self->wake;

    wake->counters = counters;
    wake_counters += counters;
    wake->has_pages = has_pages;
    wake->count = (uint32_t)count;
    wake->end = wake->predicates + count;
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

/* Nothing can fail any more. */
static inline void pin_all(struct env *self, struct wake_predicate *end)
{
    for (struct wake_predicate *p = self->wake.predicates; p < end; p++)
        if (p->pinned)
            page_pin(p->pinned);
}

/* For words of any kind, and for mistakes. */
static __attribute__((noinline)) long wait_for_any(uaddr_t predicates, uint64_t count,
                                                   uint64_t deadline)
{
    struct env *self = this_hart->env;
    struct wake_predicate *p = self->wake.predicates, *end = p + count;
    struct aegis_predicate copy;
    uint32_t counters = 0;

    if (count > AEGIS_PREDICATES_MAX)
        return -AEGIS_E_RANGE;
    for (uaddr_t at = predicates; p < end; p++, at += sizeof(copy)) {
        const volatile struct aegis_predicate *asked = user_words(at, sizeof(copy), &copy);
        long armed = asked ? arm(self, p, asked) : -AEGIS_E_ADDRESS;
        if (armed < 0)
            return armed;
        counters += (uint32_t)armed;
    }
    pin_all(self, end);
    sleep_now(self, count, counters, true, predicates, deadline);
}

/* A word of an environment's record; false: it has to be another function's. */
static inline __attribute__((always_inline)) bool arm_record(struct wake_predicate *p, uaddr_t va)
{
    uint64_t at = va - info->envs;

    p->word = (const volatile uint64_t *)((const uint8_t *)env_infos + at);
    return at < ENV_COUNT * sizeof(*env_infos) && at % sizeof(uint64_t) == 0;
}

/* A word of a page, found without a walk; likewise. */
static inline __attribute__((always_inline)) bool arm_page(const struct env *self,
                                                           struct wake_predicate *p, uaddr_t va)
{
    const volatile uint64_t *word = user_peek(self, va, PTE_R);

    if (!word || va >= AEGIS_EXPOSED_BASE || va % sizeof(uint64_t))
        return false;
    struct aegis_page *page = page_of(virt_to_phys((const void *)word) >> PAGE_SHIFT);
    bool is_own = page->owner == self->number;
    p->word = word;
    *(is_own ? &p->pinned : &p->lent) = page;
    return !is_own || page_can_pin(page);
}

/* For words of records, and of pages at hand: doorbells of processes, a disk's completions. */
static __attribute__((noinline)) long wait_for_pages(uaddr_t predicates, uint64_t count,
                                                     uint64_t deadline)
{
    struct env *self = this_hart->env;
    struct wake_predicate *p = self->wake.predicates, *end = p + count;
    const volatile struct aegis_predicate *asked =
        user_words_at_hand(predicates, count * sizeof(*asked));

    if (!asked)
        return wait_for_any(predicates, count, deadline);
    for (; p < end; p++, asked++) {
        uaddr_t va = (uaddr_t)asked->word;
        uint64_t op = asked->op;
        p->pinned = p->lent = NULL;
        if (op > AEGIS_WAKE_GE || (!arm_record(p, va) && !arm_page(self, p, va)))
            return wait_for_any(predicates, count, deadline);
        set_range(p, asked, op);
    }
    pin_all(self, end);
    sleep_now(self, count, 0, true, predicates, deadline);
}

/*
 * Most wait for words of environments' records alone, which are found without a walk: everybody has
 * them mapped to read.
 */
long call_wait(uaddr_t predicates, uint64_t count, uint64_t deadline)
{
    struct env *self = this_hart->env;
    struct wake_predicate *p = self->wake.predicates, *end = p + count;

    if (count - 1 >= AEGIS_PREDICATES_MAX)
        return wait_for_any(predicates, count, deadline);
    const volatile struct aegis_predicate *asked =
        user_words_at_hand(predicates, count * sizeof(*asked));
    if (!asked)
        return wait_for_any(predicates, count, deadline);
    for (; p < end; p++, asked++) {
        uint64_t op = asked->op;
        if (op > AEGIS_WAKE_GE || !arm_record(p, (uaddr_t)asked->word))
            return wait_for_pages(predicates, count, deadline);
        set_range(p, asked, op);
    }
    sleep_now(self, count, 0, false, predicates, deadline);
}
