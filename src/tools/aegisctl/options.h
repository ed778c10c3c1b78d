/* Commands and their options as tables: parsing and --help come from the same rows. */
#ifndef AEGISCTL_OPTIONS_H
#define AEGISCTL_OPTIONS_H

#include <stdbool.h>

enum option_kind {
    OPTION_FLAG,   /* to: bool * */
    OPTION_NUMBER, /* to: long *, within [low, high] */
    OPTION_TEXT,   /* to: const char ** */
    OPTION_LIST,   /* to: struct option_list *; may be given several times */
};

#define OPTION_LIST_MAX 8
struct option_list {
    const char *values[OPTION_LIST_MAX];
    int count;
};

struct option_row {
    const char
        *name; /* without the dashes, two or, for a single letter, one; NULL ends the table */
    enum option_kind kind;
    void *to;
    const char *argument; /* what --help calls the value */
    const char *help;
    long low, high;
};

struct command {
    const char *name;
    const char *arguments; /* positional ones, for the usage line; "" if none */
    int least, most;       /* how many positional arguments */
    const char *summary;
    int (*run)(const struct command *command, int argc, char **argv); /* returns the exit status */
};

/*
 * Parse argv[1..] by the table, options and positional arguments in any order; "--" ends the
 * options. "--name VALUE", "--name=VALUE", "-n VALUE" and "-nVALUE" are the forms of an option.
 * Positional arguments are moved to argv[0..], and *count says how many. Returns -1 to go on, or
 * the status to exit with: 0 after --help was printed, 2 after a mistake was named.
 */
int options_parse(const struct command *command, const struct option_row *rows, int argc,
                  char **argv, int *count);

/* Name a mistake of usage on stderr and how to learn more. Returns 2. */
int usage_error(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
