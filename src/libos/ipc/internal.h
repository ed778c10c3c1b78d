/* What the files of ipc/ share; not for programs. */
#ifndef EXOS_IPC_INTERNAL_H
#define EXOS_IPC_INTERNAL_H

#include "libos/fd/fd.h"
#include "libos/ipc/page.h"

/* This process's view of a pipe; one for both ends. Under exos_hold. */
struct pipe {
    struct pipe *next; /* of all that this process has */
    struct pipe_page *page;
    uint8_t *ring;
    uint64_t self;           /* its member word, without ends */
    uint64_t changes;        /* of the page, when the reader below was looked for */
    uint32_t reader, serial; /* an environment that reads, and its serial */
    uint32_t place;          /* of its member word */
    uint32_t peer_place;     /* where a peer was found last */
    uint32_t references;     /* ends */
};

/* The object behind a descriptor of one end. */
struct pipe_end {
    struct fd_object object;
    struct pipe *pipe;
    uint64_t end; /* MEMBER_READS or MEMBER_WRITES */
};
extern const struct fd_kind pipe_kind;

/* Make this process's view of the pipe at page, or take another reference to it. NULL: ENOMEM. */
struct pipe *pipe_view(struct pipe_page *page);
void pipe_view_release(struct pipe *pipe);

/* A new end of it, which has its reference then, with a place among the members. 0 or -errno. */
int pipe_end_make(struct pipe *pipe, uint64_t end, uint32_t flags, struct fd_object **object);

ssize_t pipe_read(struct fd_object *object, void *bytes, size_t count);
ssize_t pipe_write(struct fd_object *object, const void *bytes, size_t count);
short pipe_ready(struct fd_object *object, short events, struct fd_watch *watch);

/*
 * Give the processor to who may change *word (the ring's tail for a reader, its head for a writer),
 * or sleep until it isn't seen any more. Returns 1 when it is time to look again, 0 if nobody is
 * left who could change it, -EAGAIN of a non-blocking end, -EINTR, -EBADF. Caller must hold
 * exos_hold.
 */
int pipe_await(struct pipe_end *end, const uint64_t *word, uint64_t seen);

#endif
