/*
 * Copies of frames between places that are aligned alike, as buffers, ring slots and the copies of
 * what is sent are: at 6 modulo 8.
 */
#ifndef AEGIS_KERNEL_COPY_H
#define AEGIS_KERNEL_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COPY_SHORT 256 /* bytes up to which memcpy's preparations cost more than they save */

typedef uint16_t __attribute__((may_alias)) copy_half;
typedef uint32_t __attribute__((may_alias)) copy_word;
typedef uint64_t __attribute__((may_alias)) copy_double;

/* Whether copy_frame can copy to a place at 6 modulo 8. */
static inline bool copy_can(const void *from, size_t length)
{
    return length - 2 <= COPY_SHORT - 2 && (uintptr_t)from % 8 == 6;
}

/* Copies length bytes, 2 to COPY_SHORT; exactly those are read and written. Both places are at 6
 * modulo 8. */
static inline void copy_frame(uint8_t *to, const uint8_t *from, size_t length)
{
    *(copy_half *)to = *(const copy_half *)from;
    to += 2, from += 2, length -= 2;
    for (const uint8_t *end = from + length / 32 * 32; from != end; to += 32, from += 32) {
        const copy_double *f = (const copy_double *)from;
        copy_double *t = (copy_double *)to, a = f[0], b = f[1], c = f[2], d = f[3];
        t[0] = a, t[1] = b, t[2] = c, t[3] = d;
        __asm__("" : "+r"(to), "+r"(from)); /* they stay what counts: gcc 12 would add up others */
    }
    length %= 32;
    for (; length >= 8; to += 8, from += 8, length -= 8)
        *(copy_double *)to = *(const copy_double *)from;
    if (length & 4) {
        *(copy_word *)to = *(const copy_word *)from;
        to += 4, from += 4;
    }
    if (length & 2) {
        *(copy_half *)to = *(const copy_half *)from;
        to += 2, from += 2;
    }
    if (length & 1)
        *to = *from;
}

#define COPY_BLOCK 130

/* Copies COPY_BLOCK bytes, where nobody minds what stands behind a short frame. */
static inline void copy_block(uint8_t *to, const uint8_t *from)
{
    *(copy_half *)to = *(const copy_half *)from;
    copy_double *t = (copy_double *)(to + 2);
    const copy_double *f = (const copy_double *)(from + 2);
#pragma GCC unroll 4
    for (size_t i = 0; i < (COPY_BLOCK - 2) / sizeof(*f); i += 4) {
        copy_double a = f[i], b = f[i + 1], c = f[i + 2], d = f[i + 3];
        t[i] = a, t[i + 1] = b, t[i + 2] = c, t[i + 3] = d;
    }
}

#endif
