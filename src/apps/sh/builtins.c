/* What the shell does itself. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"
#include "signals.h"

/* A number of 0 to most; -1: it is none. */
static long number_of(const char *text, long most)
{
    char *end;
    long number = strtol(text, &end, 10);
    return end != text && !*end && number >= 0 && number <= most ? number : -1;
}

static int usage(const char *text)
{
    complain("usage: %s", text);
    return STATUS_USAGE;
}

static int do_nothing(int argc, char **argv)
{
    (void)argc;
    return strcmp(argv[0], "false") == 0;
}

static int do_cd(int argc, char **argv)
{
    (void)argc, (void)argv;
    complain("cd: there are no directories; all files have plain names");
    return 1;
}

static int do_exit(int argc, char **argv)
{
    long status = argc > 1 ? number_of(argv[1], 255) : shell.status;
    if (argc > 2 || status < 0)
        return usage("exit [STATUS], 0 to 255");
    if (!jobs_allow_exit())
        return 1;
    shell.leaving = true;
    return (int)status;
}

static int do_export(int argc, char **argv)
{
    int status = 0;

    if (argc == 1)
        vars_print(stdout);
    for (int i = 1; i < argc; i++) {
        size_t length = sh_name_length(argv[i], strlen(argv[i]));
        const char *value = NULL;
        if (length && argv[i][length] == '=')
            value = argv[i] + length + 1;
        else if (length && !argv[i][length])
            value = vars_get(argv[i], length) ? vars_get(argv[i], length) : "";
        if (!value || !vars_set(argv[i], length, value, true)) {
            complain("export: %s: no name", argv[i]);
            status = 1;
        }
    }
    return status;
}

static int do_unset(int argc, char **argv)
{
    bool functions = argc > 1 && !strcmp(argv[1], "-f");
    for (int i = 1 + functions; i < argc; i++) {
        if (functions)
            functions_unset(argv[i]);
        else
            vars_unset(argv[i]);
    }
    return 0;
}

static int do_jobs(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return usage("jobs");
    jobs_print(stdout, false);
    return 0;
}

static int wait_for_all(void)
{
    while (jobs_running() && !shell.interrupted)
        jobs_reap(true);
    return shell.interrupted ? STATUS_SIGNAL + SIGINT : 0;
}

static int do_wait(int argc, char **argv)
{
    int status = 0;

    if (argc == 1)
        return wait_for_all();
    for (int i = 1; i < argc && !shell.interrupted; i++) {
        struct job *job = job_named(argv[i]);
        status = STATUS_NOT_FOUND;
        if (!job) {
            complain("wait: %s: no such job", argv[i]);
            continue;
        }
        while (job_runs(job) && !shell.interrupted && jobs_reap(true))
            ;
        if (shell.interrupted)
            return STATUS_SIGNAL + SIGINT;
        status = job_status(job);
        if (!job_lives(job))
            job->number = 0;
    }
    return status;
}

/* The job that fg or bg is for; NULL: said why, with *status. */
static struct job *chosen(int argc, char **argv, int *status)
{
    struct job *job = argc <= 2 ? job_named(argc > 1 ? argv[1] : "%%") : NULL;

    if (argc > 2)
        *status = usage(strcmp(argv[0], "fg") ? "bg [%JOB]" : "fg [%JOB]");
    else if (!job)
        complain("%s: no such job", argv[0]);
    return job;
}

static int do_fg(int argc, char **argv)
{
    int status = 1;
    struct job *job = chosen(argc, argv, &status);

    if (!job)
        return status;
    fprintf(stderr, "%s\n", job->text);
    if (job->group)
        jobs_foreground(job->group);
    if (job->has_modes)
        tcsetattr(shell.terminal, TCSADRAIN, &job->modes);
    job->has_modes = job->background = false;
    if (job->group)
        jobs_wake(-job->group);
    return job_wait(job);
}

static int do_bg(int argc, char **argv)
{
    int status = 1;
    struct job *job = chosen(argc, argv, &status);

    if (!job)
        return status;
    if (!job->group) {
        complain("bg: only the jobs of an interactive shell can be stopped");
        return 1;
    }
    fprintf(stderr, "[%d] %s &\n", job->number, job->text);
    job->background = true;
    jobs_wake(-job->group);
    return 0;
}

/* What kill's argument means: a process, or a job's group as a negative number; 0: nothing. */
static pid_t target_of(const char *text)
{
    char *end;
    long pid = strtol(text, &end, 10);

    if (*text != '%')
        return end != text && !*end ? (pid_t)pid : 0;
    const struct job *job = job_named(text);
    if (!job || !job->count)
        return 0;
    return job->group ? -job->group : job->processes[job->count - 1].pid;
}

