#include "expand_internal.h"

#include <stdlib.h>
#include <string.h>

#include "pattern.h"

bool expansion_fail(struct expansion *e, const char *error)
{
    e->fields->error = error;
    return false;
}

static bool make_room(struct expansion *e, size_t size)
{
    if (size > SH_BYTES_MAX - e->fields->bytes ||
        e->length > SH_BYTES_MAX - e->fields->bytes - size)
        return expansion_fail(e, "the strings are too long");
    if (e->length + 2 * size + 1 <= e->room)
        return true;
    size_t room = (e->length + 2 * size + 1) * 2;
    char *more = realloc(e->text, room);
    if (!more)
        return expansion_fail(e, "no memory is left");
    e->text = more;
    e->room = room;
    return true;
}

bool expansion_put(struct expansion *e, const char *bytes, size_t size, bool quoted)
{
    if (!make_room(e, size))
        return false;
    for (size_t i = 0; i < size; i++) {
        bool magic = bytes[i] && strchr(SH_MAGIC, bytes[i]);
        if (magic && (quoted || bytes[i] == '\\'))
            e->text[e->length++] = '\\';
        e->magic |= magic && !quoted && strchr("*?[", bytes[i]);
        e->text[e->length++] = bytes[i];
    }
    e->text[e->length] = 0;
    e->begun = true;
    return true;
}

static bool add_owned(struct sh_fields *f, char *text)
{
    if (f->count == SH_FIELDS_MAX) {
        f->error = "there are too many strings";
        return false;
    }
    if (f->count + 2 > f->room) {
        size_t room = f->room ? f->room * 2 : 16;
        char **more = realloc(f->list, room * sizeof *more);
        if (!more) {
            f->error = "no memory is left";
            return false;
        }
        f->list = more;
        f->room = room;
    }
    f->list[f->count++] = text;
    f->list[f->count] = NULL;
    f->bytes += strlen(text);
    return true;
}

bool expansion_add(struct sh_fields *fields, const char *text)
{
    char *copy = strdup(text);
    if (copy && strlen(text) <= SH_BYTES_MAX - fields->bytes && add_owned(fields, copy))
        return true;
    free(copy);
    if (!fields->error)
        fields->error = "the strings are too long";
    return false;
}

