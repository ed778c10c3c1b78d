/* What expand.c, parameter.c and files.c share. */
#ifndef SH_EXPAND_INTERNAL_H
#define SH_EXPAND_INTERNAL_H

#include "expand.h"

/* The string under way, as a pattern: what is quoted and would mean something has a \ before it. */
struct expansion {
    const struct sh_values *values;
    struct sh_fields *fields;
    char *text;
    size_t length, room;
    bool begun;         /* there is one, maybe empty */
    bool split;         /* blanks of what parameters bring end it */
    unsigned in_braces; /* of a parameter, where other blanks end it, too */
    bool magic;         /* it has a *, ? or [ that isn't quoted */
    bool pattern;       /* what is wanted is a pattern */
};

/* False, with the error. */
bool expansion_fail(struct expansion *e, const char *error);

/* Add bytes to the string under way; it has begun, even if there are none. */
bool expansion_put(struct expansion *e, const char *bytes, size_t size, bool quoted);

/* What a parameter or a command brought; NULL is nothing. */
bool expansion_put_value(struct expansion *e, const char *value, bool quoted);

/* The string under way is one of the fields, or stands for several. */
bool expansion_finish(struct expansion *e);

/* A copy of text is another field. */
bool expansion_add(struct sh_fields *fields, const char *text);

/* Expand a piece of a word; quoted: as inside of double quotes. */
bool expansion_piece(struct expansion *e, const char *text, size_t size, bool quoted);

/* Expand a piece by itself to one string, or pattern, which is the caller's to free; NULL with the
 * error. */
char *expansion_string(struct expansion *e, const char *text, size_t size, bool quoted,
                       bool pattern);

/* parameter.c: text begins with $ or `. How many bytes were used, or 0 after a failure. */
size_t expansion_dollar(struct expansion *e, const char *text, size_t size, bool quoted);

/* files.c: add the names that the pattern under way matches. -1 after a failure, 0: there are none.
 */
int expansion_files(struct expansion *e);

#endif
