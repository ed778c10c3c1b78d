#include "libos/wait/wait.h"

#include <string.h>

#include "libos/start/start.h"

/* No initialised data: a fork's child changes it at once. */
EXOS_HOT struct exos_wait_hooks exos_wait_hooks;

__attribute__((constructor(101))) static void begin(void)
{
    if (!exos_wait_hooks.give_away)
        exos_wait_hooks.give_away = aegis_wait;
    exos_wait_hooks.alarm = AEGIS_FOREVER;
}

/*
 * The doorbell is read before what it announces is looked at: a ring that comes behind that look
 * makes the predicate hold, so none is slept through.
 */
int64_t exos_wait(const struct aegis_predicate *when, size_t count, uint64_t deadline)
{
    struct aegis_predicate all[EXOS_WAIT_MAX + 1];

    if (count > EXOS_WAIT_MAX)
        return -AEGIS_E_RANGE;
    memcpy(all, when, count * sizeof *when);
    for (;;) {
        const volatile uint64_t *doorbell = exos_wait_hooks.doorbell;
        size_t total = count;
        if (doorbell)
            all[total++] = AEGIS_WHEN(*doorbell, NE, *doorbell);
        if (exos_wait_hooks.ended && total <= EXOS_WAIT_MAX)
            all[total++] = AEGIS_WHEN(*exos_wait_hooks.ended, NE, *exos_wait_hooks.ended);
        if (exos_wait_hooks.rung && exos_wait_hooks.rung())
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
