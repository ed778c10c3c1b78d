#include <string.h>

#include "libos/net/parse.h"

/* Eight bytes at an address that is a multiple of eight, whatever they are there for. */
typedef uint64_t __attribute__((may_alias)) word;

static inline uint64_t add_short(uint64_t wide, const uint8_t *at, size_t size)
{
    uint32_t four;
    for (; size >= sizeof four; size -= sizeof four, at += sizeof four) {
        memcpy(&four, at, sizeof four);
        wide += four;
    }
    four = 0;
    memcpy(&four, at, size); /* the rest counts as if zeros followed */
    return wide + four;
}

/*
 * The sum of RFC 1071 doesn't depend on byte order (its section 2 B), so words are added as they
 * lie in memory, and the carries come back in when it is folded. sum holds a folded 32-bit value.
 * Pieces in front of an even number of bytes don't change what is high and what is low.
 */
uint32_t net_sum(uint32_t sum, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t wide = sum;
    size_t lead = -(uintptr_t)at % 8;

    if (lead % 2 == 0 && size >= lead) {
        wide = lead ? add_short(wide, at, lead) : wide;
        at += lead;
        size -= lead;
        for (; size >= 8; size -= 8, at += 8) {
            uint64_t eight = *(const word *)at;
            wide += (eight & 0xffffffff) + (eight >> 32);
        }
    }
    wide = size ? add_short(wide, at, size) : wide;
    wide = (wide & 0xffffffff) + (wide >> 32);
    return (uint32_t)((wide & 0xffffffff) + (wide >> 32));
}

uint16_t net_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
