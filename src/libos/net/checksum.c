#include <string.h>

#include "libos/net/parse.h"

/*
 * The sum of RFC 1071 doesn't depend on byte order (its section 2 B), so words are added as they
 * lie in memory, four bytes at a time, and the carries come back in when it is folded. sum holds a
 * folded 32-bit value.
 */
uint32_t net_sum(uint32_t sum, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t wide = sum;
    uint32_t word;
    for (; size >= sizeof word; size -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        wide += word;
    }
    word = 0;
    memcpy(&word, at, size); /* the rest counts as if zeros followed */
    wide += word;
    wide = (wide & 0xffffffff) + (wide >> 32);
    return (uint32_t)((wide & 0xffffffff) + (wide >> 32));
}

uint16_t net_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
