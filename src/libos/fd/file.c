/*
 * Files of the initial RAM disk, by name and read-only. Their bytes are exposed memory, which every
 * program can see anyway: an object is a place in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "image/cpio.h"
#include "libos/fd/internal.h"
#include "libos/start/start.h"

struct file {
    struct fd_object object;
    const uint8_t *bytes; /* NULL: the root, a directory */
    uint64_t size;
    uint64_t at; /* where the next read begins; may be beyond the end */
};

static const struct fd_kind file_kind;

const char *fd_archive_name(const char *path)
{
    for (;;) {
        if (*path == '/')
            path++;
        else if (path[0] == '.' && (path[1] == '/' || path[1] == 0))
            path++;
        else
            return path;
    }
}

static ssize_t file_read(struct fd_object *object, void *bytes, size_t count)
{
    struct file *file = (struct file *)object;
    if (!file->bytes)
        return -EISDIR;
    uint64_t left = file->at < file->size ? file->size - file->at : 0;
    if (count > left)
        count = left;
    memcpy(bytes, file->bytes + file->at, count);
    file->at += count;
    return (ssize_t)count;
}

static off_t file_seek(struct fd_object *object, off_t offset, int whence)
{
    struct file *file = (struct file *)object;
    off_t base = whence == SEEK_SET   ? 0
                 : whence == SEEK_CUR ? (off_t)file->at
                 : whence == SEEK_END ? (off_t)file->size
                                      : -1,
          to;
    if (base < 0 || __builtin_add_overflow(base, offset, &to) || to < 0)
        return -EINVAL;
    file->at = (uint64_t)to;
    return to;
}

static int file_status(struct fd_object *object, struct stat *status)
{
    struct file *file = (struct file *)object;
    status->st_mode = file->bytes ? S_IFREG | 0555 : S_IFDIR | 0555;
    status->st_size = (off_t)file->size;
    status->st_ino = (ino_t)((uint64_t)file->bytes - aegis_info()->initrd + 1);
    return 0;
}

static int file_control(struct fd_object *object, unsigned long request, void *argument)
{
    struct file *file = (struct file *)object;
    if (request != FIONREAD)
        return -ENOTTY;
    *(int *)argument = file->at < file->size ? (int)(file->size - file->at) : 0;
    return 0;
}

static void file_close(struct fd_object *object)
{
    free(object);
}

static int make(const uint8_t *bytes, uint64_t size, uint64_t at, uint32_t flags,
                struct fd_object **object)
{
    struct file *file = malloc(sizeof *file);
    if (!file)
        return -ENOMEM;
    *file = (struct file){
        .object = {.kind = &file_kind, .flags = flags}, .bytes = bytes, .size = size, .at = at};
    *object = &file->object;
    return 0;
}

struct passed {
    uint64_t offset, size, at; /* offset of the bytes in the archive; UINT64_MAX: the root */
};

static int file_pass(struct fd_object *object, const struct exos_child *child, void *bytes,
                     size_t most)
{
    struct file *file = (struct file *)object;
    struct passed passed = {.offset = file->bytes ? (uint64_t)file->bytes - aegis_info()->initrd
                                                  : UINT64_MAX,
                            .size = file->size,
                            .at = file->at};
    (void)child;
    if (most < sizeof passed)
        return -E2BIG;
    memcpy(bytes, &passed, sizeof passed);
    return sizeof passed;
}

static int file_take(const void *bytes, size_t count, uint32_t flags, struct fd_object **object)
{
    struct passed passed;
    uint64_t end = aegis_info()->initrd_size;
    if (count != sizeof passed)
        return -EINVAL;
    memcpy(&passed, bytes, sizeof passed);
    if (passed.at > INT64_MAX)
        return -EINVAL;
    if (passed.offset == UINT64_MAX)
        return make(NULL, 0, 0, flags, object);
    if (passed.offset > end || passed.size > end - passed.offset)
        return -EINVAL;
    return make((const uint8_t *)aegis_info()->initrd + passed.offset, passed.size, passed.at,
                flags, object);
}

static const struct fd_kind file_kind = {.tag = FD_TAG('f', 'i', 'l', 'e'),
                                         .read = file_read,
                                         .seek = file_seek,
                                         .status = file_status,
                                         .control = file_control,
                                         .close = file_close,
                                         .pass = file_pass,
                                         .take = file_take};
FD_KIND(file_kind);

/* 0, and the file's entry; or a negated errno value. */
static int find(const char *path, struct cpio_entry *entry)
{
    int error = cpio_find((const void *)aegis_info()->initrd, aegis_info()->initrd_size,
                          fd_archive_name(path), entry);
    return error == 0 ? 0 : error == -CPIO_E_NOT_FOUND ? -ENOENT : -EIO;
}

int fd_open_file(const char *path, int flags, struct fd_object **object)
{
    struct cpio_entry entry;
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
    if (!*fd_archive_name(path))
        return writes ? -EISDIR : make(NULL, 0, 0, (uint32_t)flags, object);
    int error = find(path, &entry);
    if (error)
        return error == -ENOENT && (flags & O_CREAT) ? -EROFS : error;
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (flags & O_DIRECTORY)
        return -ENOTDIR;
    return writes ? -EROFS : make(entry.data, entry.size, 0, (uint32_t)flags, object);
}

int fd_stat_file(const char *path, struct stat *status)
{
    struct fd_object *object;
    int error = fd_open_file(path, O_RDONLY, &object);
    if (error)
        return error;
    memset(status, 0, sizeof *status);
    status->st_nlink = 1;
    file_status(object, status);
    free(object);
    return 0;
}
