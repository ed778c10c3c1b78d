/*
 * What the programs have in common: --help, mistakes of usage (status 2), and that output
 * which could not be written is a failure (status 1).
 */
#ifndef APPS_PROGRAM_H
#define APPS_PROGRAM_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USAGE_ERROR 2

/* The program's name and how it is used, a line or several: each defines its own. */
extern const char program_name[], program_usage[];

/* If the only argument is --help: print how it is used, and end. */
static inline void take_help(int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[1], "--help") != 0)
        return;
    printf("usage: %s\n", program_usage);
    exit(fflush(stdout) ? 1 : 0);
}

/* For a mistake of usage. Returns the status. */
static inline int usage(void)
{
    fprintf(stderr, "usage: %s\n", program_usage);
    return USAGE_ERROR;
}

/* "NAME: what: sentence of errno", on stderr. Returns 1. */
static inline int failed(const char *what)
{
    int error = errno;
    fflush(stdout);
    fprintf(stderr, "%s: %s: %s\n", program_name, what, strerror(error));
    return 1;
}

/* The status to end with: 1 if what was printed did not arrive. */
static inline int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    return failed("standard output") > status ? 1 : status;
}

/* A number of low to high; -1: it is none. */
static inline long number(const char *text, long low, long high)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    return end != text && !*end && !errno && value >= low && value <= high ? value : -1;
}

#endif
