/*
 * Bits and bytes by hand: on a hart without Zbb the compiler's own functions would call a library.
 * Internal to the library.
 */
#ifndef ASH_BITS_H
#define ASH_BITS_H

#include <stdint.h>

/* Index of the highest bit that is set; value is not 0. */
static inline unsigned ash_highest(uint64_t value)
{
    unsigned at = 0;
    for (unsigned half = 32; half; half /= 2) {
        if (value >> half) {
            value >>= half;
            at += half;
        }
    }
    return at;
}

/* Index of the lowest bit that is set; value is not 0. */
static inline unsigned ash_lowest(uint64_t value)
{
    return ash_highest(value & -value);
}

static inline uint16_t ash_swap_16(uint16_t v)
{
    return (uint16_t)(v << 8 | v >> 8);
}

static inline uint32_t ash_swap_32(uint32_t v)
{
    return (uint32_t)ash_swap_16((uint16_t)v) << 16 | ash_swap_16((uint16_t)(v >> 16));
}

static inline uint64_t ash_swap_64(uint64_t v)
{
    return (uint64_t)ash_swap_32((uint32_t)v) << 32 | ash_swap_32((uint32_t)(v >> 32));
}

#endif
