/*
 * sh: a shell after POSIX's (XCU 2), as far as ExOS has what that speaks of. Written with POSIX
 * calls alone (posix_spawn, waitpid, pipe, dup2, tcsetpgrp, and fork for subshells), so that the
 * host can run it as well, beside its own shell, as a test.
 *
 * A job is a pipeline. In an interactive shell each has a process group of its own, and the
 * terminal's foreground is the job that is waited for: ^C ends that and not the shell, ^Z stops it.
 */
#ifndef SH_SHELL_H
#define SH_SHELL_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <termios.h>

#include "expand.h"

#define STATUS_USAGE     2   /* a mistake in the command's text */
#define STATUS_NO_RUN    126 /* the program is there and can't be run */
#define STATUS_NOT_FOUND 127
#define STATUS_SIGNAL    128 /* + the signal that ended it */

/* break, continue and return end commands on their way. */
enum shell_jump { SHELL_GOES_ON, SHELL_BREAK, SHELL_CONTINUE, SHELL_RETURN };

struct shell {
    const char *name;          /* $0 */
    char *const *arguments;    /* $1 ... with a NULL at the end */
    struct sh_fields set;      /* they are of this, if set was called in this function */
    int status;                /* $? */
    pid_t last;                /* $!, 0: none yet */
    pid_t pid;                 /* $$, of the shell that the user started */
    int terminal;              /* of an interactive shell: a descriptor that isn't redirected */
    bool interactive;          /* lines are edited, jobs have groups */
    bool child;                /* this is a subshell: its jobs are in its own group */
    bool leaving;              /* exit was called */
    unsigned warned;           /* commands for which a warning of stopped jobs counts */
    int substituted;           /* status of the last $( ) of this command; -1: there was none */
    unsigned loops, functions; /* that run, in one another */
    enum shell_jump jump;      /* what is left, */
    unsigned levels;           /* and how many loops of it */
    volatile sig_atomic_t interrupted; /* ^C: what runs is given up */
};
extern struct shell shell;

/* "sh: ..." on stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A word can't be expanded: say why. That ends a shell that isn't interactive (POSIX XCU 2.8.1).
 * The status. */
int complain_of_word(const char *error);

/* ---- vars.c ---- */

/* The variables begin as the environment. */
void vars_init(char *const *environment);
const char *vars_get(const char *name, size_t length);
/* Set NAME[0..length); exported stays as it is if exported is false. False: no memory. */
bool vars_set(const char *name, size_t length, const char *value, bool exported);
void vars_unset(const char *name);
/* Print those that are exported, as commands that would make them so. */
void vars_print(FILE *to);
/*
 * The environment of a command: what is exported, and before it count NAME=VALUE of its own. The
 * list is the caller's to free, its strings are not. NULL: no memory.
 */
char **vars_environment(char *const *own, size_t count);
/* For sh_expand: variables and the special parameters. */
extern const struct sh_values vars_values;

/* ---- run.c: trees ---- */

/* Run a list; shell.status is its status. */
void run_list(const struct sh_node *list);
/* Run one command in this process: a builtin, or what is compound. */
void run_command(const struct sh_node *command);
/* Whether a command has to run in this process: it is compound, or a builtin, or no program at all.
 */
bool run_is_own(const struct sh_node *command);
/* Parse and run text; the status is that of its last command, or STATUS_USAGE. */
void run_text(const char *text, size_t size);
/* In a new process made by fork: run a command to its end. */
_Noreturn void run_child(const struct sh_node *command);

/* ---- functions.c ---- */

#define RUN_ARENA_LEAST 4096      /* bytes of memory for a tree, */
#define RUN_ARENA_EACH  128       /* and for each byte of text, */
#define RUN_ARENA_MOST  (1 << 20) /* but no more */

/* Parse text into an arena whose memory is the caller's to free. False with *error. */
bool run_parse(const char *text, size_t size, struct sh_arena *arena, struct sh_node **tree,
               const char **error);
/* A status. */
int functions_define(const struct sh_node *node);
int functions_call(char *const *argv);
bool functions_exist(const char *name);
void functions_unset(const char *name);

/* ---- substitute.c ---- */

/* What commands print: the caller's to free. NULL: said why. Sets
 * shell.substituted. */
char *substitute(const char *text, size_t size);

/* ---- redirect.c ---- */

#define REDIRECT_MAX 16
struct redirected {
    int count;
    struct {
        int fd, saved; /* saved is -1: it was closed */
    } undo[REDIRECT_MAX];
};

