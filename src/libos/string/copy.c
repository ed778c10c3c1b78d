/*
 * memcpy, memmove, memset: eight bytes at a time. picolibc's are built for size, six instructions a
 * byte. Words are only loaded and stored aligned, since misaligned access may trap to firmware on
 * real hardware; a copy between different alignments shifts pairs of aligned words together.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) word;
typedef uint32_t __attribute__((may_alias)) half;
#define WORD       sizeof(word)
#define OFFSET(p)  ((uintptr_t)(p) & (WORD - 1))
#define SHORT_COPY 16 /* below it, setting up costs more than it saves */

/* Forward, both aligned alike; returns with less than four bytes left. */
static inline size_t copy_words(unsigned char **to, const unsigned char **from, size_t size)
{
    word *t = (word *)*to;
    const word *f = (const word *)*from;
#define FOUR(n)                                                                                    \
    do {                                                                                           \
        word a = f[n], b = f[(n) + 1], c = f[(n) + 2], d = f[(n) + 3];                             \
        t[n] = a, t[(n) + 1] = b, t[(n) + 2] = c, t[(n) + 3] = d;                                  \
    } while (0)
    for (; size >= 16 * WORD; size -= 16 * WORD, t += 16, f += 16) {
        FOUR(0);
        FOUR(4);
        FOUR(8);
        FOUR(12);
    }
    for (; size >= 4 * WORD; size -= 4 * WORD, t += 4, f += 4)
        FOUR(0);
#undef FOUR
    for (; size >= WORD; size -= WORD)
        *t++ = *f++;
    *to = (unsigned char *)t;
    *from = (const unsigned char *)f;
    if (size & 4) {
        *(half *)*to = *(const half *)*from;
        *to += 4, *from += 4;
    }
    return size & 3;
}

/* For functions that read whole aligned words of which a part belongs to their caller. */
#define READS_WHOLE_WORDS __attribute__((no_sanitize("address")))

/*
 * Forward, `to` aligned, `from` not. Each aligned word that is loaded holds a byte of the source,
 * so none lies on a page beyond it.
 */
READS_WHOLE_WORDS static size_t copy_shifted(unsigned char **to, const unsigned char **from,
                                             size_t size)
{
    unsigned low = 8 * (unsigned)OFFSET(*from), high = 64 - low;
    word *t = (word *)*to;
    const word *f = (const word *)(*from - OFFSET(*from));
    word now = *f++;
    size_t words = 0;
    for (; size >= 4 * WORD; size -= 4 * WORD, words += 4, t += 4, f += 4) {
        word a = f[0], b = f[1], c = f[2], d = f[3];
        t[0] = now >> low | a << high;
        t[1] = a >> low | b << high;
        t[2] = b >> low | c << high;
        t[3] = c >> low | d << high;
        now = d;
    }
    for (; size >= WORD; size -= WORD, words++) {
        word next = *f++;
        *t++ = now >> low | next << high;
        now = next;
    }
    *to += words * WORD;
    *from += words * WORD;
    return size;
}

/*
 * The order of both functions towards lower addresses: every load comes before the stores that
 * could change what it reads. Without `restrict`, which would let the compiler forget that.
 */
static inline void copy_forward(unsigned char *t, const unsigned char *f, size_t size)
{
    if (size >= SHORT_COPY) {
        for (; OFFSET(t); size--)
            *t++ = *f++;
        size = OFFSET(f) ? copy_shifted(&t, &f, size) : copy_words(&t, &f, size);
    }
    while (size--)
        *t++ = *f++;
}

/* Below it, and aligned, a copy needs no frame and few registers. */
#define QUICK_COPY (16 * WORD)

static __attribute__((noinline)) void *copy_any(void *to, const void *from, size_t size)
{
    copy_forward(to, from, size);
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    word *t = to;
    const word *f = from;

    if (((uintptr_t)t | (uintptr_t)f) % WORD || size >= QUICK_COPY)
        return copy_any(to, from, size);
    for (const word *end = f + size / (4 * WORD) * 4; f != end; f += 4, t += 4) {
        word a = f[0], b = f[1], c = f[2], d = f[3];
        t[0] = a, t[1] = b, t[2] = c, t[3] = d;
        __asm__("" : "+r"(t), "+r"(f)); /* they stay what counts: gcc 12 would add up others */
    }
    for (const word *end = f + size / WORD % 4; f != end; f++, t++) {
        *t = *f;
        __asm__("" : "+r"(t), "+r"(f));
    }
    unsigned char *rest = (unsigned char *)t;
    const unsigned char *rest_from = (const unsigned char *)f;
    if (size & 4) {
        *(half *)rest = *(const half *)rest_from;
        rest += 4, rest_from += 4;
    }
    for (size &= 3; size; size--)
        *rest++ = *rest_from++;
    return to;
}

/* Backward if the destination begins inside the source, else forward. */
void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if ((uintptr_t)t - (uintptr_t)f >= size) { /* t below f, or behind its end */
        copy_forward(t, f, size);
        return to;
    }
    t += size;
    f += size;
    if (size >= SHORT_COPY && OFFSET(t) == OFFSET(f)) {
        for (; OFFSET(t); size--)
            *--t = *--f;
        for (; size >= WORD; size -= WORD) {
            t -= WORD;
            f -= WORD;
            *(word *)t = *(const word *)f;
        }
    }
    while (size--)
        *--t = *--f;
    return to;
}

void *memset(void *to, int value, size_t size)
{
    unsigned char *t = to, byte = (unsigned char)value;
    if (size >= SHORT_COPY) {
        for (; OFFSET(t); size--)
            *t++ = byte;
        word w = byte * 0x0101010101010101u;
        for (; size >= 4 * WORD; size -= 4 * WORD, t += 4 * WORD)
            ((word *)t)[0] = w, ((word *)t)[1] = w, ((word *)t)[2] = w, ((word *)t)[3] = w;
        for (; size >= WORD; size -= WORD, t += WORD)
            *(word *)t = w;
    }
    while (size--)
        *t++ = byte;
    return to;
}
