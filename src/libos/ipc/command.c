/* Commands of the shell, run by other programs: system, popen, pclose. */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/upcall/hold.h"

#define SHELL "sh"

extern char **environ;

/* Start the shell with a command; fd becomes its descriptor `to`, or isn't needed if negative. An
 * errno, or 0 with *pid. */
static int start(const char *command, int fd, int to, const posix_spawnattr_t *attributes,
                 pid_t *pid)
{
    static char name[] = SHELL, option[] = "-c";
    char *const argv[] = {name, option, (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t files;
    int error = posix_spawn_file_actions_init(&files);

    if (error)
        return error;
    if (fd >= 0)
        error = posix_spawn_file_actions_adddup2(&files, fd, to);
    if (!error)
        error = posix_spawnp(pid, name, &files, attributes, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* The wait status of a child; -1 with errno. */
static int end_of(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

/* SIGINT and SIGQUIT are the command's alone meanwhile, and SIGCHLD isn't told of it. */
int system(const char *command)
{
    static const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction interrupt, quit;
    sigset_t blocked, before, defaults;
    posix_spawnattr_t attributes;
    int status = -1;
    pid_t pid;

    if (!command)
        return access(SHELL, X_OK) == 0;
    sigemptyset(&blocked);
    sigemptyset(&defaults);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    if (interrupt.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGINT);
    if (quit.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGQUIT);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setsigmask(&attributes, &before);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int error = start(command, -1, -1, &attributes, &pid);
    posix_spawnattr_destroy(&attributes);
    if (!error)
        status = end_of(pid);
    else if (error == ENOENT)
        status = 127 << 8; /* as if the shell had ended so */
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    int saved = error ? error : errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return status;
}

/* Streams of popen that were not closed yet. */
struct opened {
    struct opened *next;
    FILE *file;
    pid_t pid;
};
static struct opened *all; /* under exos_hold */

/* Start the command on its end of a pipe, and make a stream of the other. An errno. */
static int begin(struct opened *opened, const char *command, bool reads, int both[2])
{
    int ours = both[!reads], theirs = both[reads];

    opened->file = fdopen(ours, reads ? "r" : "w");
    if (!opened->file)
        return errno;
    int error = start(command, theirs, reads ? STDOUT_FILENO : STDIN_FILENO, NULL, &opened->pid);
    if (error)
        fclose(opened->file); /* and ours */
    return error;
}

FILE *popen(const char *command, const char *mode)
{
    struct opened *opened;
    int both[2];
    bool reads = *mode == 'r';

    if ((*mode != 'r' && *mode != 'w') || (mode[1] && strcmp(mode + 1, "e") != 0)) {
        errno = EINVAL;
        return NULL;
    }
    if (pipe2(both, O_CLOEXEC) != 0)
        return NULL;
    opened = calloc(1, sizeof *opened);
    int error = opened ? begin(opened, command, reads, both) : ENOMEM;
    close(both[reads]);
    if (error) {
        if (!opened || !opened->file)
            close(both[!reads]);
        free(opened);
        errno = error;
        return NULL;
    }
    exos_hold();
    opened->next = all;
    all = opened;
    exos_release();
    return opened->file;
}

int pclose(FILE *file)
{
    exos_hold();
    struct opened **at = &all;
    while (*at && (*at)->file != file)
        at = &(*at)->next;
    struct opened *opened = *at;
    if (opened)
        *at = opened->next;
    exos_release();
    if (!opened) {
        errno = ECHILD;
        return -1;
    }
    pid_t pid = opened->pid;
    free(opened);
    fclose(file);
    return end_of(pid);
}
