/*
 * execve: a new environment with the program takes over the process's number, descriptors and
 * signals; the old one ends. Until the new one runs nothing has changed for anybody.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "libos/proc/internal.h"
#include "libos/proc/session.h"
#include "libos/proc/table.h"
#include "libos/start/start.h"

int execve(const char *path, char *const argv[], char *const envp[])
{
    struct proc_options options = proc_member(path, argv, envp);
    struct proc proc;

    if (exos.boot || proc_session_need()) { /* the machine goes with its first environment */
        errno = exos.boot ? EPERM : ENOMEM;
        return -1;
    }
    options.replaces = proc_self();
    fflush(NULL);
    table_making++; /* until it runs, it isn't somebody's unfinished one */
    int64_t error = proc_spawn(&proc, &options);
    table_making--;
    if (error < 0) {
        errno = proc_errno(error);
        return -1;
    }
    table_replace(exos.env, proc.env);
    aegis_env_end(0, 0);
    for (;;)
        aegis_yield(0);
}

int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

int execvp(const char *file, char *const argv[])
{
    return execve(file, argv, environ);
}
