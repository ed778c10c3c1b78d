/* What the files of ipc/ share; not for programs. */
#ifndef EXOS_IPC_INTERNAL_H
#define EXOS_IPC_INTERNAL_H

#include "libos/fd/fd.h"
#include "libos/ipc/page.h"

/* This process's view of a pipe; one for both ends. Under exos_hold. */
struct pipe {
    struct pipe *next; /* of all that this process has */
    struct pipe_page *page;
    uint64_t self;       /* its member word, without ends */
    uint32_t place;      /* of its member word */
    uint32_t references; /* ends */
};

/*
 * The object behind a descriptor of one end. few isn't 0: no other process has this end, which is
 * so until this one hands it on; then the end's lock is nobody else's business, and exos_hold is
 * enough.
 */
#define PIPE_FEW 16
struct pipe_end {
    struct fd_object object;
    struct pipe_page *page;
    uint8_t *ring;
    const volatile struct aegis_env_info *peer_info; /* of one that has the other end */
    uint64_t changes;                                /* of the page, when it was found */
    uint32_t peer, peer_serial;
    uint32_t peer_place; /* where it was found */
    uint64_t few;        /* bytes that go the quick way at a time */
    uint64_t end;        /* MEMBER_READS or MEMBER_WRITES */
    bool is_quiet;       /* without SIGPIPE: for socketpair's MSG_NOSIGNAL */
    bool declined;       /* the reader shares no memory with this process, or not this */
    struct pipe *pipe;
};
extern const struct fd_kind pipe_kind;

/* Make this process's view of the pipe at page, or take another reference to it. NULL: ENOMEM. */
struct pipe *pipe_view(struct pipe_page *page);
void pipe_view_release(struct pipe *pipe);

/* A new end of it, which has its reference then, with a place among the members. 0 or -errno. */
int pipe_end_make(struct pipe *pipe, uint64_t end, uint32_t flags, struct fd_object **object);

/* Both ends of a new pipe, with references 0; flags: O_NONBLOCK. Caller must hold exos_hold. 0 or
 * -errno, and then nothing is left. */
int pipe_make(struct fd_object *ends[2], uint32_t flags);

ssize_t pipe_read(struct fd_object *object, void *bytes, size_t count);
ssize_t pipe_write(struct fd_object *object, const void *bytes, size_t count);

/* quick.c: the same for a few bytes, and whoever else has an end not in the way. */
ssize_t pipe_quick_read(struct fd_object *object, void *bytes, size_t count);
ssize_t pipe_quick_write(struct fd_object *object, const void *bytes, size_t count);

/* offer.c. The writer's: whether count bytes from there can be offered now; they are, then. */
bool pipe_offer(struct pipe_end *end, const void *bytes, size_t count);

/* Waits until the offer of count bytes is taken, or as much of it as will be: how many bytes, 0 if
 * the reader has declined, or a negated errno value if none was taken. */
ssize_t pipe_offer_wait(struct pipe_end *end, size_t count);

/* The reader's: bytes of an offer, up to count; 0 if there is none, or none that it can take.
 * Caller must hold the reader's lock. */
ssize_t pipe_offer_take(struct pipe_page *page, void *bytes, size_t count);

/* Whether there may be something to take, so that a look is worth a lock. */
static inline bool pipe_is_offered(const struct pipe_page *page)
{
    return __atomic_load_n(&page->offer.state, __ATOMIC_ACQUIRE) == OFFER_MADE &&
           __atomic_load_n(&page->offer.taken, __ATOMIC_RELAXED) <
               __atomic_load_n(&page->offer.size, __ATOMIC_RELAXED);
}

/* Look for a living process with the other end, and whether another has this one. False if nobody
 * has the other. */
bool pipe_look_around(struct pipe_end *end);

/* Whether the peer that was found last is there still, by four loads. */
static inline bool pipe_peer_stays(const struct pipe_end *end, const struct pipe_page *page)
{
    return __builtin_expect(__atomic_load_n(&page->changes, __ATOMIC_RELAXED) == end->changes &&
                                end->peer_info->serial == end->peer_serial &&
                                end->peer_info->state == AEGIS_ENV_LIVE,
                            1);
}

static inline uint8_t *pipe_ring_of(struct pipe_page *page)
{
    return (uint8_t *)page + AEGIS_PAGE_SIZE;
}

/* Whether this process has no other threads, which would have to run first. */
static inline bool pipe_is_alone(void)
{
    const volatile uint64_t *threads = exos_wait_hooks.threads;
    return !threads || *threads == 1;
}

short pipe_ready(struct fd_object *object, short events, struct fd_watch *watch);

/*
 * Give the processor to who may change *word (the ring's tail for a reader, its head for a writer),
 * or sleep until it isn't seen any more. Returns 1 when it is time to look again, 0 if nobody is
 * left who could change it, -EAGAIN of a non-blocking end, -EINTR, -EBADF. Caller must hold
 * exos_hold.
 */
int pipe_await(struct pipe_end *end, const uint64_t *word, uint64_t seen);

#endif
