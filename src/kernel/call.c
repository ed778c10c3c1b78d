/*
 * Dispatch. entry.S indexes the table of the hart, which this file fills from calls.def. A 32-bit
 * parameter takes the low half of its register, as the calling convention has callers extend it:
 * what is above is cut off by the wrappers, since an application's word for it is no guarantee.
 */
#include "kernel/call.h"

#include <string.h>

#include "kernel/check/check.h"
#include "kernel/env.h"
#include "kernel/fault.h"
#include "kernel/irqoff.h"
#include "kernel/power.h"
#include "kernel/print.h"
#include "kernel/rv64/csr.h"

/* Takes the registers as they are, and converts each to its parameter's type. */
#define V(type, name, ...) (type)
#define P(type, name, ...) (uaddr_t)
#define E(...)
#define WRAP(name, ...)                                                                            \
    static long wrap_##name(uint64_t r0, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4)       \
    {                                                                                              \
        (void)r0, (void)r1, (void)r2, (void)r3, (void)r4;                                          \
        return call_##name(__VA_ARGS__);                                                           \
    }
#define AEGIS_CALL0(n, name, e, s)                WRAP(name)
#define AEGIS_CALL1(n, name, a, e, s)             WRAP(name, a r0)
#define AEGIS_CALL2(n, name, a, b, e, s)          WRAP(name, a r0, b r1)
#define AEGIS_CALL3(n, name, a, b, c, e, s)       WRAP(name, a r0, b r1, c r2)
#define AEGIS_CALL4(n, name, a, b, c, d, e, s)    WRAP(name, a r0, b r1, c r2, d r3)
#define AEGIS_CALL5(n, name, a, b, c, d, f, e, s) WRAP(name, a r0, b r1, c r2, d r3, f r4)
#include "abi/calls.def"
#undef AEGIS_CALL0
#undef AEGIS_CALL1
#undef AEGIS_CALL2
#undef AEGIS_CALL3
#undef AEGIS_CALL4
#undef AEGIS_CALL5

