/* Names and sentences of the kernel's errors (abi/errors.def). */
#ifndef EXOS_START_ERROR_H
#define EXOS_START_ERROR_H

#include <stdint.h>

/*
 * For a result as calls return it (negative): its name ("OVERLAP"), the sentence that says what is
 * wrong, and the one that says what would be right. For a number that is no error: "OK" or "?", and
 * a sentence that says so. Never NULL, never freed.
 */
const char *aegis_error_name(int64_t result);
const char *aegis_strerror(int64_t result);
const char *aegis_remedy(int64_t result);

/* The nearest errno for a kernel error, for functions that POSIX defines. */
int aegis_errno(int64_t result);

#endif