bool expansion_finish(struct expansion *e)
{
    bool names = e->split && e->magic;
    int found = 0;

    if (!e->begun)
        return true;
    if (!expansion_put(e, "", 0, false) || (names && (found = expansion_files(e)) < 0))
        return false;
    if (!e->pattern)
        sh_unescape(e->text);
    if (!found && !add_owned(e->fields, e->text))
        return false;
    if (found)
        free(e->text);
    e->text = NULL;
    e->length = e->room = 0;
    e->begun = e->magic = false;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* What a parameter brought, outside of quotes: blanks end strings. */
static bool put_split(struct expansion *e, const char *value, size_t size)
{
    for (size_t at = 0, length; at < size; at += length) {
        bool blank = is_blank(value[at]);
        for (length = 0; at + length < size && is_blank(value[at + length]) == blank; length++)
            ;
        if (blank ? !expansion_finish(e) : !expansion_put(e, value + at, length, false))
            return false;
    }
    return true;
}

bool expansion_put_value(struct expansion *e, const char *value, bool quoted)
{
    if (!value)
        return true;
    if (quoted || !e->split)
        return expansion_put(e, value, strlen(value), quoted);
    return put_split(e, value, strlen(value));
}

/* Whether "$@" alone stands in the quotes: without parameters that is no string, not an empty one.
 */
static bool is_all(const char *text, size_t size)
{
    return (size > 2 && !memcmp(text, "$@\"", 3)) || (size > 4 && !memcmp(text, "${@}\"", 5));
}

/* Inside of double quotes, up to the closing one. How many bytes, the quote included, or 0. */
static size_t double_quotes(struct expansion *e, const char *text, size_t size)
{
    size_t at = 0;
    if (!is_all(text, size) && !expansion_put(e, "", 0, true))
        return 0;
    while (at < size && text[at] != '"') {
        size_t used = 1;
        if (text[at] == '$' || text[at] == '`') {
            used = expansion_dollar(e, text + at, size - at, true);
            if (!used)
                return 0;
        } else if (text[at] == '\\' && at + 1 < size && strchr("$`\"\\\n", text[at + 1])) {
            used = 2;
            if (text[at + 1] != '\n' && !expansion_put(e, text + at + 1, 1, true))
                return 0;
        } else if (!expansion_put(e, text + at, 1, true)) {
            return 0;
        }
        at += used;
    }
    return at + 1;
}

/* One step through a word: how many bytes, or 0 after a failure. */
static size_t step(struct expansion *e, const char *text, size_t size)
{
    const char *end;
    size_t used;

    switch (*text) {
    case '\'':
        end = memchr(text + 1, '\'', size - 1);
        used = end ? (size_t)(end - text) - 1 : size - 1;
        return expansion_put(e, text + 1, used, true) ? used + 2 : 0;
    case '"':
        used = double_quotes(e, text + 1, size - 1);
        return used ? used + 1 : 0;
    case '$':
    case '`':
        return expansion_dollar(e, text, size, false);
    case '\\':
        if (size == 1)
            return 1;
        if (text[1] != '\n' && !expansion_put(e, text + 1, 1, true))
            return 0;
        return 2;
    }
    for (used = 1; used < size && !strchr("'\"$`\\", text[used]); used++)
        ;
    if (e->in_braces && e->split)
        return put_split(e, text, used) ? used : 0;
    return expansion_put(e, text, used, false) ? used : 0;
}

/* Like double quotes, but that a " is a byte like any other, as in here-documents. */
static size_t quoted_step(struct expansion *e, const char *text, size_t size)
{
    if (*text == '$' || *text == '`')
        return expansion_dollar(e, text, size, true);
    if (*text == '\\' && size > 1 && strchr("$`\\\n", text[1]))
        return text[1] == '\n' || expansion_put(e, text + 1, 1, true) ? 2 : 0;
    return expansion_put(e, text, 1, true) ? 1 : 0;
}

bool expansion_piece(struct expansion *e, const char *text, size_t size, bool quoted)
{
    for (size_t at = 0; at < size;) {
        size_t used = quoted && text[at] != '"' ? quoted_step(e, text + at, size - at)
                                                : step(e, text + at, size - at);
        if (!used)
            return false;
        at += used;
    }
    return true;
}

char *expansion_string(struct expansion *e, const char *text, size_t size, bool quoted,
                       bool pattern)
{
    struct expansion piece = {.values = e->values, .fields = e->fields};
    if (!expansion_piece(&piece, text, size, quoted) || !expansion_put(&piece, "", 0, false)) {
        free(piece.text);
        return NULL;
    }
    if (!pattern)
        sh_unescape(piece.text);
    return piece.text;
}

static bool expand(const struct sh_word *word, const struct sh_values *values,
                   struct sh_fields *fields, bool split, bool pattern)
{
    struct expansion e = {
        .values = values, .fields = fields, .split = split, .begun = !split, .pattern = pattern};
    bool good = expansion_piece(&e, word->text, word->length, false) && expansion_finish(&e);
    free(e.text);
    return good;
}

bool sh_expand(const struct sh_word *word, const struct sh_values *values, struct sh_fields *fields)
{
    return expand(word, values, fields, true, false);
}

bool sh_expand_one(const struct sh_word *word, const struct sh_values *values,
                   struct sh_fields *fields)
{
    return expand(word, values, fields, false, false);
}

bool sh_expand_pattern(const struct sh_word *word, const struct sh_values *values,
                       struct sh_fields *fields)
{
    return expand(word, values, fields, false, true);
}

bool sh_expand_here(const struct sh_word *body, bool quoted, bool strip,
                    const struct sh_values *values, struct sh_fields *fields)
{
    struct expansion e = {.values = values, .fields = fields, .begun = true};
    bool good = true, begins = true;

    for (size_t at = 0, used; good && at < body->length; at += used) {
        char c = body->text[at];
        used = 1;
        if (strip && begins && c == '\t')
            continue;
        if (quoted)
            good = expansion_put(&e, &body->text[at], 1, true);
        else
            good = (used = quoted_step(&e, body->text + at, body->length - at)) != 0;
        begins = c == '\n';
    }
    good = good && expansion_finish(&e);
    free(e.text);
    return good;
}

void sh_fields_free(struct sh_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        free(fields->list[i]);
    free(fields->list);
    *fields = (struct sh_fields){0};
}
