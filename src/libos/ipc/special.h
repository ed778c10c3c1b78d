/*
 * pipe' of the exokernel paper (SOSP 1995, section 6.2): an ordinary pipe whose reader and writer
 * work in the ring's memory themselves, with no copy and no call while there is something to do.
 *
 *     reader: while ((bytes = pipe_bytes(&in, &count))) { ...; pipe_took(&in, count); }
 *     writer: room = pipe_room(&out, &count); ...; pipe_put(&out, count);
 *
 * The descriptors stay as they are: closing, passing them on to children and the other side's read
 * and write go as usual. One process at a time may have an end that is used like this; the bytes
 * in the ring are the other side's to change until they are copied.
 */
#ifndef EXOS_IPC_SPECIAL_H
#define EXOS_IPC_SPECIAL_H

#include "libos/ipc/internal.h"

struct pipe_special {
    struct pipe_end *end;
    struct pipe_page *page;
    uint8_t *ring;
    uint32_t peer; /* who is given the slice */
};

/*
 * Use the end that fd names in place; it has to stay open meanwhile. Returns 0, or -1 and errno:
 * EBADF, EINVAL (not a pipe), EBUSY (another process has this end, too).
 */
int pipe_special(struct pipe_special *special, int fd);

/* For the functions below: waits until *word isn't seen; 0, or -1 and errno. */
int pipe_special_wait(struct pipe_special *special, const uint64_t *word, uint64_t seen);

/* What [at, at + count) of the ring is in one piece. */
static inline size_t pipe_piece(uint64_t at, uint64_t count)
{
    uint64_t straight = PIPE_SIZE - at % PIPE_SIZE;
    return count < straight ? count : straight;
}

/* Whether a number isn't 1 to PIPE_SIZE, or not 0 to PIPE_SIZE - 1, by a shift. */
#define PIPE_IS_NONE(used) (((used)-1) >> PIPE_SHIFT)
#define PIPE_IS_FULL(used) ((used) >> PIPE_SHIFT)

static inline uint8_t *pipe_place(const struct pipe_special *special, uint64_t at)
{
    uint8_t *place = special->ring + at % PIPE_SIZE;
    if (!place)
        __builtin_unreachable(); /* so that callers need not ask again */
    return place;
}

static inline void pipe_publish(uint64_t *counter, uint64_t value)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    *(volatile uint64_t *)counter = value; /* an atomic store would be an amoswap */
}

/*
 * The next bytes to be read, at least one, and how many lie there in one piece; waits while there
 * are none. NULL with errno 0 at the end, else with errno EAGAIN, EINTR or EIO.
 */
static inline const uint8_t *pipe_bytes(struct pipe_special *special, size_t *count)
{
    struct pipe_page *page = special->page;
    if (page->tail == page->head)
        aegis_yield_bare(special->peer); /* other threads wait for the next slice */
    page = special->page;                /* rather than kept across the yield */
    uint64_t head = __atomic_load_n(&page->head, __ATOMIC_RELAXED), used;
    while (PIPE_IS_NONE(used = __atomic_load_n(&page->tail, __ATOMIC_ACQUIRE) - head))
        if (pipe_special_wait(special, &page->tail, head) != 0)
            return NULL;
    *count = pipe_piece(head, used);
    return pipe_place(special, head);
}

/* The first count of pipe_bytes' bytes have been read. */
static inline void pipe_took(struct pipe_special *special, size_t count)
{
    struct pipe_page *page = special->page;
    pipe_publish(&page->head, page->head + count);
    pipe_changed(page);
}

/*
 * Room for at least one byte, and for how many in one piece; waits while there is none. NULL with
 * errno EPIPE if nobody reads any more (no signal comes), EAGAIN, EINTR or EIO. That a reader has
 * ended is noticed when the ring is full.
 */
static inline uint8_t *pipe_room(struct pipe_special *special, size_t *count)
{
    struct pipe_page *page = special->page;
    uint64_t tail = __atomic_load_n(&page->tail, __ATOMIC_RELAXED), used;
    while (PIPE_IS_FULL(used = tail - __atomic_load_n(&page->head, __ATOMIC_RELAXED)))
        if (pipe_special_wait(special, &page->head, tail - used) != 0)
            return NULL;
    *count = pipe_piece(tail, PIPE_SIZE - used);
    return pipe_place(special, tail);
}

/* The first count bytes of pipe_room's have been written. */
static inline void pipe_put(struct pipe_special *special, size_t count)
{
    struct pipe_page *page = special->page;
    pipe_publish(&page->tail, page->tail + count);
    pipe_changed(page);
}

#endif
