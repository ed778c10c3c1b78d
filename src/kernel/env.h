/*
 * Environments: what resources belong to, and what runs (SOSP '95, section 5.1.2: an address space
 * with the addresses at which the kernel upcalls it).
 *
 * Invariant: env_table[n] != NULL <=> env_infos[n].state is CREATED, LIVE or ENDING, and then it
 * lies in a page of state ENV that n owns; the numbers with state NONE own nothing.
 */
#ifndef AEGIS_KERNEL_ENV_H
#define AEGIS_KERNEL_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"
#include "kernel/env_offsets.h"
#include "kernel/hart.h"
#include "kernel/rv64/paging.h"

#define ENV_COUNT (1 << ENV_BITS)
#define FIRST_ENV 1 /* the first application: everything is its own at first */

/* Registers by number. */
enum {
    REG_RA = 1,
    REG_SP,
    REG_GP,
    REG_TP,
    REG_T0,
    REG_T1,
    REG_T2,
    REG_A0 = 10,
    REG_A7 = 17,
    REGS = 32
};

/*
 * Holds if (*word & mask) - low <= span, which is each of the operators with one comparison. While
 * *watched is `asleep`, it doesn't: mostly that is all that is looked at (wake_may_hold).
 */
struct wake_predicate {
    const volatile uint64_t *watched; /* the word; another where there is no such value */
    uint64_t asleep;
    const volatile uint64_t *word; /* in PHYSMAP */
    uint64_t mask;
    uint64_t low;
    uint64_t span;
    /* See has_pages. */
    struct aegis_page *pinned; /* own page that holds the word, or NULL */
    struct aegis_page *lent;   /* another's, or NULL; exposed without either */
};

struct wake {
    uint32_t count;        /* predicates armed */
    uint32_t counters;     /* of those, on counters of interfaces: its share of wake_counters */
    bool has_pages;        /* perhaps: else `pinned` and `lent` of none of them mean anything */
    uint64_t deadline;     /* rdtime */
    uint64_t arguments[3]; /* of the call, to make it again after an upcall */
    const struct wake_predicate *end; /* behind the last of them */
    struct wake_predicate predicates[AEGIS_PREDICATES_MAX];
};

struct link;

/* The level-0 table that was looked for last (map.h); the last two mean nothing in the windows that
 * the kernel shows. */
#define LEAVES_FORMER 2 /* a program's calls name its stack, its data, and what is exposed */
struct leaf_cache {
    uint64_t region;
    pte_t *table;
    struct link *links; /* its reverse links; NULL without */
    uint32_t location;  /* of its first PTE */
};

/* What it is asked to give up (revoke.h). */
struct revocation {
    enum aegis_kind kind; /* AEGIS_KIND_NONE: nothing */
    bool asked;           /* the upcall was delivered */
    uint64_t goal;        /* how many of the kind it may keep */
    uint64_t slices;      /* of its own count, at which the deadline is over, once asked */
    uint64_t deadline;    /* rdtime at which it is over in any case */
};

/*
 * What keeps an environment from running, in a word that entry.S tests by its sign (gate.h): one of
 * these; or, above 0, the address at which it takes a call through a gate; or, below all of these,
 * the struct env that it has called and waits for: addresses of the kernel's are negative.
 */
enum {
    ENV_RUNS = 0,    /* nothing */
    ENV_WAITS = -1,  /* its wake-up predicates */
    ENV_CLOSED = -2, /* it accepts like one above 0, but may not be called now */
};

/* What it was told BUSY of, and asks for again (turn.h). */
struct turn {
    const void *at;  /* NULL: nothing */
    uint64_t since;  /* the number of its wait: those with lower ones wait longer */
    uint64_t slices; /* of its own count, when it asked last */
};

/* A message that gate_send left. */
struct gate_mail {
    uint32_t sender; /* its number; 0: there is none */
    uint64_t words[AEGIS_SEND_WORDS];
};

/* Where gate_accept was called, for an upcall that comes while nobody calls. */
struct gate_accepted {
    uint64_t pc; /* of its ecall */
    uint64_t sp, gp, tp;
};

