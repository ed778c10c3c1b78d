/* What $ and ` stand for. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arithmetic.h"
#include "expand_internal.h"
#include "lex.h"
#include "pattern.h"

#define SPECIAL "?!$#@*"

/* $@ and $*: all positional parameters, in strings of their own but for "$*". */
static bool put_all(struct expansion *e, bool joined, bool quoted)
{
    const char *value;
    for (size_t i = 1; (value = e->values->positional(e->values->context, i)); i++) {
        if (i > 1 && (joined || !e->split)) {
            if (!expansion_put(e, " ", 1, quoted))
                return false;
        } else if (i > 1 && !expansion_finish(e)) {
            return false;
        }
        if (quoted && !joined && !expansion_put(e, "", 0, true))
            return false;
        if (!expansion_put_value(e, value, quoted))
            return false;
    }
    return true;
}

/* How many bytes at text are a parameter's name. */
static size_t name_length(const char *text, size_t size)
{
    size_t length = sh_name_length(text, size);
    while (!length && size && *text >= '0' && *text <= '9' && length < size) {
        while (length < size && text[length] >= '0' && text[length] <= '9')
            length++;
    }
    return length ? length : size && *text && strchr(SPECIAL, *text) ? 1 : 0;
}

/* The value of one that isn't @ or *; NULL: not set. */
static const char *value_of(struct expansion *e, const char *name, size_t length)
{
    const struct sh_values *v = e->values;
    size_t number = 0;
    if (*name < '0' || *name > '9')
        return v->variable(v->context, name, length);
    for (size_t i = 0; i < length; i++)
        number = number < 100000 ? number * 10 + (size_t)(name[i] - '0') : number;
    return v->positional(v->context, number);
}

static bool put_parameter(struct expansion *e, const char *name, size_t length, bool quoted)
{
    if (*name == '@' || *name == '*')
        return put_all(e, *name == '*' && quoted, quoted);
    return expansion_put_value(e, value_of(e, name, length), quoted);
}

/* ${#NAME} */
static bool put_length(struct expansion *e, const char *name, size_t length)
{
    char text[24];
    const char *value = value_of(e, name, length);
    snprintf(text, sizeof text, "%zu", value ? strlen(value) : 0);
    return expansion_put_value(e, text, true);
}

/* What stands behind the sign, of which blanks separate strings as if it were a value. */
static bool put_word(struct expansion *e, const char *word, size_t size, bool quoted)
{
    e->in_braces++;
    bool good = expansion_piece(e, word, size, quoted);
    e->in_braces--;
    return good;
}

/* :? and ?: there is no value, and that is an error, with a sentence of the word's. */
static bool refuse(struct expansion *e, const char *name, size_t length, const char *word,
                   size_t size)
{
    static char error[128];
    char *why = size ? expansion_string(e, word, size, false, false) : NULL;
    if (size && !why)
        return false;
    snprintf(error, sizeof error, "%.*s: %s", (int)(length < 40 ? length : 40), name,
             why ? why : "not set");
    free(why);
    return expansion_fail(e, error);
}

/* ${NAME-word} = ? +, with a : before it if an empty value counts as none. */
static bool put_instead(struct expansion *e, const char *name, size_t length, char sign,
                        const char *word, size_t size, bool is_set, bool quoted)
{
    if (sign == '+')
        return is_set ? put_word(e, word, size, quoted) : true;
    if (is_set)
        return put_parameter(e, name, length, quoted);
    if (sign == '?')
        return refuse(e, name, length, word, size);
    if (sign == '-')
        return put_word(e, word, size, quoted);
    char *value = expansion_string(e, word, size, quoted, false);
    if (!value)
        return false;
    bool good = sh_name_length(name, length) == length && e->values->assign &&
                e->values->assign(e->values->context, name, length, value);
    good = good ? expansion_put_value(e, value, quoted) : expansion_fail(e, "can't be set so");
    free(value);
    return good;
}

