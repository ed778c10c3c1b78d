#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "shell.h"
#include "signals.h"

static struct job jobs[JOBS_MAX];

bool job_runs(const struct job *job)
{
    for (size_t i = 0; i < job->count; i++)
        if (job->processes[i].status < 0)
            return true;
    return false;
}

int job_status(const struct job *job)
{
    return job->count ? job->processes[job->count - 1].status : 0;
}

struct job *job_new(const struct sh_node *node)
{
    int number = 1;
    struct job *free = NULL;

    for (size_t i = 0; i < JOBS_MAX; i++) {
        if (!jobs[i].number && !free)
            free = &jobs[i];
        if (jobs[i].number >= number)
            number = jobs[i].number + 1;
    }
    if (!free) {
        complain("%d jobs run already", JOBS_MAX);
        return NULL;
    }
    *free = (struct job){.number = number};
    size_t length = node->length < sizeof free->text - 1 ? node->length : sizeof free->text - 1;
    memcpy(free->text, node->text, length);
    for (char *c = free->text; *c; c++)
        *c = (unsigned char)*c < ' ' ? ' ' : *c;
    return free;
}

void job_add(struct job *job, pid_t pid, int status)
{
    job->processes[job->count++] = (struct process){pid, pid ? -1 : status};
    if (pid && shell.interactive && !job->group)
        job->group = pid;
}

struct job *job_of(pid_t pid)
{
    for (size_t i = 0; i < JOBS_MAX; i++)
        for (size_t j = 0; jobs[i].number && j < jobs[i].count; j++)
            if (jobs[i].processes[j].pid == pid)
                return &jobs[i];
    return NULL;
}

struct job *job_named(const char *text)
{
    char *end;
    struct job *found = NULL;

    if (*text != '%') {
        long pid = strtol(text, &end, 10);
        return end != text && !*end && pid > 0 ? job_of((pid_t)pid) : NULL;
    }
    bool latest = !strcmp(text, "%%") || !strcmp(text, "%+") || !strcmp(text, "%");
    long number = strtol(text + 1, &end, 10);
    for (size_t i = 0; i < JOBS_MAX; i++) {
        if (!jobs[i].number)
            continue;
        if (latest ? !found || jobs[i].number > found->number
                   : end != text + 1 && !*end && jobs[i].number == number)
            found = &jobs[i];
    }
    return found;
}

/* A process has ended, with a status as waitpid gives it. */
static void note(pid_t pid, int status)
{
    struct job *job = job_of(pid);
    for (size_t i = 0; job && i < job->count; i++)
        if (job->processes[i].pid == pid)
            job->processes[i].status =
                WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

bool jobs_reap(bool wait)
{
    int status;
    pid_t pid = waitpid(-1, &status, wait ? 0 : WNOHANG);

    if (pid < 0 && errno == EINTR)
        return true;
    if (pid <= 0)
        return false;
    note(pid, status);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        note(pid, status);
    return true;
}

void jobs_foreground(pid_t group)
{
    if (shell.interactive && !shell.child)
        tcsetpgrp(STDIN_FILENO, group);
}

/* Of a job in the foreground that has ended: a line for a signal, unless it is the reader's end. */
static void say_how(const struct job *job)
{
    int signal = job_status(job) - STATUS_SIGNAL;

    if (signal == SIGINT) {
        shell.interrupted = 1;
        if (shell.interactive)
            fputc('\n', stderr);
    } else if (signal > 0 && signal != SIGPIPE && signals_name(signal)) {
        fprintf(stderr, "sh: %s: %s (SIG%s)\n", job->text, signals_sentence(signal),
                signals_name(signal));
    }
}

int job_wait(struct job *job)
{
    if (job->group)
        jobs_foreground(job->group);
    while (job_runs(job) && jobs_reap(true))
        ;
    if (job->group)
        jobs_foreground(getpgrp());
    int status = job_status(job);
    if (status < 0) /* nobody tells: it isn't this shell's child */
        status = STATUS_NOT_FOUND;
    else
        say_how(job);
    job->number = 0;
    return status;
}

struct job *jobs_next(const struct job *job)
{
    for (size_t i = job ? (size_t)(job - jobs) + 1 : 0; i < JOBS_MAX; i++)
        if (jobs[i].number && jobs[i].background)
            return &jobs[i];
    return NULL;
}

void jobs_print(FILE *to, bool only_ended)
{
    jobs_reap(false);
    for (size_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &jobs[i];
        char how[48] = "Running";
        int status = job_status(job);
        bool runs = job_runs(job);
        if (!job->number || !job->background || (only_ended && runs))
            continue;
        if (!runs && status > STATUS_SIGNAL && signals_name(status - STATUS_SIGNAL))
            snprintf(how, sizeof how, "%s", signals_sentence(status - STATUS_SIGNAL));
        else if (!runs)
            snprintf(how, sizeof how, status ? "Exit %d" : "Done", status);
        fprintf(to, "[%d] %-10s %s\n", job->number, how, job->text);
        if (!runs)
            job->number = 0;
    }
}

void jobs_forget(void)
{
    memset(jobs, 0, sizeof jobs);
}
