/*
 * TCP's sockets: bytes. What is received was copied from its slots already and is copied once more,
 * to the program; what is sent lwIP copies into segments, which the device reads unless they are
 * short (lwip/output.c).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/stream.h"
#include "libos/time/time.h"

#define MOST_AT_ONCE 0xffffU /* bytes that lwIP takes in one call */

int stream_take_error(struct stream *t)
{
    int error = t->socket.error;
    t->socket.error = 0;
    return -error;
}

/* The first room is read up to byte `size` of what is in it. */
static void consume(struct stream *t, size_t size)
{
    struct stream_room *room = t->first;

    t->waiting -= size;
    room->begin += (uint32_t)size;
    if (room->begin < room->end)
        return;
    room->begin = room->end = 0;
    if (room == t->last)
        return;
    t->first = room->next;
    free(room);
}

/* Moves what waits to the transfer's bytes from `at` on; how many. */
static size_t take(struct stream *t, const struct socket_transfer *x, size_t at)
{
    size_t taken = 0, most = x->size - at;
    bool peeks = x->flags & MSG_PEEK;

    for (struct stream_room *room = t->first, *next; room && taken < most; room = next) {
        size_t part = room->end - room->begin;
        part = part < most - taken ? part : most - taken;
        next = room->next;
        if (!part)
            break;
        if (!(x->flags & MSG_TRUNC)) /* else they are thrown away, as Linux does */
            socket_scatter(x, at + taken, room->bytes + room->begin, part);
        taken += part;
        if (!peeks)
            consume(t, part);
    }
    for (size_t left = peeks ? 0 : taken; left && t->pcb;) {
        size_t part = left < MOST_AT_ONCE ? left : MOST_AT_ONCE;
        tcp_recved(t->pcb, (u16_t)part); /* may tell the peer of room */
        left -= part;
    }
    return taken;
}

/* Before bytes can go either way: 0 once there is, or was, a connection. */
static int await_connection(struct stream *t, uint64_t deadline)
{
    if (t->state == STREAM_CONNECTED)
        return 0;
    if (t->state == STREAM_CONNECTING) {
        int error = stream_finish_connect(t, deadline);
        return error == -EINPROGRESS ? -EAGAIN : error;
    }
    return t->socket.error ? stream_take_error(t) : -ENOTCONN;
}

/* Whether receive has all that it waits for; then *result is what it returns. */
static bool has_received(struct stream *t, const struct socket_transfer *x, size_t *done,
                         ssize_t *result)
{
    bool wants_all = x->flags & MSG_WAITALL;

    *done = x->flags & MSG_PEEK ? take(t, x, 0) : *done + take(t, x, *done);
    *result = (ssize_t)*done;
    if (*done == x->size || (*done && !wants_all))
        return true;
    if (!*done && t->socket.error)
        *result = stream_take_error(t);
    return t->has_ended || t->socket.shut[SHUT_RD] || !t->pcb || *result < 0;
}

/* The usual case of it: there is room for all that waits, which is in one piece. 0 if it isn't. */
static inline ssize_t take_quickly(struct stream *t, struct socket_transfer *x)
{
    struct stream_room *room = t->first;
    size_t size = t->waiting;

    if (!size || room != t->last || x->count != 1 || x->size < size || !t->pcb ||
        t->state != STREAM_CONNECTED || x->flags & (MSG_PEEK | MSG_WAITALL | MSG_OOB | MSG_TRUNC))
        return 0;
    memcpy(x->vector->iov_base, room->bytes + room->begin, size);
    room->begin = room->end = 0;
    t->waiting = 0;
    tcp_recved(t->pcb, (u16_t)size);
    net_lwip_flush();
    x->flags = 0;
    return (ssize_t)size;
}

static __attribute__((noinline)) ssize_t receive(struct stream *t, struct socket_transfer *x)
{
    struct socket *s = &t->socket;
    uint64_t deadline = socket_deadline(s, s->receive_ns, x->flags);
    size_t done = 0;
    ssize_t result = x->flags & MSG_OOB ? -EINVAL : await_connection(t, deadline);

    if (result < 0)
        return result;
    while (!has_received(t, x, &done, &result)) {
        stream_serve();
        if (has_received(t, x, &done, &result))
            break;
        if (time_now() >= deadline)
            return done ? (ssize_t)done : -EAGAIN;
        int error = stream_wait(t, deadline);
        if (error)
            return done && error != -EBADF ? (ssize_t)done : error;
    }
    net_lwip_flush();
    x->flags = 0;
    return result;
}

ssize_t stream_receive(struct socket *s, struct socket_transfer *x)
{
    struct stream *t = (struct stream *)s;
    return take_quickly(t, x) ?: receive(t, x);
}

/* Bytes that lwIP and SO_SNDBUF take now. */
static size_t room(const struct stream *t)
{
    size_t queued = TCP_SND_BUF - t->pcb->snd_buf, limit = (size_t)t->send_limit;

    if (t->pcb->snd_queuelen >= TCP_SND_QUEUELEN - 4) /* a write may take a few */
        return 0;
    return queued < limit ? limit - queued : 0;
}

/* As poll has it: enough that it is worth while. */
static bool is_writable(const struct stream *t)
{
    size_t least = t->send_limit / 4 < TCP_SNDLOWAT ? (size_t)t->send_limit / 4 + 1 : TCP_SNDLOWAT;
    return room(t) >= least && t->pcb->snd_queuelen < TCP_SNDQUEUELOWAT;
}

