/*
 * All state of a hart, reached through tp while it is in the kernel. Offsets in HART_* are used by
 * rv64/entry.S and asserted here.
 */
#ifndef AEGIS_KERNEL_HART_H
#define AEGIS_KERNEL_HART_H

#define HART_T0         0
#define HART_USER_RA    8
#define HART_USER_SP    16
#define HART_USER_TP    24
#define HART_STACK      32
#define HART_ENV        40
#define HART_EMERGENCY  48
#define HART_PANIC_REGS 56
#define HART_CALLS      328

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"

struct env;

struct hart {
    uint64_t t0;      /* trap entry's scratch */
    uint64_t user_ra; /* of the system call under way; the kernel leaves gp and s0..s11 in place */
    uint64_t user_sp;
    uint64_t user_tp;
    uint64_t stack;          /* top of the kernel stack; nothing lives on it between entries */
    struct env *env;         /* whose address space is active, or NULL */
    uint64_t emergency;      /* top of the stack for panics */
    uint64_t panic_regs[34]; /* x0..x31, sepc, stval of a trap taken in the kernel */
    /* The dispatch table of call.c, here so that entry.S reaches it with one add. */
    void *calls[AEGIS_CALL_END - AEGIS_CALL_FIRST];

    uint64_t id;        /* mhartid, as the device tree and SBI know it */
    struct env *fpu;    /* whose values the floating-point registers hold, or NULL */
    uint32_t slot;      /* of the slice vector, under way */
    uint64_t slice_end; /* rdtime at which it ends */
};

_Static_assert(offsetof(struct hart, t0) == HART_T0, "entry.S");
_Static_assert(offsetof(struct hart, user_ra) == HART_USER_RA, "entry.S");
_Static_assert(offsetof(struct hart, user_sp) == HART_USER_SP, "entry.S");
_Static_assert(offsetof(struct hart, user_tp) == HART_USER_TP, "entry.S");
_Static_assert(offsetof(struct hart, stack) == HART_STACK, "entry.S");
_Static_assert(offsetof(struct hart, env) == HART_ENV, "entry.S");
_Static_assert(offsetof(struct hart, emergency) == HART_EMERGENCY, "entry.S");
_Static_assert(offsetof(struct hart, panic_regs) == HART_PANIC_REGS, "entry.S");
_Static_assert(offsetof(struct hart, calls) == HART_CALLS, "entry.S");

#ifdef __riscv
register struct hart *this_hart __asm__("tp");
#else
extern struct hart *this_hart; /* unit tests on the host */
#endif

#endif
#endif
