/* Pipelines: programs by posix_spawn, everything else in a process made by fork. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

/* A simple command, expanded. */
struct simple {
    struct sh_fields own; /* NAME=VALUE before the name */
    struct sh_fields words;
};

static bool expand_own(const struct sh_node *node, struct sh_fields *own)
{
    for (const struct sh_word *word = node->words; word && sh_assignment(word); word = word->next)
        if (!sh_expand_one(word, &vars_values, own)) {
            complain_of_word(own->error);
            return false;
        }
    return true;
}

static bool expand(const struct sh_node *node, struct simple *simple)
{
    const struct sh_word *word = node->words;
    *simple = (struct simple){0};
    if (!expand_own(node, &simple->own))
        return false;
    while (word && sh_assignment(word))
        word = word->next;
    for (; word; word = word->next)
        if (!sh_expand(word, &vars_values, &simple->words)) {
            complain_of_word(simple->words.error);
            return false;
        }
    return true;
}

static void release(struct simple *simple)
{
    sh_fields_free(&simple->own);
    sh_fields_free(&simple->words);
}

/*
 * The program's descriptors: the pipes, then its redirections in order. What redirect_open opened
 * is in opened, to be closed once the program has it. False: said why.
 */
static bool add_files(posix_spawn_file_actions_t *files, const struct sh_node *node,
                      const struct ends *ends, bool front, int opened[REDIRECT_MAX])
{
    bool good = true, close_it;
    size_t count = 0;

    /* Before it runs: one that read from the terminal too early would be stopped. */
    if (front)
        good &= !posix_spawn_file_actions_addtcsetpgrp_np(files, shell.terminal);
    if (ends->in >= 0)
        good &= !posix_spawn_file_actions_adddup2(files, ends->in, STDIN_FILENO);
    if (ends->out >= 0)
        good &= !posix_spawn_file_actions_adddup2(files, ends->out, STDOUT_FILENO);
    for (const struct sh_redirect *r = node->redirects; good && r; r = r->next) {
        int fd = -1;
        if (r->direction == SH_DUPLICATE && r->target.length == 1 && r->target.text[0] >= '0' &&
            r->target.text[0] <= '9') { /* of the program's, not of the shell's */
            fd = r->target.text[0] - '0';
        } else if (count < REDIRECT_MAX) {
            fd = redirect_open(r, &close_it);
            if (fd >= 0 && close_it)
                opened[count++] = fd;
        } else {
            complain("more than %d redirections", REDIRECT_MAX);
        }
        if (fd < 0)
            return false;
        good &= !posix_spawn_file_actions_adddup2(files, fd, r->fd);
    }
    if (!good)
        complain("%s", strerror(ENOMEM));
    return good;
}

static void set_attributes(posix_spawnattr_t *attributes, const struct job *job)
{
    sigset_t defaults;
    short flags = POSIX_SPAWN_SETSIGDEF;

    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGQUIT);
    sigaddset(&defaults, SIGPIPE);
    if (shell.interactive) {
        sigaddset(&defaults, SIGTSTP);
        sigaddset(&defaults, SIGTTIN);
        sigaddset(&defaults, SIGTTOU);
        posix_spawnattr_setpgroup(attributes, job->group);
        flags |= POSIX_SPAWN_SETPGROUP;
    }
    posix_spawnattr_setsigdefault(attributes, &defaults);
    posix_spawnattr_setflags(attributes, flags);
}

/* Start it by its name; a file of text runs as a script. An errno, or 0 with *pid. */
static int start(pid_t *pid, const struct simple *simple, const posix_spawn_file_actions_t *files,
                 const posix_spawnattr_t *attributes)
{
    char **environment = vars_environment(simple->own.list, simple->own.count);
    static char sh[] = "sh";
    int error;

    if (!environment)
        return ENOMEM;
    error = posix_spawnp(pid, simple->words.list[0], files, attributes, simple->words.list,
                         environment);
    if (error == ENOEXEC) {
        char **argv = calloc(simple->words.count + 2, sizeof *argv);
        if (argv) {
            argv[0] = sh;
            memcpy(argv + 1, simple->words.list, simple->words.count * sizeof *argv);
            error = posix_spawnp(pid, sh, files, attributes, argv, environment);
            free(argv);
        }
    }
    free(environment);
    return error;
}

/* Add it to the job, be it that it could not be started. */
static void spawn_simple(struct job *job, const struct simple *simple,
                         const posix_spawn_file_actions_t *files)
{
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    int status = 0;

    posix_spawnattr_init(&attributes);
    set_attributes(&attributes, job);
    int error = start(&pid, simple, files, &attributes);
    if (error) {
        pid = 0;
        status = error == ENOENT ? STATUS_NOT_FOUND : STATUS_NO_RUN;
        complain("%s: %s", simple->words.list[0], error == ENOENT ? "not found" : strerror(error));
    }
    job_add(job, pid, status);
    posix_spawnattr_destroy(&attributes);
}

