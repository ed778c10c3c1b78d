/* What the files of socketpair share; and net/socket.c, for which a pair is a socket. */
#ifndef EXOS_IPC_PAIR_H
#define EXOS_IPC_PAIR_H

#include "libos/ipc/internal.h"
#include "libos/net/socket.h"

struct pair {
    struct socket socket;
    struct pipe_end *in, *out; /* NULL: shut down */
};
extern const struct fd_kind pair_kind;
extern const struct socket_protocol pair_protocol;

static inline struct pipe_end *pair_end_of(struct fd_object *object)
{
    return (struct pipe_end *)object;
}

void pair_close(struct fd_object *object);

/* pair_process.c: of struct fd_kind. */
int pair_pass(struct fd_object *object, const struct exos_child *child, void *bytes, size_t most);
void pair_undo_pass(struct fd_object *object, const struct exos_child *child);
int pair_take(const void *bytes, size_t count, uint32_t flags, struct fd_object **object);
void pair_forked(struct fd_object *object, const struct exos_child *child);
void pair_in_child(struct fd_object *object);

#endif
