/* Sleeping, which signals interrupt and during which other threads run. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "libos/time/deadline.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#define NS 1000000000UL

/* Returns ticks that are left, 0 when the time is over. */
static uint64_t sleep_until(uint64_t deadline)
{
    if (exos_wait_any(NULL, 0, deadline, exos_handled()) >= 0)
        return 0;
    uint64_t now = time_now();
    return now < deadline ? deadline - now : 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *asked, struct timespec *left)
{
    uint64_t ticks;
    int error = time_deadline(clock, asked, &ticks);

    if (error || asked->tv_sec < 0)
        return EINVAL;
    if (flags & TIMER_ABSTIME)
        return sleep_until(ticks) ? EINTR : 0;
    time_deadline(CLOCK_MONOTONIC, asked, &ticks);
    uint64_t now = time_now(), rest;
    rest = sleep_until(ticks > AEGIS_FOREVER - now ? AEGIS_FOREVER : now + ticks);
    if (left) {
        uint64_t ns = time_to_ns(rest);
        *left = (struct timespec){.tv_sec = (time_t)(ns / NS), .tv_nsec = (long)(ns % NS)};
    }
    return rest ? EINTR : 0;
}

int nanosleep(const struct timespec *asked, struct timespec *left)
{
    int error = clock_nanosleep(CLOCK_MONOTONIC, 0, asked, left);
    if (!error)
        return 0;
    errno = error;
    return -1;
}

int usleep(useconds_t us)
{
    if (sleep_until(time_after((uint64_t)us * 1000)) == 0)
        return 0;
    errno = EINTR;
    return -1;
}

/* Seconds that are left, rounded up: none only if the time is over. */
unsigned sleep(unsigned seconds)
{
    uint64_t ns = time_to_ns(sleep_until(time_after(seconds * NS)));
    return (unsigned)((ns + NS - 1) / NS);
}
