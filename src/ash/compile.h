/*
 * The compiler from inside. Internal to the library.
 *
 * Registers of the machine. t2 to t6 are left alone: the kernel keeps what its caller had in them.
 *
 *   r0 to r5        a0 to a5: what a helper returns and takes, behind run, which goes in a0
 *   r6 to r9        allocated, if the program uses them
 *   r10             not kept: the stack's host address is, and r10 follows from it
 *   t0, t1          temporaries within one instruction
 *   enum ash_role   allocated, if the program needs them: a6, a7, those of a1 to a5 that stand for
 * unused registers, then s0 to s11, which cost a save each. What has to survive calls gets s0 to
 * s11 only.
 */
#ifndef ASH_COMPILE_H
#define ASH_COMPILE_H

#include "ash/program.h"
#include "vcode/vcode.h"

enum ash_role {
    ASH_ROLE_R6,
    ASH_ROLE_R7,
    ASH_ROLE_R8,
    ASH_ROLE_R9,
    ASH_ROLE_RUN,   /* struct ash_run */
    ASH_ROLE_DATA,  /* host address of data */
    ASH_ROLE_DELTA, /* host address less sandbox address, in the frame */
    ASH_ROLE_STACK, /* host address of r10 */
    ASH_ROLE_FUEL,
    ASH_ROLE_CACHE, /* a translated address: see struct ash_cache */
    ASH_ROLE_GUARD, /* a temporary of guards */
    ASH_ROLES
};
#define ASH_TEMP  RV_T0
#define ASH_TEMP2 RV_T1

/* What the CACHE register holds: host address of what a register points to, in a place. */
struct ash_cache {
    bool valid;
    uint8_t place; /* enum ash_place */
    uint8_t map;
    uint8_t reg; /* ASH_NO_REGISTER: the start of a map */
};
#define ASH_NO_REGISTER 0xff

/* A register whose value is known, and not yet in the machine's register. */
struct ash_pending {
    bool waits;
    uint64_t value;
};

/* Guards are subroutines behind the code, one for each kind of access that needs one. */
enum ash_guard_kind { ASH_GUARD_LOAD, ASH_GUARD_STORE, ASH_GUARD_ATOMIC, ASH_GUARD_KINDS };
#define ASH_GUARDS (ASH_GUARD_KINDS * 4) /* by the logarithm of the size */

/* Labels beside those of instructions. */
enum ash_label {
    ASH_LABEL_GUARD,                               /* the first of ASH_GUARDS */
    ASH_LABEL_EXIT = ASH_LABEL_GUARD + ASH_GUARDS, /* give the verdict in a0 to the caller */
    ASH_LABEL_ABORT,                               /* reason in t1, address in t0; insn is noted */
    ASH_LABEL_ABORTED,                             /* all is noted */
    ASH_LABEL_OUTSIDE,                             /* reasons of guards, address in t0 */
    ASH_LABEL_READ_ONLY,
    ASH_LABEL_ALIGN,
    ASH_LABEL_FUEL,  /* insn in t1 */
    ASH_LABEL_CLEAR, /* the loop that clears the stack */
    ASH_LABELS
};
#define ASH_STUB_LABELS 2 /* of each instruction that ash_has_stub */

struct ash_compiler {
    struct ash_refusal refusal; /* first, as in struct ash_verifier */
    struct vcode v;
    const struct ash_program *program;
    unsigned phase;
    uint32_t at;
    unsigned function;
    uint32_t insns;

    /* What the survey found. */
    uint16_t used;                      /* set of r0 to r9 */
    uint16_t writes[ASH_FUNCTIONS_MAX]; /* by function, of r6 to r9 */
    uint32_t roles;                     /* set of ASH_ROLE_* that are needed */
    uint32_t guards;                    /* set of guards that are needed */
    bool calls;                         /* code calls something: ra has to be saved */
    bool aborts;                        /* something may end the run early */
    unsigned moving;                    /* accesses to the frame at an address that is not fixed */
    bool calls_helpers;                 /* through the ABI: a6 and a7 don't survive */
    uint32_t target_count, stub_count;

