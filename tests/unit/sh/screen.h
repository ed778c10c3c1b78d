/* A terminal one line high, as far as the line editor needs one: what it shows, and where the
 * cursor is. */
#ifndef TESTS_SH_SCREEN_H
#define TESTS_SH_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#define SCREEN_WIDE 256

struct screen {
    unsigned columns;
    char line[SCREEN_WIDE + 1]; /* one byte a column; of UTF-8 the first of each character */
    unsigned cursor;
    unsigned bells, newlines;
    bool bad; /* something that no terminal was asked for: an unknown sequence, a cursor beyond the
                 edge */
    char sequence[32];
    size_t sequence_length;
};

void screen_init(struct screen *screen, unsigned columns);

/* What the editor writes; context is the screen. */
void screen_write(void *context, const char *bytes, size_t size);

/* The line without the blanks at its end. */
const char *screen_line(const struct screen *screen);

#endif
