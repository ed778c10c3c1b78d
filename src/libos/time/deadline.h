/* Deadlines by POSIX's clocks. */
#ifndef EXOS_TIME_DEADLINE_H
#define EXOS_TIME_DEADLINE_H

#include <stdint.h>
#include <time.h>

/*
 * The deadline at which a clock shows *at: 0, or EINVAL for a clock that isn't CLOCK_REALTIME or
 * CLOCK_MONOTONIC and for a tv_nsec that is none. A time before the clock's beginning is 0.
 */
int time_deadline(clockid_t clock, const struct timespec *at, uint64_t *deadline);

#endif
