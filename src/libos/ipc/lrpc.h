/*
 * Calls from program to program with the arguments in registers, over gates (libos/gate/gate.h),
 * in the two kinds of the exokernel paper (SOSP 1995, section 6.2). A server has one function and
 * serves one call at a time; who wants several tells them apart by the first word.
 *
 *   trusting    client and server keep the psABI's rules towards each other: the server gives back
 *               the registers that a function keeps, and neither hides what the others hold
 *   untrusting  each side saves what it needs where only its own code looks, and gives the other
 *               nothing but the words: what a hostile peer leaves in registers does no harm
 *
 * Either client may call either server; who doesn't trust the other takes the untrusting half.
 */
#ifndef EXOS_IPC_LRPC_H
#define EXOS_IPC_LRPC_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"
#include "libos/start/calls.h"

/* What a server does for environment number caller; returns the answer. */
typedef uint64_t lrpc_function(uint32_t caller, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3,
                               uint64_t w4, uint64_t w5);

/*
 * Serve calls with function on the present stack. Returns only if it can't begin: negated STATE
 * while it serves already. Clients need a capability for this environment with the right CALL
 * (aegis_cap_mint) and bind a gate with it (aegis_gate_bind).
 */
int64_t lrpc_serve(lrpc_function *function, bool trusting);

/* error is 0, or negated RANGE, NO_GATE, BUSY, TIME (too little is left of the slice: yield and try
 * again) or PEER_DIED; value counts only if it is 0. */
struct lrpc_result {
    int64_t error;
    uint64_t value;
};

/*
 * Where a trusting call goes whose server ends while it serves: the registers are gone with it, so
 * all that can be done is a longjmp to where this says. NULL, as in the beginning: the program ends
 * with a message.
 */
void lrpc_when_peer_dies(jmp_buf *where);

/* lrpc_entry.S: what follows a trusting call that failed; an untrusting call, but for what lives
 * across it. Not for programs: they have registers of their own for arguments. */
extern char lrpc_failed[], lrpc_cross[];

/* Behind a call: t0 is who answered, 0 if nobody did, and a0 the answer, or the error. */
static inline struct lrpc_result lrpc_result(uint64_t t0, uint64_t a0)
{
    if (__builtin_expect(t0 != 0, 1))
        return (struct lrpc_result){.error = 0, .value = a0};
    if ((int64_t)a0 >= 0)
        __builtin_unreachable(); /* the kernel's errors are negative */
    return (struct lrpc_result){.error = (int64_t)a0, .value = 0};
}

/* A word that a trusting call leaves out: whatever is in its register. */
#define LRPC_NONE                                                                                  \
    ({                                                                                             \
        uint64_t none_;                                                                            \
        __asm__ volatile("" : "=r"(none_));                                                        \
        none_;                                                                                     \
    })

/* Call the server behind a gate, by who trusts it to keep the registers. */
static inline struct lrpc_result lrpc_call_trusting(uint32_t gate, uint64_t w0, uint64_t w1,
                                                    uint64_t w2, uint64_t w3, uint64_t w4,
                                                    uint64_t w5)
{
    register uint64_t a0 __asm__("a0") = gate;
    register uint64_t a1 __asm__("a1") = w0;
    register uint64_t a2 __asm__("a2") = w1;
    register uint64_t a3 __asm__("a3") = w2;
    register uint64_t a4 __asm__("a4") = w3;
    register uint64_t a5 __asm__("a5") = w4;
    register uint64_t a6 __asm__("a6") = w5;
    register uint64_t a7 __asm__("a7") = AEGIS_CALL_gate_call;
    __asm__ goto("ecall\n"
                 "beqz t0, %l[failed]"
                 : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6), "+r"(a7)
                 :
                 : "memory", "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6"
                 : failed);
    return (struct lrpc_result){.error = 0, .value = a0};
failed:
    __asm__ volatile("call lrpc_failed" : "+r"(a0) : : "memory", "ra", "t1");
    return (struct lrpc_result){.error = (int64_t)a0, .value = 0};
}

/* The same, by who trusts nobody: nothing but the words goes there, and nothing but t0 and a0 is
 * believed. */
static inline struct lrpc_result lrpc_call_untrusting(uint32_t gate, uint64_t w0, uint64_t w1,
                                                      uint64_t w2, uint64_t w3, uint64_t w4,
                                                      uint64_t w5)
{
    register uint64_t a0 __asm__("a0") = gate;
    register uint64_t a1 __asm__("a1") = w0;
    register uint64_t a2 __asm__("a2") = w1;
    register uint64_t a3 __asm__("a3") = w2;
    register uint64_t a4 __asm__("a4") = w3;
    register uint64_t a5 __asm__("a5") = w4;
    register uint64_t a6 __asm__("a6") = w5;
    register uint64_t t0 __asm__("t0");
    __asm__ volatile("call lrpc_cross"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6),
                       "=r"(t0)
                     :
                     : "memory", "ra", "t1", "t2", "t3", "t4", "t5", "t6", "a7", "s0", "s1", "s2",
                       "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11");
    return lrpc_result(t0, a0);
}

/*
 * A typed stub: LRPC_STUB2(lrpc_call_trusting, gate, int, add, int, int) defines
 * int64_t add(int, int, int *answer), which returns the error and calls the server behind `gate`,
 * waiting for the next slice where too little is left of this one. Types of up to 8 bytes, integers
 * or pointers.
 */
#define LRPC_WORD(value) ((uint64_t)(value))
#define LRPC_BODY(call, gate, type, ...)                                                           \
    struct lrpc_result result_;                                                                    \
    while ((result_ = call(gate, __VA_ARGS__)).error == -AEGIS_E_TIME)                             \
        aegis_yield(0);                                                                            \
    *answer = (type)result_.value;                                                                 \
    return result_.error
#define LRPC_STUB0(call, gate, type, name)                                                         \
    static inline int64_t name(type *answer)                                                       \
    {                                                                                              \
        LRPC_BODY(call, gate, type, 0, 0, 0, 0, 0, 0);                                             \
    }
#define LRPC_STUB1(call, gate, type, name, ta)                                                     \
    static inline int64_t name(ta a, type *answer)                                                 \
    {                                                                                              \
        LRPC_BODY(call, gate, type, LRPC_WORD(a), 0, 0, 0, 0, 0);                                  \
    }
#define LRPC_STUB2(call, gate, type, name, ta, tb)                                                 \
    static inline int64_t name(ta a, tb b, type *answer)                                           \
    {                                                                                              \
        LRPC_BODY(call, gate, type, LRPC_WORD(a), LRPC_WORD(b), 0, 0, 0, 0);                       \
    }
#define LRPC_STUB3(call, gate, type, name, ta, tb, tc)                                             \
    static inline int64_t name(ta a, tb b, tc c, type *answer)                                     \
    {                                                                                              \
        LRPC_BODY(call, gate, type, LRPC_WORD(a), LRPC_WORD(b), LRPC_WORD(c), 0, 0, 0);            \
    }

#endif