static int do_kill(int argc, char **argv)
{
    int signal = SIGTERM, first = 1, status = 0;

    if (argc > 1 && !strcmp(argv[1], "-l")) {
        for (int i = 1; i < 32; i++)
            if (signals_name(i))
                printf("%2d %s\n", i, signals_name(i));
        return 0;
    }
    if (argc > 1 && argv[1][0] == '-' && argv[1][1]) {
        signal = signals_number(argv[1] + 1);
        first = 2;
    }
    if (signal < 0 || first >= argc)
        return usage("kill [-SIGNAL] PROCESS|%JOB..., or kill -l");
    for (int i = first; i < argc; i++) {
        pid_t target = target_of(argv[i]);
        if (!target || kill(target, signal) != 0) {
            complain("kill: %s: %s", argv[i], target ? strerror(errno) : "no such process or job");
            status = 1;
        } else if (signal == SIGTERM || signal == SIGHUP || signal == SIGCONT) {
            jobs_wake(target); /* one that has stopped would not see to it */
        }
    }
    return status;
}

static int do_type(int argc, char **argv)
{
    int status = 0;
    if (argc < 2)
        return usage("type NAME...");
    for (int i = 1; i < argc; i++) {
        bool function = functions_exist(argv[i]), own = builtin_find(argv[i]);
        bool found = function || own || program_exists(argv[i]);
        if (found)
            printf("%s is a %s\n", argv[i],
                   function ? "function"
                   : own    ? "builtin of the shell"
                            : "program");
        else
            complain("type: %s: not found", argv[i]);
        status |= !found;
    }
    return status;
}

static int do_history(int argc, char **argv)
{
    const char *line;
    (void)argv;
    if (argc > 1)
        return usage("history");
    for (size_t i = 0; (line = input_history(i)); i++)
        printf("%5zu  %s\n", i + 1, line);
    return 0;
}

static int do_help(int argc, char **argv);

static const struct {
    const char *name;
    builtin *run;
    const char *help;
} builtins[] = {
    {":", do_nothing, "does nothing, with status 0"},
    {"true", do_nothing, "the same"},
    {"false", do_nothing, "does nothing, with status 1"},
    {"cd", do_cd, "fails: there are no directories"},
    {"exit", do_exit, "exit [STATUS]: ends the shell"},
    {"export", do_export, "export [NAME[=VALUE]...]: gives variables to programs"},
    {"unset", do_unset, "unset [-f] NAME...: forgets variables, or functions"},
    {"set", do_set, "set -- [ARGUMENT...]: makes them $1 and so on"},
    {"shift", do_shift, "shift [COUNT]: forgets $1 and so on, the next is $1"},
    {"read", do_read, "read [-r] NAME...: a line's words to variables"},
    {"test", do_test, "test WORDS, or [ WORDS ]: =, -eq, -lt, -n, -z, -e, -f, !, -a, -o, ( )"},
    {"[", do_test, "the same"},
    {"eval", do_eval, "eval WORD...: runs them as a command"},
    {".", do_dot, ". FILE: runs its commands in this shell"},
    {"break", do_break, "break [LOOPS]: leaves a loop"},
    {"continue", do_break, "continue [LOOPS]: begins its next round"},
    {"return", do_return, "return [STATUS]: leaves a function"},
    {"jobs", do_jobs, "lists what runs in the background, or has stopped"},
    {"wait", do_wait, "wait [%JOB|PROCESS...]: waits for its end"},
    {"fg", do_fg, "fg [%JOB]: brings it to the foreground, so that ^C ends it and ^Z stops it"},
    {"bg", do_bg, "bg [%JOB]: lets one that has stopped go on in the background"},
    {"kill", do_kill, "kill [-SIGNAL] PROCESS|%JOB...: sends a signal"},
    {"type", do_type, "type NAME...: tells what a command is"},
    {"history", do_history, "lists the lines that were typed"},
    {"help", do_help, "prints this"},
};
#define BUILTINS (sizeof builtins / sizeof *builtins)

static int do_help(int argc, char **argv)
{
    const char *name;
    size_t column = 0;

    (void)argc, (void)argv;
    printf("Builtins of the shell:\n");
    for (size_t i = 0; i < BUILTINS; i++)
        printf("  %-8s %s\n", builtins[i].name, builtins[i].help);
    printf("Programs, each with --help:\n ");
    for (size_t i = 0; (name = program_name(i)); i++) {
        column += strlen(name) + 1;
        if (column > 72) {
            printf("\n ");
            column = strlen(name) + 1;
        }
        printf(" %s", name);
    }
    printf(
        "\nAlso: 'quotes' \"$NAME\" ${NAME:-else} $? $! $$ $(command) $((1 + 1)), * ? [a-z],\n"
        "< > >> 2>&1 <<END, | && || ; & !, ( ) { } if while until for case, functions: f() { }.\n");
    return 0;
}

builtin *builtin_find(const char *name)
{
    for (size_t i = 0; i < BUILTINS; i++)
        if (!strcmp(builtins[i].name, name))
            return builtins[i].run;
    return NULL;
}

const char *builtin_name(size_t index)
{
    return index < BUILTINS ? builtins[index].name : NULL;
}
