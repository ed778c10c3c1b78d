/*
 * Words to strings: quotes removed, parameters put in, what they brought split at blanks (POSIX XCU
 * 2.6.2, 2.6.5, 2.6.7). $NAME ${NAME} $? $! $$ $# $0 to $9 ${N} $* $@.
 */
#ifndef SH_EXPAND_H
#define SH_EXPAND_H

#include "parse.h"

#define SH_FIELDS_MAX 4096   /* strings of one command */
#define SH_BYTES_MAX  262144 /* of all of them */

/* What parameters stand for. Both may return NULL: not set. */
struct sh_values {
    const char *(*variable)(void *context, const char *name, size_t length);
    /* "$1" is number 1; above the last: NULL */
    const char *(*positional)(void *context, size_t number);
    void *context;
};

/* Strings, with a NULL behind them: an argv. Begins as {0}; sh_fields_free gives the memory back.
 */
struct sh_fields {
    char **list;
    size_t count, room;
    size_t bytes;
    const char *error; /* after a failure; never freed */
};

/* Add the strings that a word stands for. False with fields->error. */
bool sh_expand(const struct sh_word *word, const struct sh_values *values,
               struct sh_fields *fields);

/* The same as exactly one string, unsplit: for assignments and redirections. */
bool sh_expand_one(const struct sh_word *word, const struct sh_values *values,
                   struct sh_fields *fields);

void sh_fields_free(struct sh_fields *fields);

#endif
