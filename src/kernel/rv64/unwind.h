/* Back traces without frame pointers. */
#ifndef AEGIS_KERNEL_RV64_UNWIND_H
#define AEGIS_KERNEL_RV64_UNWIND_H

#include <stddef.h>
#include <stdint.h>

/*
 * Follows the stack from pc, sp, ra to callers: writes up to most addresses, innermost (pc) first;
 * returns how many. A function's frame is learnt from the instructions between its start and pc:
 * the compiler moves sp and stores ra only in prologues (-fno-shrink-wrap). Reads nothing outside
 * [stack_low, stack_high).
 */
size_t unwind(uint64_t pc, uint64_t sp, uint64_t ra, uint64_t stack_low, uint64_t stack_high,
              uint64_t *trace, size_t most);

/* Name of the function that holds address, from the table that the link adds; *offset into it. NULL
 * if none. */
const char *symbol_at(uint64_t address, uint64_t *offset);

#endif
