#include <string.h>

#include "edit_internal.h"

void edit_init(struct edit *e, void (*write)(void *, const char *, size_t), void *context)
{
    memset(e, 0, sizeof *e);
    e->write = write;
    e->context = context;
    e->columns = 80;
    e->prompt = "";
}

void edit_begin(struct edit *e, const char *prompt)
{
    e->prompt = prompt;
    e->length = e->cursor = 0;
    e->line[0] = 0;
    e->shown = e->history_count;
    e->escape_length = 0;
    e->searching = false;
    edit_show(e);
}

void edit_set_line(struct edit *e, const char *line)
{
    e->length = e->cursor = strlen(line);
    memcpy(e->line, line, e->length + 1);
}

bool edit_insert(struct edit *e, const char *bytes, size_t size)
{
    if (size > EDIT_MAX - 1 - e->length)
        return false;
    memmove(e->line + e->cursor + size, e->line + e->cursor, e->length - e->cursor + 1);
    memcpy(e->line + e->cursor, bytes, size);
    e->cursor += size;
    e->length += size;
    return true;
}

/* The place of the next character, and of the one before. */
static size_t right_of(const struct edit *e, size_t at)
{
    at += at < e->length;
    while (at < e->length && edit_continues(e->line[at]))
        at++;
    return at;
}

static size_t left_of(const struct edit *e, size_t at)
{
    at -= at > 0;
    while (at > 0 && edit_continues(e->line[at]))
        at--;
    return at;
}

static size_t word_left(const struct edit *e)
{
    size_t at = e->cursor;
    while (at > 0 && e->line[at - 1] == ' ')
        at--;
    while (at > 0 && e->line[at - 1] != ' ')
        at--;
    return at;
}

static size_t word_right(const struct edit *e)
{
    size_t at = e->cursor;
    while (at < e->length && e->line[at] == ' ')
        at++;
    while (at < e->length && e->line[at] != ' ')
        at++;
    return at;
}

/* Take [from, to) out of the line. */
static void erase(struct edit *e, size_t from, size_t to)
{
    memmove(e->line + from, e->line + to, e->length - to + 1);
    e->length -= to - from;
    e->cursor = from;
}

static void cut(struct edit *e, size_t from, size_t to)
{
    if (from == to)
        return;
    memcpy(e->cut, e->line + from, to - from);
    e->cut_length = to - from;
    erase(e, from, to);
}

static void paste(struct edit *e)
{
    if (!edit_insert(e, e->cut, e->cut_length))
        edit_bell(e);
}

/* What an escape sequence means, as the key that does the same. */
static uint8_t meaning(const uint8_t *sequence, size_t length)
{
    static const struct {
        const char *sequence;
        uint8_t key;
    } keys[] = {
        {"[A", CTRL('P')},  {"[B", CTRL('N')},  {"[C", CTRL('F')},   {"[D", CTRL('B')},
        {"[H", CTRL('A')},  {"[F", CTRL('E')},  {"OA", CTRL('P')},   {"OB", CTRL('N')},
        {"OC", CTRL('F')},  {"OD", CTRL('B')},  {"OH", CTRL('A')},   {"OF", CTRL('E')},
        {"[1~", CTRL('A')}, {"[7~", CTRL('A')}, {"[4~", CTRL('E')},  {"[8~", CTRL('E')},
        {"[3~", 0x80},      {"b", 0x81},        {"f", 0x82},         {"d", 0x83},
        {"[1;5D", 0x81},    {"[1;5C", 0x82},    {"\x7f", CTRL('W')},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strlen(keys[i].sequence) == length && !memcmp(keys[i].sequence, sequence, length))
            return keys[i].key;
    return 0;
}

/* A byte of an escape sequence: 0 while it goes on, or means nothing. */
static uint8_t escape_key(struct edit *e, uint8_t byte)
{
    if (byte < 0x20) { /* no sequence has one: it stands for itself */
        e->escape_length = 0;
        return byte == ESCAPE ? 0 : byte;
    }
    size_t length = e->escape_length - 1;
    e->escape[length] = byte;
    e->escape_length++;
    bool begins = length == 0 && (byte == '[' || byte == 'O');
    bool goes_on = length > 0 && e->escape[0] == '[' && byte < 0x40;
    if ((begins || goes_on) && length + 1 < sizeof e->escape)
        return 0;
    e->escape_length = 0;
    return meaning(e->escape, length + 1);
}

/* A key that only moves or changes the line. False if it is none. */
static bool motion(struct edit *e, uint8_t key)
{
    switch (key) {
    case CTRL('A'):
        e->cursor = 0;
        break;
    case CTRL('E'):
        e->cursor = e->length;
        break;
    case CTRL('B'):
        e->cursor = left_of(e, e->cursor);
        break;
    case CTRL('F'):
        e->cursor = right_of(e, e->cursor);
        break;
    case 0x81:
        e->cursor = word_left(e);
        break;
    case 0x82:
        e->cursor = word_right(e);
        break;
    case CTRL('H'):
    case RUBOUT:
        erase(e, left_of(e, e->cursor), e->cursor);
        break;
    case 0x80:
    case CTRL('D'):
        erase(e, e->cursor, right_of(e, e->cursor));
        break;
    case CTRL('K'):
        cut(e, e->cursor, e->length);
        break;
    case CTRL('U'):
        cut(e, 0, e->cursor);
        break;
    case CTRL('W'):
        cut(e, word_left(e), e->cursor);
        break;
    case 0x83:
        cut(e, e->cursor, word_right(e));
        break;
    default:
        return false;
    }
    return true;
}

static void command(struct edit *e, uint8_t key)
{
    switch (key) {
    case CTRL('Y'):
        paste(e);
        break;
    case CTRL('P'):
        edit_recall(e, -1);
        break;
    case CTRL('N'):
        edit_recall(e, 1);
        break;
    case CTRL('R'):
        edit_search_begin(e);
        break;
    case CTRL('L'):
        edit_put(e, "\x1b[H\x1b[2J");
        break;
    case '\t':
        edit_complete(e);
        break;
    default:
        edit_bell(e);
    }
}

static enum edit_result finish(struct edit *e, enum edit_result result, const char *tail)
{
    e->cursor = e->length;
    edit_show(e);
    edit_put(e, tail);
    return result;
}

enum edit_result edit_key(struct edit *e, uint8_t byte)
{
    uint8_t key = byte;
    bool text = byte >= 0x20 && byte != RUBOUT;

    if (e->searching && edit_search_key(e, byte))
        return EDIT_MORE;
    if (e->escape_length) {
        key = escape_key(e, byte);
        text = false;
        if (!key)
            return EDIT_MORE;
    } else if (byte == ESCAPE) {
        e->escape_length = 1;
        return EDIT_MORE;
    }
    if (key == '\r' || key == '\n')
        return finish(e, EDIT_LINE, "\r\n");
    if (key == CTRL('C'))
        return finish(e, EDIT_INTERRUPT, "^C\r\n");
    if (key == CTRL('D') && !e->length)
        return finish(e, EDIT_END, "\r\n");
    if (text) {
        if (!edit_insert(e, (const char *)&byte, 1))
            edit_bell(e);
    } else if (!motion(e, key)) {
        command(e, key);
    }
    edit_show(e);
    return EDIT_MORE;
}
