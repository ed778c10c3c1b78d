#include "kernel/rv64/timer.h"

#include "kernel/rv64/csr.h"
#include "kernel/rv64/sbi.h"

static bool has_sstc;

void timer_init(bool sstc)
{
    has_sstc = sstc;
    timer_set(UINT64_MAX);
}

void timer_set(uint64_t time)
{
    if (has_sstc)
        __asm__ volatile("csrw %0, %1" ::"i"(CSR_STIMECMP), "r"(time) : "memory");
    else
        sbi_set_timer(time);
}
