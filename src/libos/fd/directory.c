/* The archive's root as a directory: its names that have no "/" inside. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/cpio.h"
#include "libos/fd/internal.h"
#include "libos/start/start.h"

struct exos_directory {
    int fd;
    size_t at; /* offset of the next entry in the archive */
    struct dirent entry;
};

DIR *fdopendir(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return NULL;
    DIR *directory = S_ISDIR(status.st_mode) ? malloc(sizeof *directory) : NULL;
    if (!directory) {
        errno = S_ISDIR(status.st_mode) ? ENOMEM : ENOTDIR;
        return NULL;
    }
    *directory = (DIR){.fd = fd};
    return directory;
}

DIR *opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory && fd >= 0)
        close(fd);
    return directory;
}

struct dirent *readdir(DIR *directory)
{
    struct cpio_entry entry;
    int more;
    while ((more = cpio_next((const void *)aegis_info()->initrd, aegis_info()->initrd_size,
                             &directory->at, &entry)) == 1) {
        const char *name = fd_archive_name(entry.name);
        size_t length = strlen(name);
        uint32_t type = entry.mode & CPIO_MODE_TYPE;
        if (!length || length > NAME_MAX || strchr(name, '/'))
            continue;
        directory->entry.d_ino = (ino_t)((uint64_t)entry.data - aegis_info()->initrd + 1);
        directory->entry.d_type = type == CPIO_MODE_REGULAR ? DT_REG
                                  : type == S_IFDIR         ? DT_DIR
                                                            : DT_UNKNOWN;
        memcpy(directory->entry.d_name, name, length + 1);
        return &directory->entry;
    }
    if (more < 0)
        errno = EIO;
    return NULL;
}

void rewinddir(DIR *directory)
{
    directory->at = 0;
}

long telldir(DIR *directory)
{
    return (long)directory->at;
}

void seekdir(DIR *directory, long place)
{
    directory->at = (size_t)place;
}

int dirfd(DIR *directory)
{
    return directory->fd;
}

int closedir(DIR *directory)
{
    int fd = directory->fd;
    free(directory);
    return close(fd);
}
