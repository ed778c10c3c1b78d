/*
 * When a frame was seen, by the host's clock: the machine stamps it with its own ticks, and what
 * the two clocks say at the same moment is bounded by exchanges with it. (The machine's RTC doesn't
 * serve: QEMU starts it at a whole second, up to a second behind.)
 *
 * If a request left at s, its answer came at r, and t is what the machine's clock showed in
 * between, then s - t <= offset <= r - t. Each exchange narrows that. Once a frame was stamped, the
 * offset moves only if an exchange contradicts it: by a little, or, if the machine stood still
 * meanwhile, by that.
 */
#ifndef AEGISCTL_CAPTURE_CLOCK_H
#define AEGISCTL_CAPTURE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct capture_clock {
    uint64_t timebase; /* ticks a second */
    bool known;        /* of low and high */
    bool fixed;        /* a frame was stamped */
    int64_t low, high; /* ns: host's monotonic clock minus the machine's, at least and at most */
    int64_t offset;    /* the one used */
    int64_t wall;      /* ns: CLOCK_REALTIME minus CLOCK_MONOTONIC */
    int64_t last;      /* the last stamp */
};

/* timebase: at least 1. All other numbers may be anything that a machine sends. */
void capture_clock_init(struct capture_clock *clock, uint64_t timebase);

/* An exchange: ns of the host's monotonic clock before and after, ticks of the machine's between.
 * wall: as the member. */
void capture_clock_note(struct capture_clock *clock, int64_t sent, int64_t received, uint64_t ticks,
                        int64_t wall);

/* The wall time, ns since 1970, of a moment of the machine's clock; never before the last one
 * given. At least one exchange was noted. */
int64_t capture_clock_stamp(struct capture_clock *clock, uint64_t ticks);

#endif
