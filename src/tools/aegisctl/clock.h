/* Time limits: everything that waits takes a deadline on the monotonic clock, in milliseconds. */
#ifndef AEGISCTL_CLOCK_H
#define AEGISCTL_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds on the monotonic clock. */
static inline int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t clock_ms(void)
{
    return clock_ns() / 1000000;
}

/* What poll is to wait for a deadline, at most a minute at a time. */
static inline int clock_left(int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_ms();

    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

#endif
