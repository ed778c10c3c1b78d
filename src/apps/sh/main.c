/*
 * sh: runs commands that are typed, or those of a file, of standard input, or of an argument.
 *
 *   sh                      interactive if standard input is a terminal
 *   sh FILE [ARGUMENT...]   the file's commands
 *   sh -c TEXT [NAME [ARGUMENT...]]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

#define TERMINAL_FD 10 /* or above: what users don't redirect */

struct shell shell = {.name = "sh"};

extern char **environ;

void complain(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fputs("sh: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

int complain_of_word(const char *error)
{
    complain("%s", error);
    shell.leaving |= !shell.interactive;
    return STATUS_USAGE;
}

static void interrupt(int signal)
{
    (void)signal;
    shell.interrupted = 1;
}

/* The shell leads a group of its own, which the terminal's ^C reaches, and outlives it. */
static void become_interactive(void)
{
    struct sigaction action = {.sa_handler = interrupt};

    shell.interactive = true;
    sigaction(SIGINT, &action, NULL);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGTSTP, SIG_IGN);
    signal(SIGTTIN, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    setpgid(0, 0);
    shell.terminal = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, TERMINAL_FD);
    tcsetpgrp(shell.terminal, getpgrp());
    jobs_begin();
}

static int usage(void)
{
    static const char text[] =
        "usage: sh [FILE [ARGUMENT...]]\n       sh -c TEXT [NAME [ARGUMENT...]]\n";
    fputs(text, stderr);
    return STATUS_USAGE;
}

static bool open_script(struct input *input, char **argv)
{
    input->fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (input->fd < 0) {
        complain("%s: %s", argv[1], strerror(errno));
        return false;
    }
    shell.name = argv[1];
    shell.arguments = argv + 2;
    return true;
}

int main(int argc, char **argv)
{
    static char *const none[] = {NULL};
    struct input input = {.fd = STDIN_FILENO};

    shell.pid = getpid();
    if (argc > 0)
        shell.name = argv[0];
    shell.arguments = none;
    vars_init(environ);
    if (argc > 1 && !strcmp(argv[1], "--help")) {
        printf("usage: sh [FILE [ARGUMENT...]]\n       sh -c TEXT [NAME [ARGUMENT...]]\n"
               "Runs commands: of a file, of TEXT, or of standard input. The builtin help lists "
               "what there is.\n");
        return 0;
    }
    if (argc > 1 && !strcmp(argv[1], "-c")) {
        if (argc < 3)
            return usage();
        input = (struct input){.fd = -1, .text = argv[2]};
        if (argc > 3) {
            shell.name = argv[3];
            shell.arguments = argv + 4;
        }
    } else if (argc > 1 && argv[1][0] == '-') {
        return usage();
    } else if (argc > 1) {
        if (!open_script(&input, argv))
            return STATUS_NOT_FOUND;
    } else if (isatty(STDIN_FILENO)) {
        input.edited = true;
        become_interactive();
    }
    input_run(&input);
    fflush(stdout);
    return shell.status;
}
