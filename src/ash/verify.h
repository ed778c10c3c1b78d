/*
 * The verifier from inside: its phases and what they leave for each other in the scratch memory.
 * Internal to the library.
 */
#ifndef ASH_VERIFY_H
#define ASH_VERIFY_H

#include "ash/program.h"
#include "ash/facts.h"

/* One bit a register. */
#define ASH_SET(r)    (1u << (r))
#define ASH_ARGUMENTS 0x003eu /* r1 to r5 */
#define ASH_SCRATCH_REGS                                                                           \
    0x003fu /* r0 to r5: what a call leaves without a value, or with another                       \
             */
#define ASH_REGISTERS 11

/* Which registers a stretch of code may write. */
struct ash_writes {
    uint16_t any;    /* in whatever way */
    uint16_t beyond; /* otherwise than by adding to or subtracting from them */
    bool memory;     /* it has stores or calls functions */
    bool frame;      /* it may move the frame's ends */
};

/* What the types phase finds out about a function as a whole. */
struct ash_tally {
    uint32_t accesses, guards;
    bool clear_stack, can_abort, writes_frame;
};

#define ASH_BLOCK 64 /* instructions for which ash_writes are kept summed up */

struct ash_verifier {
    struct ash_refusal refusal; /* first: ash_refused finds it there, as in struct ash_compiler */
    struct ash_image image;
    struct ash_program *program;
    uint32_t event;   /* enum ash_event */
    uint32_t helpers; /* on offer */
    uint32_t insns;

    /* Where the current phase is. */
    unsigned phase;
    uint32_t at;       /* next instruction, line or byte */
    unsigned function; /* index in order, or of a function */
    uint64_t looks;    /* at instructions, of the registers phase */
    bool again;        /* registers phase: something changed behind the cursor */
    bool started;      /* types phase: the function is begun */

    uint8_t order[ASH_FUNCTIONS_MAX]; /* functions, callees before callers */

    /* One an instruction. */
    uint32_t *path;  /* fuel of the longest path from here without going back; later free */
    uint16_t *unset; /* registers phase: see there */
    /* types phase, the same memory: the walk in which facts about the instruction found no room */
    uint16_t *lost;
    uint16_t *loop_end; /* of a HEAD: the last instruction of the loops through it */

    struct ash_writes *blocks;       /* one for ASH_BLOCK instructions */
    struct ash_arguments *arguments; /* one a function */
    struct ash_facts *current;       /* types phase: before the instruction at the cursor */
    struct ash_facts *taken;         /* types phase: a second one, for the taken way of a branch */
    struct ash_facts *pool;          /* types phase: states at targets that are still to come */
    unsigned pool_size;
    unsigned walk;  /* types phase: enum ash_walk */
    unsigned round; /* types phase: how many walks of that kind have been */
    bool changed;   /* types phase: this walk knew less at some head than the one before */
    bool lost_loop; /* types phase: some facts about a loop found no room in the pool */
    struct ash_tally tally;
    bool alive;         /* types phase: current is reached from the instruction before */
    uint32_t last_lost; /* types phase: the last instruction about which facts found no room */
    uint16_t walks;     /* types phase: the number of this walk, from 1 */
};

/* A phase goes on by at most *work instructions, which it counts down. ASH_MORE, ASH_DONE or an
 * ASH_E_*. */
typedef int ash_phase(struct ash_verifier *v, size_t *work);
ash_phase ash_check_lines, ash_check_text, ash_decode_all, ash_check_jumps, ash_order_functions,
    ash_count_costs, ash_check_registers, ash_find_loops, ash_find_types;

/* Records what is wrong and returns it. */
static inline int ash_refuse(struct ash_verifier *v, int error, uint32_t insn, uint32_t detail)
{
    v->refusal = (struct ash_refusal){error, insn, detail};
    return error;
}

/* Registers that an instruction reads (calls: what they pass), and the one that it writes or -1. */
uint16_t ash_reads(const struct ash_insn *insn, unsigned op);
int ash_written(const struct ash_insn *insn, unsigned op);

/* What the instructions [from, to] may write. */
struct ash_writes ash_writes_of(const struct ash_verifier *v, uint32_t from, uint32_t to);

/* Successors of an instruction in its function: 0 to 2. */
struct ash_successors {
    unsigned count;
    uint32_t at[2]; /* the jump's target last */
};
struct ash_successors ash_successors(const struct ash_verifier *v, uint32_t at);

#endif
