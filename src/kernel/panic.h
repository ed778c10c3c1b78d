/* The end of the kernel by its own fault: what is printed, and the epitaph that a debugger reads.
 */
#ifndef AEGIS_KERNEL_PANIC_H
#define AEGIS_KERNEL_PANIC_H

#include <stdint.h>

#include "abi/abi.h"

/* A named static, for aegisctl post: filled before anything is printed. */
extern struct aegis_epitaph epitaph;

/* A trap taken in the kernel; registers as struct hart.panic_regs. */
_Noreturn void panic_trap(uint64_t cause, const uint64_t registers[34]);

#endif
