/* strchr, strnlen, strcpy: eight bytes at a time, as their kin in compare.c and copy.c. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) word;
#define WORD      sizeof(word)
#define OFFSET(p) ((uintptr_t)(p) & (WORD - 1))
#define ONES      0x0101010101010101u

/* For functions that read whole aligned words of which a part belongs to their caller. */
#define READS_WHOLE_WORDS __attribute__((no_sanitize("address")))

static inline word has_zero(word w)
{
    return (w - ONES) & ~w & (ONES << 7);
}

READS_WHOLE_WORDS char *strchr(const char *text, int value)
{
    const unsigned char *p = (const unsigned char *)text, byte = (unsigned char)value;
    for (; OFFSET(p); p++) {
        if (*p == byte)
            return (char *)(uintptr_t)p;
        if (!*p)
            return NULL;
    }
    for (word w; w = *(const word *)p, !has_zero(w) && !has_zero(w ^ byte * ONES);)
        p += WORD;
    for (; *p != byte; p++)
        if (!*p)
            return NULL;
    return (char *)(uintptr_t)p;
}

size_t strnlen(const char *text, size_t most)
{
    const char *end = memchr(text, 0, most);
    return end ? (size_t)(end - text) : most;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    return memcpy(to, from, strlen(from) + 1);
}
