#include <string.h>

#include "libos/net/ipv6.h"
#include "libos/net/parse.h"

/* Words at addresses that are multiples of their sizes, whatever they are there for. */
typedef uint64_t __attribute__((may_alias)) word8;
typedef uint32_t __attribute__((may_alias)) word4;
typedef uint16_t __attribute__((may_alias)) word2;

/* At an even address, up to the next multiple of eight: at most six bytes. */
static inline uint64_t lead_in(const uint8_t **at, size_t *size)
{
    uint64_t sum = 0;
    if ((uintptr_t)*at & 2) {
        sum += *(const word2 *)*at;
        *at += 2;
        *size -= 2;
    }
    if ((uintptr_t)*at & 4) {
        sum += *(const word4 *)*at;
        *at += 4;
        *size -= 4;
    }
    return sum;
}

/* Fewer than eight bytes, at a multiple of eight. */
static inline uint64_t lead_out(const uint8_t *at, size_t size)
{
    uint64_t sum = 0;
    if (size & 4) {
        sum += *(const word4 *)at;
        at += 4;
    }
    if (size & 2) {
        sum += *(const word2 *)at;
        at += 2;
    }
    return size & 1 ? sum + *at : sum; /* as if a zero followed */
}

/* At any address. */
static uint64_t bytewise(const uint8_t *at, size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += (uint64_t)at[i] << (i % 2 ? 8 : 0);
    return sum;
}

/*
 * The sum of RFC 1071 doesn't depend on byte order (its section 2 B), so words are added as they
 * lie in memory, and the carries come back in when it is folded. sum holds a folded 32-bit value.
 * What begins at an even address keeps its high and low bytes apart, however it is cut.
 */
uint32_t net_sum(uint32_t sum, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t wide = sum;

    if ((uintptr_t)at % 2 || size < 8) {
        wide += bytewise(at, size);
    } else {
        uint64_t carries = 0;
        wide += lead_in(&at, &size);
        for (; size >= 32; size -= 32, at += 32) {
            const word8 *w = (const word8 *)at;
            uint64_t a = w[0], b = w[1], c = w[2], d = w[3];
            wide += a;
            carries += wide < a;
            wide += b;
            carries += wide < b;
            wide += c;
            carries += wide < c;
            wide += d;
            carries += wide < d;
        }
        for (; size >= 8; size -= 8, at += 8) {
            uint64_t eight = *(const word8 *)at;
            wide += eight;
            carries += wide < eight;
        }
        wide = (wide & 0xffffffff) + (wide >> 32) + carries + lead_out(at, size);
    }
    wide = (wide & 0xffffffff) + (wide >> 32);
    return (uint32_t)((wide & 0xffffffff) + (wide >> 32));
}

uint16_t net_ipv6_sum(const uint8_t *frame, const void *message, size_t size, uint8_t protocol)
{
    uint32_t sum = NET_WIRE16((uint16_t)size) + NET_WIRE16(protocol);

    sum = net_sum(sum, frame + IPV6_SOURCE, 2 * sizeof(struct net_ipv6));
    return net_fold(net_sum(sum, message, size));
}
