/*
 * Names: "/dev/..." are kinds and descriptors, all others files of the initial RAM disk, whose root
 * is the root and the working directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/fd/internal.h"

/* The kind that is opened under that name, or NULL. */
static const struct fd_kind *find_kind(const char *path)
{
    for (const struct fd_kind *const *kind = fd_kinds_begin; kind < fd_kinds_end; kind++)
        if ((*kind)->path && !strcmp((*kind)->path, path))
            return *kind;
    return NULL;
}

/* The descriptor that /dev/fd/N or /dev/stdin names, or -1. */
static int find_descriptor(const char *path)
{
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(path, names[i]))
            return i;
    if (strncmp(path, "/dev/fd/", 8) != 0)
        return -1;
    char *end;
    unsigned long fd = strtoul(path + 8, &end, 10);
    return path[8] && !*end && fd < FD_MAX ? (int)fd : -1;
}

int fd_open(const char *path, int flags, struct fd_object **object)
{
    if (!*path)
        return -ENOENT;
    if ((flags & O_ACCMODE) > O_RDWR)
        return -EINVAL;
    const struct fd_kind *kind = find_kind(path);
    if (kind)
        return flags & O_DIRECTORY ? -ENOTDIR : kind->open(flags & ~(O_CREAT | O_TRUNC), object);
    int fd = find_descriptor(path);
    if (fd >= 0) {
        *object = fd_object(fd);
        return *object ? 0 : -ENXIO;
    }
    return fd_open_file(path, flags, object);
}

int stat(const char *path, struct stat *status)
{
    int fd = find_descriptor(path);
    if (fd >= 0)
        return fstat(fd, status);
    if (find_kind(path)) {
        memset(status, 0, sizeof *status);
        status->st_mode = S_IFCHR | 0666;
        status->st_nlink = 1;
        return 0;
    }
    return (int)fd_result(*path ? fd_stat_file(path, status) : -ENOENT);
}

int lstat(const char *path, struct stat *status)
{
    return stat(path, status);
}

int access(const char *path, int mode)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return -1;
    return S_ISCHR(status.st_mode) || !(mode & W_OK) ? 0 : (int)fd_result(-EROFS);
}

/* Nothing of the archive can be changed. */
static int read_only(const char *path)
{
    struct stat status;
    return stat(path, &status) < 0 ? -1 : (int)fd_result(-EROFS);
}

int unlink(const char *path)
{
    return read_only(path);
}

int rmdir(const char *path)
{
    return read_only(path);
}

int rename(const char *from, const char *to)
{
    (void)to;
    return read_only(from);
}

int mkdir(const char *path, mode_t mode)
{
    struct stat status;
    (void)mode;
    return (int)fd_result(stat(path, &status) == 0 ? -EEXIST : -EROFS);
}

int chdir(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return -1;
    return S_ISDIR(status.st_mode) ? 0 : (int)fd_result(-ENOTDIR);
}

char *getcwd(char *path, size_t size)
{
    if (!path && !(path = malloc(size ? size : (size = 2))))
        return NULL;
    if (size < 2) {
        errno = size ? ERANGE : EINVAL;
        return NULL;
    }
    return strcpy(path, "/");
}
