/*
 * The shell's line editor, as a function of bytes: keys go in, what the terminal is to show comes
 * out. It knows no descriptors and allocates nothing, so that host tests can type into it.
 *
 *   ^A ^E Home End    to the line's begin and end     ^B ^F arrows    by a character
 *   M-b M-f           by a word                       ^H DEL Delete   deletes one
 *   ^K ^U ^W M-d      cuts to the end, to the begin, a word back, a word ahead
 *   ^Y                puts back what was cut last     ^P ^N arrows    the history
 *   ^R                searches it backwards           Tab             completes
 *   ^L                clears the screen               ^C ^D           give up; the end, if empty
 *
 * A line longer than the terminal is wide scrolls sideways. A character is a code point of UTF-8,
 * and one column wide.
 */
#ifndef SH_EDIT_H
#define SH_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDIT_MAX     1024 /* bytes of a line, its zero included */
#define EDIT_HISTORY 64   /* lines that are kept */

enum edit_result {
    EDIT_MORE,      /* the line isn't finished */
    EDIT_LINE,      /* it is: in edit->line, with a zero behind it and no newline */
    EDIT_INTERRUPT, /* ^C: the line is given up */
    EDIT_END,       /* ^D on an empty line */
};

struct edit {
    /* Set by edit_init; the terminal gets these bytes, in pieces of any size. */
    void (*write)(void *context, const char *bytes, size_t size);
    /* The index-th word that begins with the size bytes of prefix, or NULL; NULL: no completion. */
    const char *(*complete)(void *context, const char *prefix, size_t size, size_t index);
    void *context;
    unsigned columns; /* of the terminal; may change between keys */

    char line[EDIT_MAX];
    size_t length, cursor; /* in bytes; the cursor on a character's first */

    /* the editor's own */
    const char *prompt;
    char cut[EDIT_MAX];
    size_t cut_length;
    char history[EDIT_HISTORY][EDIT_MAX]; /* a ring: number n lies at n % EDIT_HISTORY */
    size_t history_count;                 /* lines ever kept */
    size_t shown;                         /* of the history; history_count: the new line */
    char unfinished[EDIT_MAX];            /* the new line, while an older one is shown */
    uint8_t escape[8];                    /* an escape sequence under way */
    size_t escape_length;
    bool searching, found;
    char pattern[64]; /* of the search */
    size_t pattern_length, match;
};

void edit_init(struct edit *edit, void (*write)(void *, const char *, size_t), void *context);

/* Begin a line: shows the prompt, which stays the caller's and is one line of printable characters.
 */
void edit_begin(struct edit *edit, const char *prompt);

/* Take a byte from the terminal. After any result but EDIT_MORE, call edit_begin for the next line.
 */
enum edit_result edit_key(struct edit *edit, uint8_t byte);

/* Keep a line in the history, unless it is empty or the last one again. */
void edit_remember(struct edit *edit, const char *line);

/* The index-th line that is kept, oldest first, or NULL. */
const char *edit_history(const struct edit *edit, size_t index);

/* Show the line anew, as after something else has written to the terminal. */
void edit_show(struct edit *edit);

#endif
