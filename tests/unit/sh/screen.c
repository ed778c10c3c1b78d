#include "screen.h"

#include <stdlib.h>
#include <string.h>

void screen_init(struct screen *s, unsigned columns)
{
    memset(s, 0, sizeof *s);
    s->columns = columns;
    memset(s->line, ' ', SCREEN_WIDE);
}

/* ECMA-48: EL, CUF, ED, CUP. */
static void sequence(struct screen *s)
{
    char last = s->sequence[s->sequence_length - 1];
    unsigned number = (unsigned)strtoul(s->sequence + 1, NULL, 10);

    if (last == 'K' && s->sequence_length == 2)
        memset(s->line + s->cursor, ' ', SCREEN_WIDE - s->cursor);
    else if (last == 'C')
        s->cursor += number;
    else if (last == 'J' && number == 2)
        memset(s->line, ' ', SCREEN_WIDE);
    else if (last == 'H' && s->sequence_length == 2)
        s->cursor = 0;
    else
        s->bad = true;
    s->sequence_length = 0;
}

static void put(struct screen *s, char c)
{
    if (s->sequence_length) {
        s->sequence[s->sequence_length - 1] = c;
        if ((s->sequence_length > 1 && c >= '@') || s->sequence_length == sizeof s->sequence - 1) {
            s->sequence[s->sequence_length] = 0;
            sequence(s);
        } else {
            s->sequence_length++;
        }
    } else if (c == 0x1b) {
        s->sequence_length = 1;
    } else if (c == '\r') {
        s->cursor = 0;
    } else if (c == '\n') {
        s->newlines++;
        memset(s->line, ' ', SCREEN_WIDE);
    } else if (c == '\a') {
        s->bells++;
    } else if (((unsigned char)c & 0xc0) == 0x80) {
        return; /* goes on with the character before */
    } else if (s->cursor < s->columns && s->cursor < SCREEN_WIDE) {
        s->line[s->cursor++] = c;
    } else {
        s->bad = true;
    }
    s->bad |= s->cursor > s->columns;
}

void screen_write(void *context, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        put(context, bytes[i]);
}

const char *screen_line(const struct screen *s)
{
    static char line[SCREEN_WIDE + 1];
    size_t length = SCREEN_WIDE;
    while (length && s->line[length - 1] == ' ')
        length--;
    memcpy(line, s->line, length);
    line[length] = 0;
    return line;
}
