/* What the editor's files share. */
#ifndef SH_EDIT_INTERNAL_H
#define SH_EDIT_INTERNAL_H

#include "edit.h"

#define CTRL(letter) ((letter)&0x1f)
#define ESCAPE       0x1b
#define RUBOUT       0x7f

/* edit_history.c: the lines before and the search among them. */
const char *edit_past(const struct edit *edit, size_t number);
void edit_recall(struct edit *edit, int step);
void edit_search_begin(struct edit *edit);
/* A key while searching; false: it ends the search and is to be taken as any other. */
bool edit_search_key(struct edit *edit, uint8_t byte);

/* edit_show.c */
void edit_bell(struct edit *edit);
void edit_put(struct edit *edit, const char *text);
void edit_complete(struct edit *edit);

/* edit.c */
void edit_set_line(struct edit *edit, const char *line);
bool edit_insert(struct edit *edit, const char *bytes, size_t size);

/* Whether a byte goes on with a character of UTF-8. */
static inline bool edit_continues(char c)
{
    return ((uint8_t)c & 0xc0) == 0x80;
}

#endif
