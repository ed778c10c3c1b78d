/*
 * The short way of a byte or a few through a pipe, for an end that one process has alone: no lock,
 * and no call of another function. Whatever is unusual goes the long way (transfer.c) by a jump.
 */
#include <fcntl.h>

#include "libos/ipc/internal.h"

#define NONBLOCK_TO_SIGN 17 /* which is told by one instruction */
_Static_assert((uint32_t)O_NONBLOCK << NONBLOCK_TO_SIGN == 1U << 31, "the sign bit");

static __attribute__((noinline)) ssize_t read_long(struct fd_object *object, void *bytes,
                                                   size_t count)
{
    return fd_finish(pipe_read(object, bytes, count));
}

static __attribute__((noinline)) ssize_t write_long(struct fd_object *object, const void *bytes,
                                                    size_t count)
{
    return fd_finish(pipe_write(object, bytes, count));
}

static __attribute__((noinline)) ssize_t end_long(struct pipe_page *page, ssize_t done)
{
    pipe_changed(page);
    if (exos_held_pending && !exos_held)
        exos_held_over();
    return done;
}

/* exos_release, unless there is more to do. */
static inline ssize_t end(struct pipe_page *page, ssize_t done)
{
    uint64_t polled = *(volatile uint64_t *)&page->polled;
    __asm__ volatile("" ::: "memory");
    exos_held = exos_held - 1;
    return __builtin_expect((polled | exos_held_pending) != 0, 0) ? end_long(page, done) : done;
}

/* By a fence: gcc makes an atomic store an amoswap, which takes no offset. */
static inline void publish(uint64_t *counter, uint64_t value)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

static inline void move(uint8_t *to, const uint8_t *from, size_t count)
{
    const uint8_t *last = from + count;
    do {
        *to++ = *from++;
        __asm__ volatile(""); /* or it becomes a call of memcpy */
    } while (from < last);
}

/* Some of [head, head + used), which isn't empty. */
static __attribute__((noinline)) ssize_t take_few(struct fd_object *object, uint8_t *bytes,
                                                  size_t count, uint64_t head, uint64_t used)
{
    struct pipe_end *reader = (struct pipe_end *)object;
    size_t some = count < used ? count : used, at = head % PIPE_SIZE;
    if (some - 1 >= reader->few || at + some > PIPE_SIZE)
        return read_long(object, bytes, count);
    move(bytes, reader->ring + at, some);
    publish(&reader->page->head, head + some);
    return end(reader->page, (ssize_t)some);
}

/* The reader has seen that the tail isn't head: what was written before it comes behind a fence. */
static inline ssize_t take(struct fd_object *object, struct pipe_page *page, uint8_t *bytes,
                           size_t count, uint64_t head, uint64_t used)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (count != 1 || !((struct pipe_end *)object)->few)
        return take_few(object, bytes, count, head, used);
    *bytes = ((struct pipe_end *)object)->ring[head % PIPE_SIZE];
    publish(&page->head, head + 1);
    return end(page, 1);
}

/* Nothing is there: a writer may have something as soon as it runs. If it isn't any more, the call
 * says so, and the long way finds out. */
static __attribute__((noinline)) ssize_t read_later(struct fd_object *object, void *bytes,
                                                    size_t count, uint64_t head)
{
    uint32_t peer = ((struct pipe_end *)object)->peer;
    __asm__("" : "+r"(peer)); /* loaded before the object goes to the stack */
    if ((int32_t)(object->flags << NONBLOCK_TO_SIGN) < 0 || !pipe_is_alone())
        return read_long(object, bytes, count);
    aegis_yield_bare(peer);
    __asm__("" : "+r"(object), "+r"(bytes), "+r"(count), "+r"(head)); /* loaded once */
    struct pipe_page *page = ((struct pipe_end *)object)->page;
    uint64_t used = __atomic_load_n(&page->tail, __ATOMIC_RELAXED) - head;
    return used ? take(object, page, bytes, count, head, used) : read_long(object, bytes, count);
}

ssize_t pipe_quick_read(struct fd_object *object, void *bytes, size_t count)
{
    struct pipe_page *page = ((struct pipe_end *)object)->page;
    uint64_t head = __atomic_load_n(&page->head, __ATOMIC_RELAXED);
    uint64_t used = __atomic_load_n(&page->tail, __ATOMIC_RELAXED) - head;
    return used ? take(object, page, bytes, count, head, used)
                : read_later(object, bytes, count, head);
}

static __attribute__((noinline)) ssize_t put_few(struct fd_object *object, const uint8_t *bytes,
                                                 size_t count, uint64_t tail, uint64_t used)
{
    struct pipe_end *writer = (struct pipe_end *)object;
    size_t at = tail % PIPE_SIZE;
    if (count - 1 >= writer->few || used > PIPE_SIZE - PIPE_FEW || at + count > PIPE_SIZE ||
        !pipe_peer_stays(writer, writer->page))
        return write_long(object, bytes, count);
    move(writer->ring + at, bytes, count);
    publish(&writer->page->tail, tail + count);
    return end(writer->page, (ssize_t)count);
}

/* The head is older than the stores behind its test, so it needs no fence. */
ssize_t pipe_quick_write(struct fd_object *object, const void *bytes, size_t count)
{
    struct pipe_end *writer = (struct pipe_end *)object;
    struct pipe_page *page = writer->page;
    uint64_t tail = __atomic_load_n(&page->tail, __ATOMIC_RELAXED);
    uint64_t used = tail - __atomic_load_n(&page->head, __ATOMIC_RELAXED);
    if (count != 1 || !writer->few || used >= PIPE_SIZE || !pipe_peer_stays(writer, page))
        return put_few(object, bytes, count, tail, used);
    writer->ring[tail % PIPE_SIZE] = *(const uint8_t *)bytes;
    publish(&page->tail, tail + 1);
    return end(page, 1);
}
