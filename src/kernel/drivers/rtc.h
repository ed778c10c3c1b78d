/* The real-time clock (google,goldfish-rtc). */
#ifndef AEGIS_KERNEL_DRIVERS_RTC_H
#define AEGIS_KERNEL_DRIVERS_RTC_H

#include <stdint.h>

struct board;

/* Nanoseconds since 1970 at rdtime 0, read once; 0 if the board has no clock. */
uint64_t rtc_wall_at_zero(const struct board *board);

#endif
