/*
 * The one place where a program of ExOS waits: parts of the library don't call aegis_wait
 * themselves, so that signals can interrupt a wait and threads can run meanwhile.
 */
#ifndef EXOS_WAIT_WAIT_H
#define EXOS_WAIT_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"

/* Predicates that a caller may give: the kernel takes one more, which is the doorbell's. If one of
 * the caller's is AEGIS_WHEN(*proc_doorbell(), NE, ...), it may give one more itself. */
#define EXOS_WAIT_MAX    3
#define EXOS_INTERRUPTED 0x5000 /* negated: a signal's handler ran, which POSIX calls EINTR */

/*
 * Block the calling thread until one of count predicates holds (aegis_wait's rules), or time
 * reaches deadline (rdtime ticks; AEGIS_FOREVER: none). Returns the index of the predicate, count
 * at the deadline, -EXOS_INTERRUPTED after a handler of a signal ran, or a negated error of
 * aegis_wait's (RANGE also for more than EXOS_WAIT_MAX). Who is told an index looks whether there
 * is work: another may have been quicker.
 */
int64_t exos_wait(const struct aegis_predicate *when, size_t count, uint64_t deadline);

/*
 * The same for what no handler's SA_RESTART makes go on (poll, select, pause, sleeps): ends with
 * -EXOS_INTERRUPTED as well if any handler has run since exos_handled() was `handled`.
 */
int64_t exos_wait_any(const struct aegis_predicate *when, size_t count, uint64_t deadline,
                      uint64_t handled);

/*
 * What other parts put in. doorbell: a word that others increment to draw this process's attention,
 * NULL while there is none; rung: called when it may have rung, and before each wait, takes care of
 * what is pending, and returns whether the wait is to end with -EXOS_INTERRUPTED; give_away: how
 * the processor is given away, aegis_wait or what runs another thread; alarm: when rung is to be
 * called even though nobody rings (rdtime ticks, AEGIS_FOREVER: never); ended: another doorbell, if
 * there is room for it among the predicates, or NULL; meanwhile: does what has to go on in a
 * program that waits for something else (the network's timers and frames), may add a predicate
 * behind the *total of all[], of EXOS_WAIT_MAX + 1, and returns until when to wait, at most
 * `until`; handled: handlers of signals that have run.
 */
struct exos_wait_hooks {
    const volatile uint64_t *doorbell;
    bool (*rung)(void);
    int64_t (*give_away)(const struct aegis_predicate *when, uint64_t count, uint64_t deadline);
    const volatile uint64_t *threads; /* of this process; NULL: one */
    uint64_t alarm;
    const volatile uint64_t *ended;
    uint64_t (*meanwhile)(struct aegis_predicate *all, size_t *total, uint64_t until);
    volatile uint64_t handled;
};
extern struct exos_wait_hooks exos_wait_hooks;

static inline uint64_t exos_handled(void)
{
    return exos_wait_hooks.handled;
}

#endif
