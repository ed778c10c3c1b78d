/*
 * A session: processes that know each other by number. Its table stands in pages that each member
 * can write, so that it survives any member's end; the first that needs a session makes it, and is
 * process 1. The kernel knows nothing of it.
 *
 * Each change of the table is one 64-bit atomic operation, so that a member may end at any
 * instruction. That a process has ended is never taken from what it wrote, but from the kernel's
 * exposed record of the environment that carried it. Whatever bytes stand in the table, a member
 * that reads them doesn't crash, hang, or lose memory of its own.
 */
#ifndef EXOS_PROC_SESSION_H
#define EXOS_PROC_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libos/start/start.h"

#define EXOS_SESSION_PAGES 2
#define EXOS_SESSION_SIZE  (EXOS_SESSION_PAGES * AEGIS_PAGE_SIZE)
#define PROC_CHILDREN_MAX                                                                          \
    64 /* of one process, once the table is half full; those that have ended and                   \
          weren't waited for included */

/*
 * Become a member of a session of one's own, as process 1; what one was a member of before is left.
 * Returns 0 or an errno value.
 */
int proc_session_make(void);

/* A member, of a new session if of none so far. Returns 0 or an errno value. */
int proc_session_need(void);

/* This process's number; 0 outside of a session. */
pid_t proc_self(void);

/*
 * For who makes a child. proc_claim takes an entry of the table for it and returns its number, or a
 * negated errno value (EAGAIN: no entry is free, or not for this process; ENOMEM: no session).
 * proc_carry says which environment carries it, right behind the env_start: from then on it exists
 * for others, and the environment's end is its own. proc_drop gives back an entry that proc_carry
 * has not been told of, when the environment has ended, if there was one.
 */
pid_t proc_claim(void);
void proc_carry(pid_t pid, uint32_t env);
void proc_drop(pid_t pid);

/*
 * For a child of fork, on its own copy of memory and with the session's pages mapped: it is process
 * pid now, carried by environment env, with no pending signals, no alarm and no children. Doesn't
 * return if the process has been ended meanwhile.
 */
void proc_adopt(pid_t pid, uint32_t env);

/* Map the session's pages into a child, shared and inherited; it has tables for the addresses (its
 * stack's are there). Returns 0 or a negated kernel error. */
int64_t proc_session_share(uint32_t env);

/*
 * Draw a process's attention: whatever it waits for with exos_wait, it looks again. Nothing happens
 * if there is no such process.
 */
void proc_ring(pid_t pid);

/* The word that proc_ring increments, which a process may look at by predicates of its own. NULL
 * outside of a session. */
const volatile uint64_t *proc_doorbell(void);

/* Whether nobody outside of this process's group is there to continue it, were it stopped. */
bool proc_is_orphaned(void);

/*
 * For a wait with another set of blocked signals (bit n: signal n), as ppoll's: exos_wait_any
 * between the two is ended by a signal that was pending before, too, where exos_handled() was read
 * before. proc_mask_begin returns the set that proc_mask_end restores.
 */
uint64_t proc_mask_begin(uint64_t blocked);
void proc_mask_end(uint64_t before);

enum proc_state { PROC_RUNNING, PROC_ZOMBIE, PROC_STOPPED };

/* What the table says of a process. */
struct proc_view {
    pid_t pid, parent, group;
    enum proc_state state;
    uint32_t env; /* that carries it; 0 of a zombie */
    int status;   /* of a zombie, as waitpid tells it */
    char name[AEGIS_NAME_SIZE];
};

/*
 * Up to most processes, in the order of their table's places. Returns how many there are. Others
 * come and go meanwhile.
 */
size_t proc_list(struct proc_view *views, size_t most);

/*
 * The environment that carries a process, 0 if there is none; *serial tells its number's uses
 * apart, if serial isn't NULL.
 */
uint32_t proc_env(pid_t pid, uint32_t *serial);

#endif
