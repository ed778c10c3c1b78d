/* The end of the kernel by its own fault: what is printed, and the epitaph that a debugger reads.
 */
#ifndef AEGIS_KERNEL_PANIC_H
#define AEGIS_KERNEL_PANIC_H

#include <stdint.h>

#define EPITAPH_MAGIC 0x4850415449504541 /* "AEPITAPH" in memory */
#define EPITAPH_TRACE 24

/* A named static (symbol `epitaph`), filled before anything is printed. */
struct epitaph {
    uint64_t magic; /* EPITAPH_MAGIC once it is valid */
    char message[160];
    uint64_t cause;         /* scause, or UINT64_MAX if the kernel noticed by itself */
    uint64_t registers[34]; /* x0..x31, sepc, stval */
    uint64_t trace_length;
    uint64_t trace[EPITAPH_TRACE]; /* return addresses, innermost first */
    uint64_t time;
    uint64_t env; /* number of the environment under way, or 0 */
};

/* A trap taken in the kernel; registers as struct hart.panic_regs. */
_Noreturn void panic_trap(uint64_t cause, const uint64_t registers[34]);

#endif
