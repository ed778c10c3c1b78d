/* System calls: prototypes of the functions that implement them, one for each row of abi/calls.def.
 */
#ifndef AEGIS_KERNEL_CALL_H
#define AEGIS_KERNEL_CALL_H

#include <stdint.h>

#include "abi/abi.h"
#include "kernel/hart.h"
#include "kernel/trace.h"
#include "kernel/user.h"

/* A pointer is an address in the caller's space here. */
#define V(type, name, ...) type name
#define P(type, name, ...) uaddr_t name
#define E(...)
#define AEGIS_CALL0(n, name, e, s)                long call_##name(void);
#define AEGIS_CALL1(n, name, a, e, s)             long call_##name(a);
#define AEGIS_CALL2(n, name, a, b, e, s)          long call_##name(a, b);
#define AEGIS_CALL3(n, name, a, b, c, e, s)       long call_##name(a, b, c);
#define AEGIS_CALL4(n, name, a, b, c, d, e, s)    long call_##name(a, b, c, d);
#define AEGIS_CALL5(n, name, a, b, c, d, f, e, s) long call_##name(a, b, c, d, f);
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
 * Has the caller make its call again, with its arguments (0 for those that it hasn't), after
 * interrupts had their chance: for long operations, whose state is elsewhere (seL4's preemption
 * points). number: the call's. As after yield, the caller keeps only pc, sp, gp and tp.
 */
_Noreturn void call_restart(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2);

/* Fills the hart's dispatch table, with what traces each call if the mode says so. */
void call_init(struct hart *hart, enum trace_mode mode);

#endif
