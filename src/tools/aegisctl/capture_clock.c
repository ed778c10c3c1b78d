#include "capture_clock.h"

#include <stddef.h>

#define NS        1000000000
#define FAR       (INT64_MAX / 8) /* ns: some 36 years */
#define WALL_STEP 1000000         /* ns: two readings of the host's clocks differ by less */

void capture_clock_init(struct capture_clock *clock, uint64_t timebase)
{
    *clock = (struct capture_clock){.timebase = timebase};
}

/* What the machine says may be anything: kept so small that no sum below overflows. */
static int64_t to_ns(const struct capture_clock *clock, uint64_t ticks)
{
    unsigned __int128 ns = (unsigned __int128)ticks * NS / clock->timebase;

    return ns < FAR ? (int64_t)ns : FAR;
}

void capture_clock_note(struct capture_clock *clock, int64_t sent, int64_t received, uint64_t ticks,
                        int64_t wall)
{
    int64_t machine = to_ns(clock, ticks), low = sent - machine, high = received - machine;
    int64_t step = wall - clock->wall;
    bool anew = !clock->known || low > clock->high || high < clock->low;

    clock->low = anew || low > clock->low ? low : clock->low;
    clock->high = anew || high < clock->high ? high : clock->high;
    if (anew || !clock->fixed) {
        clock->offset = clock->low + (clock->high - clock->low) / 2;
    }
    clock->offset = clock->offset < clock->low ? clock->low : clock->offset;
    clock->offset = clock->offset > clock->high ? clock->high : clock->offset;
    if (!clock->known || step > WALL_STEP || step < -WALL_STEP) {
        clock->wall = wall;
    }
    clock->known = true;
}

int64_t capture_clock_stamp(struct capture_clock *clock, uint64_t ticks)
{
    int64_t stamp = to_ns(clock, ticks) + clock->offset + clock->wall;

    clock->fixed = true;
    clock->last = stamp > clock->last ? stamp : clock->last;
    return clock->last;
}
