/* Builtins that change what runs next, and variables. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

#define TEXT_MAX 65536 /* bytes of a line that read takes, of eval and of a file of `.` */

/* A number of least to most; -1: it is none. */
static long number_of(const char *text, long least, long most)
{
    char *end;
    long number = strtol(text, &end, 10);
    return end != text && !*end && number >= least && number <= most ? number : -1;
}

static int usage(const char *text)
{
    complain("usage: %s", text);
    return STATUS_USAGE;
}

/* break, continue */
int do_break(int argc, char **argv)
{
    long levels = argc > 1 ? number_of(argv[1], 1, 1000) : 1;

    if (argc > 2 || levels < 0)
        return usage("break [LOOPS], continue [LOOPS]");
    if (!shell.loops) {
        complain("%s: only in a loop", argv[0]);
        return 1;
    }
    shell.levels = (unsigned)levels < shell.loops ? (unsigned)levels : shell.loops;
    shell.jump = *argv[0] == 'b' ? SHELL_BREAK : SHELL_CONTINUE;
    return 0;
}

int do_return(int argc, char **argv)
{
    long status = argc > 1 ? number_of(argv[1], 0, 255) : shell.status;

    if (argc > 2 || status < 0)
        return usage("return [STATUS], 0 to 255");
    if (!shell.functions) {
        complain("return: only in a function or a file of .");
        return 1;
    }
    shell.jump = SHELL_RETURN;
    return (int)status;
}

int do_shift(int argc, char **argv)
{
    long count = argc > 1 ? number_of(argv[1], 0, SH_FIELDS_MAX) : 1;

    if (argc > 2 || count < 0)
        return usage("shift [COUNT]");
    for (long i = 0; i < count; i++)
        if (!shell.arguments[i]) {
            complain("shift: there are only %ld arguments", i);
            return 1;
        }
    shell.arguments += count;
    return 0;
}

int do_set(int argc, char **argv)
{
    struct sh_fields copy = {0};

    if (argc < 2 || strcmp(argv[1], "--") != 0)
        return usage("set -- [ARGUMENT...]");
    for (int i = 2; i < argc; i++) {
        struct sh_word word = {argv[i], strlen(argv[i]), NULL};
        if (!sh_expand_here(&word, true, false, &vars_values, &copy)) {
            complain("set: %s", copy.error);
            sh_fields_free(&copy);
            return 1;
        }
    }
    static char *const none[] = {NULL};
    sh_fields_free(&shell.set);
    shell.set = copy;
    shell.arguments = copy.count ? copy.list : none;
    return 0;
}

/* One byte of standard input; -1 at its end, or interrupted. */
static int next_byte(void)
{
    char byte;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &byte, 1)) < 0 && errno == EINTR && !shell.interrupted)
        ;
    return n == 1 ? (unsigned char)byte : -1;
}

/*
 * A line into text, without its newline; a \ joins lines and quotes a byte, unless raw. What it
 * quotes is told by a 1 in quoted. False: there is no newline.
 */
static bool read_line(char *text, char *quoted, bool raw)
{
    size_t length = 0;
    int byte;

    memset(quoted, 0, TEXT_MAX);
    while ((byte = next_byte()) >= 0 && byte != '\n') {
        bool takes = !raw && byte == '\\';
        if (takes && ((byte = next_byte()) < 0 || byte == '\n'))
            continue;
        if (!byte || length == TEXT_MAX - 1)
            continue;
        quoted[length] = takes;
        text[length++] = (char)byte;
    }
    text[length] = 0;
    return byte == '\n';
}

static bool is_blank(const char *text, const char *quoted, size_t i)
{
    return !quoted[i] && (text[i] == ' ' || text[i] == '\t');
}

/* The words of a line to the variables; the last has the rest. */
static int set_words(int count, char **names, char *text, const char *quoted)
{
    size_t at = 0, end = strlen(text);
    while (end && is_blank(text, quoted, end - 1))
        end--;
    text[end] = 0;
    for (int i = 0; i < count; i++) {
        while (text[at] && is_blank(text, quoted, at))
            at++;
        size_t from = at;
        while (text[at] && (i + 1 == count || !is_blank(text, quoted, at)))
            at++;
        char after = text[at];
        text[at] = 0;
        if (!vars_set(names[i], strlen(names[i]), text + from, false)) {
            complain("read: %s", strerror(ENOMEM));
            return 1;
        }
        at += after != 0;
    }
    return 0;
}

int do_read(int argc, char **argv)
{
    static char text[TEXT_MAX], quoted[TEXT_MAX];
    bool raw = argc > 1 && !strcmp(argv[1], "-r");
    int first = raw ? 2 : 1;

    for (int i = first; i < argc; i++)
        if (!*argv[i] || sh_name_length(argv[i], strlen(argv[i])) != strlen(argv[i]))
            first = argc;
    if (first >= argc)
        return usage("read [-r] NAME...");
    bool whole = read_line(text, quoted, raw);
    return set_words(argc - first, argv + first, text, quoted) || !whole;
}

int do_eval(int argc, char **argv)
{
    static const char blank[] = " ";
    size_t size = 0;
    for (int i = 1; i < argc; i++)
        size += strlen(argv[i]) + 1;
    char *text = malloc(size + 1), *at = text;
    if (!text || size > TEXT_MAX) {
        complain("eval: %s", text ? "the text is too long" : strerror(ENOMEM));
        free(text);
        return 1;
    }
    for (int i = 1; i < argc; i++)
        at = stpcpy(stpcpy(at, argv[i]), blank);
    run_text(text, size);
    free(text);
    return shell.status;
}

/* `.`: runs a file's commands in this shell. */
int do_dot(int argc, char **argv)
{
    if (argc != 2)
        return usage(". FILE");
    char *text = malloc(TEXT_MAX);
    int fd = text ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    size_t size = 0;
    ssize_t n = -1;
    if (fd >= 0)
        while (size < TEXT_MAX && (n = read(fd, text + size, TEXT_MAX - size)) > 0)
            size += (size_t)n;
    if (fd < 0 || n != 0)
        complain("%s: %s", argv[1], n > 0 ? "too long" : strerror(errno));
    if (fd >= 0)
        close(fd);
    bool good = fd >= 0 && n == 0;
    shell.status = !good;
    shell.functions++;
    if (good)
        run_text(text, size);
    shell.functions--;
    if (shell.jump == SHELL_RETURN)
        shell.jump = SHELL_GOES_ON;
    free(text);
    return shell.status;
}
