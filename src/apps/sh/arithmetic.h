/*
 * $(( )): integers of 64 bits that wrap, with C's operators but ++ and --, and names of variables
 * (POSIX XCU 2.6.4). An unset or empty variable is 0.
 */
#ifndef SH_ARITHMETIC_H
#define SH_ARITHMETIC_H

#include "expand.h"

#define SH_ARITHMETIC_DEPTH 64 /* brackets and signs in one another */

/* The value of text, quotes and parameters gone from it. False with *error. Assignments go to
 * values->assign. */
bool sh_arithmetic(const char *text, const struct sh_values *values, int64_t *result,
                   const char **error);

#endif
