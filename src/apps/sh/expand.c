#include "expand.h"

#include <stdlib.h>
#include <string.h>

struct expansion {
    const struct sh_values *values;
    struct sh_fields *fields;
    char *text; /* the string under way */
    size_t length, room;
    bool begun; /* there is one, maybe empty */
    bool split;
};

static bool fail(struct expansion *e, const char *error)
{
    e->fields->error = error;
    return false;
}

static bool put(struct expansion *e, const char *bytes, size_t size)
{
    if (size > SH_BYTES_MAX - e->fields->bytes - e->length)
        return fail(e, "the strings are too long");
    if (e->length + size + 1 > e->room) {
        size_t room = (e->length + size + 1) * 2;
        char *more = realloc(e->text, room);
        if (!more)
            return fail(e, "no memory is left");
        e->text = more;
        e->room = room;
    }
    memcpy(e->text + e->length, bytes, size);
    e->length += size;
    e->begun = true;
    return true;
}

/* The string under way is one of the fields. */
static bool finish(struct expansion *e)
{
    struct sh_fields *f = e->fields;
    if (!e->begun)
        return true;
    if (!put(e, "", 0))
        return false;
    if (f->count == SH_FIELDS_MAX)
        return fail(e, "there are too many strings");
    if (f->count + 2 > f->room) {
        size_t room = f->room ? f->room * 2 : 16;
        char **more = realloc(f->list, room * sizeof *more);
        if (!more)
            return fail(e, "no memory is left");
        f->list = more;
        f->room = room;
    }
    e->text[e->length] = 0;
    f->list[f->count++] = e->text;
    f->list[f->count] = NULL;
    f->bytes += e->length;
    e->text = NULL;
    e->length = e->room = 0;
    e->begun = false;
    return true;
}

/* What a parameter brought, outside of quotes: blanks end strings. */
static bool put_split(struct expansion *e, const char *value)
{
    while (*value) {
        size_t blanks = strspn(value, " \t\n"), length;
        if (blanks && !finish(e))
            return false;
        value += blanks;
        length = strcspn(value, " \t\n");
        if (length && !put(e, value, length))
            return false;
        value += length;
    }
    return true;
}

static bool put_value(struct expansion *e, const char *value, bool quoted)
{
    if (!value)
        return true;
    return quoted || !e->split ? put(e, value, strlen(value)) : put_split(e, value);
}

/* $@ and $*: all positional parameters, in strings of their own but for "$*". */
static bool put_all(struct expansion *e, bool joined, bool quoted)
{
    const char *value;
    for (size_t i = 1; (value = e->values->positional(e->values->context, i)); i++) {
        if (i > 1 && (joined || !e->split)) {
            if (!put(e, " ", 1))
                return false;
        } else if (i > 1 && !finish(e)) {
            return false;
        }
        if (quoted && !joined && !put(e, "", 0))
            return false;
        if (!put_value(e, value, quoted))
            return false;
    }
    return true;
}

static bool put_parameter(struct expansion *e, const char *name, size_t length, bool quoted)
{
    const struct sh_values *v = e->values;
    if (length == 1 && (*name == '@' || *name == '*'))
        return put_all(e, *name == '*' && quoted, quoted);
    if (*name >= '0' && *name <= '9') {
        size_t number = 0;
        for (size_t i = 0; i < length; i++) {
            if (name[i] < '0' || name[i] > '9')
                return fail(e, "bad substitution");
            number = number < 100000 ? number * 10 + (size_t)(name[i] - '0') : number;
        }
        return put_value(e, v->positional(v->context, number), quoted);
    }
    return put_value(e, v->variable(v->context, name, length), quoted);
}

/* text begins with $. How many bytes were used, or 0 after a failure. */
static size_t dollar(struct expansion *e, const char *text, size_t size, bool quoted)
{
    size_t length = size > 1 ? sh_name_length(text + 1, size - 1) : 0;
    if (length)
        return put_parameter(e, text + 1, length, quoted) ? 1 + length : 0;
    if (size > 1 && text[1] == '{') {
        const char *end = memchr(text, '}', size);
        length = end ? (size_t)(end - text) - 2 : 0;
        bool name = length && sh_name_length(text + 2, length) == length;
        bool special = length == 1 && strchr("?!$#@*", text[2]);
        if (!name && !special && !(length && text[2] >= '0' && text[2] <= '9'))
            return fail(e, "bad substitution");
        return put_parameter(e, text + 2, length, quoted) ? length + 3 : 0;
    }
    if (size > 1 && strchr("?!$#@*0123456789", text[1]))
        return put_parameter(e, text + 1, 1, quoted) ? 2 : 0;
    return put(e, "$", 1) ? 1 : 0;
}

/* Whether "$@" alone stands in the quotes: without parameters that is no string, not an empty one.
 */
static bool is_all(const char *text, size_t size)
{
    return (size == 2 && !memcmp(text, "$@", 2)) || (size == 4 && !memcmp(text, "${@}", 4));
}

/* Inside of double quotes, up to the closing one. How many bytes, the quote included, or 0. */
static size_t double_quotes(struct expansion *e, const char *text, size_t size)
{
    size_t at = 0;
    const char *end = memchr(text, '"', size);
    if (!is_all(text, end ? (size_t)(end - text) : 0) && !put(e, "", 0))
        return 0;
    while (at < size && text[at] != '"') {
        size_t used = 1;
        if (text[at] == '$') {
            used = dollar(e, text + at, size - at, true);
            if (!used)
                return 0;
        } else if (text[at] == '\\' && at + 1 < size && strchr("$`\"\\\n", text[at + 1])) {
            used = 2;
            if (text[at + 1] != '\n' && !put(e, text + at + 1, 1))
                return 0;
        } else if (!put(e, text + at, 1)) {
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
        return put(e, text + 1, used) ? used + 2 : 0;
    case '"':
        used = double_quotes(e, text + 1, size - 1);
        return used ? used + 1 : 0;
    case '$':
        return dollar(e, text, size, false);
    case '\\':
        if (size == 1)
            return 1;
        if (text[1] != '\n' && !put(e, text + 1, 1))
            return 0;
        return 2;
    }
    for (used = 1; used < size && !strchr("'\"$\\", text[used]); used++)
        ;
    return put(e, text, used) ? used : 0;
}

static bool expand(const struct sh_word *word, const struct sh_values *values,
                   struct sh_fields *fields, bool split)
{
    struct expansion e = {.values = values, .fields = fields, .split = split, .begun = !split};
    bool good = true;

    for (size_t at = 0; good && at < word->length;) {
        size_t used = step(&e, word->text + at, word->length - at);
        good = used != 0;
        at += used;
    }
    good = good && finish(&e);
    free(e.text);
    return good;
}

bool sh_expand(const struct sh_word *word, const struct sh_values *values, struct sh_fields *fields)
{
    return expand(word, values, fields, true);
}

bool sh_expand_one(const struct sh_word *word, const struct sh_values *values,
                   struct sh_fields *fields)
{
    return expand(word, values, fields, false);
}

void sh_fields_free(struct sh_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        free(fields->list[i]);
    free(fields->list);
    *fields = (struct sh_fields){0};
}
