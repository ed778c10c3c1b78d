#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int usage_error(const struct command *command, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "aegisctl: %s: ", command->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "; see aegisctl %s --help\n", command->name);
    return 2;
}

static const char *dashes(const struct option_row *row)
{
    return row->name[1] == 0 ? "-" : "--";
}

static void print_help(const struct command *command, const struct option_row *rows)
{
    printf("usage: aegisctl %s%s%s [options]\n\n%s\n\noptions:\n", command->name,
           command->arguments[0] ? " " : "", command->arguments, command->summary);
    for (const struct option_row *row = rows; row->name != NULL; row++) {
        char left[64];

        snprintf(left, sizeof left, "%s%s%s%s", dashes(row), row->name, row->argument ? " " : "",
                 row->argument ? row->argument : "");
        printf("  %-26s %s\n", left, row->help);
    }
    printf("  %-26s %s\n", "--help", "print this and exit");
}

/* The row of an option that is written with so many dashes. */
static const struct option_row *find(const struct option_row *rows, int dash_count,
                                     const char *name, size_t length)
{
    for (; rows->name != NULL; rows++) {
        if (strncmp(rows->name, name, length) == 0 && rows->name[length] == 0 &&
            (length == 1) == (dash_count == 1)) {
            return rows;
        }
    }
    return NULL;
}

static int store_number(const struct command *command, const struct option_row *row,
                        const char *value)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(value, &end, 10);
    if (*value == 0 || *end != 0 || errno != 0 || number < row->low || number > row->high) {
        return usage_error(command, "%s%s is \"%s\", not a number from %ld to %ld", dashes(row),
                           row->name, value, row->low, row->high);
    }
    *(long *)row->to = number;
    return -1;
}

/* Store one option's value. Returns -1, or 2 after a mistake was named. */
static int store(const struct command *command, const struct option_row *row, const char *value)
{
    struct option_list *list;

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)row->to = true;
        return -1;
    case OPTION_TEXT:
        *(const char **)row->to = value;
        return -1;
    case OPTION_LIST:
        list = row->to;
        if (list->count == OPTION_LIST_MAX) {
            return usage_error(command, "%s%s is given more than %d times", dashes(row), row->name,
                               OPTION_LIST_MAX);
        }
        list->values[list->count++] = value;
        return -1;
    case OPTION_NUMBER:
        return store_number(command, row, value);
    }
    return -1;
}

/* One "--name", "--name=value", "--name value", "-n", "-nvalue" or "-n value"; *i moves over the
 * value. */
static int parse_option(const struct command *command, const struct option_row *rows, int argc,
                        char **argv, int *i)
{
    int dash_count = argv[*i][1] == '-' ? 2 : 1;
    const char *name = argv[*i] + dash_count;
    size_t length = dash_count == 2 ? strcspn(name, "=") : 1;
    const char *value = dash_count == 2 ? (name[length] == '=' ? name + length + 1 : NULL)
                                        : (name[1] != 0 ? name + 1 : NULL);
    const struct option_row *row = find(rows, dash_count, name, length);

    if (row == NULL) {
        return usage_error(command, "unknown option %.*s", dash_count + (int)length, argv[*i]);
    }
    if (row->kind == OPTION_FLAG) {
        return value != NULL ? usage_error(command, "%s%s takes no value", dashes(row), row->name)
                             : store(command, row, NULL);
    }
    if (value != NULL) {
        return store(command, row, value);
    }
    if (*i + 1 >= argc) {
        return usage_error(command, "%s%s needs a value: %s", dashes(row), row->name,
                           row->argument);
    }
    return store(command, row, argv[++*i]);
}

int options_parse(const struct command *command, const struct option_row *rows, int argc,
                  char **argv, int *count)
{
    bool options = true;

    *count = 0;
    for (int i = 1; i < argc; i++) {
        int status = -1;

        if (options && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            print_help(command, rows);
            return 0;
        }
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1] != 0) {
            status = parse_option(command, rows, argc, argv, &i);
        } else {
            argv[(*count)++] = argv[i];
        }
        if (status >= 0) {
            return status;
        }
    }
    if (*count < command->least) {
        return usage_error(command, "missing: %s", command->arguments);
    }
    if (*count > command->most) {
        return usage_error(command, "\"%s\" is too much", argv[command->most]);
    }
    return -1;
}
