/*
 * socketpair: two pipes, one each way, behind two descriptors that are sockets to POSIX's calls
 * (net/socket.c). The pipes' ends are objects of this file's alone, in no table, and never wait:
 * who has to, waits here, where sockets' times count.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "libos/ipc/pair.h"
#include "libos/time/time.h"

#define READS      (POLLIN | POLLRDNORM)
#define WRITES     (POLLOUT | POLLWRNORM)
#define LOOK_AGAIN 10000000UL /* ns: where a wait has no predicate left for something */
#define TRIES      3

static void let_go(struct pipe_end **end)
{
    if (*end)
        fd_release(&(*end)->object);
    *end = NULL;
}

/* Until the end has one of the events, or ends. 0, -EAGAIN at the deadline, -EINTR, -EBADF. */
static int await(struct pipe_end *end, short events, uint64_t deadline)
{
    for (;;) {
        struct fd_watch watch = {.count = 0};
        if (pipe_ready(&end->object, events, &watch))
            return 0;
        if (time_now() >= deadline)
            return -EAGAIN;
        uint64_t soon = watch.silent ? time_after(LOOK_AGAIN) : deadline;
        int error =
            fd_wait(&end->object, watch.when, watch.count, soon < deadline ? soon : deadline);
        if (error)
            return error;
    }
}

/*
 * An end that had one of the events, and yet nothing could be done: another was quicker, or keeps
 * the pipe's lock, maybe for ever. 0: to be tried again, at once a few times.
 */
static int await_other(struct pipe_end *end, unsigned *tries, uint64_t deadline)
{
    uint64_t soon = time_after(LOOK_AGAIN);

    if (++*tries < TRIES)
        return 0;
    if (time_now() >= deadline)
        return -EAGAIN;
    return fd_wait(&end->object, NULL, 0, soon < deadline ? soon : deadline);
}

static uint64_t deadline_of(const struct socket *s, uint64_t limit_ns, int flags)
{
    if (s->object.flags & O_NONBLOCK || flags & MSG_DONTWAIT)
        return 0;
    return limit_ns ? time_after(limit_ns) : AEGIS_FOREVER;
}

/* The bytes that wait, up to count, which stay. */
static ssize_t peek(struct pipe_end *end, uint8_t *bytes, size_t count)
{
    uint64_t head = __atomic_load_n(&end->page->head, __ATOMIC_ACQUIRE);
    uint64_t used = __atomic_load_n(&end->page->tail, __ATOMIC_ACQUIRE) - head;

    if (used > PIPE_SIZE)
        return -EIO;
    count = used < count ? used : count;
    for (size_t i = 0; i < count; i++)
        bytes[i] = end->ring[(head + i) % PIPE_SIZE];
    return (ssize_t)count;
}

/* Into one piece of memory, of which `done` bytes in all are there before. */
static ssize_t receive_part(struct pipe_end *end, const struct iovec *part, int flags,
                            uint64_t deadline)
{
    uint8_t *to = part->iov_base;
    unsigned tries = 0;
    size_t done = 0;

    while (done < part->iov_len) {
        uint64_t until = done && !(flags & MSG_WAITALL) ? 0 : deadline;
        int error = await(end, READS, until);
        ssize_t n = error;
        if (!error)
            n = flags & MSG_PEEK ? peek(end, to, part->iov_len)
                                 : pipe_read(&end->object, to + done, part->iov_len - done);
        if (n == -EAGAIN && !error && (n = await_other(end, &tries, until)) == 0)
            continue;
        if (n <= 0)
            return done ? (ssize_t)done : n;
        done += (size_t)n;
        if (flags & MSG_PEEK)
            break;
    }
    return (ssize_t)done;
}

static ssize_t receive(struct pair *p, struct socket_transfer *t, int flags)
{
    uint64_t deadline = deadline_of(&p->socket, p->socket.receive_ns, flags);
    ssize_t done = 0;

    for (int i = 0; i < t->count && p->in; i++) {
        ssize_t n = receive_part(p->in, &t->vector[i], flags, deadline);
        if (n < 0)
            return done ? done : n;
        done += n;
        if ((size_t)n < t->vector[i].iov_len || flags & MSG_PEEK)
            break;
        deadline = flags & MSG_WAITALL ? deadline : 0;
    }
    return done;
}

/* Whether the end was shut down by another thread that this one waited beside. */
static bool was_shut(const struct pair *p, const struct pipe_end *end, ssize_t result)
{
    return result == -EBADF && !end && p->socket.object.references > 1;
}

static ssize_t pair_receive(struct socket *s, struct socket_transfer *t)
{
    struct pair *p = (struct pair *)s;
    int flags = t->flags;

    t->flags = 0;
    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    s->object.references++;
    ssize_t result = receive(p, t, flags);
    result = was_shut(p, p->in, result) ? 0 : result;
    fd_release(&s->object);
    return result;
}

/* Caller must have a reference to the pair. */
static ssize_t break_pipe(int flags)
{
    if (flags & MSG_NOSIGNAL)
        return -EPIPE;
    exos_release();
    raise(SIGPIPE);
    exos_hold();
    return -EPIPE;
}