/* ${NAME#pattern} ## % %%: the value without what matches at its beginning, or end. */
static bool put_trimmed(struct expansion *e, const char *value, char sign, const char *word,
                        size_t size, bool quoted)
{
    bool longest = size && *word == sign, front = sign == '#';
    size_t length = strlen(value);
    char *copy = strdup(value); /* before the pattern's own parameters */
    char *pattern = expansion_string(e, word + longest, size - longest, false, true);

    if (!pattern || !copy) {
        free(pattern);
        free(copy);
        return e->fields->error ? false : expansion_fail(e, "no memory is left");
    }
    for (size_t i = 0; i <= length; i++) {
        size_t part = longest ? length - i : i;
        if (!sh_match(pattern, front ? copy : copy + length - part, part))
            continue;
        if (!front)
            copy[length - part] = 0;
        else
            memmove(copy, copy + part, length - part + 1);
        break;
    }
    bool good = expansion_put_value(e, copy, quoted);
    free(pattern);
    free(copy);
    return good;
}

/* What stands between ${ and }. */
static bool put_braces(struct expansion *e, const char *text, size_t size, bool quoted)
{
    size_t length = name_length(text, size);
    if (size > 1 && *text == '#' && name_length(text + 1, size - 1) == size - 1 && text[1] != '@' &&
        text[1] != '*')
        return put_length(e, text + 1, size - 1);
    if (!length)
        return expansion_fail(e, "bad substitution");
    if (length == size)
        return put_parameter(e, text, length, quoted);
    bool colon = text[length] == ':' && length + 1 < size, all = *text == '@' || *text == '*';
    const char *word = text + length + colon + 1;
    size_t word_size = size - (size_t)(word - text);
    char sign = text[length + colon];
    const char *value =
        all ? e->values->positional(e->values->context, 1) : value_of(e, text, length);

    if (sign && strchr("-=?+", sign))
        return put_instead(e, text, length, sign, word, word_size, value && !(colon && !*value),
                           quoted);
    if (!colon && !all && (sign == '#' || sign == '%'))
        return put_trimmed(e, value ? value : "", sign, word, word_size, quoted);
    return expansion_fail(e, "bad substitution");
}

static bool put_sum(struct expansion *e, const char *text, size_t size)
{
    char *sum = expansion_string(e, text, size, true, false), result[24];
    int64_t value = 0;
    const char *error = NULL;

    if (!sum)
        return false;
    bool good = sh_arithmetic(sum, e->values, &value, &error);
    free(sum);
    if (!good)
        return expansion_fail(e, error);
    snprintf(result, sizeof result, "%" PRId64, value);
    return expansion_put_value(e, result, true);
}

static bool put_command(struct expansion *e, const char *text, size_t size, bool quoted)
{
    const struct sh_values *v = e->values;
    char *output = v->command ? v->command(v->context, text, size) : NULL;
    if (!output)
        return expansion_fail(e, "no output of a command");
    bool good = expansion_put_value(e, output, quoted);
    free(output);
    return good;
}

/* Between backquotes a \ keeps its meaning but before $, ` and itself. */
static bool put_backquoted(struct expansion *e, const char *text, size_t size, bool quoted)
{
    char *clean = malloc(size + 1);
    size_t length = 0;
    if (!clean)
        return expansion_fail(e, "no memory is left");
    for (size_t i = 0; i < size; i++) {
        i += text[i] == '\\' && i + 1 < size && strchr("$`\\", text[i + 1]);
        clean[length++] = text[i];
    }
    bool good = put_command(e, clean, length, quoted);
    free(clean);
    return good;
}

size_t expansion_dollar(struct expansion *e, const char *text, size_t size, bool quoted)
{
    size_t used = sh_part_length(text, size, quoted);
    size_t length = size > 1 ? name_length(text + 1, size - 1) : 0;
    bool good;

    if (!used)
        return expansion_fail(e, "it has no end"), 0;
    if (*text == '`')
        good = put_backquoted(e, text + 1, used - 2, quoted);
    else if (used > 4 && text[1] == '(' && text[2] == '(')
        good = put_sum(e, text + 3, used - 5);
    else if (used > 1 && text[1] == '(')
        good = put_command(e, text + 2, used - 3, quoted);
    else if (used > 1)
        good = put_braces(e, text + 2, used - 3, quoted);
    else if (!length)
        good = expansion_put(e, "$", 1, quoted);
    else if (sh_name_length(text + 1, length))
        good = put_parameter(e, text + 1, length, quoted), used += length;
    else /* one digit, or a sign */
        good = put_parameter(e, text + 1, 1, quoted), used += 1;
    return good ? used : 0;
}
