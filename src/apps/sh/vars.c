#include <stdlib.h>
#include <string.h>

#include "shell.h"

struct variable {
    struct variable *next;
    bool exported;
    size_t name_length;
    char text[]; /* NAME=VALUE, as an environment has it */
};

static struct variable *variables;

static struct variable **find(const char *name, size_t length)
{
    struct variable **at = &variables;
    while (*at && ((*at)->name_length != length || memcmp((*at)->text, name, length) != 0))
        at = &(*at)->next;
    return at;
}

bool vars_set(const char *name, size_t length, const char *value, bool exported)
{
    struct variable **at = find(name, length), *old = *at;
    size_t size = strlen(value);
    struct variable *v = malloc(sizeof *v + length + size + 2);

    if (!v)
        return false;
    *v = (struct variable){.next = old ? old->next : NULL,
                           .exported = exported || (old && old->exported),
                           .name_length = length};
    memcpy(v->text, name, length);
    v->text[length] = '=';
    memcpy(v->text + length + 1, value, size + 1);
    *at = v;
    free(old);
    return true;
}

void vars_unset(const char *name)
{
    struct variable **at = find(name, strlen(name)), *old = *at;
    if (old) {
        *at = old->next;
        free(old);
    }
}

void vars_init(char *const *environment)
{
    for (; environment && *environment; environment++) {
        size_t length = sh_name_length(*environment, strlen(*environment));
        if (length && (*environment)[length] == '=')
            vars_set(*environment, length, *environment + length + 1, true);
    }
}

const char *vars_get(const char *name, size_t length)
{
    struct variable *v = *find(name, length);
    return v ? v->text + length + 1 : NULL;
}

/* In single quotes, whatever is in it. */
static void print_quoted(FILE *to, const char *value)
{
    putc('\'', to);
    for (; *value; value++) {
        if (*value == '\'')
            fputs("'\\''", to);
        else
            putc(*value, to);
    }
    putc('\'', to);
}

void vars_print(FILE *to)
{
    for (const struct variable *v = variables; v; v = v->next) {
        if (!v->exported)
            continue;
        fprintf(to, "export %.*s=", (int)v->name_length, v->text);
        print_quoted(to, v->text + v->name_length + 1);
        putc('\n', to);
    }
}

/* Whether one of the command's own NAME=VALUE has this variable's name. */
static bool hidden(const struct variable *v, char *const *own, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strncmp(own[i], v->text, v->name_length + 1))
            return true;
    return false;
}

char **vars_environment(char *const *own, size_t count)
{
    size_t most = count + 1, used = 0;
    for (const struct variable *v = variables; v; v = v->next)
        most += v->exported;
    char **list = malloc(most * sizeof *list);
    if (!list)
        return NULL;
    for (size_t i = 0; i < count; i++)
        list[used++] = own[i];
    for (struct variable *v = variables; v; v = v->next)
        if (v->exported && !hidden(v, own, count))
            list[used++] = v->text;
    list[used] = NULL;
    return list;
}

static size_t count_arguments(void)
{
    size_t count = 0;
    while (shell.arguments && shell.arguments[count])
        count++;
    return count;
}

static const char *variable(void *context, const char *name, size_t length)
{
    static char number[24];
    long value;

    (void)context;
    switch (length == 1 ? *name : 0) {
    case '?':
        value = shell.status;
        break;
    case '$':
        value = shell.pid;
        break;
    case '#':
        value = (long)count_arguments();
        break;
    case '!':
        if (!shell.last)
            return NULL;
        value = shell.last;
        break;
    default:
        return vars_get(name, length);
    }
    snprintf(number, sizeof number, "%ld", value);
    return number;
}

static const char *positional(void *context, size_t number)
{
    (void)context;
    if (number == 0)
        return shell.name;
    return number <= count_arguments() ? shell.arguments[number - 1] : NULL;
}

static bool assign(void *context, const char *name, size_t length, const char *value)
{
    (void)context;
    return vars_set(name, length, value, false);
}

static char *command(void *context, const char *text, size_t size)
{
    (void)context;
    return substitute(text, size);
}

static const char *file(void *context, const char *folder, size_t index)
{
    (void)context;
    return file_name(folder, index);
}

const struct sh_values vars_values = {.variable = variable,
                                      .positional = positional,
                                      .assign = assign,
                                      .command = command,
                                      .file = file};
