/* In place of the library's: calls, and exposed pages, are the test's own. */
#ifndef EXOS_START_CALLS_H
#define EXOS_START_CALLS_H

#include "abi/abi.h"

extern struct aegis_info world_info;
#undef AEGIS_EXPOSED_BASE
#define AEGIS_EXPOSED_BASE (&world_info)

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

#endif