    /* What was decided from it. */
    uint8_t role[ASH_ROLES]; /* enum rv64_reg */
    uint8_t saved[16];       /* registers that main saves */
    unsigned saved_count;
    unsigned frame; /* bytes of main's stack frame */

    /* While emitting. */
    struct ash_cache cache;
    struct ash_pending pending[10];
    bool marked; /* run->modified is set on the way to here */
    bool skip;   /* the next instruction was emitted with the one before */
    bool flows;  /* the instruction before leads on to this one */

    uint64_t *constants;
    uint16_t *target; /* one an instruction: number of its label among those of targets, from 0 */
    uint16_t *stub;   /* and among those of stubs */
};

/* The machine's register for a role, or for r0 to r9. */
static inline enum rv64_reg ash_role(const struct ash_compiler *c, enum ash_role role)
{
    return (enum rv64_reg)c->role[role];
}

static inline enum rv64_reg ash_machine(const struct ash_compiler *c, unsigned reg)
{
    return reg <= 5 ? (enum rv64_reg)(RV_A0 + reg)
                    : ash_role(c, (enum ash_role)(ASH_ROLE_R6 + reg - 6));
}

static inline bool ash_has_role(const struct ash_compiler *c, enum ash_role role)
{
    return c->roles >> role & 1;
}

/* Labels by what they stand for. */
static inline uint32_t ash_target_label(const struct ash_compiler *c, uint32_t at)
{
    return ASH_LABELS + c->target[at];
}

static inline uint32_t ash_stub_label(const struct ash_compiler *c, uint32_t at)
{
    return ASH_LABELS + c->target_count + ASH_STUB_LABELS * c->stub[at];
}

/* Whether an instruction needs labels of its own, for code behind the program or within its own. */
bool ash_has_stub(const struct ash_program *program, uint32_t at);

/* Goes through the program and finds what its code will need: a step for each instruction, then the
 * decisions. */
void ash_survey(struct ash_compiler *c, uint32_t at);
void ash_allocate(struct ash_compiler *c);

/*
 * Values: the register that holds one, which may be a temporary (temp), or zero. A write makes the
 * register known no longer and what was cached of it void; it has to come after the operands were
 * fetched.
 */
enum rv64_reg ash_fetch(struct ash_compiler *c, unsigned reg, enum rv64_reg temp);
enum rv64_reg ash_constant_in(struct ash_compiler *c, uint64_t value, enum rv64_reg temp);
enum rv64_reg ash_write(struct ash_compiler *c, unsigned reg);
void ash_write_constant(struct ash_compiler *c, unsigned reg, uint64_t value);
bool ash_known(const struct ash_compiler *c, unsigned reg, uint64_t *value);

/* Puts all values that wait into their registers: before paths part or meet. */
void ash_settle(struct ash_compiler *c);
/* Forgets them: r1 to r5 have no value behind a call. */
void ash_forget_arguments(struct ash_compiler *c);
void ash_forget_cache(struct ash_compiler *c);

/* One instruction each. */
void ash_emit_alu(struct ash_compiler *c, uint32_t at);
void ash_emit_end(struct ash_compiler *c, uint32_t at);
void ash_emit_jump(struct ash_compiler *c, uint32_t at);
void ash_emit_access(struct ash_compiler *c, uint32_t at);
void ash_emit_atomic(struct ash_compiler *c, uint32_t at);
void ash_emit_flow(struct ash_compiler *c, uint32_t at);

/* Before and behind them. */
void ash_emit_prologue(struct ash_compiler *c);
void ash_emit_function(struct ash_compiler *c);
void ash_emit_return(struct ash_compiler *c, uint32_t at);
void ash_emit_exit(struct ash_compiler *c);
void ash_emit_stub(struct ash_compiler *c, uint32_t at);
void ash_emit_tail(struct ash_compiler *c);

#define ASH_RUN(member) ((int)offsetof(struct ash_run, member))
#define ASH_RUN_REGION(region, member)                                                             \
    (ASH_RUN(regions) + (int)((region) * sizeof(struct ash_region)) +                              \
     (int)offsetof(struct ash_region, member))

#endif
