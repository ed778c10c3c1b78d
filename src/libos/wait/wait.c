#include "libos/wait/wait.h"

#include "libos/start/start.h"

/* No initialised data: a fork's child changes it at once. */
EXOS_HOT struct exos_wait_hooks exos_wait_hooks;

__attribute__((constructor(101))) static void begin(void)
{
    if (!exos_wait_hooks.give_away)
        exos_wait_hooks.give_away = aegis_wait;
    exos_wait_hooks.alarm = AEGIS_FOREVER;
}

/* Whether a change of the word ends the wait already. */
static bool watches(const struct aegis_predicate *when, size_t count, const volatile uint64_t *word)
{
    for (size_t i = 0; word && i < count; i++)
        if (when[i].word == word && when[i].op == AEGIS_WAKE_NE && when[i].mask == UINT64_MAX)
            return true;
    return false;
}

/*
 * The doorbell is read before what it announces is looked at: a ring that comes behind that look
 * makes the predicate hold, so none is slept through. Each handler rings it as well.
 */
static inline __attribute__((always_inline)) int64_t
wait(const struct aegis_predicate *when, size_t count, uint64_t deadline, const uint64_t *handled)
{
    struct aegis_predicate all[EXOS_WAIT_MAX + 1];

    if (count > EXOS_WAIT_MAX &&
        (count > EXOS_WAIT_MAX + 1 || !watches(when, count, exos_wait_hooks.doorbell)))
        return -AEGIS_E_RANGE;
    for (size_t i = 0; i < count; i++) {
        all[i] = when[i];
        __asm__ volatile(""); /* few, so no memcpy, of which gcc 12 would make a call */
    }
    for (;;) {
        const volatile uint64_t *doorbell = exos_wait_hooks.doorbell,
                                *ended = exos_wait_hooks.ended;
        size_t total = count;
        if (doorbell && !watches(when, count, doorbell))
            all[total++] = AEGIS_WHEN(*doorbell, NE, *doorbell);
        if (ended && total <= EXOS_WAIT_MAX && !watches(when, count, ended))
            all[total++] = AEGIS_WHEN(*ended, NE, *ended);
        if (exos_wait_hooks.rung && exos_wait_hooks.rung())
            return -EXOS_INTERRUPTED;
        if (handled && *handled != exos_handled())
            return -EXOS_INTERRUPTED;
        uint64_t until = exos_wait_hooks.alarm < deadline ? exos_wait_hooks.alarm : deadline;
        if (exos_wait_hooks.meanwhile)
            until = exos_wait_hooks.meanwhile(all, &total, until);
        int64_t which = exos_wait_hooks.give_away(all, total, until);
        if (which < 0 || (uint64_t)which < count)
            return which;
        if ((uint64_t)which == total && until == deadline)
            return (int64_t)count;
    }
}

int64_t exos_wait(const struct aegis_predicate *when, size_t count, uint64_t deadline)
{
    return wait(when, count, deadline, NULL);
}

int64_t exos_wait_any(const struct aegis_predicate *when, size_t count, uint64_t deadline,
                      uint64_t handled)
{
    return wait(when, count, deadline, &handled);
}
