/*
 * Words to strings: quotes removed, $ and ` put in, what they brought split at blanks, patterns
 * replaced by the names of files (POSIX XCU 2.6).
 *
 *   $NAME ${NAME} $? $! $$ $# $0 ... ${10} $* $@    ${#NAME}
 *   ${NAME:-word} := :? :+ and the same without :    ${NAME#pattern} ## % %%
 *   $(commands) `commands` $((expression))           * ? [set]
 */
#ifndef SH_EXPAND_H
#define SH_EXPAND_H

#include "parse.h"

#define SH_FIELDS_MAX 4096   /* strings of one command */
#define SH_BYTES_MAX  262144 /* of all of them */

/* What stands for what; assign, command and file may be NULL: such a word is an error, or stays. */
struct sh_values {
    /* The value, or NULL: not set. It stays until the next call of any of these. */
    const char *(*variable)(void *context, const char *name, size_t length);
    /* "$1" is number 1; above the last: NULL */
    const char *(*positional)(void *context, size_t number);
    /* Set a variable; false: no memory. */
    bool (*assign)(void *context, const char *name, size_t length, const char *value);
    /* What commands print, without newlines at its end: the caller's to free. NULL: said why. */
    char *(*command)(void *context, const char *text, size_t size);
    /* The index-th name of a folder, or NULL; the list is read anew at 0. */
    const char *(*file)(void *context, const char *folder, size_t index);
    void *context;
};

/* Strings, with a NULL behind them: an argv. Begins as {0}; sh_fields_free gives the memory back.
 */
struct sh_fields {
    char **list;
    size_t count, room;
    size_t bytes;
    const char *error; /* after a failure; never freed, and valid until the next word */
};

/* Add the strings that a word stands for. False with fields->error. */
bool sh_expand(const struct sh_word *word, const struct sh_values *values,
               struct sh_fields *fields);

/* The same as exactly one string, unsplit, with no names of files: for assignments and
 * redirections. */
bool sh_expand_one(const struct sh_word *word, const struct sh_values *values,
                   struct sh_fields *fields);

/* As one pattern for sh_match, where what was quoted has a \ before it. */
bool sh_expand_pattern(const struct sh_word *word, const struct sh_values *values,
                       struct sh_fields *fields);

/* The lines of a here-document, as between double quotes; of a delimiter in quotes as they are.
 * strip: without tabs at their beginnings. */
bool sh_expand_here(const struct sh_word *body, bool quoted, bool strip,
                    const struct sh_values *values, struct sh_fields *fields);

void sh_fields_free(struct sh_fields *fields);

#endif
