#include "kernel/wake.h"

#include "kernel/call.h"
#include "kernel/env.h"
#include "kernel/page.h"
#include "kernel/slice.h"
#include "kernel/user.h"

static inline bool holds(const struct wake_predicate *p)
{
    uint64_t word = *p->word & p->mask;

    if (p->op == AEGIS_WAKE_GE)
        return word >= p->value;
    return (word == p->value) == (p->op == AEGIS_WAKE_EQ);
}

void wake_cancel(struct env *env)
{
    struct wake *wake = &env->wake;

    for (uint32_t i = 0; i < wake->count; i++)
        if (wake->predicates[i].pinned)
            page_unpin(wake->predicates[i].pinned);
    wake->count = 0;
    wake->armed = false;
}

bool wake_ready(struct env *env, uint64_t now)
{
    struct wake *wake = &env->wake;
    uint32_t i;

    if (!wake->armed)
        return true;
    for (i = 0; i < wake->count; i++)
        if (holds(&wake->predicates[i]))
            break;
    if (i == wake->count && now < wake->deadline)
        return false;
    wake_cancel(env);
    env->x[REG_A0] = i;
    return true;
}

/* Where one predicate's word is, if the caller may wait on it: 0 and the place, or a negated error.
 */
static long find_word(const struct aegis_predicate *predicate, const volatile uint64_t **word,
                      struct aegis_page **pinned)
{
    uaddr_t va = (uaddr_t)predicate->word;

    if (predicate->op > AEGIS_WAKE_GE)
        return -AEGIS_E_INVALID;
    if (va % sizeof(uint64_t))
        return -AEGIS_E_ALIGNMENT;
    *word = user_at(this_hart->env, va, PTE_R);
    if (!*word)
        return -AEGIS_E_ADDRESS;
    *pinned = NULL;
    if (va < AEGIS_EXPOSED_BASE) {
        /* Somebody else's page could be freed under the pin's protection but against its owner's
         * will. */
        *pinned = page_of(virt_to_phys((const void *)*word) >> PAGE_SHIFT);
        if ((*pinned)->owner != this_hart->env->number || !page_can_pin(*pinned))
            return -AEGIS_E_ADDRESS;
    }
    return 0;
}

long call_wait(uaddr_t predicates, uint64_t count, uint64_t deadline)
{
    struct aegis_predicate asked[AEGIS_PREDICATES_MAX];
    struct env *self = this_hart->env;
    struct wake *wake = &self->wake;

    if (count > AEGIS_PREDICATES_MAX)
        return -AEGIS_E_RANGE;
    if (!user_read(asked, predicates, count * sizeof(*asked)))
        return -AEGIS_E_ADDRESS;
    for (uint64_t i = 0; i < count; i++) { /* without effect until count and armed are set */
        long error = find_word(&asked[i], &wake->predicates[i].word, &wake->predicates[i].pinned);
        if (error)
            return error;
        wake->predicates[i].mask = asked[i].mask;
        wake->predicates[i].value = asked[i].value;
        wake->predicates[i].op = asked[i].op;
    }

    for (uint64_t i = 0; i < count; i++)
        if (wake->predicates[i].pinned)
            page_pin(wake->predicates[i].pinned);
    wake->count = (uint32_t)count;
    wake->deadline = deadline;
    wake->arguments[0] = predicates;
    wake->arguments[1] = count;
    wake->arguments[2] = deadline;
    wake->armed = true;
    env_save_call(self);
    /*
     * Interrupts are off from here to the look that slice_next takes: whatever makes a predicate
     * true happened before that look, or raises an interrupt after it.
     */
    slice_next();
}
