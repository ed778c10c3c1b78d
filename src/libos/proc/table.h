/*
 * The table of a session, entry by entry; not for programs (session.h is). Invariant: an entry's
 * life word alone says whether the entry is in use, for which process, and how far that is; every
 * other word carries the incarnation that it is meant for, or is reset by who claims the entry.
 *
 *   life   63        40 39    38 37                       0
 *          incarnation  state   MAKING, LIVE: environment (12), its serial's lower 26 bits
 *                               ZOMBIE: wait status
 *
 *   FREE   --claim-->   MAKING (carrier: who claims)
 *   MAKING --carry-->   LIVE (carrier: the child);   --drop, or its carrier has ended--> FREE
 *   LIVE   --exec-->    LIVE (another carrier);      --its carrier has ended--> ZOMBIE
 *   ZOMBIE --reaped, or the parent has ended--> FREE with the next incarnation
 */
#ifndef EXOS_PROC_TABLE_H
#define EXOS_PROC_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "libos/proc/session.h"

#define TABLE_SLOTS     128 /* entry 0 is the head */
#define TABLE_SLOT_BITS 7
#define TABLE_TRIES     64 /* of a change that others' changes keep undoing */

/* In said: */
#define TABLE_SAID       (1UL << 32) /* a status is there, bits 0 to 15 */
#define TABLE_STOPPED    (1UL << 33) /* it is, by the signal in bits 16 to 22, */
#define TABLE_HALTED     (1UL << 34) /* which its parent wasn't told yet; */
#define TABLE_CONTINUED  (1UL << 35) /* it goes on, which its parent wasn't told yet */
#define TABLE_QUIET      (1UL << 36) /* it wants no SIGCHLD for that (SA_NOCLDSTOP) */
#define TABLE_LEADER     (1UL << 37) /* it begins a terminal's session: its parent is in another */
#define TABLE_BY(signal) ((uint64_t)(signal) << 16)

enum life_state { LIFE_FREE, LIFE_MAKING, LIFE_LIVE, LIFE_ZOMBIE };

struct table_entry {
    uint64_t life;
    uint64_t kin;      /* parent's pid, and the group's number shifted by 32 */
    uint64_t pending;  /* signals (bit n: signal n), and the incarnation shifted by 40 */
    uint64_t doorbell; /* counts what others did for it */
    uint64_t said;     /* what it says of itself, TABLE_*, and the incarnation shifted by 40 */
    uint64_t sender;   /* pid of who sent a signal last */
    char name[AEGIS_NAME_SIZE];
};

struct table_head {
    uint64_t hint; /* the entry where the next claim begins to look */
};

/* life's parts. */
static inline uint64_t life_make(uint64_t incarnation, enum life_state state, uint64_t rest)
{
    return incarnation << 40 | (uint64_t)state << 38 | (rest & ((1UL << 38) - 1));
}

static inline uint64_t life_incarnation(uint64_t life)
{
    return life >> 40;
}

static inline enum life_state life_state(uint64_t life)
{
    return (enum life_state)(life >> 38 & 3);
}

static inline uint64_t life_rest(uint64_t life)
{
    return life & ((1UL << 38) - 1);
}

static inline uint64_t carrier_of(uint32_t env, uint32_t serial)
{
    return (uint64_t)env << 26 | (serial & ((1u << 26) - 1));
}

static inline uint32_t carrier_env(uint64_t life)
{
    return (uint32_t)(life_rest(life) >> 26);
}

static inline struct table_entry *table_entry(uint32_t slot)
{
    return (struct table_entry *)EXOS_SESSION_ADDRESS + slot;
}

static inline struct table_head *table_head(void)
{
    return (struct table_head *)EXOS_SESSION_ADDRESS;
}

static inline uint64_t table_life(const struct table_entry *entry)
{
    return __atomic_load_n(&entry->life, __ATOMIC_ACQUIRE);
}

static inline pid_t table_pid(uint32_t slot, uint64_t life)
{
    return (pid_t)((life_incarnation(life) << TABLE_SLOT_BITS | slot) & INT32_MAX);
}

/* Moves life from `from` to `to`; returns whether it was `from`. */
bool table_move(struct table_entry *entry, uint64_t from, uint64_t to);

/* The entry of a process, whatever its state but FREE; NULL if there is none. *life is set. */
struct table_entry *table_find(pid_t pid, uint64_t *life);

/* The environment that life names as carrier is still that, and hasn't ended. */
bool table_carried(uint64_t life);

/*
 * Look at what became of an entry, and move it on: MAKING without maker to FREE, LIVE without
 * carrier to ZOMBIE, and tell its parent, ZOMBIE without parent to FREE. Returns its life
 * afterwards. A carrier that is this process's own to free is freed.
 */
uint64_t table_settle(uint32_t slot);

/* Settle all. */
void table_tidy(void);

/* Whoever is the parent of entry's process for now: its own, or process 1 if that has ended. */
pid_t table_parent(const struct table_entry *entry);

/* Mark a signal as pending and ring. Returns whether there is such a process, and it hasn't ended.
 */
bool table_signal(pid_t pid, int signal);

/* The wait status that an environment's exit record amounts to. */
int table_status(const volatile struct aegis_env_info *info);

/* Note env as ended for this process's count of its environments' ends, and free it. */
void table_free_env(uint32_t env);

/* This process is carried by environment `to` instead of `from`, unless it has ended by now. */
void table_replace(uint32_t from, uint32_t to);

/* How many environments' ends this process has seen to, of aegis_env(exos.env)->ended; while it
 * isn't all, waitpid sweeps. */
extern uint64_t table_collected;

/* Environments that struct proc names (proc.h): proc_reap frees them, and nobody else. */
void table_hold(uint32_t env, bool held);
void table_forget_held(void);

/* Environment env, of this process's making, carries a process of the session. */
void table_note_carrier(uint32_t env);

/*
 * Whether what the table says of an environment can be true: this process owns it, and it was made
 * for a process of the session, by this one or by a process that has ended. The kernel's record
 * says who made whom. What else this process owns is no member's to name as its carrier.
 */
bool table_is_process(uint32_t env);

/* Change what this process says of itself: bits off, then bits on. */
void table_say(uint64_t off, uint64_t on);

/*
 * What waitpid is to tell of a LIVE entry that hasn't ended, as a status: that it stopped
 * (WUNTRACED) or goes on (WCONTINUED); -1: nothing. Told once.
 */
int table_news(struct table_entry *entry, uint64_t life, int options);

/* Whether nobody outside of a group is there to continue its processes (POSIX XBD 3.264, orphaned
 * process group). */
bool table_is_orphaned(pid_t group);

/*
 * Free environments that have ended and came to this process: what execve left behind, what
 * children left unfinished, and children whose entries are gone.
 */
void table_sweep(void);

/* How many environments this process is about to make, which table_sweep is to leave alone. */
extern uint32_t table_making;

/* This process's entry; NULL outside of a session. */
extern struct table_entry *table_self;

#endif
