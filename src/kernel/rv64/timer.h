/* The hart's timer: stimecmp where there is Sstc, else the firmware's TIME extension. */
#ifndef AEGIS_KERNEL_RV64_TIMER_H
#define AEGIS_KERNEL_RV64_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/rv64/csr.h"
#include "kernel/rv64/sbi.h"

void timer_init(bool sstc);

/* Makes the timer interrupt pending from rdtime >= time on, and not before. */
#ifdef __riscv
extern bool timer_has_sstc;

static inline __attribute__((always_inline)) void timer_set(uint64_t time)
{
    if (__builtin_expect(timer_has_sstc, 1))
        __asm__ volatile("csrw %0, %1" ::"i"(CSR_STIMECMP), "r"(time) : "memory");
    else
        sbi_set_timer(time);
}
#else
void timer_set(uint64_t time);
#endif

#endif