typedef long call_function(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

static enum trace_mode tracing;

/*
 * The same with a line on the log before and after, or with a record in the ring. yield and wait
 * don't come back here: they go on elsewhere.
 */
static long traced(uint64_t number, const char *name, call_function *function, const uint64_t *r)
{
    struct aegis_trace *record = NULL;

    if (tracing == TRACE_RING) {
        record = trace_record(AEGIS_TRACE_CALL, number);
        record->pc = csr_read(sepc);
        memcpy(record->arguments, r, sizeof(record->arguments));
    } else {
        print("trace: %u %s(0x%lx, 0x%lx, 0x%lx, 0x%lx, 0x%lx)\n", this_hart->env->number, name,
              r[0], r[1], r[2], r[3], r[4]);
    }
    long result = function(r[0], r[1], r[2], r[3], r[4]);
    if (record)
        record->result = result;
    else
        print("trace: = %ld\n", result);
    return result;
}
#undef WRAP
#define WRAP(n, name)                                                                              \
    static long trace_##name(uint64_t r0, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4)      \
    {                                                                                              \
        return traced(n, #name, wrap_##name, (uint64_t[]){r0, r1, r2, r3, r4});                    \
    }
#define AEGIS_CALL0(n, name, ...) WRAP(n, name)
#define AEGIS_CALL1               AEGIS_CALL0
#define AEGIS_CALL2               AEGIS_CALL0
#define AEGIS_CALL3               AEGIS_CALL0
#define AEGIS_CALL4               AEGIS_CALL0
#define AEGIS_CALL5               AEGIS_CALL0
#include "abi/calls.def"
#undef AEGIS_CALL0

#if CHECK || IRQOFF
/* The same with a walk of the checked kernel behind, or measured. */
#undef WRAP
#if CHECK
#define WATCH(n, ...) check_call(__VA_ARGS__)
#else
#define WATCH(n, name, ...) irqoff_call(n, __VA_ARGS__)
#endif
#define WRAP(n, name)                                                                              \
    static long watched_##name(uint64_t r0, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4)    \
    {                                                                                              \
        return WATCH(n, #name, tracing != TRACE_OFF ? trace_##name : wrap_##name,                  \
                     (uint64_t[]){r0, r1, r2, r3, r4});                                            \
    }
#define AEGIS_CALL0(n, name, ...) WRAP(n, name)
#include "abi/calls.def"
#undef AEGIS_CALL0
#define ROW(n, name) {n, watched_##name, watched_##name},
#else
#define ROW(n, name) {n, wrap_##name, trace_##name},
#endif

static const struct {
    uint32_t number;
    call_function *function;
    call_function *trace;
} rows[] = {
#define AEGIS_CALL0(n, name, ...) ROW(n, name)
#undef AEGIS_CALL1
#undef AEGIS_CALL2
#undef AEGIS_CALL3
#undef AEGIS_CALL4
#undef AEGIS_CALL5
#define AEGIS_CALL1 AEGIS_CALL0
#define AEGIS_CALL2 AEGIS_CALL0
#define AEGIS_CALL3 AEGIS_CALL0
#define AEGIS_CALL4 AEGIS_CALL0
#define AEGIS_CALL5 AEGIS_CALL0
#include "abi/calls.def"
};

_Static_assert(AEGIS_E_NO_CALL == AEGIS_NO_CALL_ERROR, "entry.S");
_Static_assert(AEGIS_GATES == 1 << AEGIS_GATE_BITS, "entry.S");
_Static_assert(AEGIS_ENV_LIVE == AEGIS_LIVE_STATE, "entry.S");
_Static_assert(ENV_COUNT == 1 << ENV_BITS, "entry.S");

/* entry.S */
void yield_short(void);
void gate_call_short(void);
void gate_call_long(void);
void gate_return_short(void);
void gate_return_long(void);

/*
 * Calls that entry.S does itself, as far as nothing is unusual about them, unless each is to be
 * watched. A gate's call needs entry.S in any case, for what the registers carry.
 */
static void use_short_ways(struct hart *hart, bool may)
{
    void **yield = &hart->calls[AEGIS_CALL_yield - AEGIS_CALL_FIRST];
    void **call = &hart->calls[AEGIS_CALL_gate_call - AEGIS_CALL_FIRST];
    void **answer = &hart->calls[AEGIS_CALL_gate_return - AEGIS_CALL_FIRST];

#if CHECK || IRQOFF
    may = false;
#endif
    hart->yield = *yield;
    hart->gate_call = *call;
    hart->gate_return = *answer;
    *yield = may ? (void *)yield_short : *yield;
    *call = may ? (void *)gate_call_short : (void *)gate_call_long;
    *answer = may ? (void *)gate_return_short : (void *)gate_return_long;
}

static long no_call(void)
{
    return -AEGIS_E_NO_CALL;
}

void call_init(struct hart *hart, enum trace_mode mode)
{
    tracing = mode;
    for (size_t i = 0; i < sizeof(hart->calls) / sizeof(*hart->calls); i++)
        hart->calls[i] = (void *)no_call;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        hart->calls[rows[i].number - AEGIS_CALL_FIRST] =
            mode != TRACE_OFF ? (void *)rows[i].trace : (void *)rows[i].function;
    use_short_ways(hart, mode == TRACE_OFF && env_have_asids());
}

void call_restart(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct env *self = this_hart->env;

    env_save_call(self);
    memset(self->x, 0, sizeof(self->x[0]) * REG_SP);
    memset(&self->x[REG_T0], 0, sizeof(self->x) - REG_T0 * sizeof(self->x[0]));
    self->in_call = false;
    self->x[REG_A0] = a0;
    self->x[REG_A0 + 1] = a1;
    self->x[REG_A0 + 2] = a2;
    self->x[REG_A7] = number;
    self->pc -= 4; /* the ecall itself */
    env_enter(self);
}

long call_null(void)
{
    return 0;
}

#define LOG_LINES                                                                                  \
    8 /* of one call: each costs a prefix; later ends of lines are shown as control characters */

long call_log(uaddr_t text, uint64_t length)
{
    char copy[AEGIS_LOG_MAX];
    const struct env *self = this_hart->env;

    if (length > sizeof(copy))
        return -AEGIS_E_RANGE;
    if (!user_read(copy, text, length))
        return -AEGIS_E_ADDRESS;
    /* Each line begins with who says it, and holds nothing that moves the cursor: none can pass for
     * another's. */
    uint32_t lines = 0;
    for (uint64_t at = 0; at < length;) {
        uint64_t end = at;
        lines++;
        for (; end < length && (copy[end] != '\n' || lines >= LOG_LINES); end++)
            if ((copy[end] < ' ' && copy[end] != '\t') || copy[end] == 0x7f)
                copy[end] = '?';
        print("[%u %s] ", self->number, env_infos[self->number].name);
        print_bytes(copy + at, end - at);
        print("\n");
        at = end + 1;
    }
    return 0;
}

long call_shutdown(uint64_t status)
{
    if (this_hart->env->number != FIRST_ENV)
        return -AEGIS_E_OWNER;
    if (status > 255)
        return -AEGIS_E_RANGE;
    fault_at_end();
    irqoff_report();
    print("aegis: shut down with status %lu\n", status);
    power_off((uint32_t)status);
}
