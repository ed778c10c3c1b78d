/* What the files of fd/ share; not for programs. */
#ifndef EXOS_FD_INTERNAL_H
#define EXOS_FD_INTERNAL_H

#include "libos/fd/fd.h"

struct fd_entry {
    struct fd_object *object; /* NULL: free */
    uint32_t descriptor;      /* FD_CLOEXEC */
};

/* The table: entries[0] to entries[size - 1]; the descriptors beyond, up to FD_MAX, are free. */
struct fd_table {
    struct fd_entry *entries;
    uint32_t size;
};
extern struct fd_table fd_table;

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
