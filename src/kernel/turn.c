#include "kernel/turn.h"

#include <stddef.h>

uint32_t turn_count;

static uint64_t waits; /* that have begun */

void turn_leave(struct env *env)
{
    if (env->turn.at) {
        env->turn.at = NULL;
        turn_count--;
    }
}

void turn_end(const void *at)
{
    for (uint32_t n = FIRST_ENV; turn_count && n < env_numbers; n++)
        if (env_table[n] && env_table[n]->turn.at == at)
            turn_leave(env_table[n]);
}

void turn_wait(const void *at)
{
    struct env *self = this_hart->env;

    if (self->turn.at != at) {
        turn_leave(self);
        turn_count++;
        self->turn.at = at;
        self->turn.since = ++waits;
    }
    self->turn.slices = self->info->slices;
}

/* It may have been told at its slice's very end: so it has another one. */
static bool still_asks(const struct env *env)
{
    return env_gets_slices(env) && env->info->slices - env->turn.slices <= 1;
}

/* Who has waited for longest, or NULL. */
static const struct env *find_first(const void *at)
{
    const struct env *first = NULL;

    for (uint32_t n = FIRST_ENV; turn_count && n < env_numbers; n++) {
        struct env *env = env_table[n];
        if (!env || env->turn.at != at)
            continue;
        if (!still_asks(env))
            turn_leave(env);
        else if (!first || env->turn.since < first->turn.since)
            first = env;
    }
    return first;
}

bool turn_is_awaited(const void *at)
{
    return find_first(at) != NULL;
}

bool turn_begin(const void *at)
{
    const struct env *first = find_first(at);

    if (first && first != this_hart->env) {
        turn_wait(at);
        return false;
    }
    turn_leave(this_hart->env);
    return true;
}
