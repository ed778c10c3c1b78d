#include "kernel/panic.h"

#include <stdbool.h>
#include <string.h>

#include "kernel/env.h"
#include "kernel/hart.h"
#include "kernel/power.h"
#include "kernel/print.h"
#include "kernel/rv64/csr.h"
#include "kernel/rv64/layout.h"
#include "kernel/rv64/unwind.h"

#define STATUS_REFUSED 1
#define STATUS_PANIC   2

struct aegis_epitaph epitaph;
static bool panicking;

/* Collects what print makes, into the epitaph. */
static size_t message_length;

static void put_message(char c)
{
    if (c != '\r' && message_length < sizeof(epitaph.message) - 1)
        epitaph.message[message_length++] = c;
}

/* An address of the trace; that of a return lies behind its call, which may end its function. */
static void print_address(uint64_t address, uint64_t behind)
{
    uint64_t offset;
    const char *name = symbol_at(address - behind, &offset);

    if (name)
        print("aegis: panic:   0x%lx %s+0x%lx\n", address, name, offset + behind);
    else
        print("aegis: panic:   0x%lx\n", address);
}

static void print_registers(const uint64_t *r)
{
    static const char names[32][5] = {"zero", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
                                      "s0",   "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
                                      "a6",   "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
                                      "s8",   "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

    for (int i = 1; i < 32; i++)
        print("%s%4s 0x%016lx%s", i % 4 == 1 ? "aegis: panic:   " : " ", names[i], r[i],
              i % 4 == 0 || i == 31 ? "\n" : "");
    print("aegis: panic:   sepc 0x%016lx stval 0x%016lx\n", r[32], r[33]);
}

/* The epitaph is filled but for its trace. */
static _Noreturn void report(void)
{
    const uint64_t *r = epitaph.registers;
    uint64_t low = STACK_BASE, high = STACK_BASE + STACK_STRIDE;
    extern char boot_stack_top[];

    if (r[2] < STACK_BASE || r[2] >= high) { /* before main.c left the first stack */
        high = (uint64_t)(uintptr_t)boot_stack_top;
        low = high - STACK_SIZE;
    }
    /* A stack that ran into its guard has no page there; its frames above are fine. */
    if (r[2] >= STACK_BASE && r[2] < STACK_BASE + STACK_OFFSET)
        low = STACK_BASE + STACK_OFFSET;
    epitaph.time = csr_read(time);
    epitaph.env = this_hart->env ? this_hart->env->number : 0;
    epitaph.magic = AEGIS_EPITAPH_MAGIC;
    print("aegis: panic: %s\n", epitaph.message);
    print_registers(r);
    epitaph.trace_length = unwind(r[32], r[2], r[1], low, high, epitaph.trace, AEGIS_EPITAPH_TRACE);
    print("aegis: panic: back trace, innermost first:\n");
    for (uint64_t i = 0; i < epitaph.trace_length; i++)
        print_address(epitaph.trace[i], i > 0 || epitaph.cause == UINT64_MAX);
    power_off(STATUS_PANIC);
}

/* A panic in a panic says so and stops: whatever it uses is broken. */
static void enter_panic(void)
{
    if (panicking) {
        print("aegis: panic: again, while reporting the first\n");
        power_off(STATUS_PANIC);
    }
    panicking = true;
}

void panic_trap(uint64_t cause, const uint64_t registers[34])
{
    static const char *const names[] = {
        [12] = "instruction page fault", [13] = "load page fault", [15] = "store page fault",
        [2] = "illegal instruction",     [3] = "breakpoint",       [5] = "load access fault",
        [7] = "store access fault"};
    const char *name = cause < 16 && names[cause] ? names[cause] : "trap";

    enter_panic();
    memcpy(epitaph.registers, registers, sizeof(epitaph.registers));
    epitaph.cause = cause;
    void (*before)(char) = print_to_swap(put_message);
    bool guard = registers[33] - STACK_BASE < STACK_OFFSET;
    print("%s%s in the kernel, cause %lu, at 0x%lx, address 0x%lx", guard ? "stack overflow: " : "",
          name, cause, registers[32], registers[33]);
    print_to_swap(before);
    report();
}

/* panic's second half: entry.S has kept the registers, and its return address in the place of sepc.
 */
_Noreturn void panic_report(const char *format, ...);

void panic_report(const char *format, ...)
{
    va_list arguments;

    enter_panic();
    epitaph.cause = UINT64_MAX;
    memcpy(epitaph.registers, this_hart->panic_regs, sizeof(epitaph.registers));
    void (*before)(char) = print_to_swap(put_message);
    va_start(arguments, format);
    vprint(format, arguments);
    va_end(arguments);
    print_to_swap(before);
    report();
}

void refuse(const char *format, ...)
{
    va_list arguments;

    print("aegis: ");
    va_start(arguments, format);
    vprint(format, arguments);
    va_end(arguments);
    print("\n");
    power_off(STATUS_REFUSED);
}
