/*
 * The string functions that the compiler, libfdt and the kernel call. Copies move 8 bytes at a time
 * where both sides allow it: frames and page tables are most of what is copied.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) word;

typedef uint16_t __attribute__((may_alias)) half;
typedef uint32_t __attribute__((may_alias)) quarter;

/* The last 0 to 7 bytes of a copy whose two sides are aligned alike, from an 8-byte boundary on. */
static inline void copy_tail(uint8_t *t, const uint8_t *f, size_t length)
{
    if (length & 4) {
        *(quarter *)t = *(const quarter *)f;
        t += 4, f += 4;
    }
    if (length & 2) {
        *(half *)t = *(const half *)f;
        t += 2, f += 2;
    }
    if (length & 1)
        *t = *f;
}

static inline __attribute__((always_inline)) void copy_eight(word *t, const word *f)
{
    word a = f[0], b = f[1], c = f[2], d = f[3], e = f[4], g = f[5], h = f[6], i = f[7];

    t[0] = a, t[1] = b, t[2] = c, t[3] = d, t[4] = e, t[5] = g, t[6] = h, t[7] = i;
}

static inline void copy_bytes(uint8_t *t, const uint8_t *f, size_t length)
{
    while (length--)
        *t++ = *f++;
}

/*
 * Sides that are aligned differently: each word is put together from two, and none is read that
 * holds no byte of the source. length is 16 or more.
 */
static void copy_skewed(uint8_t *t, const uint8_t *f, size_t length)
{
    size_t head = -(uintptr_t)t & 7;

    copy_bytes(t, f, head);
    t += head, f += head, length -= head;
    unsigned int shift = ((uintptr_t)f & 7) * 8;
    const word *next = (const word *)((uintptr_t)f & ~7UL);
    word low = *next++;
    for (; length >= 8; length -= 8, t += 8, f += 8) {
        word high = *next++;
        *(word *)t = low >> shift | high << (64 - shift);
        low = high;
    }
    copy_bytes(t, f, length);
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    if (((uintptr_t)t ^ (uintptr_t)f) & 7 && length >= 16) {
        copy_skewed(t, f, length);
        return to;
    }
    if ((((uintptr_t)t ^ (uintptr_t)f) & 7) || length < 8) {
        copy_bytes(t, f, length);
        return to;
    }
    if ((uintptr_t)t & 1)
        *t++ = *f++, length--;
    if ((uintptr_t)t & 2) {
        *(half *)t = *(const half *)f;
        t += 2, f += 2, length -= 2;
    }
    if ((uintptr_t)t & 4) {
        *(quarter *)t = *(const quarter *)f;
        t += 4, f += 4, length -= 4;
    }
    for (; length >= 128; length -= 128, t += 128, f += 128) { /* of a page, mostly */
        copy_eight((word *)t, (const word *)f);
        copy_eight((word *)t + 8, (const word *)f + 8);
    }
    if (length >= 64) {
        copy_eight((word *)t, (const word *)f);
        length -= 64, t += 64, f += 64;
    }
    for (; length >= 32; length -= 32, t += 32, f += 32) {
        word a = ((const word *)f)[0], b = ((const word *)f)[1];
        word c = ((const word *)f)[2], d = ((const word *)f)[3];
        ((word *)t)[0] = a, ((word *)t)[1] = b, ((word *)t)[2] = c, ((word *)t)[3] = d;
    }
    for (; length >= 8; length -= 8, t += 8, f += 8)
        *(word *)t = *(const word *)f;
    copy_tail(t, f, length);
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    /* By halves where all is even: what moves is mostly a list of 16-bit numbers, by one place. */
    if (!(((uintptr_t)t | (uintptr_t)f | length) & 1)) {
        half *th = to;
        const half *fh = from;
        length /= 2;
        if (th < fh)
            while (length--)
                *th++ = *fh++;
        else
            while (length--)
                th[length] = fh[length];
        return to;
    }
    if (t < f)
        while (length--)
            *t++ = *f++;
    else
        while (length--)
            t[length] = f[length];
    return to;
}

void *memset(void *to, int byte, size_t length)
{
    uint8_t *t = to;
    uint64_t all = (uint8_t)byte * 0x0101010101010101UL;

    for (; ((uintptr_t)t & 7) && length; length--)
        *t++ = (uint8_t)byte;
    for (; length >= 128; length -= 128, t += 128) { /* of a page, mostly */
        word *w = (word *)t;
        w[0] = all, w[1] = all, w[2] = all, w[3] = all, w[4] = all, w[5] = all, w[6] = all;
        w[7] = all, w[8] = all, w[9] = all, w[10] = all, w[11] = all, w[12] = all, w[13] = all;
        w[14] = all, w[15] = all;
    }
    for (; length >= 32; length -= 32, t += 32)
        ((word *)t)[0] = all, ((word *)t)[1] = all, ((word *)t)[2] = all, ((word *)t)[3] = all;
    for (; length >= 8; length -= 8, t += 8)
        *(word *)t = all;
    while (length--)
        *t++ = (uint8_t)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
    const uint8_t *x = a, *y = b;

    for (; length; length--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *in, int byte, size_t length)
{
    for (const uint8_t *p = in; length; length--, p++)
        if (*p == (uint8_t)byte)
            return (void *)(uintptr_t)p;
    return NULL;
}

size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

size_t strnlen(const char *s, size_t most)
{
    size_t length = 0;

    while (length < most && s[length])
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t most)
{
    for (; most && *a && *a == *b; most--)
        a++, b++;
    return most ? (uint8_t)*a - (uint8_t)*b : 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (!*s)
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    char *last = NULL;

    for (; (s = strchr(s, c)); s++) {
        last = (char *)(uintptr_t)s;
        if (!*s)
            break;
    }
    return last;
}

char *strstr(const char *in, const char *what)
{
    size_t length = strlen(what);

    for (; *in; in++)
        if (strncmp(in, what, length) == 0)
            return (char *)(uintptr_t)in;
    return length ? NULL : (char *)(uintptr_t)in;
}

unsigned long strtoul(const char *s, char **end, int base)
{
    unsigned long value = 0;

    if (base == 16 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        s += 2;
    for (;; s++) {
        unsigned int digit = *s >= '0' && *s <= '9'   ? (unsigned int)(*s - '0')
                             : *s >= 'a' && *s <= 'f' ? (unsigned int)(*s - 'a') + 10
                             : *s >= 'A' && *s <= 'F' ? (unsigned int)(*s - 'A') + 10
                                                      : 99;
        if (digit >= (unsigned int)base)
            break;
        value = value * (unsigned int)base + digit;
    }
    if (end)
        *end = (char *)(uintptr_t)s;
    return value;
}