static ssize_t send_part(struct pipe_end *end, const struct iovec *part, uint64_t deadline)
{
    const uint8_t *from = part->iov_base;
    unsigned tries = 0;
    size_t done = 0;

    while (done < part->iov_len) {
        size_t most = part->iov_len - done;
        ssize_t n = await(end, WRITES, deadline);
        if (!n) {
            n = pipe_write(&end->object, from + done, most < PIPE_SIZE ? most : PIPE_SIZE);
            if (n == -EAGAIN && (n = await_other(end, &tries, deadline)) == 0)
                continue;
        }
        if (n < 0)
            return done ? (ssize_t)done : n;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static ssize_t send_all(struct pair *p, struct socket_transfer *t)
{
    uint64_t deadline = deadline_of(&p->socket, p->socket.send_ns, t->flags);
    ssize_t done = 0;

    for (int i = 0; i < t->count && p->out; i++) {
        p->out->is_quiet = t->flags & MSG_NOSIGNAL;
        ssize_t n = send_part(p->out, &t->vector[i], deadline);
        if (n < 0)
            return done ? done : n;
        done += n;
        if ((size_t)n < t->vector[i].iov_len)
            break;
    }
    return done;
}

static ssize_t pair_send(struct socket *s, struct socket_transfer *t)
{
    struct pair *p = (struct pair *)s;

    if (t->has_end)
        return -EISCONN;
    if (t->flags & MSG_OOB)
        return -EOPNOTSUPP;
    s->object.references++;
    ssize_t result = p->out ? send_all(p, t) : break_pipe(t->flags);
    if (was_shut(p, p->out, result))
        result = break_pipe(t->flags);
    fd_release(&s->object);
    return result;
}

static ssize_t pair_read(struct fd_object *object, void *bytes, size_t count)
{
    struct iovec vector = {bytes, count};
    struct socket_transfer t = {.vector = &vector, .count = 1, .size = count};
    return pair_receive((struct socket *)object, &t);
}

static ssize_t pair_write(struct fd_object *object, const void *bytes, size_t count)
{
    struct iovec vector = {(void *)(uintptr_t)bytes, count};
    struct socket_transfer t = {.vector = &vector, .count = 1, .size = count};
    return pair_send((struct socket *)object, &t);
}

/* A pipe that nobody writes to any more can be read: its end. One that nobody reads can be written
 * to: the error. */
static short pair_ready(struct fd_object *object, short events, struct fd_watch *watch)
{
    struct pair *p = (struct pair *)object;
    short in = p->in ? pipe_ready(&p->in->object, events & READS, watch) : POLLHUP;
    short out = p->out ? pipe_ready(&p->out->object, events & WRITES, watch) : POLLERR;
    short ready = (in & READS) | (out & WRITES);

    ready |= in & POLLHUP ? READS : 0;
    ready |= out & POLLERR ? WRITES : 0;
    ready |= in & POLLHUP && out & POLLERR ? POLLHUP : 0;
    return (short)(ready & (events | POLLHUP));
}

static int pair_control(struct fd_object *object, unsigned long request, void *argument)
{
    struct pair *p = (struct pair *)object;

    if (request == FIONBIO)
        object->flags =
            (object->flags & ~(uint32_t)O_NONBLOCK) | (*(int *)argument ? O_NONBLOCK : 0);
    else if (request == FIONREAD && !p->in)
        *(int *)argument = 0;
    else
        return request == FIONREAD ? pipe_kind.control(&p->in->object, request, argument) : -ENOTTY;
    return 0;
}

static int pair_status(struct fd_object *object, struct stat *status)
{
    (void)object;
    status->st_mode = S_IFSOCK | 0600;
    return 0;
}

static int pair_shutdown(struct socket *s, int how)
{
    struct pair *p = (struct pair *)s;

    if (how != SHUT_WR)
        let_go(&p->in);
    if (how != SHUT_RD)
        let_go(&p->out);
    return 0;
}

void pair_close(struct fd_object *object)
{
    pair_shutdown((struct socket *)object, SHUT_RDWR);
    free(object);
}

static int pair_bind(struct socket *s, const struct socket_end *end)
{
    (void)s;
    (void)end;
    return -EINVAL;
}

static int pair_connect(struct socket *s, const struct socket_end *end)
{
    (void)s;
    (void)end;
    return -EISCONN;
}

static int pair_listen(struct socket *s, int backlog)
{
    (void)s;
    (void)backlog;
    return -EINVAL;
}

static struct socket *pair_accept(struct socket *s, int *error)
{
    (void)s;
    *error = -EINVAL;
    return NULL;
}

static bool pair_has_peer(const struct socket *s)
{
    (void)s;
    return true;
}

const struct socket_protocol pair_protocol = {.type = SOCK_STREAM,
                                              .family = AF_UNIX,
                                              .bind = pair_bind,
                                              .connect = pair_connect,
                                              .listen = pair_listen,
                                              .accept = pair_accept,
                                              .has_peer = pair_has_peer,
                                              .send = pair_send,
                                              .receive = pair_receive,
                                              .shutdown = pair_shutdown};

const struct fd_kind pair_kind = {.tag = FD_TAG('p', 'a', 'i', 'r'),
                                  .read = pair_read,
                                  .write = pair_write,
                                  .status = pair_status,
                                  .control = pair_control,
                                  .ready = pair_ready,
                                  .close = pair_close,
                                  .pass = pair_pass,
                                  .undo_pass = pair_undo_pass,
                                  .take = pair_take,
                                  .forked = pair_forked,
                                  .in_child = pair_in_child};
FD_KIND(pair_kind);
