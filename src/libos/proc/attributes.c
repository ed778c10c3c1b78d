/* What posix_spawn takes beside the program: attributes, and actions on descriptors. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>

#include "libos/proc/actions.h"

#define FLAGS                                                                                      \
    (POSIX_SPAWN_RESETIDS | POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |                        \
     POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID)

int posix_spawnattr_init(posix_spawnattr_t *attributes)
{
    *attributes = (posix_spawnattr_t){0};
    return 0;
}

int posix_spawnattr_destroy(posix_spawnattr_t *attributes)
{
    return posix_spawnattr_init(attributes);
}

int posix_spawnattr_getflags(const posix_spawnattr_t *attributes, short *flags)
{
    *flags = attributes->flags;
    return 0;
}

int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags)
{
    if (flags & ~FLAGS)
        return EINVAL;
    attributes->flags = flags;
    return 0;
}

int posix_spawnattr_getpgroup(const posix_spawnattr_t *attributes, pid_t *group)
{
    *group = attributes->group;
    return 0;
}

int posix_spawnattr_setpgroup(posix_spawnattr_t *attributes, pid_t group)
{
    if (group < 0)
        return EINVAL;
    attributes->group = group;
    return 0;
}

int posix_spawnattr_getsigdefault(const posix_spawnattr_t *attributes, sigset_t *set)
{
    *set = attributes->defaults;
    return 0;
}

int posix_spawnattr_setsigdefault(posix_spawnattr_t *attributes, const sigset_t *set)
{
    attributes->defaults = *set;
    return 0;
}

int posix_spawnattr_getsigmask(const posix_spawnattr_t *attributes, sigset_t *set)
{
    *set = attributes->mask;
    return 0;
}

int posix_spawnattr_setsigmask(posix_spawnattr_t *attributes, const sigset_t *set)
{
    attributes->mask = *set;
    return 0;
}

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
{
    *actions = (posix_spawn_file_actions_t){0};
    return 0;
}

int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
    for (size_t i = 0; i < actions->count; i++)
        free((char *)(uintptr_t)actions->list[i].path);
    free(actions->list);
    return posix_spawn_file_actions_init(actions);
}

static int add(posix_spawn_file_actions_t *actions, const struct exos_file_action *action)
{
    if (action->fd < 0 || action->to < 0)
        return EBADF;
    if (actions->count == actions->room) {
        size_t room = actions->room ? 2 * actions->room : 4;
        void *list = realloc(actions->list, room * sizeof *actions->list);
        if (!list)
            return ENOMEM;
        actions->list = list;
        actions->room = room;
    }
    actions->list[actions->count++] = *action;
    return 0;
}

/* No file is made: mode has nothing to say. */
int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int fd, const char *path,
                                     int flags, mode_t mode)
{
    (void)mode;
    char *copy = strdup(path);
    int error =
        copy ? add(actions, &(struct exos_file_action){EXOS_ACTION_OPEN, fd, flags, copy}) : ENOMEM;

    if (error)
        free(copy);
    return error;
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to)
{
    return add(actions, &(struct exos_file_action){EXOS_ACTION_DUP2, fd, to, NULL});
}

int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *actions, int fd)
{
    return add(actions, &(struct exos_file_action){EXOS_ACTION_CLOSE, fd, 0, NULL});
}

int posix_spawn_file_actions_addtcsetpgrp_np(posix_spawn_file_actions_t *actions, int fd)
{
    return add(actions, &(struct exos_file_action){EXOS_ACTION_FOREGROUND, fd, 0, NULL});
}
