#include "kernel/rv64/timer.h"

bool timer_has_sstc;

void timer_init(bool sstc)
{
    timer_has_sstc = sstc;
    timer_set(UINT64_MAX);
}
