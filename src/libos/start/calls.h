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

#define V(type, name) type name
#define P(type, name) type name
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

/* Call numbers by name: AEGIS_CALL_null, ... for programs that issue calls of their own. */
enum aegis_call_number {
#define AEGIS_CALL0(number, name, ...) AEGIS_CALL_##name = number,
#define AEGIS_CALL1                    AEGIS_CALL0
#define AEGIS_CALL2                    AEGIS_CALL0
#define AEGIS_CALL3                    AEGIS_CALL0
#define AEGIS_CALL4                    AEGIS_CALL0
#define AEGIS_CALL5                    AEGIS_CALL0
#include "abi/calls.def"
#undef AEGIS_CALL0
#undef AEGIS_CALL1
#undef AEGIS_CALL2
#undef AEGIS_CALL3
#undef AEGIS_CALL4
#undef AEGIS_CALL5
};

#endif
