/*
 * Descriptors: small numbers for open objects, up to FD_MAX a process, as POSIX has them. What an
 * object is, its kind says: files of the initial RAM disk, the log, pipes, a terminal, whatever a
 * program adds.
 *
 * POSIX's functions (unistd.h, fcntl.h, sys/stat.h, sys/uio.h, poll.h, sys/select.h, dirent.h) are
 * made of these. Objects and the table are the process's own; what they share with other processes
 * is their kind's affair.
 */
#ifndef EXOS_FD_FD_H
#define EXOS_FD_FD_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "libos/proc/part.h"
#include "libos/upcall/hold.h"
#include "libos/wait/wait.h"

#define FD_MAX 4096 /* descriptors of a process */

/*
 * An open object ("open file description" in POSIX). A kind's own structure begins with it. Made by
 * the kind, with references 0; freed by the kind's close.
 */
struct fd_object {
    const struct fd_kind *kind;
    uint32_t references; /* descriptors, and threads that wait in it */
    uint32_t flags;      /* O_RDONLY, O_WRONLY or O_RDWR; O_APPEND, O_NONBLOCK */
    uint32_t first;      /* part.c's: the lowest descriptor that names it */
};

/* What a poll waits for, as it goes from object to object. */
struct fd_watch {
    struct aegis_predicate when[EXOS_WAIT_MAX];
    size_t count; /* of them */
    bool rings;   /* the doorbell is waited for */
    bool silent;  /* something doesn't ring and has no predicate here */
};

/*
 * What can be done with objects of a kind. All are called with exos_hold held; whoever waits does
 * so by fd_wait. Results are >= 0 or a negated errno value; members that are NULL give what POSIX
 * has for objects that can't (EINVAL, ESPIPE, ENOTTY).
 */
struct fd_kind {
    uint32_t tag;     /* FD_TAG: names the kind to other programs */
    const char *path; /* opened under this name ("/dev/tty"), or NULL */
    int (*open)(int flags, struct fd_object **object);

    ssize_t (*read)(struct fd_object *object, void *bytes, size_t count);
    ssize_t (*write)(struct fd_object *object, const void *bytes, size_t count);
    /* Instead of read and write, for who counts instructions: what they return is the caller's
     * result, so they let go of the hold and set errno themselves (fd_finish). */
    ssize_t (*quick_read)(struct fd_object *object, void *bytes, size_t count);
    ssize_t (*quick_write)(struct fd_object *object, const void *bytes, size_t count);
    off_t (*seek)(struct fd_object *object, off_t offset, int whence);
    int (*status)(struct fd_object *object, struct stat *status); /* *status is zeroed */
    int (*control)(struct fd_object *object, unsigned long request, void *argument); /* ioctl */
    /* POLL* that hold now, of events and POLLERR, POLLHUP, POLLNVAL; if none does, tell watch what
     * to wait for. NULL: always readable and writable. */
    short (*ready)(struct fd_object *object, short events, struct fd_watch *watch);
    void (*close)(struct fd_object *object); /* the last descriptor is closed: free it */

    /* Parent of a program that is to have it: up to `most` bytes for take; how many. NULL: the
     * program doesn't get the descriptor. */
    int (*pass)(struct fd_object *object, const struct exos_child *child, void *bytes, size_t most);
    void (*undo_pass)(struct fd_object *object, const struct exos_child *child);
    /* The program: makes the object again of bytes that aren't to be trusted. flags as passed. */
    int (*take)(const void *bytes, size_t count, uint32_t flags, struct fd_object **object);
    /* Parent, of a fork's child that has a copy of the object and doesn't run yet. */
    void (*forked)(struct fd_object *object, const struct exos_child *child);
    void (*in_child)(struct fd_object *object); /* the child */
};

#define FD_TAG(a, b, c, d)                                                                         \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* FD_KIND(kind): makes a const struct fd_kind known: by its path, and to take what is passed. A
 * program has it if something refers to the file; exos_link (CMakeLists.txt) names those that all
 * programs have. */
#define FD_KIND(kind)                                                                              \
    static const struct fd_kind *const fd_kind_of_##kind                                           \
        __attribute__((used, section(".fd_kinds"))) = &(kind)
extern const struct fd_kind *const fd_kinds_begin[], *const fd_kinds_end[];

/*
 * Make a descriptor of object, the lowest free one from `least` on; descriptor is 0 or FD_CLOEXEC.
 * Returns it, or -EMFILE (EINVAL for a least out of range), -ENOMEM; then the object is as it was.
 */
int fd_install(struct fd_object *object, int least, int descriptor);

/* The object behind a descriptor, or NULL. Caller must hold exos_hold for as long as it uses it. */
struct fd_object *fd_object(int fd);

/* One reference less; the last one closes it. */
void fd_release(struct fd_object *object);

/*
 * exos_wait, for an operation of object: lets go of exos_hold meanwhile, and keeps the object.
 * Returns 0 when it is time to look again, -EINTR, or -EBADF if all its descriptors were closed
 * meanwhile: then the object is gone.
 */
int fd_wait(struct fd_object *object, const struct aegis_predicate *when, size_t count,
            uint64_t deadline);

/*
 * For ready: what to wait for. `rings` says that this process's doorbell rings then as well: so
 * poll can wait on more objects than there are predicates. fd_watch_rings tells whether poll wants
 * that; a kind need do nothing for it otherwise. One word tells of several objects, as of all
 * sockets: mostly the last one did.
 */
void fd_watch_new(struct fd_watch *watch, const struct aegis_predicate *when, bool rings);
static inline void fd_watch(struct fd_watch *watch, const struct aegis_predicate *when, bool rings)
{
    const struct aegis_predicate *last = watch->when + watch->count - !!watch->count;

    if (!watch->count || last->word != when->word || last->value != when->value ||
        last->mask != when->mask || last->op != when->op)
        fd_watch_new(watch, when, rings);
}
bool fd_watch_rings(const struct fd_watch *watch);

/* exos_release, and fd_result of result. */
long fd_finish(long result);

/* Set errno to -result and return -1 if it is negative; else return it. */
long fd_result(long result);

#endif
