/*
 * Protected control transfer (SOSP '95, section 5.5; design section 4): an environment goes on in
 * another one's address space, at the address that the other has named. The registers are the
 * message: transfer.S does the usual case, and leaves all of them alone but t0.
 *
 * Who accepts (env.state > 0, or ENV_CLOSED) has given the processor away by gate_accept or
 * gate_return. A call makes the caller's state the callee, whose caller it becomes; the return
 * undoes both. So an environment calls one other and serves one at a time, and who calls whom are
 * lists, no longer than there are environments.
 *
 * Who is told BUSY has its turn before those who come later (turn.h): while somebody waits, the
 * callee is ENV_CLOSED when it accepts, and kept, so that all calls come to call_gate_call.
 *
 * Invariants: env.gates[i] is NULL or an environment that isn't ending; A.state is B <=> B doesn't
 * accept, and B.caller is A, or is GATE_HELD with B.held_caller A; GATE_HELD if A.forced; the state
 * of one that is ending is ENV_RUNS.
 */
#ifndef AEGIS_KERNEL_GATE_H
#define AEGIS_KERNEL_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/env.h"

/* env.caller, if it is no struct env (below 0, like env.state). */
enum {
    GATE_NOBODY = 0, /* it serves nobody */
    GATE_ORPHAN = 1, /* whom it served has ended */
    GATE_HELD = 2,   /* whom it serves, held_caller, perhaps may not run now, or others wait */
};

/* A struct env in env.state or env.caller. Addresses of the kernel's half have this bit anyway; in
 * unit tests on the host they have not. */
#define GATE_ENV (1UL << 63)

static inline int64_t gate_word(const struct env *env)
{
    return (int64_t)((uint64_t)env | GATE_ENV);
}

static inline struct env *gate_env(int64_t word)
{
#ifdef __riscv
    return (struct env *)word;
#else
    return (struct env *)((uint64_t)word & ~GATE_ENV);
#endif
}

/* Whether env waits for somebody that it called. */
static inline bool gate_calls(const struct env *env)
{
    return env->state < ENV_CLOSED;
}

/* Whether env waits for calls. */
static inline bool gate_accepts(const struct env *env)
{
    return env->state > 0 || env->state == ENV_CLOSED;
}

/* Who runs on behalf of env: the end of the list of those that called each other. */
static inline struct env *gate_callee_of(struct env *env)
{
    while (gate_calls(env))
        env = gate_env(env->state);
    return env;
}

/* Whether there is a message for env, and it takes messages: that may have changed since. */
static inline bool gate_has_mail(const struct env *env)
{
    return env->mail.sender && env->send_entry;
}

/* The deadline of one that doesn't wait: it is over if gate_take_mail has something to do. */
static inline uint64_t gate_deadline(const struct env *env)
{
    return gate_has_mail(env) ? 0 : AEGIS_FOREVER;
}

/*
 * Its slot came up. If env accepts and has mail, makes it go on there and returns true; in
 * any case it doesn't wait for predicates.
 */
bool gate_take_mail(struct env *env);

/*
 * Makes an env that accepts go on as if it were about to call gate_accept, so that an upcall can
 * come in between. False if env waits for a callee: then none can.
 */
bool gate_interrupt(struct env *env);

/* While env is taken from by force, nobody makes it run through a gate. Repeating them does no
 * harm. */
void gate_hold(struct env *env);
void gate_release(struct env *env);

/* env's slice is over, and it is in its epilogue: whom it serves gets none of that. */
void gate_hold_caller(struct env *env);

/*
 * env ends: gates to it are cleared, whom it serves goes on with PEER_DIED, and whom it called
 * has nobody to return to. Some 10,000 instructions.
 */
void gate_end_env(struct env *env);

/* For cap.c: undoes the gates to an environment that others than the caller have. */
void gate_sever_env(uint32_t number);

/* For resources.def: gates by their number, env * AEGIS_GATES + index. */
bool gate_valid(uint64_t number);
uint32_t gate_owner(uint64_t number);
uint64_t *gate_generation(uint64_t number);

/* For abort.c: how many gates env has; takes one, and says its number, or returns false. */
uint64_t gate_held(const struct env *env);
bool gate_take(struct env *env, uint64_t *number);

#endif
