/* The table of descriptors, and dup and fcntl, which work on it alone. */
#define _GNU_SOURCE /* dup3 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/fd/internal.h"

#define FIRST_SIZE 32 /* entries before the table has to grow */

#define SLOWLY fd_read_slowly, fd_write_slowly, 0
static struct fd_entry first_entries[FIRST_SIZE] = {[0] = {&fd_null, SLOWLY},
                                                    [1] = {&fd_log, SLOWLY},
                                                    [2] = {&fd_log, SLOWLY},
                                                    [3 ... FIRST_SIZE - 1] = {NULL, SLOWLY}};
struct fd_table fd_table = {.entries = first_entries, .size = FIRST_SIZE};

EXOS_PART(40, fd_part); /* here, so that who has descriptors has it */

long fd_result(long result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

void fd_fill(struct fd_entry *entry, struct fd_object *object, int descriptor)
{
    bool reads = object && FD_READS(object) && object->kind->quick_read;
    bool writes = object && FD_WRITES(object) && object->kind->quick_write;
    *entry = (struct fd_entry){.object = object,
                               .read = reads ? object->kind->quick_read : fd_read_slowly,
                               .write = writes ? object->kind->quick_write : fd_write_slowly,
                               .descriptor = (uint64_t)descriptor};
}

long fd_finish(long result)
{
    exos_release();
    return fd_result(result);
}

struct fd_object *fd_object(int fd)
{
    return fd_at(fd);
}

int fd_grow(int fd)
{
    size_t size = fd_table.size;
    if ((size_t)fd < size)
        return 0;
    while (size <= (size_t)fd)
        size *= 2;
    struct fd_entry *old = fd_table.entries == first_entries ? NULL : fd_table.entries;
    struct fd_entry *entries = realloc(old, size * sizeof *entries);
    if (!entries)
        return -ENOMEM;
    if (!old)
        memcpy(entries, first_entries, sizeof first_entries);
    for (size_t i = fd_table.size; i < size; i++)
        fd_fill(&entries[i], NULL, 0);
    fd_table = (struct fd_table){.entries = entries, .size = (uint32_t)size};
    return 0;
}

/* Caller must hold exos_hold. */
static int install(struct fd_object *object, int least, int descriptor)
{
    if (least < 0 || least >= FD_MAX)
        return -EINVAL;
    int fd = least;
    while ((size_t)fd < fd_table.size && fd_table.entries[fd].object)
        fd++;
    if (fd == FD_MAX)
        return -EMFILE;
    int error = fd_grow(fd);
    if (error)
        return error;
    fd_fill(&fd_table.entries[fd], object, descriptor);
    object->references++;
    return fd;
}

int fd_install(struct fd_object *object, int least, int descriptor)
{
    exos_hold();
    int fd = install(object, least, descriptor);
    exos_release();
    return fd;
}

void fd_release(struct fd_object *object)
{
    if (--object->references == 0 && object->kind->close)
        object->kind->close(object);
}

int fd_wait(struct fd_object *object, const struct aegis_predicate *when, size_t count,
            uint64_t deadline)
{
    object->references++;
    exos_release();
    int64_t which = exos_wait(when, count, deadline);
    exos_hold();
    if (object->references == 1) {
        fd_release(object);
        return -EBADF;
    }
    object->references--;
    return which == -EXOS_INTERRUPTED ? -EINTR : 0;
}

/* Caller must hold exos_hold, and the object's reference is the entry's. */
static void close_entry(struct fd_entry *entry)
{
    struct fd_object *object = entry->object;
    fd_fill(entry, NULL, 0);
    fd_release(object);
}

int fd_close(int fd)
{
    if (!fd_object(fd))
        return -EBADF;
    close_entry(&fd_table.entries[fd]);
    return 0;
}

int close(int fd)
{
    exos_hold();
    int result = fd_close(fd);
    exos_release();
    return (int)fd_result(result);
}

void fd_close_all(void)
{
    for (uint32_t fd = 0; fd < fd_table.size; fd++)
        if (fd_table.entries[fd].object)
            close_entry(&fd_table.entries[fd]);
}

static int duplicate(int fd, int least, int descriptor)
{
    exos_hold();
    struct fd_object *object = fd_object(fd);
    int result = object ? install(object, least, descriptor) : -EBADF;
    exos_release();
    return (int)fd_result(result);
}

int dup(int fd)
{
    return duplicate(fd, 0, 0);
}

/* Caller must hold exos_hold. */
static int put(struct fd_object *object, int to, int descriptor)
{
    int error = to < 0 || to >= FD_MAX ? -EBADF : fd_grow(to);
    if (error)
        return error;
    object->references++; /* before the other is closed, which may be the same */
    if (fd_table.entries[to].object)
        close_entry(&fd_table.entries[to]);
    fd_fill(&fd_table.entries[to], object, descriptor);
    return to;
}

int fd_put(struct fd_object *object, int fd)
{
    int result = put(object, fd, 0);
    if (result < 0 && object->references == 0 && object->kind->close)
        object->kind->close(object);
    return result;
}

/* Caller must hold exos_hold. */
static int duplicate_at(int fd, int to, int descriptor)
{
    struct fd_object *object = fd_object(fd);
    return object ? put(object, to, descriptor) : -EBADF;
}

/* A descriptor that is duplicated on itself stays open in a program, too. */
int fd_duplicate(int fd, int to)
{
    if (fd != to)
        return duplicate_at(fd, to, 0);
    if (!fd_object(fd))
        return -EBADF;
    fd_table.entries[fd].descriptor = 0;
    return to;
}

int dup2(int fd, int to)
{
    exos_hold();
    int result = fd == to ? (fd_object(fd) ? to : -EBADF) : duplicate_at(fd, to, 0);
    exos_release();
    return (int)fd_result(result);
}

int dup3(int fd, int to, int flags)
{
    if (fd == to || (flags & ~O_CLOEXEC))
        return (int)fd_result(-EINVAL);
    exos_hold();
    int result = duplicate_at(fd, to, flags ? FD_CLOEXEC : 0);
    exos_release();
    return (int)fd_result(result);
}

#define CHANGED_BY_SETFL (O_APPEND | O_NONBLOCK)

static int control(int fd, int command, int argument)
{
    struct fd_object *object = fd_object(fd);
    if (!object)
        return -EBADF;
    switch (command) {
    case F_GETFD:
        return (int)fd_table.entries[fd].descriptor;
    case F_SETFD:
        fd_table.entries[fd].descriptor = (uint64_t)argument & FD_CLOEXEC;
        return 0;
    case F_GETFL:
        return (int)object->flags;
    case F_SETFL:
        object->flags =
            (object->flags & ~(uint32_t)CHANGED_BY_SETFL) | ((uint32_t)argument & CHANGED_BY_SETFL);
        return 0;
    case F_DUPFD:
        return install(object, argument, 0);
    case F_DUPFD_CLOEXEC:
        return install(object, argument, FD_CLOEXEC);
    default:
        return -EINVAL;
    }
}

int fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    int argument = command == F_GETFD || command == F_GETFL ? 0 : va_arg(rest, int);
    va_end(rest);
    exos_hold();
    int result = control(fd, command, argument);
    exos_release();
    return (int)fd_result(result);
}
