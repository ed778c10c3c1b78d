/* The words of a command line, and signals: what commands that stay attached have in common. */
#ifndef AEGISCTL_WORDS_H
#define AEGISCTL_WORDS_H

#include <stddef.h>

#include "why.h"

/*
 * Join words with blanks between, as ssh does with a command that wasn't quoted, into text, which
 * has room for size characters and ends with a zero. Returns the length, or -1 with *why, which
 * calls it `what` and says what to do `instead`.
 */
int words_join(int count, char **words, char *text, size_t size, const char *what,
               const char *instead, struct why *why);

/*
 * From now on INT, TERM, HUP and the `count` more of `others` are read, never taken, so that what
 * has to be restored is; a pipe's reader that ends makes no signal. Returns the signalfd, the
 * caller's, or -1 with errno.
 */
int signals_catch(int count, const int *others);

#endif
