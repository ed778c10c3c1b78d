/* grep [-Ecinqv] PATTERN [FILE...]: prints the lines that match a regular expression (POSIX XBD 9).
 */
#include <regex.h>
#include <stdbool.h>
#include <unistd.h>

#include "apps/program.h"

const char program_name[] = "grep";
const char program_usage[] =
    "grep [-E] [-c] [-i] [-n] [-q] [-v] PATTERN [FILE...]\n"
    "  -E extended, -c count, -i any case, -n numbers, -q only the status, -v other lines";

#define LINE_SIZE 4096 /* of a longer line the beginning counts */

static struct {
    bool count, number, quiet, invert, names;
} options;

/* A line without its newline; its rest, if it is too long, is skipped. False at the end. */
static bool get_line(FILE *file, char line[LINE_SIZE])
{
    size_t length = 0;
    int byte;
    while ((byte = getc(file)) != EOF && byte != '\n')
        if (length < LINE_SIZE - 1)
            line[length++] = (char)byte;
    line[length] = 0;
    return byte != EOF || length;
}

/* How many lines were found; -1: said why. */
static long search(const regex_t *pattern, FILE *file, const char *name)
{
    static char line[LINE_SIZE];
    long found = 0;

    for (unsigned long n = 1; get_line(file, line); n++) {
        if ((regexec(pattern, line, 0, NULL, 0) == 0) == options.invert)
            continue;
        found++;
        if (options.quiet)
            break;
        if (options.count)
            continue;
        if (options.names)
            printf("%s:", name);
        if (options.number)
            printf("%lu:", n);
        puts(line);
    }
    if (ferror(file)) {
        failed(name);
        return -1;
    }
    if (options.count && !options.quiet)
        printf("%s%s%ld\n", options.names ? name : "", options.names ? ":" : "", found);
    return found;
}

static int search_all(const regex_t *pattern, int argc, char **argv)
{
    bool any = false, error = false;

    if (!argc) {
        long found = search(pattern, stdin, "standard input");
        return found < 0 ? USAGE_ERROR : !found;
    }
    options.names = argc > 1;
    for (int i = 0; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        if (!file)
            failed(argv[i]);
        long found = file ? search(pattern, file, argv[i]) : -1;
        if (file)
            fclose(file);
        any |= found > 0;
        error |= found < 0;
    }
    return error && !(any && options.quiet) ? USAGE_ERROR : !any;
}

int main(int argc, char **argv)
{
    int flags = REG_NOSUB, option;
    char text[128];
    regex_t pattern;

    take_help(argc, argv);
    while ((option = getopt(argc, argv, "Ecinqv")) != -1) {
        if (option == '?')
            return usage();
        flags |= option == 'E' ? REG_EXTENDED : option == 'i' ? REG_ICASE : 0;
        options.count |= option == 'c';
        options.number |= option == 'n';
        options.quiet |= option == 'q';
        options.invert |= option == 'v';
    }
    if (optind == argc)
        return usage();
    /* The empty pattern matches each line; regcomp takes none. */
    int error = regcomp(&pattern, *argv[optind] ? argv[optind] : "^", flags);
    if (error) {
        regerror(error, &pattern, text, sizeof text);
        fprintf(stderr, "grep: %s: %s\n", argv[optind], text);
        return USAGE_ERROR;
    }
    int status = search_all(&pattern, argc - optind - 1, argv + optind + 1);
    regfree(&pattern);
    return finish(status);
}
