#include "libos/time/deadline.h"
#include "libos/time/time.h"

#include <errno.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#include "libos/start/start.h"

#define NS 1000000000UL

/* x * multiplier / divisor without overflow on the way, divisor and multiplier below 2^32. */
static uint64_t scale(uint64_t x, uint64_t multiplier, uint64_t divisor)
{
    uint64_t whole = x / divisor, rest = x % divisor, result;
    if (__builtin_mul_overflow(whole, multiplier, &result) ||
        __builtin_add_overflow(result, rest * multiplier / divisor, &result))
        return UINT64_MAX;
    return result;
}

uint64_t time_to_ns(uint64_t ticks)
{
    return scale(ticks, NS, aegis_info()->timebase);
}

uint64_t time_from_ns(uint64_t ns)
{
    uint64_t timebase = aegis_info()->timebase, product;
    if (!__builtin_mul_overflow(ns, timebase, &product)) /* half an hour and less */
        return product / NS + (product % NS != 0);
    uint64_t ticks = scale(ns, timebase, NS);
    return ticks == UINT64_MAX || ns % NS * timebase % NS == 0 ? ticks : ticks + 1;
}

uint64_t time_after(uint64_t ns)
{
    uint64_t now = time_now(), ticks = time_from_ns(ns);
    return ticks > AEGIS_FOREVER - now ? AEGIS_FOREVER : now + ticks;
}

static uint64_t clock_ns(clockid_t clock)
{
    return time_to_ns(time_now()) + (clock == CLOCK_REALTIME ? aegis_info()->wall : 0);
}

static int check_clock(clockid_t clock)
{
    if (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC)
        return 0;
    errno = EINVAL;
    return -1;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (check_clock(clock))
        return -1;
    uint64_t ns = clock_ns(clock);
    *now = (struct timespec){.tv_sec = (time_t)(ns / NS), .tv_nsec = (long)(ns % NS)};
    return 0;
}

int clock_getres(clockid_t clock, struct timespec *resolution)
{
    if (check_clock(clock))
        return -1;
    if (resolution)
        *resolution = (struct timespec){.tv_nsec = (long)(NS / aegis_info()->timebase)};
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    uint64_t us = clock_ns(CLOCK_REALTIME) / 1000;
    *now =
        (struct timeval){.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    return 0;
}

/* Slices that this program was given, in clock ticks: how finely the kernel counts. */
clock_t times(struct tms *buffer)
{
    uint64_t timebase = aegis_info()->timebase, slice = aegis_info()->slice;
    uint64_t used = aegis_env(exos.env)->slices * slice;
    *buffer = (struct tms){.tms_utime = (clock_t)scale(used, CLOCKS_PER_SEC, timebase)};
    return (clock_t)scale(time_now(), CLOCKS_PER_SEC, timebase);
}

/* Ticks until a clock shows `at`, from boot on, rounded up. */
int time_deadline(clockid_t clock, const struct timespec *at, uint64_t *deadline)
{
    if ((clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) || at->tv_nsec < 0 ||
        at->tv_nsec >= (long)NS)
        return EINVAL;
    uint64_t ns, offset = clock == CLOCK_REALTIME ? aegis_info()->wall : 0;
    if (at->tv_sec < 0)
        ns = 0;
    else if (__builtin_mul_overflow((uint64_t)at->tv_sec, NS, &ns) ||
             __builtin_add_overflow(ns, (uint64_t)at->tv_nsec, &ns))
        ns = UINT64_MAX;
    uint64_t ticks = time_from_ns(ns > offset ? ns - offset : 0);
    *deadline = ticks < AEGIS_FOREVER ? ticks : AEGIS_FOREVER;
    return 0;
}
