#include "pattern.h"

#include <string.h>

/* Steps over one byte of a set, quoted or not. */
static unsigned char set_byte(const char **at)
{
    if (**at == '\\' && (*at)[1])
        ++*at;
    return (unsigned char)*(*at)++;
}

/*
 * at is behind a [. Whether c is in the set, with *at behind its ]; or false with *at NULL: there
 * is no ].
 */
static bool in_set(const char **at, unsigned char c)
{
    const char *p = *at;
    bool inverted = *p == '!' || *p == '^', found = false;

    p += inverted;
    for (bool first = true; first || *p != ']'; first = false) {
        if (!*p) {
            *at = NULL;
            return false;
        }
        unsigned char low = set_byte(&p), high = low;
        if (*p == '-' && p[1] && p[1] != ']') {
            p++;
            high = set_byte(&p);
        }
        found |= low <= c && c <= high;
    }
    *at = p + 1;
    return found != inverted;
}

/* Whether the pattern's first element, which isn't *, matches c; *at moves behind it. */
static bool match_one(const char **at, unsigned char c)
{
    const char *set = *at + 1;
    bool found;

    switch (**at) {
    case '?':
        ++*at;
        return true;
    case '[':
        found = in_set(&set, c);
        if (set) {
            *at = set;
            return found;
        }
        break;
    default:
        break;
    }
    return set_byte(at) == c;
}

/* After a mismatch the last * takes one byte more: those before it have found their place. */
bool sh_match(const char *pattern, const char *text, size_t length)
{
    const char *star = NULL;
    size_t at = 0, from = 0;

    while (at < length || *pattern) {
        if (*pattern == '*') {
            star = ++pattern;
            from = at;
            continue;
        }
        if (*pattern && at < length && match_one(&pattern, (unsigned char)text[at])) {
            at++;
            continue;
        }
        if (!star || from >= length)
            return false;
        pattern = star;
        at = ++from;
    }
    return true;
}

void sh_unescape(char *pattern)
{
    char *to = pattern;
    while (*pattern) {
        if (*pattern == '\\' && pattern[1])
            pattern++;
        *to++ = *pattern++;
    }
    *to = 0;
}
