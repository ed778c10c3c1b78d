/*
 * The pages of a pipe, which all who have an end of it map at one address; not for programs.
 *
 *   one page     struct pipe_page: counters, locks, members
 *   PIPE_PAGES   the ring
 *
 * head and tail count bytes since the pipe was made: [head, tail) is what was written and not read.
 * Invariant: tail - head <= PIPE_SIZE. A write becomes visible with the one store of tail, a read
 * with the one of head, each under its lock; so a process that ends at any instruction has done all
 * of an operation or nothing, and leaves at most a lock, which the next one takes from it: holders
 * are named by environment and serial, and that one has ended the kernel says.
 *
 * Whoever has an end can write anything here. Each word is read once and bounded before it is used.
 */
#ifndef EXOS_IPC_PAGE_H
#define EXOS_IPC_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "libos/start/start.h"

#define PIPE_PAGES   4
#define PIPE_SHIFT   14
#define PIPE_SIZE    (1UL << PIPE_SHIFT)
#define PIPE_MEMBERS 256 /* processes with an end of one pipe */
#define PIPE_POLLERS 8   /* that poll beyond their predicates, at a time */

/* A member: environment, the ends that it has, and the serial that tells its number's uses apart.
 */
#define MEMBER_ENV(word)    ((uint32_t)(word)&0xffff)
#define MEMBER_READS        (1UL << 16)
#define MEMBER_WRITES       (1UL << 17)
#define MEMBER_ENDS         (MEMBER_READS | MEMBER_WRITES)
#define MEMBER_SERIAL(word) ((uint32_t)((word) >> 32))

/*
 * Bytes that a writer leaves where they are: in memory that it shares with the reader at the same
 * address, for the reader to copy from there. It waits until all is taken, as it would with bytes
 * that don't fit the ring. The reader looks whether the pages are its own as well.
 */
#define OFFER_MOST     65536 /* bytes */
#define OFFER_PAGES    (OFFER_MOST / AEGIS_PAGE_SIZE + 1)
#define OFFER_NONE     0
#define OFFER_MADE     1
#define OFFER_DECLINED UINT64_MAX /* in the place of `taken` */
struct pipe_offer {
    uint64_t state; /* OFFER_NONE or OFFER_MADE: the writer's to change */
    uint64_t taken; /* bytes; under the reader's lock */
    uint64_t address, size;
    uint64_t frames[OFFER_PAGES]; /* the numbers of the pages */
};

struct pipe_page {
    uint64_t tail;                  /* bytes written so far */
    uint64_t writer;                /* who writes: a member word without ends; 0: nobody */
    uint64_t head;                  /* bytes read so far */
    uint64_t reader;                /* who reads, likewise */
    uint64_t changes;               /* counts ends that were closed or handed on */
    uint64_t places;                /* of members: those behind were never used */
    uint64_t polled;                /* not 0: somebody is among the pollers */
    uint64_t pollers[PIPE_POLLERS]; /* pids to ring when something changes */
    uint64_t members[PIPE_MEMBERS];
    struct pipe_offer offer;
};
_Static_assert(PIPE_SIZE == PIPE_PAGES * AEGIS_PAGE_SIZE, "whole pages");
_Static_assert(sizeof(struct pipe_page) <= AEGIS_PAGE_SIZE, "one page");

/* The member word of an environment, without ends. */
static inline uint64_t member_of(uint32_t env)
{
    return env | (uint64_t)aegis_env(env)->serial << 32;
}

/* Whether the process of a member word may still do something. */
static inline bool member_lives(uint64_t word)
{
    uint32_t env = MEMBER_ENV(word);
    if (env == 0 || env >= aegis_info()->env_count)
        return false;
    const volatile struct aegis_env_info *info = aegis_env(env);
    uint8_t state = info->state;
    return info->serial == MEMBER_SERIAL(word) &&
           (state == AEGIS_ENV_LIVE || state == AEGIS_ENV_CREATED);
}

/*
 * Give a process an end, a MEMBER_* bit. Returns its place, or -EAGAIN if PIPE_MEMBERS processes
 * have the pipe. *fresh: it had none before.
 */
int pipe_join(struct pipe_page *page, uint64_t self, uint64_t end, bool *fresh);

/* Take an end from the process at a place, if it is still self's. */
void pipe_leave(struct pipe_page *page, uint32_t place, uint64_t self, uint64_t end);

/*
 * The word of a living member other than self with that end; self's own if only that one has it; 0
 * if nobody has. *place is where to look first, and where it was found.
 */
uint64_t pipe_find(const struct pipe_page *page, uint64_t self, uint64_t end, uint32_t *place);

/* Takes a lock if it is free or its holder has ended. */
static inline bool pipe_try_lock(uint64_t *lock, uint64_t self)
{
    uint64_t holder = 0;
    if (__builtin_expect(__atomic_compare_exchange_n(lock, &holder, self, false, __ATOMIC_ACQUIRE,
                                                     __ATOMIC_RELAXED),
                         1))
        return true;
    return (holder == self || !member_lives(holder)) &&
           __atomic_compare_exchange_n(lock, &holder, self, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static inline void pipe_unlock(uint64_t *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

/* Rings those who poll. */
void pipe_ring(struct pipe_page *page);

static inline void pipe_changed(struct pipe_page *page)
{
    if (__builtin_expect(*(volatile uint64_t *)&page->polled, 0))
        pipe_ring(page);
}

#endif