static void spawn(struct job *job, const struct sh_node *node, const struct ends *ends, bool front)
{
    posix_spawn_file_actions_t files;
    struct simple simple;
    int opened[REDIRECT_MAX];

    memset(opened, -1, sizeof opened);
    posix_spawn_file_actions_init(&files);
    bool leaving = shell.leaving, good = expand(node, &simple);
    if (good && add_files(&files, node, ends, front, opened))
        spawn_simple(job, &simple, &files);
    else
        job_add(job, 0, good ? 1 : STATUS_USAGE);
    if (job->count > 1 || node->next) /* as if it were a subshell that ends */
        shell.leaving = leaving;
    for (size_t i = 0; i < REDIRECT_MAX && opened[i] >= 0; i++)
        close(opened[i]);
    posix_spawn_file_actions_destroy(&files);
    release(&simple);
}

int pipeline_run_words(const struct sh_node *command, const struct sh_fields *words)
{
    struct simple simple = {.words = *words};
    struct job *job = NULL;
    posix_spawn_file_actions_t files;
    bool good = expand_own(command, &simple.own) && (job = job_new(command));

    posix_spawn_file_actions_init(&files);
    if (shell.interactive && !shell.child)
        good = good && !posix_spawn_file_actions_addtcsetpgrp_np(&files, shell.terminal);
    if (good)
        spawn_simple(job, &simple, &files);
    posix_spawn_file_actions_destroy(&files);
    sh_fields_free(&simple.own);
    return good ? job_wait(job) : 1;
}

void pipeline_become_child(const struct ends *ends, pid_t group, bool front)
{
    if (shell.interactive && group >= 0)
        setpgid(0, group);
    if (front)
        jobs_foreground(getpgrp());
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    if (shell.interactive) {
        signal(SIGTSTP, SIG_DFL);
        signal(SIGTTIN, SIG_DFL);
        signal(SIGTTOU, SIG_DFL);
    }
    if (ends->in >= 0) {
        dup2(ends->in, STDIN_FILENO);
        close(ends->in);
    }
    if (ends->out >= 0) {
        dup2(ends->out, STDOUT_FILENO);
        close(ends->out);
    }
    if (ends->other >= 0)
        close(ends->other);
    shell.interactive = false;
    shell.child = true;
    jobs_forget();
}

static void fork_for(struct job *job, const struct sh_node *node, const struct ends *ends,
                     bool front)
{
    fflush(stdout);
    fflush(stderr);
    pid_t pid = fork();
    if (pid == 0) {
        pipeline_become_child(ends, job->group, front);
        run_child(node);
    }
    if (pid < 0)
        complain("fork: %s", strerror(errno));
    else if (shell.interactive)
        setpgid(pid, job->group);
    job_add(job, pid < 0 ? 0 : pid, 1);
}

/* It runs behind the prompt: say so, and remember it as $!. */
static void leave(struct job *job)
{
    job->background = true;
    shell.last = job->processes[job->count - 1].pid;
    if (shell.interactive)
        fprintf(stderr, "[%d] %ld\n", job->number, (long)shell.last);
    shell.status = 0;
}

/* Start all commands of a pipeline. False: no pipe; what has begun reads to its end and writes to
 * nobody. */
static bool start_all(struct job *job, const struct sh_node *pipeline, bool background)
{
    int before = -1, both[2];
    bool front = !background && shell.interactive && !shell.child;

    for (const struct sh_node *command = pipeline->first; command; command = command->next) {
        struct ends ends = {before, -1, -1};
        if (job->count == PROCESSES_MAX || (command->next && pipe2(both, O_CLOEXEC) != 0)) {
            complain("a pipeline of more than %zu commands: %s", job->count,
                     job->count == PROCESSES_MAX ? "that is the limit" : strerror(errno));
            if (before >= 0)
                close(before);
            return false;
        }
        if (command->next) {
            ends.out = both[1];
            ends.other = both[0];
        }
        if (run_is_own(command))
            fork_for(job, command, &ends, front && !job->group);
        else
            spawn(job, command, &ends, front && !job->group);
        if (before >= 0)
            close(before);
        if (ends.out >= 0)
            close(ends.out);
        before = ends.other;
    }
    return true;
}

void pipeline_run(const struct sh_node *pipeline, bool background)
{
    struct job *job = job_new(pipeline);
    if (!job) {
        shell.status = 1;
        return;
    }
    bool all = start_all(job, pipeline, background);
    if (background && all && job->processes[job->count - 1].pid) {
        leave(job);
        return;
    }
    shell.status = job_wait(job);
    if (!all)
        shell.status = 1;
}

void pipeline_background(const struct sh_node *node)
{
    static const struct ends none = {-1, -1, -1};
    struct job *job = job_new(node);
    if (!job) {
        shell.status = 1;
        return;
    }
    fork_for(job, node, &none, false);
    if (job->processes[0].pid)
        leave(job);
    else
        shell.status = job_wait(job);
}
