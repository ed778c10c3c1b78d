/* What the terminal shows of a line, and completion. */
#include <stdio.h>
#include <string.h>

#include "edit_internal.h"

#define COLUMNS_MIN 8
#define CHOICES_MAX 200

void edit_put(struct edit *e, const char *text)
{
    e->write(e->context, text, strlen(text));
}

void edit_bell(struct edit *e)
{
    edit_put(e, "\a");
}

static size_t columns_of(const char *text, size_t size)
{
    size_t columns = 0;
    for (size_t i = 0; i < size; i++)
        columns += !edit_continues(text[i]);
    return columns;
}

/* Bytes of the first columns characters; 0 of none, also where a character's middle comes first. */
static size_t bytes_of(const char *text, size_t size, size_t columns)
{
    size_t at = 0;
    if (!columns)
        return 0;
    for (; at < size; at++)
        if (!edit_continues(text[at]) && columns-- == 0)
            break;
    return at;
}

/* The line's window: the prompt (without its front, if it doesn't fit), what fits of the line
 * around the cursor. */
void edit_show(struct edit *e)
{
    static const char failed[] = "(failed) ";
    char head[192], tail[32];
    size_t columns = e->columns < COLUMNS_MIN ? COLUMNS_MIN : e->columns;

    if (e->searching)
        snprintf(head, sizeof head, "%ssearch '%s': ", e->found ? "" : failed, e->pattern);
    else
        snprintf(head, sizeof head, "%s", e->prompt);
    size_t size = strlen(head), wide = columns_of(head, size);
    size_t hidden = wide > columns / 2 ? bytes_of(head, size, wide - columns / 2) : 0;
    wide = columns_of(head + hidden, size - hidden);

    size_t room = columns - wide - 1; /* the cursor may stand behind the last */
    size_t before = columns_of(e->line, e->cursor);
    size_t first = bytes_of(e->line, e->length, before > room ? before - room : 0);
    size_t shown = bytes_of(e->line + first, e->length - first, room);
    size_t cursor = wide + columns_of(e->line + first, e->cursor - first);

    edit_put(e, "\r");
    edit_put(e, head + hidden);
    e->write(e->context, e->line + first, shown);
    if (cursor)
        snprintf(tail, sizeof tail, "\x1b[K\r\x1b[%uC", (unsigned)cursor);
    else
        snprintf(tail, sizeof tail, "\x1b[K\r");
    edit_put(e, tail);
}

/* All that may stand for the prefix, on lines of their own, below the line. */
static void list(struct edit *e, const char *prefix, size_t size)
{
    const char *choice;
    edit_put(e, "\r\n");
    for (size_t i = 0; i < CHOICES_MAX && (choice = e->complete(e->context, prefix, size, i));
         i++) {
        edit_put(e, i ? "  " : "");
        edit_put(e, choice);
    }
    edit_put(e, "\r\n");
}

/* Put in what all words that begin like the one before the cursor have in common. */
void edit_complete(struct edit *e)
{
    char prefix[EDIT_MAX], common[EDIT_MAX];
    size_t begin = e->cursor, length, count;
    const char *choice;

    while (begin > 0 && !strchr(" ;|&(<>", e->line[begin - 1]))
        begin--;
    size_t size = e->cursor - begin;
    memcpy(prefix, e->line + begin, size);
    choice = e->complete ? e->complete(e->context, prefix, size, 0) : NULL;
    if (!choice || strlen(choice) >= sizeof common) {
        edit_bell(e);
        return;
    }
    strcpy(common, choice);
    for (count = 1; count < CHOICES_MAX && (choice = e->complete(e->context, prefix, size, count));
         count++)
        for (length = 0; common[length]; length++)
            if (common[length] != choice[length])
                common[length] = 0;
    length = strlen(common);
    if (count > 1 && length <= size)
        list(e, prefix, size);
    else if (length < size || !edit_insert(e, common + size, length - size) ||
             (count == 1 && !edit_insert(e, " ", 1)))
        edit_bell(e);
}
