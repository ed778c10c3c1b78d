/*
 * execve: a new environment with the program takes over the process's number, descriptors and
 * signals; the old one ends. Until the new one runs nothing has changed for anybody.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
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

/* The arguments up to NULL, as a vector; behind them, if `environment` is given, stands that. */
static int exec_list(const char *path, const char *first, va_list list, bool environment)
{
    size_t count = 1;
    va_list counted;

    va_copy(counted, list);
    for (const char *word = first; word; word = va_arg(counted, const char *))
        count++;
    va_end(counted);
    char **argv = malloc(count * sizeof *argv);
    if (!argv)
        return -1;
    argv[0] = (char *)(uintptr_t)first;
    for (size_t i = 1; i < count; i++)
        argv[i] = va_arg(list, char *);
    int result = execve(path, argv, environment ? va_arg(list, char *const *) : environ);
    free(argv);
    return result;
}

#define EXEC_LIST(with_environment)                                                                \
    va_list list;                                                                                  \
    va_start(list, first);                                                                         \
    int result = exec_list(path, first, list, with_environment);                                   \
    va_end(list);                                                                                  \
    return result

int execl(const char *path, const char *first, ...)
{
    EXEC_LIST(false);
}

int execlp(const char *path, const char *first, ...)
{
    EXEC_LIST(false);
}

int execle(const char *path, const char *first, ...)
{
    EXEC_LIST(true);
}

int execvp(const char *file, char *const argv[])
{
    return execve(file, argv, environ);
}