/* Lies in its ENV page. What entry.S knows of it comes first. */
struct env {
    uint64_t x[32]; /* registers while it doesn't run; x[0] unused */
    uint64_t pc;
    struct leaf_cache leaf;
    int64_t state;  /* ENV_RUNS, ... */
    int64_t caller; /* gate.h: whom it serves, unless it accepts */
    int64_t entry;  /* gate.h: what state becomes when it accepts */
    uint64_t satp;
    struct aegis_env_info *info;
    uint32_t number;
    bool in_call;     /* it gave the processor away in a call: of x only sp, gp, tp and a0 mean
                         something */
    bool forced;      /* it doesn't run until all is taken that it was asked for (revoke.h) */
    bool in_epilogue; /* and has not given the processor away yet (slice_round.h) */
    bool is_unusual;  /* perhaps: it isn't LIVE, or owes, or is asked for something; else not */
    struct env *gates[AEGIS_GATES]; /* that it may call; NULL: none */
    struct env *held_caller;        /* whom it serves, while that one may not run */
    uint64_t send_entry;            /* address where it takes messages of gate_send; 0: nowhere */
    struct gate_mail mail;
    struct gate_accepted accepted;
    uint64_t gate_generation; /* of capabilities for its gates, which are of no use */
    uint64_t fpu[33];         /* f0..f31, fcsr: while another owns the registers */
    uint64_t asid;
    pte_t *root;
    struct wake wake;
    struct aegis_upcall_page *upcall; /* in PHYSMAP, pinned; NULL before upcall_bind */
    uint64_t upcall_va;
    uint64_t handler;
    bool in_upcall; /* an upcall that was no exception has not resumed yet */
    uint32_t slot;  /* of the slice vector, in which it ran last; perhaps another's by now */
    /* slice_round.h */
    uint64_t epilogue, prologue; /* addresses, 0 without */
    uint64_t epilogue_frame;     /* address of its frame */
    uint32_t overruns;           /* of epilogues in a row */
    uint64_t overrun_since;      /* rdtime of the first of them */
    struct revocation revocation;
    struct aegis_repossession *repossession; /* in PHYSMAP, pinned; NULL without */
    uint64_t repossessed;                    /* entries written to it */
    struct leaf_cache former[LEAVES_FORMER]; /* what leaf was before, for looks at memory */
    struct aegis_page *takable;              /* where abort.c looks on for a page to take */
    struct aegis_disk_ring *disk_ring;       /* in PHYSMAP, pinned; NULL without */
    uint64_t disk_head;                      /* completions put into it */
    uint64_t disk_requests;                  /* that the disks have */
    struct {
        uint32_t extent; /* its number */
        uint32_t rights; /* 0: the binding is free */
        uint64_t epoch;  /* the extent's when it was made: it is free as well if that is over */
    } extents[AEGIS_DISK_BINDINGS]; /* extent_rights (extent.h) */
    /* Of each interface: the classifier that is begun after its last undone binding (net_end.c). */
    uint64_t settled_by[AEGIS_NETIFS];
    bool unbound;       /* while it ends: what pinned its pages is gone */
    bool has_megapages; /* or had */
    bool kept;          /* if it accepts: it is closed but for whose turn it is (gate.h) */
    struct turn turn;
};
_Static_assert(offsetof(struct env, x) == ENV_X(0), "entry.S");
_Static_assert(offsetof(struct env, pc) == ENV_PC, "entry.S");
_Static_assert(offsetof(struct env, leaf.region) == ENV_LEAF_REGION, "entry.S");
_Static_assert(offsetof(struct env, leaf.table) == ENV_LEAF_TABLE, "entry.S");
_Static_assert(offsetof(struct env, state) == ENV_STATE, "entry.S");
_Static_assert(offsetof(struct env, caller) == ENV_CALLER, "entry.S");
_Static_assert(offsetof(struct env, entry) == ENV_ENTRY, "entry.S");
_Static_assert(offsetof(struct env, satp) == ENV_SATP, "entry.S");
_Static_assert(offsetof(struct env, info) == ENV_INFO, "entry.S");
_Static_assert(offsetof(struct env, number) == ENV_NUMBER, "entry.S");
_Static_assert(offsetof(struct env, in_call) == ENV_IN_CALL, "entry.S");
_Static_assert(offsetof(struct env, forced) == ENV_FORCED, "entry.S");
_Static_assert(offsetof(struct env, in_epilogue) == ENV_IN_EPILOGUE, "entry.S");
_Static_assert(offsetof(struct env, gates) == ENV_GATES, "entry.S");
_Static_assert(offsetof(struct aegis_env_info, state) == INFO_STATE, "entry.S");
_Static_assert(sizeof(struct env) <= PAGE_SIZE, "one page");

extern struct env *env_table[ENV_COUNT];
extern uint32_t env_numbers;             /* no environment ever had this number, or a higher one */
extern struct aegis_env_info *env_infos; /* exposed */
extern uint32_t env_page_lists[ENV_COUNT]; /* first page of each, or NO_PAGE */

void env_init(void);

/*
 * Makes an environment of two pages that belong to owner (or to FIRST_ENV itself, at boot), the
 * second of which may be clear; number is free. name has AEGIS_NAME_SIZE bytes.
 */
struct env *env_make(uint32_t number, uint32_t owner, struct aegis_page *page,
                     struct aegis_page *root, const char *name, bool clear);

/*
 * Finds the environment that a call means: the caller for 0, or one that the caller owns. Returns
 * 0, or negated RANGE, OWNER, STATE (neither created nor live).
 */
long env_target(uint32_t number, struct env **env);

/*
 * Begins to end env: it doesn't run again, and its slots of the slice vector take back what it
 * holds. pc and address say where an exception came from.
 */
void env_begin_end(struct env *env, enum aegis_exit_reason reason, uint64_t value, uint64_t pc,
                   uint64_t address);

/* One bounded step of taking back; returns whether env is ended and gone. */
bool env_end_step(struct env *env);

/*
 * Whether env goes on with what it does by itself: it waits for nothing, and slots come up for it.
 * Who neither does nor counts more slices must keep nobody waiting.
 */
static inline bool env_gets_slices(const struct env *env)
{
    return env->state == ENV_RUNS && !env->forced && env->info->state == AEGIS_ENV_LIVE &&
           env->info->slots > 0;
}

/* Makes env's address space the active one, and it the environment of this hart. */
void env_switch(struct env *env);

/* Whether each environment has an ASID of its own, so that a switch needs no fence. */
bool env_have_asids(void);

/* Enters env in user mode: switches address space if another is active, and loads all registers. */
_Noreturn void env_enter(struct env *env);

/* entry.S: the same, address space being active; env_resume_call for in_call. */
_Noreturn void env_resume(struct env *env);
_Noreturn void env_resume_call(struct env *env);

/* For a call that gives the processor away: keeps pc (behind the ecall), sp, gp, tp; zeroes the
 * rest. */
static inline __attribute__((always_inline)) void env_save_call(struct env *env)
{
    env->in_call = true;
    env->x[REG_SP] = this_hart->user_sp;
    env->x[REG_TP] = this_hart->user_tp;
    env->x[REG_GP] = gp_read();
    env->x[REG_A0] = 0;
    env->pc = csr_read(sepc) + 4;
}

#endif
