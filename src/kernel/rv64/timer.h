/* The hart's timer: stimecmp where there is Sstc, else the firmware's TIME extension. */
#ifndef AEGIS_KERNEL_RV64_TIMER_H
#define AEGIS_KERNEL_RV64_TIMER_H

#include <stdbool.h>
#include <stdint.h>

void timer_init(bool sstc);

/* Makes the timer interrupt pending from rdtime >= time on, and not before. */
void timer_set(uint64_t time);

#endif
