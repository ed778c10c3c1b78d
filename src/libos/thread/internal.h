/*
 * What the files of thread/ share.
 *
 * Invariants, outside of stretches that hold (libos/upcall/hold.h) and of code in .text.whole:
 *   a thread is in the ring (or known to the program's scheduler) <=> it is runnable;
 *   t->next is the tp of its right neighbour in the ring; the scheduler's if it has none, or if the
 *   program schedules; thread_alone's until the first thread is made;
 *   a thread in a queue, in `timed` or in `waiting` is not runnable.
 *
 * Why a slice may end anywhere: what is changed in several steps is changed while holding, or with
 * a single instruction that reads and writes; the listener of slices (preempt.c) does nothing while
 * something is held, and isn't even asked in .text.whole. Whoever gives the processor away while
 * holding does it by thread_switch, which ends the hold in .text.whole.
 */
#ifndef EXOS_THREAD_INTERNAL_H
#define EXOS_THREAD_INTERNAL_H

#include <errno.h>
#include <picolibc.h> /* before picotls.h, which asks what is configured */
#include <picotls.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"
#include "libos/thread/context.h"
#include "libos/thread/thread.h"
#include "libos/upcall/hold.h"
#include "libos/wait/wait.h"

#define THREAD_NAME    16
#define THREAD_TIMEOUT (-ETIMEDOUT) /* results of thread_block */
#define THREAD_RUNG    (-EINTR)     /* the doorbell was answered: look again */

struct thread_wait { /* what exos_wait was asked for */
    const struct aegis_predicate *when;
    uint64_t count;
    struct thread *left, *right; /* in `waiting` */
};

struct specific;

struct thread {
    /* switch.S knows these by context.h */
    uint64_t next; /* tp of whom a yield goes to */
    uint64_t resume;
    uint64_t fcsr;
    uint64_t mark; /* number << 1: what mutexes hold of it */
    uint64_t x[32], f[32];

    struct strand strand;
    struct thread *all; /* list of those who live, or have ended and are not joined */
    bool is_runnable, has_ended, is_detached, is_first;
    uint64_t deadline;              /* in `timed` if not AEGIS_FOREVER */
    struct thread *earlier, *later; /* there */
    struct thread_queue *queue;     /* the one that it waits in, or NULL */
    struct thread *before, *behind; /* there */
    const pthread_mutex_t *wanted;  /* the mutex that it waits for */
    uint64_t request;               /* of who waits in a queue of several kinds */
    struct thread_wait wait;
    int64_t result; /* of thread_block */
    pthread_t joiner;
    void *value;
    struct pthread_cleanup *cleanup;
    struct specific *specific; /* values of keys, PTHREAD_KEYS_MAX of them once there is one */
    void *memory; /* stack, this structure and its TLS block, if they are the library's */
    int priority; /* for schedulers of programs */
    char name[THREAD_NAME];
};
_Static_assert(sizeof(struct thread) <= THREAD_SIZE, "switch.S");
_Static_assert(offsetof(struct thread, next) == THREAD_NEXT, "switch.S");
_Static_assert(offsetof(struct thread, resume) == THREAD_RESUME, "switch.S");
_Static_assert(offsetof(struct thread, fcsr) == THREAD_FCSR, "switch.S");
_Static_assert(offsetof(struct thread, x) == THREAD_X(0), "switch.S");
_Static_assert(offsetof(struct thread, f) == THREAD_F(0), "switch.S");
_Static_assert(offsetof(struct exos_wait_hooks, rung) == THREAD_RUNG_HOOK, "switch.S");
_Static_assert(AEGIS_CALL_yield == THREAD_CALL_YIELD, "switch.S");
_Static_assert(AEGIS_CALL_wait == THREAD_CALL_WAIT, "switch.S");

static inline struct thread *thread_at(uint64_t tp)
{
    return (struct thread *)(tp - THREAD_SIZE);
}

static inline uint64_t thread_tp(const struct thread *thread)
{
    return (uint64_t)thread + THREAD_SIZE;
}

static inline struct thread *thread_self(void)
{
    uint64_t tp;
    __asm__("mv %0, tp" : "=r"(tp));
    return thread_at(tp);
}

static inline struct thread *thread_of(struct strand *strand)
{
    return (struct thread *)((uint8_t *)strand - offsetof(struct thread, strand));
}

/* Bytes of a TLS block, a multiple of 16. */
static inline size_t thread_tls_size(void)
{
    return (_tls_size() + 15) & ~(size_t)15;
}

/* switch.S */
extern const char thread_load[], thread_whole[], thread_begin[], thread_arrive[], thread_alone[];
void thread_switch(uint64_t next);
_Noreturn void thread_run(uint64_t next);
_Noreturn void thread_run_alone(uint64_t next);
int64_t thread_idle(const struct aegis_predicate *when, uint64_t count, uint64_t deadline);
_Noreturn void thread_schedule(void);

/* ring.c: the scheduler that the library brings, and the table in charge. */
extern const struct strand_events *thread_events;
extern uint64_t thread_scheduler; /* tp, 0 until the first thread is made */
bool thread_is_ring(void);        /* the library's own events are in charge */
void thread_set_events(const struct strand_events *events);

/* strand.c. Callers hold. */
int thread_make_scheduler(void); /* 0 or EAGAIN; once */
void thread_unblock(struct thread *thread, int64_t result);
/*
 * Blocks the caller, who is in a queue or not, until somebody unblocks it or the deadline passes;
 * then it is in none. Returns the result that it was unblocked with, THREAD_TIMEOUT or THREAD_RUNG,
 * and holds again.
 */
int64_t thread_block(uint64_t deadline);
_Noreturn void thread_leave(void); /* the caller has ended; ends the hold */

/* fork.c */
extern const struct exos_part thread_part;

/* list.c: all that have not been joined or, detached, ended. Callers hold. */
extern struct thread *thread_all;
extern uint64_t thread_live; /* how many have not ended */
void thread_add(struct thread *thread);
void thread_remove(struct thread *thread);
struct thread *thread_marked(uint64_t mark); /* who lives and has it, or NULL */
bool thread_exists(const struct thread *thread);
void thread_discard(struct thread *thread); /* it has ended: frees it soon */
void thread_free_discarded(void);
bool thread_has_discarded(void);
void thread_keep_only(struct thread *self);

/* stack.c: size bytes of memory, whose first address is returned, behind a guard. NULL: none. */
void *thread_map_stack(uint64_t size, uint64_t guard, void **memory);

/* queue.c */
void thread_enqueue(struct thread_queue *queue, struct thread *thread);
void thread_dequeue(struct thread *thread);

/* preempt.c and strand.c: the beginning of a slice. */
int64_t thread_preempt(void); /* from now on; slice_listen's errors */
uint64_t thread_preempted(const struct thread *self);

/* idle.c: those who wait for what is outside, and for the time. Callers hold. */
void thread_time(struct thread *thread, uint64_t deadline);
void thread_untime(struct thread *thread);
void thread_unwait(struct thread *thread);
void thread_forget_waiting(void);
bool thread_is_waiting_due(void);
void thread_poll(void);      /* unblocks those whose time or predicate has come */
void thread_wait_idly(void); /* until that may be so */
int64_t thread_give_away(const struct aegis_predicate *when, uint64_t count, uint64_t deadline);

/* key.c, mutex.c: when the caller ends. */
void thread_end_keys(struct thread *self);
void thread_end_mutexes(struct thread *self);

#endif
