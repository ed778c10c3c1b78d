/*
 * All state of a hart, reached through tp while it is in the kernel. Offsets in HART_* are used by
 * rv64/entry.S and asserted here.
 */
#ifndef AEGIS_KERNEL_HART_H
#define AEGIS_KERNEL_HART_H

#define HART_T0           0
#define HART_USER_RA      8
#define HART_USER_SP      16
#define HART_USER_TP      24
#define HART_STACK        32
#define HART_ENV          40
#define HART_EMERGENCY    48
#define HART_PANIC_REGS   56
#define HART_CALLS        328
#define HART_T1           1352
#define HART_DIRECT       1360 /* and what follows: direct.h */
#define HART_UPCALL       1368
#define HART_UPCALL_VA    1376
#define HART_HANDLER      1384
#define HART_DONATE_UNTIL 1392
#define HART_YIELD        1400
#define HART_GATE_CALL    1408
#define HART_GATE_RETURN  1416
#define HART_MESSAGE      1424
#define HART_FPU          1504

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"

struct env;

/*
 * Which exceptions of the environment under way entry.S takes to its handler by itself, and what it
 * needs for that, as direct.h fills it: the environment's own words may be far apart.
 */
struct direct {
    uint64_t causes;                  /* DIRECT(cause) of each; 0: none, and the rest is stale */
    struct aegis_upcall_page *upcall; /* in PHYSMAP */
    uint64_t upcall_va;
    uint64_t handler;
};

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
    uint64_t t1; /* of an exception, until its frame is known */
    struct direct direct;
    uint64_t
        donate_until; /* rdtime after which gate_call is refused: of this slice little is left */
    /* What transfer.S calls where its short ways of these calls don't do. */
    void *yield, *gate_call, *gate_return;
    uint64_t message[9]; /* t1, a0..a7 of a call through a gate that takes the long way */

    uint64_t id;        /* mhartid, as the device tree and SBI know it */
    struct env *fpu;    /* whose values the floating-point registers hold, or NULL */
    uint32_t slot;      /* of the slice vector, under way */
    uint64_t slice_end; /* rdtime at which it ends */
    bool epilogue;      /* it has ended, and slice_end is when its epilogue has to */
    bool charging;      /* charge.h */
    uint32_t payer;     /* whose slice pays as it goes for answers to its own requests; 0: none */
    uint64_t paid;      /* ticks that it has, in this interrupt */
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
_Static_assert(offsetof(struct hart, t1) == HART_T1, "entry.S");
_Static_assert(offsetof(struct hart, direct.causes) == HART_DIRECT, "entry.S");
_Static_assert(offsetof(struct hart, direct.upcall) == HART_UPCALL, "entry.S");
_Static_assert(offsetof(struct hart, direct.upcall_va) == HART_UPCALL_VA, "entry.S");
_Static_assert(offsetof(struct hart, direct.handler) == HART_HANDLER, "entry.S");
_Static_assert(offsetof(struct hart, fpu) == HART_FPU, "transfer.S");
_Static_assert(offsetof(struct hart, donate_until) == HART_DONATE_UNTIL, "transfer.S");
_Static_assert(offsetof(struct hart, yield) == HART_YIELD, "transfer.S");
_Static_assert(offsetof(struct hart, gate_call) == HART_GATE_CALL, "transfer.S");
_Static_assert(offsetof(struct hart, gate_return) == HART_GATE_RETURN, "transfer.S");
_Static_assert(offsetof(struct hart, message) == HART_MESSAGE, "transfer.S");

#ifdef __riscv
register struct hart *this_hart __asm__("tp");
#else
extern struct hart *this_hart; /* unit tests on the host */
#endif

#endif
#endif
