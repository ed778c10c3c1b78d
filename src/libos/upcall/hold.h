/*
 * Short stretches in which a process's shared structures are half changed.
 *
 * Upcalls that are no exceptions (the end of a slice, a revocation) come between any two
 * instructions, and what they may do, switch threads, run a signal's handler, give pages away,
 * would find such a structure, or change it. While exos_held isn't 0 they don't: who is in such an
 * upcall calls exos_held_back, and is called again when the stretch is over.
 *
 * A stretch may hold others; it doesn't wait, and gives the processor to no other thread of the
 * process. Other processes run meanwhile. Exceptions are not held: their handlers only read.
 */
#ifndef EXOS_UPCALL_HOLD_H
#define EXOS_UPCALL_HOLD_H

#include <stdbool.h>
#include <stdint.h>

/* Whose work is held back, each with one hook. */
enum exos_held_kind {
    EXOS_HELD_PAGES,   /* vm: pages asked for by a revocation */
    EXOS_HELD_SIGNALS, /* proc: handlers of signals */
    EXOS_HELD_THREADS, /* thread: the switch to another thread */
    EXOS_HELD_KINDS
};

extern volatile uint64_t exos_held;         /* stretches under way */
extern volatile uint64_t exos_held_pending; /* 1 << kind: hooks that are due at the end */
extern void (*exos_held_hooks[EXOS_HELD_KINDS])(void);

/* The process has stopped (SIGSTOP): no thread of it goes on but the one that has stopped it. */
extern volatile bool exos_stopped;

/* Call the hooks that are due. Not for programs. */
void exos_held_over(void);

/*
 * exos_held goes from 0 to 1 and back between loads and stores that a switch of threads may come
 * between: that is right, since it is 0 whenever threads switch.
 */
static inline void exos_hold(void)
{
    exos_held = exos_held + 1;
    __asm__ volatile("" ::: "memory");
}

static inline void exos_release(void)
{
    __asm__ volatile("" ::: "memory");
    exos_held = exos_held - 1;
    if (exos_held_pending && !exos_held)
        exos_held_over();
}

/* In an upcall: whether the work has to wait. If so, the kind's hook is called at the stretch's
 * end. */
static inline bool exos_held_back(enum exos_held_kind kind)
{
    if (!exos_held)
        return false;
    __atomic_fetch_or(&exos_held_pending, 1UL << kind, __ATOMIC_RELAXED);
    return true;
}

#endif
