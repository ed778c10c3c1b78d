/*
 * Time without a system call: rdtime, and what info tells about it. clock_gettime (CLOCK_REALTIME,
 * CLOCK_MONOTONIC), gettimeofday and times of POSIX are made from these; who sleeps waits
 * (libos/wait).
 */
#ifndef EXOS_TIME_TIME_H
#define EXOS_TIME_TIME_H

#include <stdint.h>

/* Ticks since boot, info->timebase of them a second. */
static inline uint64_t time_now(void)
{
    uint64_t ticks;
    __asm__ volatile("rdtime %0" : "=r"(ticks));
    return ticks;
}

/* Ticks to nanoseconds, and back, rounded up; saturates at UINT64_MAX. */
uint64_t time_to_ns(uint64_t ticks);
uint64_t time_from_ns(uint64_t ns);

/* A deadline for aegis_wait that lies so many nanoseconds ahead. */
uint64_t time_after(uint64_t ns);

#endif
