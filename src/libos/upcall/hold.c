#include "libos/upcall/hold.h"

#include "libos/start/start.h"

EXOS_HOT volatile uint64_t exos_held, exos_held_pending;
void (*exos_held_hooks[EXOS_HELD_KINDS])(void);

void exos_held_over(void)
{
    for (unsigned kind = 0; kind < EXOS_HELD_KINDS; kind++) {
        uint64_t bit = 1UL << kind;
        if (__atomic_fetch_and(&exos_held_pending, ~bit, __ATOMIC_RELAXED) & bit &&
            exos_held_hooks[kind])
            exos_held_hooks[kind]();
    }
}
