#include "kernel/irqoff.h"

#include "kernel/call.h"
#include "kernel/hart.h"
#include "kernel/print.h"
#include "kernel/rv64/csr.h"
#include "kernel/upcall.h"

#define EXIT    60    /* instructions behind irqoff_end: registers are loaded or cleared */
#define NOTABLE 10000 /* instructions of a stretch that the report names */

/* What stretches are for: system calls, exceptions, the timer, devices, the round of slots. */
#define CALLS      (AEGIS_CALL_END - AEGIS_CALL_FIRST)
#define EXCEPTIONS CALLS
#define TIMER      (EXCEPTIONS + 16)
#define EXTERNAL   (TIMER + 1)
#define ROUND      (EXTERNAL + 1)
#define CAUSES     (ROUND + 1)

static uint64_t longest[CAUSES];
static uint64_t counts[CAUSES];
static uint32_t current = ROUND;

void irqoff_end(void)
{
    uint64_t *entered = &this_hart->panic_regs[0]; /* entry.S: x0's place is free */
    uint64_t length = csr_read(instret) - *entered + EXIT;

    counts[current]++;
    if (length > longest[current])
        longest[current] = length;
}

void irqoff_begin(void)
{
    current = ROUND;
    this_hart->panic_regs[0] = csr_read(instret);
}

long irqoff_call(uint64_t number, call_function *function, const uint64_t r[5])
{
    current = (uint32_t)(number - AEGIS_CALL_FIRST);
    long result = function(r[0], r[1], r[2], r[3], r[4]);
    irqoff_end();
    return result;
}

void irqoff_trap(uint64_t cause)
{
    if (cause & CAUSE_INTERRUPT)
        current = cause == CAUSE_TIMER ? TIMER : EXTERNAL;
    else
        current = EXCEPTIONS + (uint32_t)(cause & 15);
}

static const char *name_of(uint32_t cause)
{
    static const char *const calls[CALLS] = {
#define AEGIS_CALL0(number, name, ...) [(number)-AEGIS_CALL_FIRST] = #name,
#define AEGIS_CALL1                    AEGIS_CALL0
#define AEGIS_CALL2                    AEGIS_CALL0
#define AEGIS_CALL3                    AEGIS_CALL0
#define AEGIS_CALL4                    AEGIS_CALL0
#define AEGIS_CALL5                    AEGIS_CALL0
#include "abi/calls.def"
    };

    if (cause < CALLS)
        return calls[cause];
    if (cause < TIMER)
        return upcall_cause_name(cause - EXCEPTIONS);
    return cause == TIMER ? "timer" : cause == EXTERNAL ? "device" : "round of slots";
}

void irqoff_report(void)
{
    uint32_t worst = 0;

    for (uint32_t i = 0; i < CAUSES; i++) {
        if (longest[i] > NOTABLE)
            print("aegis: interrupts off: %lu instructions in %s, entered %lu times\n", longest[i],
                  name_of(i), counts[i]);
        if (longest[i] > longest[worst])
            worst = i;
    }
    print("aegis: interrupts off for at most %lu instructions, in %s\n", longest[worst],
          name_of(worst));
}
