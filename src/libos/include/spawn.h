/*
 * POSIX spawn.h: programs of the initial RAM disk as processes. A path is a file's name in the
 * archive; a leading "/" or "./" is skipped, and PATH isn't looked at.
 */
#ifndef EXOS_SPAWN_H
#define EXOS_SPAWN_H

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

#define POSIX_SPAWN_RESETIDS   0x01 /* there are no users: does nothing */
#define POSIX_SPAWN_SETPGROUP  0x02
#define POSIX_SPAWN_SETSIGDEF  0x10
#define POSIX_SPAWN_SETSIGMASK 0x20
#define POSIX_SPAWN_SETSID     0x80 /* as setsid, which makes a group of its own, too */

/* The list, in order (libos/proc/actions.h). */
typedef struct {
    struct exos_file_action *list;
    size_t count, room;
} posix_spawn_file_actions_t;

typedef struct {
    short flags;
    pid_t group;
    sigset_t defaults, mask;
} posix_spawnattr_t;

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]);
int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]);

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions);
int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions);
int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int fd, const char *path,
                                     int flags, mode_t mode);
int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to);
/* The new process's group becomes the foreground of the terminal that fd is, before it runs. */
int posix_spawn_file_actions_addtcsetpgrp_np(posix_spawn_file_actions_t *actions, int fd);
int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *actions, int fd);

int posix_spawnattr_init(posix_spawnattr_t *attributes);
int posix_spawnattr_destroy(posix_spawnattr_t *attributes);
int posix_spawnattr_getflags(const posix_spawnattr_t *attributes, short *flags);
int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags);
int posix_spawnattr_getpgroup(const posix_spawnattr_t *attributes, pid_t *group);
int posix_spawnattr_setpgroup(posix_spawnattr_t *attributes, pid_t group);
int posix_spawnattr_getsigdefault(const posix_spawnattr_t *attributes, sigset_t *set);
int posix_spawnattr_setsigdefault(posix_spawnattr_t *attributes, const sigset_t *set);
int posix_spawnattr_getsigmask(const posix_spawnattr_t *attributes, sigset_t *set);
int posix_spawnattr_setsigmask(posix_spawnattr_t *attributes, const sigset_t *set);

#endif