/* Open what a redirection names, to be closed by the caller unless it is a duplicate; -1: said why.
 */
int redirect_open(const struct sh_redirect *redirect, bool *close_it);
/* Do them in this process, and undo that. False: said why, and nothing is changed. */
bool redirect_begin(const struct sh_redirect *redirects, struct redirected *state);
void redirect_end(struct redirected *state);

/* ---- jobs.c ---- */

#define JOBS_MAX      32
#define PROCESSES_MAX 64 /* of a job */

struct process {
    pid_t pid;   /* 0: it could not be started */
    int status;  /* -1: it runs, or has stopped */
    int stopped; /* by this signal; 0: it hasn't */
};

struct job {
    int number;  /* %1 ...; 0: free */
    pid_t group; /* 0: that of the shell */
    size_t count;
    struct process processes[PROCESSES_MAX];
    char text[80];
    bool background;
    bool news;      /* it has stopped or gone on, and the user wasn't told */
    bool has_modes; /* the terminal's, when it stopped */
    struct termios modes;
};

/* A new one without processes, or NULL: said why. */
struct job *job_new(const struct sh_node *node);
void job_add(struct job *job, pid_t pid, int status);
/* Wait for a job in the foreground until it ends, and forget it, or until it stops; say how if that
 * was by a signal. Its status. */
int job_wait(struct job *job);
/* Let a process, or the processes of group -target, go on that have stopped. */
void jobs_wake(pid_t target);
/* The %N, %% (the one that stopped last, or began last) or number of a process that text names, or
 * NULL. */
struct job *job_named(const char *text);
struct job *job_of(pid_t pid);
bool job_runs(const struct job *job);  /* some of it */
bool job_lives(const struct job *job); /* runs, or has stopped */
int job_status(const struct job *job);
/* Learn which processes have ended, stopped or gone on; wait: for one at least. False: there are
 * none. */
bool jobs_reap(bool wait);
/* Print the jobs; those that have ended are forgotten. only_news: of those, and of others that have
 * stopped since they were told last. */
void jobs_print(FILE *to, bool only_news);
/* A job in the background that runs, or NULL; those that have ended are forgotten. */
struct job *jobs_running(void);
/* Whether the shell may be left: jobs that have stopped are named once before. */
bool jobs_allow_exit(void);
/* The shell has become interactive: the terminal's modes now are those that it restores. */
void jobs_begin(void);
/* Make a group the terminal's foreground, if there is a terminal. */
void jobs_foreground(pid_t group);
/* In a subshell: they are the parent's. */
void jobs_forget(void);

/* ---- pipeline.c ---- */

/* What a process of a pipeline gets: -1 is the shell's own. */
struct ends {
    int in, out, other; /* other: the reader of out, for the next one; nobody else's */
};

/* In a child made by fork: become what the command's surroundings are to be. group: as setpgid's,
 * of an interactive shell, -1: the shell's own; front: that is the terminal's foreground. */
void pipeline_become_child(const struct ends *ends, pid_t group, bool front);
/* Run a pipeline; sets shell.status. */
void pipeline_run(const struct sh_node *pipeline, bool background);
/* Run a program in the foreground whose words are expanded already, and whose redirections are
 * this process's own; its status. */
int pipeline_run_words(const struct sh_node *command, const struct sh_fields *words);
/* Run any tree in the background, in a subshell. */
void pipeline_background(const struct sh_node *node);

/* ---- builtins.c ---- */

typedef int builtin(int argc, char **argv); /* returns its status */
/* The builtin of that name, or NULL. */
builtin *builtin_find(const char *name);
/* The index-th name, or NULL. */
const char *builtin_name(size_t index);

/* test.c, builtins_more.c: those that don't fit builtins.c. */
builtin do_test, do_break, do_return, do_shift, do_read, do_eval, do_dot, do_set;

/* ---- names.c: programs, signals ---- */

/* Whether a program of that name can be found. */
bool program_exists(const char *name);
/* The index-th program, or NULL: for completion. */
const char *program_name(size_t index);
/* The index-th name of a folder, or NULL; the list is read anew at 0. */
const char *file_name(const char *folder, size_t index);

/* ---- input.c: where commands come from ---- */

struct input {
    int fd;           /* -1: text */
    const char *text; /* of sh -c */
    bool edited;      /* a terminal, with the line editor */
};

/* Read and run all commands of an input. */
void input_run(struct input *input);
/* The history's lines, oldest first, or NULL. */
const char *input_history(size_t index);

#endif
