/*
 * Patterns of the shell (POSIX XCU 2.13): * any string, ? any byte, [set] one of a set with ranges,
 * [!set] one that isn't in it, \c the byte c.
 */
#ifndef SH_PATTERN_H
#define SH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* What has a meaning in a pattern, so that a \ before it takes it away. */
#define SH_MAGIC "*?[]\\-!^"

/*
 * Whether a pattern matches all of text[0..length). A [ without its ] is a byte like any other. At
 * most strlen(pattern) * length steps.
 */
bool sh_match(const char *pattern, const char *text, size_t length);

/* Take the \ out: the pattern becomes the string that it matches if it has no *, ? or set. */
void sh_unescape(char *pattern);

#endif
