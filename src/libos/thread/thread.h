/*
 * Threads of one process, made and scheduled by the library (pthread.h has their POSIX names), and
 * how a program schedules them itself.
 *
 * A thread is switched without the kernel: sched_yield, a mutex, a condition and the like go from
 * one to the next in some sixty instructions. It is preempted only where a slice of the process
 * begins. A thread that waits for something outside (exos_wait) lets the others run; when none can
 * run, the process waits for what all of them wait for.
 */
#ifndef EXOS_THREAD_THREAD_H
#define EXOS_THREAD_THREAD_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define THREAD_STACK        65536 /* bytes, unless the attributes say otherwise */
#define THREAD_PRIORITY_MAX 31    /* of sched_param, which only a program's own scheduler heeds */

/*
 * A thread as schedulers see it (SPIN calls it a strand: Bershad et al., SOSP 1995, section 4.2).
 * number is never used again for another; the links and own are for the scheduler in charge.
 */
struct strand {
    struct strand *left, *right;
    void *own;
    uint64_t number; /* 1: the first thread */
};

struct strand *strand_of(pthread_t thread);

/*
 * The events that a scheduler gets, each about one strand:
 *
 *   unblock     it can run now: it has been made, or what it waited for has come
 *   block       it can't run any more: it waits, or has ended. It may have been the running one
 *   checkpoint  it was running and can still run, but has lost the processor: it yielded, or a
 *               slice has begun. Its registers are saved
 *   resume      the processor is free: returns who goes on, which is then running, or NULL if none
 *               can
 *
 * A strand is known to the scheduler from unblock to block. All run on the library's own stack or
 * inside its stretches (libos/upcall/hold.h), one at a time; they must not block, nor use what
 * does.
 */
struct strand_events {
    void (*block)(struct strand *strand);
    void (*unblock)(struct strand *strand);
    void (*checkpoint)(struct strand *strand);
    struct strand *(*resume)(void);
};

/*
 * Put these events in charge, NULL: the library's own, a ring that each goes round in turn. All
 * that can run, the caller among them, are told to the new ones by unblock, and the caller runs on.
 * Returns 0 or an errno value (EAGAIN: no memory for the scheduler's stack). Every switch then
 * passes by the scheduler, which costs about twice as much.
 */
int strand_schedule(const struct strand_events *events);

/* Threads of the process that have not ended. */
uint64_t thread_count(void);

#endif
