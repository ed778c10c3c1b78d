#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "libos/proc/actions.h"
#include "libos/proc/internal.h"
#include "libos/proc/session.h"
#include "libos/proc/table.h"
#include "libos/start/error.h"
#include "libos/start/start.h"

const char *proc_file_of(const char *path)
{
    while (*path == '/' || (path[0] == '.' && path[1] == '/'))
        path++;
    return path;
}

int proc_errno(int64_t error)
{
    int64_t number = -error;

    if (number >= PROC_NO_ENTRY)
        return EAGAIN;
    if (number >= PROC_PART_ERROR)
        return (int)(number - PROC_PART_ERROR);
    if (number >= PROC_ARGUMENTS)
        return E2BIG;
    if (number >= PROC_ELF_ERROR)
        return ENOEXEC;
    if (number >= PROC_CPIO_ERROR)
        return ENOENT;
    return number == AEGIS_E_QUOTA ? EAGAIN : aegis_errno(error);
}

static int count(char *const *strings)
{
    int n = 0;

    while (strings && n <= EXOS_ARGUMENTS_MAX && strings[n])
        n++;
    return n;
}

struct proc_options proc_member(const char *path, char *const argv[], char *const envp[])
{
    static char *const none[] = {NULL};
    struct proc_options options = {.name = proc_file_of(path),
                                   .argc = count(argv),
                                   .argv = argv,
                                   .environment = envp ? envp : none,
                                   .member = true};

    if (exos.start &&
        exos.start->cap_count <= EXOS_CAPS_MAX) { /* what one may, one's children may */
        options.caps = exos.start->caps;
        options.cap_count = exos.start->cap_count;
    }

    proc_signals(&options.ignored, &options.blocked);
    return options;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    struct proc_options options = proc_member(path, argv, envp);
    struct proc proc;

    const struct exos_file_actions given = {actions ? actions->list : NULL,
                                            actions ? actions->count : 0};
    options.actions = given.count ? &given : NULL;
    if (attributes && attributes->flags & POSIX_SPAWN_SETPGROUP)
        options.group = attributes->group ? attributes->group : -1;
    options.leads = attributes && attributes->flags & POSIX_SPAWN_SETSID;
    if (attributes && attributes->flags & POSIX_SPAWN_SETSIGDEF)
        options.ignored &= ~(uint64_t)attributes->defaults;
    if (attributes && attributes->flags & POSIX_SPAWN_SETSIGMASK)
        options.blocked = attributes->mask;
    int64_t error = proc_spawn(&proc, &options);
    if (error < 0)
        return proc_errno(error);
    if (pid)
        *pid = proc.pid;
    table_hold(proc.env, false); /* waitpid frees it */
    return 0;
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    return posix_spawn(pid, file, actions, attributes, argv, envp);
}
