#include "kernel/drivers/rtc.h"

#include "kernel/rv64/board.h"
#include "kernel/rv64/paging.h"

#define TIME_LOW  0 /* reading it latches TIME_HIGH */
#define TIME_HIGH 1
#define SECOND    1000000000UL

uint64_t rtc_wall_at_zero(const struct board *board)
{
    if (!board->rtc.registers.end)
        return 0;
    volatile uint32_t *registers = paging_map_device(board->rtc.registers);
    uint64_t ticks = time_now();
    uint64_t now = registers[TIME_LOW];
    now |= (uint64_t)registers[TIME_HIGH] << 32;
    /* In two parts: ticks * SECOND would overflow after 30 minutes. */
    return now -
           (ticks / board->timebase * SECOND + ticks % board->timebase * SECOND / board->timebase);
}
