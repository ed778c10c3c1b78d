/* Between slice_round.c, where slices end, and schedule.c, where the next one is found. */
#ifndef AEGIS_KERNEL_SCHEDULE_H
#define AEGIS_KERNEL_SCHEDULE_H

#include <stdint.h>

#include "kernel/hart.h"
#include "kernel/rv64/timer.h"

static inline __attribute__((always_inline)) void slice_set_end(uint64_t end)
{
    this_hart->slice_end = end;
    timer_set(end);
}

#endif
