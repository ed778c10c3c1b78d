/* /dev/null and the kernel's log. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "libos/fd/internal.h"
#include "libos/start/error.h"
#include "libos/start/start.h"

static ssize_t null_read(struct fd_object *object, void *bytes, size_t count)
{
    (void)object, (void)bytes, (void)count;
    return 0;
}

static ssize_t null_write(struct fd_object *object, const void *bytes, size_t count)
{
    (void)object, (void)bytes;
    return (ssize_t)count;
}

static int null_open(int flags, struct fd_object **object);

/* Objects without state of their own: only the flags are passed. */
static int pass_nothing(struct fd_object *object, const struct exos_child *child, void *bytes,
                        size_t most)
{
    (void)object, (void)child, (void)bytes, (void)most;
    return 0;
}

static void device_close(struct fd_object *object)
{
    if (object != &fd_null && object != &fd_log)
        free(object);
}

/* A new object of a kind that has no more than flags. */
static int device_open(const struct fd_kind *kind, int flags, struct fd_object **object)
{
    struct fd_object *made = malloc(sizeof *made);
    if (!made)
        return -ENOMEM;
    *made = (struct fd_object){.kind = kind, .flags = (uint32_t)flags};
    *object = made;
    return 0;
}

static int null_take(const void *bytes, size_t count, uint32_t flags, struct fd_object **object)
{
    (void)bytes, (void)count;
    return device_open(&fd_null_kind, (int)flags, object);
}

const struct fd_kind fd_null_kind = {.tag = FD_TAG('n', 'u', 'l', 'l'),
                                     .path = "/dev/null",
                                     .open = null_open,
                                     .read = null_read,
                                     .write = null_write,
                                     .close = device_close,
                                     .pass = pass_nothing,
                                     .take = null_take};
FD_KIND(fd_null_kind);
struct fd_object fd_null = {.kind = &fd_null_kind, .references = 1, .flags = O_RDWR};

static int null_open(int flags, struct fd_object **object)
{
    return device_open(&fd_null_kind, flags, object);
}

#define LOG_LINES 7 /* whose ends log knows for such in one call */

/* How much of a text goes into one call: whole lines, unless not even one fits. */
static size_t log_part(const char *text, size_t count)
{
    size_t end = 0, lines = 0;

    count = count < AEGIS_LOG_MAX ? count : AEGIS_LOG_MAX;
    while (end < count && lines < LOG_LINES) {
        const char *newline = memchr(text + end, '\n', count - end);
        if (!newline)
            return end ? end : count;
        end = (size_t)(newline - text) + 1;
        lines++;
    }
    return end;
}

/*
 * By way of the stack, in pieces that the kernel takes: the caller's bytes may lie in a page that
 * is not there yet, for which the kernel has no patience.
 */
static ssize_t log_write(struct fd_object *object, const void *bytes, size_t count)
{
    char piece[AEGIS_LOG_MAX];
    size_t done = 0;
    (void)object;
    while (done < count) {
        size_t part = log_part((const char *)bytes + done, count - done);
        memcpy(piece, (const char *)bytes + done, part);
        int64_t status = aegis_log(piece, part);
        if (status < 0)
            return done ? (ssize_t)done : -aegis_errno(status);
        done += part;
    }
    return (ssize_t)done;
}

static int log_open(int flags, struct fd_object **object)
{
    return device_open(&fd_log_kind, flags, object);
}

static int log_take(const void *bytes, size_t count, uint32_t flags, struct fd_object **object)
{
    (void)bytes, (void)count;
    return device_open(&fd_log_kind, (int)flags, object);
}

const struct fd_kind fd_log_kind = {.tag = FD_TAG('l', 'o', 'g', ' '),
                                    .path = "/dev/log",
                                    .open = log_open,
                                    .read = null_read,
                                    .write = log_write,
                                    .close = device_close,
                                    .pass = pass_nothing,
                                    .take = log_take};
FD_KIND(fd_log_kind);
struct fd_object fd_log = {.kind = &fd_log_kind, .references = 2, .flags = O_WRONLY};
