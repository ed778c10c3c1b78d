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

static void print_help(const struct command *command, const struct option_row *rows)
{
    printf("usage: aegisctl %s%s%s [options]\n\n%s\n\noptions:\n", command->name,
           command->arguments[0] ? " " : "", command->arguments, command->summary);
    for (const struct option_row *row = rows; row->name != NULL; row++) {
        char left[64];

        snprintf(left, sizeof left, "--%s%s%s", row->name, row->argument ? " " : "",
                 row->argument ? row->argument : "");
        printf("  %-26s %s\n", left, row->help);
    }
    printf("  %-26s %s\n", "--help", "print this and exit");
}

static const struct option_row *find(const struct option_row *rows, const char *name, size_t length)
{
    for (; rows->name != NULL; rows++) {
        if (strncmp(rows->name, name, length) == 0 && rows->name[length] == 0) {
            return rows;
        }
    }
    return NULL;
}

/* Store one option's value. Returns -1, or 2 after a mistake was named. */
static int store(const struct command *command, const struct option_row *row, const char *value)
{
    struct option_list *list;
    char *end;
    long number;

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
            return usage_error(command, "--%s is given more than %d times", row->name,
                               OPTION_LIST_MAX);
        }
        list->values[list->count++] = value;
        return -1;
    case OPTION_NUMBER:
        errno = 0;
        number = strtol(value, &end, 10);
        if (*value == 0 || *end != 0 || errno != 0 || number < row->low || number > row->high) {
            return usage_error(command, "--%s is \"%s\", not a number from %ld to %ld", row->name,
                               value, row->low, row->high);
        }
        *(long *)row->to = number;
        return -1;
    }
    return -1;
}

/* One "--name", "--name=value" or "--name value"; *i moves over the value. */
static int parse_option(const struct command *command, const struct option_row *rows, int argc,
                        char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option_row *row = find(rows, name, length);

    if (row == NULL) {
        return usage_error(command, "unknown option --%.*s", (int)length, name);
    }
    if (row->kind == OPTION_FLAG) {
        return equals != NULL ? usage_error(command, "--%s takes no value", row->name)
                              : store(command, row, NULL);
    }
    if (equals != NULL) {
        return store(command, row, equals + 1);
    }
    if (*i + 1 >= argc) {
        return usage_error(command, "--%s needs a value: %s", row->name, row->argument);
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
        } else if (options && strncmp(argv[i], "--", 2) == 0) {
            status = parse_option(command, rows, argc, argv, &i);
        } else if (options && argv[i][0] == '-' && argv[i][1] != 0) {
            status = usage_error(command, "unknown option %s", argv[i]);
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
