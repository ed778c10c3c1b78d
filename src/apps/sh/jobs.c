#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "shell.h"
#include "signals.h"

static struct job jobs[JOBS_MAX];
static struct termios shell_modes;
static bool has_shell_modes;

void jobs_begin(void)
{
    has_shell_modes = tcgetattr(shell.terminal, &shell_modes) == 0;
}

bool job_lives(const struct job *job)
{
    for (size_t i = 0; i < job->count; i++)
        if (job->processes[i].status < 0)
            return true;
    return false;
}

bool job_runs(const struct job *job)
{
    for (size_t i = 0; i < job->count; i++)
        if (job->processes[i].status < 0 && !job->processes[i].stopped)
            return true;
    return false;
}

static bool has_stopped(const struct job *job)
{
    return job_lives(job) && !job_runs(job);
}

/* Of a job that has stopped: by which signal. */
int job_status(const struct job *job)
{
    for (size_t i = 0; has_stopped(job) && i < job->count; i++)
        if (job->processes[i].status < 0)
            return STATUS_SIGNAL + job->processes[i].stopped;
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
    job->processes[job->count++] = (struct process){pid, pid ? -1 : status, 0};
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
        bool better =
            !found || has_stopped(&jobs[i]) > has_stopped(found) ||
            (has_stopped(&jobs[i]) == has_stopped(found) && jobs[i].number > found->number);
        if (latest ? better : end != text + 1 && !*end && jobs[i].number == number)
            found = &jobs[i];
    }
    return found;
}

/* A process has ended, stopped or gone on, with a status as waitpid gives it. */
static void note(pid_t pid, int status)
{
    struct job *job = job_of(pid);
    for (size_t i = 0; job && i < job->count; i++) {
        struct process *process = &job->processes[i];
        if (process->pid != pid)
            continue;
        process->stopped = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
        job->news = WIFSTOPPED(status);
        if (!WIFSTOPPED(status) && !WIFCONTINUED(status))
            process->status =
                WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
    }
}

bool jobs_reap(bool wait)
{
    int status, options = shell.interactive ? WUNTRACED | WCONTINUED : 0;
    pid_t pid = waitpid(-1, &status, options | (wait ? 0 : WNOHANG));

    if (pid < 0 && errno == EINTR)
        return true;
    if (pid <= 0)
        return false;
    note(pid, status);
    while ((pid = waitpid(-1, &status, options | WNOHANG)) > 0)
        note(pid, status);
    return true;
}

void jobs_foreground(pid_t group)
{
    if (shell.interactive && !shell.child)
        tcsetpgrp(shell.terminal, group);
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

/* What a job has made of the terminal is its own affair, unless it ended as it should. */
static void restore_modes(void)
{
    if (shell.interactive && !shell.child && has_shell_modes)
        tcsetattr(shell.terminal, TCSADRAIN, &shell_modes);
}

static void print(FILE *to, const struct job *job)
{
    char how[48] = "Running";
    int status = job_status(job);

    if (has_stopped(job))
        snprintf(how, sizeof how, "Stopped");
    else if (!job_lives(job) && status > STATUS_SIGNAL && signals_name(status - STATUS_SIGNAL))
        snprintf(how, sizeof how, "%s", signals_sentence(status - STATUS_SIGNAL));
    else if (!job_lives(job))
        snprintf(how, sizeof how, status ? "Exit %d" : "Done", status);
    fprintf(to, "[%d] %-10s %s\n", job->number, how, job->text);
}

/* It is left in the background, with its own modes of the terminal for when it comes back. */
static int leave_stopped(struct job *job)
{
    job->background = true;
    job->news = false;
    job->has_modes = tcgetattr(shell.terminal, &job->modes) == 0;
    restore_modes();
    fputc('\n', stderr);
    print(stderr, job);
    return job_status(job);
}

int job_wait(struct job *job)
{
    if (job->group)
        jobs_foreground(job->group);
    while (job_runs(job) && jobs_reap(true))
        ;
    jobs_foreground(getpgrp());
    if (has_stopped(job))
        return leave_stopped(job);
    int status = job_status(job);
    if (status < 0) /* nobody tells: it isn't this shell's child */
        status = STATUS_NOT_FOUND;
    else
        say_how(job);
    if (status > STATUS_SIGNAL)
        restore_modes();
    job->number = 0;
    return status;
}

void jobs_wake(pid_t target)
{
    kill(target, SIGCONT);
    for (size_t i = 0; i < JOBS_MAX; i++)
        for (size_t j = 0; jobs[i].number && j < jobs[i].count; j++)
            if (jobs[i].processes[j].pid == target || jobs[i].group == -target) {
                jobs[i].processes[j].stopped = 0;
                jobs[i].news = false;
            }
}

struct job *jobs_running(void)
{
    for (size_t i = 0; i < JOBS_MAX; i++) {
        if (!jobs[i].number || !jobs[i].background)
            continue;
        if (job_runs(&jobs[i]))
            return &jobs[i];
        if (!job_lives(&jobs[i]))
            jobs[i].number = 0;
    }
    return NULL;
}

void jobs_print(FILE *to, bool only_news)
{
    jobs_reap(false);
    for (size_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &jobs[i];
        if (!job->number || !job->background || (only_news && job_runs(job)) ||
            (only_news && has_stopped(job) && !job->news))
            continue;
        print(to, job);
        job->news = false;
        if (!job_lives(job))
            job->number = 0;
    }
}

bool jobs_allow_exit(void)
{
    bool any = false;

    for (size_t i = 0; i < JOBS_MAX; i++)
        any |= jobs[i].number && has_stopped(&jobs[i]);
    if (!any || !shell.interactive || shell.child || shell.warned)
        return true;
    complain("there are jobs that have stopped; exit again leaves them");
    shell.warned = 2;
    return false;
}

void jobs_forget(void)
{
    memset(jobs, 0, sizeof jobs);
}
