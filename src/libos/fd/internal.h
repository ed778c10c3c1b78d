/* What the files of fd/ share; not for programs. */
#ifndef EXOS_FD_INTERNAL_H
#define EXOS_FD_INTERNAL_H

#include <fcntl.h>

#include "libos/fd/fd.h"

/*
 * read and write are what a call of those names goes to, by one jump: the kind's quick functions,
 * or fd_read_slowly and fd_write_slowly, which know what is wrong.
 */
struct fd_entry {
    struct fd_object *object; /* NULL: free */
    ssize_t (*read)(struct fd_object *object, void *bytes, size_t count);
    ssize_t (*write)(struct fd_object *object, const void *bytes, size_t count);
    uint64_t descriptor; /* FD_CLOEXEC */
};

/* The table: entries[0] to entries[size - 1]; the descriptors beyond, up to FD_MAX, are free. */
struct fd_table {
    struct fd_entry *entries;
    uint32_t size;
};
extern struct fd_table fd_table;

static inline struct fd_object *fd_at(int fd)
{
    return (unsigned)fd < fd_table.size ? fd_table.entries[fd].object : NULL;
}

/* An entry of the table: NULL frees it. It gets no reference by that. */
void fd_fill(struct fd_entry *entry, struct fd_object *object, int descriptor);
ssize_t fd_read_slowly(struct fd_object *object, void *bytes, size_t count);
ssize_t fd_write_slowly(struct fd_object *object, const void *bytes, size_t count);

/* Whether an object was opened for reading, or writing: the modes are 0, 1 and 2, both. */
#define FD_READS(object)  ((((object)->flags & O_ACCMODE) + 1) & 1)
#define FD_WRITES(object) ((((object)->flags & O_ACCMODE) + 1) & 2)

/* Grows the table so that fd is in it. -ENOMEM if it can't. */
int fd_grow(int fd);

/* What descriptors 0 to 2 are without anybody's saying: /dev/null, and twice the log. */
extern struct fd_object fd_null, fd_log;
extern const struct fd_kind fd_null_kind, fd_log_kind;

/* Open by name; a new object, or a negated errno value. flags as of open(2), without O_CLOEXEC. */
int fd_open(const char *path, int flags, struct fd_object **object);

/* A regular file of the archive by name, or its root. */
int fd_open_file(const char *path, int flags, struct fd_object **object);
int fd_stat_file(const char *path, struct stat *status);

/* A name as the archive has it: without "/" and "./" in front; "" for the root. */
const char *fd_archive_name(const char *path);

/* The table's own functions, which fail with a negated errno value; caller must hold exos_hold. */
int fd_close(int fd);
int fd_duplicate(int fd, int to); /* dup2 */
int fd_put(struct fd_object *object,
           int fd); /* in place of what is there; on failure it closes a new object */

extern const struct exos_part fd_part;

/* Ends that a process closes without having said so. */
void fd_close_all(void);

#endif
