/* POSIX's functions on descriptors: find the object, and let its kind do it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "libos/fd/internal.h"

/* Kinds without quick_read, and what can't be read. Caller must hold exos_hold, which ends here. */
ssize_t fd_read_slowly(struct fd_object *object, void *bytes, size_t count)
{
    ssize_t result = -EBADF;
    if (object && FD_READS(object))
        result = object->kind->read ? object->kind->read(object, bytes, count) : -EINVAL;
    return fd_finish(result);
}

ssize_t read(int fd, void *bytes, size_t count)
{
    exos_hold();
    if ((unsigned)fd >= fd_table.size)
        return fd_read_slowly(NULL, bytes, count);
    const struct fd_entry *entry = &fd_table.entries[fd];
    return entry->read(entry->object, bytes, count);
}

ssize_t fd_write_slowly(struct fd_object *object, const void *bytes, size_t count)
{
    ssize_t result = -EBADF;
    if (object && FD_WRITES(object))
        result = object->kind->write ? object->kind->write(object, bytes, count) : -EINVAL;
    return fd_finish(result);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    exos_hold();
    if ((unsigned)fd >= fd_table.size)
        return fd_write_slowly(NULL, bytes, count);
    const struct fd_entry *entry = &fd_table.entries[fd];
    return entry->write(entry->object, bytes, count);
}

/* The bytes of a vector, or -EINVAL. */
static ssize_t vector_size(const struct iovec *vector, int count)
{
    size_t total = 0;
    if (count < 1 || count > IOV_MAX)
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        if (vector[i].iov_len > (size_t)LONG_MAX - total)
            return -EINVAL;
        total += vector[i].iov_len;
    }
    return (ssize_t)total;
}

/*
 * By way of one buffer where it is small, so that what is written is written at once: pipes keep
 * such writes whole. Longer ones go piece by piece.
 */
static ssize_t write_gathered(int fd, const struct iovec *vector, int count)
{
    char bytes[PIPE_BUF];
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        memcpy(bytes + used, vector[i].iov_base, vector[i].iov_len);
        used += vector[i].iov_len;
    }
    return write(fd, bytes, used);
}

ssize_t writev(int fd, const struct iovec *vector, int count)
{
    ssize_t size = vector_size(vector, count), done = 0;
    if (size < 0)
        return fd_result(size);
    if (size <= PIPE_BUF)
        return write_gathered(fd, vector, count);
    for (int i = 0; i < count; i++) {
        ssize_t part = write(fd, vector[i].iov_base, vector[i].iov_len);
        if (part < 0)
            return done ? done : -1;
        done += part;
        if ((size_t)part < vector[i].iov_len)
            break;
    }
    return done;
}

ssize_t readv(int fd, const struct iovec *vector, int count)
{
    ssize_t size = vector_size(vector, count), done = 0;
    if (size < 0)
        return fd_result(size);
    for (int i = 0; i < count; i++) {
        if (vector[i].iov_len == 0 && i + 1 < count)
            continue;
        /* Behind the first bytes it must not wait for more. */
        struct pollfd more = {.fd = fd, .events = POLLIN};
        if (done && poll(&more, 1, 0) <= 0)
            break;
        ssize_t part = read(fd, vector[i].iov_base, vector[i].iov_len);
        if (part < 0)
            return done ? done : -1;
        done += part;
        if ((size_t)part < vector[i].iov_len)
            break;
    }
    return done;
}

off_t lseek(int fd, off_t offset, int whence)
{
    exos_hold();
    struct fd_object *object = fd_object(fd);
    off_t result = !object              ? -EBADF
                   : object->kind->seek ? object->kind->seek(object, offset, whence)
                                        : -ESPIPE;
    exos_release();
    return fd_result(result);
}

/* The offset of a file that can be sought is the same afterwards: nobody else of the process reads
 * in between. */
ssize_t pread(int fd, void *bytes, size_t count, off_t offset)
{
    exos_hold();
    struct fd_object *object = fd_object(fd);
    ssize_t result = -EBADF;
    if (object && FD_READS(object)) {
        const struct fd_kind *kind = object->kind;
        off_t at = kind->seek ? kind->seek(object, 0, SEEK_CUR) : -ESPIPE;
        result = at < 0 ? at : kind->seek(object, offset, SEEK_SET);
        if (result >= 0) {
            result = kind->read ? kind->read(object, bytes, count) : -EINVAL;
            kind->seek(object, at, SEEK_SET);
        }
    }
    exos_release();
    return fd_result(result);
}

int fstat(int fd, struct stat *status)
{
    exos_hold();
    struct fd_object *object = fd_object(fd);
    int result = object ? 0 : -EBADF;
    if (object) {
        memset(status, 0, sizeof *status);
        status->st_mode = S_IFCHR | 0666;
        status->st_nlink = 1;
        if (object->kind->status)
            result = object->kind->status(object, status);
    }
    exos_release();
    return (int)fd_result(result);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    exos_hold();
    struct fd_object *object = fd_object(fd);
    int result = !object                 ? -EBADF
                 : object->kind->control ? object->kind->control(object, request, argument)
                                         : -ENOTTY;
    exos_release();
    return (int)fd_result(result);
}

/* A terminal is what has a window's size. */
int isatty(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0;
}

int open(const char *path, int flags, ...)
{
    struct fd_object *object;
    exos_hold();
    int result = fd_open(path, flags & ~O_CLOEXEC, &object);
    if (result == 0) {
        result = fd_install(object, 0, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
        if (result < 0 && object->references == 0 && object->kind->close)
            object->kind->close(object);
    }
    exos_release();
    return (int)fd_result(result);
}
