/*
 * The program bench: rows of the groups that a library operating system answers for, printed as
 * lines of JSON (measure.h). `bench [GROUP|GROUP/ROW...]`; without, all. As the first program of a
 * machine it takes those from the boot arguments, bench=GROUP,..., and ends the machine.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench/guest/measure.h"
#include "bench/guest/port.h"
#if !defined(__linux__)
#include "libos/start/start.h"
#endif

#define GROUPS_MAX 16

struct suite {
    const char *group;
    const struct row *rows;
};

#if defined(__linux__)
#define SUITE_EXOS(group, table)
#else
#define SUITE_EXOS SUITE
#endif

#if !defined(SUITE_DEF)
#define SUITE_DEF "bench/guest/suite.def"
#endif

#define SUITE(group, table) extern const struct row table[];
#include SUITE_DEF
#undef SUITE

static const struct suite suites[] = {
#define SUITE(group, table) {#group, table},
#include SUITE_DEF
#undef SUITE
    {NULL, NULL}};

void port_print(const char *line)
{
    fputs(line, stdout);
    fflush(stdout);
}

/* Whether a word of the command names a row: by its group, or as GROUP/ROW. */
static bool names(const char *word, const struct row *row)
{
    size_t length = strlen(row->group);
    return !strncmp(word, row->group, length) &&
           (!word[length] || (word[length] == '/' && !strcmp(word + length + 1, row->name)));
}

static bool exists(const char *word)
{
    for (const struct suite *s = suites; s->group; s++)
        for (const struct row *row = s->rows; row->name; row++)
            if (names(word, row))
                return true;
    return false;
}

static bool wanted(const struct row *row, int count, char *const *words)
{
    for (int i = 0; i < count; i++)
        if (names(words[i], row))
            return true;
    return count == 0;
}

static void run(int count, char *const *words)
{
    for (const struct suite *s = suites; s->group; s++)
        for (const struct row *row = s->rows; row->name; row++)
            if (wanted(row, count, words))
                measure_rows(row, 1);
}

/* Whether a table before this one is of the same group. */
static bool seen(const struct suite *suite)
{
    for (const struct suite *s = suites; s < suite; s++)
        if (!strcmp(s->group, suite->group))
            return true;
    return false;
}

static void print_groups(FILE *to)
{
    for (const struct suite *s = suites; s->group; s++)
        if (!seen(s))
            fprintf(to, " %s", s->group);
    fprintf(to, "\n");
}

/* A usage error unless each word names something. */
static int check(int count, char *const *groups)
{
    for (int i = 0; i < count; i++)
        if (!exists(groups[i])) {
            fprintf(stderr, "bench: there is no row or group %s; groups:", groups[i]);
            print_groups(stderr);
            return 2;
        }
    return 0;
}

#if !defined(__linux__)
/* The groups of bench=GROUP,... of the boot arguments, split in place; how many there are. */
static int boot_groups(char *text, char **groups)
{
    int count = 0;
    char *at = strstr(text, "bench=");
    if (!at)
        return 0;
    at += strlen("bench=");
    at[strcspn(at, " ")] = 0;
    for (char *rest = at; count < GROUPS_MAX && (groups[count] = strtok_r(NULL, ",", &rest));)
        count++;
    return count;
}

static int run_as_init(void)
{
    static char text[AEGIS_BOOTARGS_SIZE];
    char *groups[GROUPS_MAX + 1];

    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = aegis_info()->bootargs[i];
    int count = boot_groups(text, groups), status = check(count, groups);
    if (status == 0)
        run(count, groups);
    port_print(status == 0 ? "bench: rows done\n" : "bench: nothing measured\n");
    aegis_shutdown((uint64_t)status);
    return status;
}
#endif

int main(int argc, char **argv)
{
#if !defined(__linux__)
    if (exos.boot)
        return run_as_init();
#endif
    if (argc == 2 && !strcmp(argv[1], "--help")) {
        printf("usage: bench [GROUP|GROUP/ROW...]\n  rows as lines of JSON; groups:");
        print_groups(stdout);
        return 0;
    }
    int status = check(argc - 1, argv + 1);
    if (status == 0)
        run(argc - 1, argv + 1);
    return status;
}
