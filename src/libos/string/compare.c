/* memcmp, memchr, strlen, strcmp: eight bytes at a time where alignment allows. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) word;
#define WORD      sizeof(word)
#define OFFSET(p) ((uintptr_t)(p) & (WORD - 1))
#define ONES      0x0101010101010101u

/* For functions that read whole aligned words of which a part belongs to their caller. */
#define READS_WHOLE_WORDS __attribute__((no_sanitize("address")))

/*
 * Nonzero if a byte of w is zero. Exact about whether; reads of whole aligned words never leave the
 * page of a byte that belongs to the string.
 */
static inline word has_zero(word w)
{
    return (w - ONES) & ~w & (ONES << 7);
}

int memcmp(const void *first, const void *second, size_t size)
{
    const unsigned char *a = first, *b = second;
    if (OFFSET(a) == OFFSET(b) && size >= 2 * WORD) {
        for (; OFFSET(a); size--, a++, b++)
            if (*a != *b)
                return *a - *b;
        for (; size >= WORD && *(const word *)a == *(const word *)b; size -= WORD)
            a += WORD, b += WORD;
    }
    for (; size; size--, a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}

void *memchr(const void *memory, int value, size_t size)
{
    const unsigned char *p = memory, byte = (unsigned char)value;
    for (; size && OFFSET(p); size--, p++)
        if (*p == byte)
            return (void *)(uintptr_t)p;
    for (; size >= WORD && !has_zero(*(const word *)p ^ byte * ONES); size -= WORD)
        p += WORD;
    for (; size; size--, p++)
        if (*p == byte)
            return (void *)(uintptr_t)p;
    return NULL;
}

READS_WHOLE_WORDS size_t strlen(const char *text)
{
    const char *p = text;
    for (; OFFSET(p); p++)
        if (!*p)
            return (size_t)(p - text);
    while (!has_zero(*(const word *)p))
        p += WORD;
    while (*p)
        p++;
    return (size_t)(p - text);
}

READS_WHOLE_WORDS int strcmp(const char *first, const char *second)
{
    const unsigned char *a = (const unsigned char *)first, *b = (const unsigned char *)second;
    if (OFFSET(a) == OFFSET(b)) {
        for (; OFFSET(a); a++, b++)
            if (*a != *b || !*a)
                return *a - *b;
        while (*(const word *)a == *(const word *)b && !has_zero(*(const word *)a))
            a += WORD, b += WORD;
    }
    for (; *a == *b && *a; a++, b++)
        ;
    return *a - *b;
}
