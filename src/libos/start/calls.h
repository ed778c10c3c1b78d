/*
 * System calls as C functions: aegis_NAME for each row of abi/calls.def.
 *
 * Each returns what the kernel left in a0: >= 0, or a negated enum aegis_error (error.h names it).
 * None sets errno, none blocks, except that aegis_yield and aegis_wait give the processor away. The
 * kernel keeps sp, gp, tp and the registers that a function keeps by the RISC-V psABI, the
 * floating-point ones included; for yield and wait the stubs in calls.S see to that.
 */
#ifndef EXOS_START_CALLS_H
#define EXOS_START_CALLS_H

#include "abi/abi.h"

#define V(type, name, ...) type name
#define P(type, name, ...) type name
#define E(...)
#define AEGIS_CALL0(number, name, e, s)                int64_t aegis_##name(void);
#define AEGIS_CALL1(number, name, a, e, s)             int64_t aegis_##name(a);
#define AEGIS_CALL2(number, name, a, b, e, s)          int64_t aegis_##name(a, b);
#define AEGIS_CALL3(number, name, a, b, c, e, s)       int64_t aegis_##name(a, b, c);
#define AEGIS_CALL4(number, name, a, b, c, d, e, s)    int64_t aegis_##name(a, b, c, d);
#define AEGIS_CALL5(number, name, a, b, c, d, f, e, s) int64_t aegis_##name(a, b, c, d, f);
#include "abi/calls.def"
#undef AEGIS_CALL0
#undef AEGIS_CALL1
#undef AEGIS_CALL2
#undef AEGIS_CALL3
#undef AEGIS_CALL4
#undef AEGIS_CALL5
#undef V
#undef P
#undef E

/*
 * aegis_wait for a loop that keeps little in registers: the compiler saves what lives across it,
 * where the stub would save all of s0 to s11.
 */
static inline int64_t aegis_wait_bare(const struct aegis_predicate *predicates, uint64_t count,
                                      uint64_t deadline)
{
    register uint64_t a0 __asm__("a0") = (uint64_t)predicates;
    register uint64_t a1 __asm__("a1") = count;
    register uint64_t a2 __asm__("a2") = deadline;
    register uint64_t a7 __asm__("a7") = AEGIS_CALL_wait;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a7)
                     :
                     : "memory", "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a3", "a4", "a5",
                       "a6", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10",
                       "s11");
    return (int64_t)a0;
}

/* aegis_yield likewise: the compiler saves what lives across it. */
static inline int64_t aegis_yield_bare(uint32_t env)
{
    register uint64_t a0 __asm__("a0") = env;
    register uint64_t a7 __asm__("a7") = AEGIS_CALL_yield;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a7)
                     :
                     : "memory", "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a1", "a2", "a3",
                       "a4", "a5", "a6", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9",
                       "s10", "s11");
    return (int64_t)a0;
}

/*
 * aegis_protect where the compiler may keep what lives across it in registers: a call that neither
 * gives the processor away nor restarts itself leaves t2 to t6 alone as well (kernel/rv64/entry.S).
 */
static inline int64_t aegis_protect_bare(uint32_t env, uint64_t va, uint64_t count, uint32_t prot)
{
    register uint64_t a0 __asm__("a0") = env;
    register uint64_t a1 __asm__("a1") = va;
    register uint64_t a2 __asm__("a2") = count;
    register uint64_t a3 __asm__("a3") = prot;
    register uint64_t a7 __asm__("a7") = AEGIS_CALL_protect;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a7)
                     :
                     : "memory", "t0", "t1", "a4", "a5", "a6");
    return (int64_t)a0;
}

#endif