/* Hands over as much as there is room for, from the transfer's byte `at` on; how many. */
static size_t put(struct stream *t, const struct socket_transfer *x, size_t at)
{
    size_t done = 0;

    for (int i = 0; i < x->count; i++) {
        const struct iovec *v = &x->vector[i];
        while (at < v->iov_len) {
            size_t size = v->iov_len - at, most = room(t);
            size = size < most ? size : most;
            size = size < MOST_AT_ONCE ? size : MOST_AT_ONCE;
            size = size < t->pcb->snd_buf ? size : t->pcb->snd_buf;
            /* What follows goes behind it in the same buffer. */
            bool more = i + 1 < x->count || size < v->iov_len - at;
            u8_t flags = TCP_WRITE_FLAG_COPY | (more ? TCP_WRITE_FLAG_MORE : 0);
            if (!size ||
                tcp_write(t->pcb, (uint8_t *)v->iov_base + at, (u16_t)size, flags) != ERR_OK)
                return done;
            at += size;
            done += size;
        }
        at -= v->iov_len;
    }
    return done;
}

/* Why nothing can be sent any more; 0 if it can. */
static int why_not(struct stream *t)
{
    if (t->socket.shut[SHUT_WR])
        return -EPIPE;
    if (t->socket.error)
        return stream_take_error(t);
    return t->pcb ? 0 : -EPIPE;
}

static ssize_t send_all(struct stream *t, const struct socket_transfer *x, uint64_t deadline)
{
    size_t done = 0;
    int error;

    for (;;) {
        error = why_not(t);
        if (error)
            break;
        size_t put_now = put(t, x, done);
        done += put_now;
        if (put_now)
            tcp_output(t->pcb);
        net_lwip_flush();
        if (done == x->size)
            break;
        if (!put_now && !t->pcb->snd_queuelen) { /* there is nothing that could make room */
            error = -ENOBUFS;
            break;
        }
        stream_serve();
        if (!t->pcb || is_writable(t))
            continue;
        error = time_now() >= deadline ? -EAGAIN : stream_wait(t, deadline);
        if (error)
            break;
    }
    return done && error != -EBADF ? (ssize_t)done : error;
}

static void signal_broken(struct stream *t)
{
    struct fd_object *object = &t->socket.object;
    object->references++;
    exos_release();
    raise(SIGPIPE);
    exos_hold();
    fd_release(object);
}

/* The usual case of it: a few bytes, which can go out at once. */
static inline bool is_sent_quickly(const struct stream *t, const struct socket_transfer *x)
{
    return t->state == STREAM_CONNECTED && t->pcb && x->count == 1 && !(x->flags & MSG_OOB) &&
           !t->socket.shut[SHUT_WR] && !t->socket.error && x->size - 1 < room(t) &&
           net_lwip_send_next(t->pcb, x->vector->iov_base, x->size);
}

static __attribute__((noinline)) ssize_t send_slowly(struct stream *t, struct socket_transfer *x)
{
    struct socket *s = &t->socket;
    uint64_t deadline = socket_deadline(s, s->send_ns, x->flags);
    bool quiet = x->flags & MSG_NOSIGNAL;
    ssize_t result = x->flags & MSG_OOB ? -EOPNOTSUPP : await_connection(t, deadline);

    if (result == 0)
        result = send_all(t, x, deadline);
    if (result == -EPIPE && !quiet)
        signal_broken(t);
    return result;
}

ssize_t stream_send(struct socket *s, struct socket_transfer *x)
{
    struct stream *t = (struct stream *)s;

    if (!is_sent_quickly(t, x))
        return send_slowly(t, x);
    net_lwip_flush();
    return (ssize_t)x->size;
}

static short ready_connected(const struct stream *t, short events)
{
    short ready = 0;
    bool over = !t->pcb, no_more = t->has_ended || t->socket.shut[SHUT_RD];
    bool writes = events & (POLLOUT | POLLWRNORM);

    if (t->waiting || no_more || over)
        ready |= POLLIN | POLLRDNORM;
    if (writes && (over || t->socket.shut[SHUT_WR] || is_writable(t)))
        ready |= POLLOUT | POLLWRNORM;
    if (t->socket.error)
        ready |= POLLERR;
    if (no_more && (over || t->socket.shut[SHUT_WR]))
        ready |= POLLHUP;
    return ready;
}

short stream_ready(struct socket *s, short events)
{
    struct stream *t = (struct stream *)s;
    short ready;

    if (t->state == STREAM_CONNECTING)
        stream_look_for_peer(t);
    else if (t->state >= STREAM_LISTENS)
        stream_serve();
    switch (t->state) {
    case STREAM_CONNECTED:
        ready = ready_connected(t, events);
        break;
    case STREAM_CONNECTING:
        ready = 0;
        break;
    case STREAM_LISTENS:
        ready = t->queue || !t->pcb ? POLLIN | POLLRDNORM : 0;
        break;
    default: /* a connect failed, or there was none */
        ready = POLLOUT | POLLWRNORM | POLLHUP | (s->error ? POLLERR | POLLIN | POLLRDNORM : 0);
    }
    return (short)(ready & (events | POLLERR | POLLHUP));
}

int stream_readable(struct socket *s)
{
    struct stream *t = (struct stream *)s;
    if (t->state == STREAM_CONNECTED)
        stream_serve();
    return (int)t->waiting;
}
