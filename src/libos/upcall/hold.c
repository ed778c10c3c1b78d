#include "libos/upcall/hold.h"

#include "libos/start/start.h"
#include "libos/upcall/upcall.h"

EXOS_HOT volatile uint64_t exos_held, exos_held_pending;
EXOS_HOT volatile bool exos_stopped;
void (*exos_held_hooks[EXOS_HELD_KINDS])(void);

/*
 * In a handler of an exception only pages are given: its stack is the program's only one of the
 * kind, which another thread or a signal's handler would find in use. What was due before, when the
 * thread gave the processor away while holding, waits for the next stretch that ends outside.
 */
void exos_held_over(void)
{
    unsigned kinds = upcall_is_inside() ? EXOS_HELD_PAGES + 1 : EXOS_HELD_KINDS;

    for (unsigned kind = 0; kind < kinds; kind++) {
        uint64_t bit = 1UL << kind;
        if (__atomic_fetch_and(&exos_held_pending, ~bit, __ATOMIC_RELAXED) & bit &&
            exos_held_hooks[kind])
            exos_held_hooks[kind]();
    }
}
