/* POSIX's calls on sockets: look at the arguments, then let the protocol do it. */
#include "libos/net/share.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "libos/fd/internal.h"
#include "libos/ipc/pair.h"
#include "libos/start/start.h"
#include "libos/time/time.h"

/* There, if the program names socketpair. */
extern const struct fd_kind pair_kind __attribute__((weak));

#define SHARED_LOOK 20000000UL /* ns: nothing wakes who waits in a socket that is given away */

uint64_t socket_deadline(const struct socket *s, uint64_t limit_ns, int flags)
{
    if (s->object.flags & O_NONBLOCK || flags & MSG_DONTWAIT)
        return 0;
    return limit_ns ? time_after(limit_ns) : AEGIS_FOREVER;
}

size_t socket_gather_parts(const struct socket_transfer *t, void *to, size_t most)
{
    size_t done = 0;
    for (int i = 0; i < t->count && done < most; i++) {
        size_t length = t->vector[i].iov_len, part = length < most - done ? length : most - done;
        memcpy((uint8_t *)to + done, t->vector[i].iov_base, part);
        done += part;
    }
    return done;
}

size_t socket_scatter_parts(const struct socket_transfer *t, size_t at, const void *from,
                            size_t size)
{
    const uint8_t *bytes = from;
    size_t done = 0;
    for (int i = 0; i < t->count && done < size; i++) {
        size_t length = t->vector[i].iov_len;
        if (at >= length) {
            at -= length;
            continue;
        }
        size_t part = length - at < size - done ? length - at : size - done;
        memcpy((uint8_t *)t->vector[i].iov_base + at, bytes + done, part);
        done += part;
        at = 0;
    }
    return done;
}

int socket_wait(struct socket *s, const struct aegis_predicate *when, size_t count,
                uint64_t deadline)
{
    uint64_t soon = s->share ? time_after(SHARED_LOOK) : deadline;
    int error = fd_wait(&s->object, when, count, soon < deadline ? soon : deadline);
    return !error && s->away ? -SOCKET_MOVED : error;
}

int socket_hold_slowly(struct socket *s, int flags)
{
    if (s->lost)
        return -ENETDOWN;
    if (!s->away)
        share_offer(s);
    return s->away ? share_hold(s, !((s->object.flags & O_NONBLOCK) || (flags & MSG_DONTWAIT))) : 0;
}

/* The socket behind a descriptor, or NULL with *error. Caller must hold exos_hold. flags: MSG_*. */
static inline struct socket *find_for(int fd, int *error, int flags)
{
    struct fd_object *object = fd_at(fd);
    struct socket *s = (struct socket *)object;

    *error = !object                        ? -EBADF
             : object->kind == &socket_kind ? 0
             : object->kind == &pair_kind   ? 0
                                            : -ENOTSOCK;
    if (!*error)
        *error = socket_hold(s, flags);
    return *error ? NULL : s;
}

static struct socket *find(int fd, int *error)
{
    return find_for(fd, error, 0);
}

static ssize_t transfer(int fd, struct socket_transfer *t, bool is_send)
{
    ssize_t result;
    int error, flags = t->flags;
    exos_hold();
    do {
        struct socket *s = find_for(fd, &error, flags);
        if (s && t->has_end && is_send && !socket_end_suits(s->is_six, &t->end)) {
            s = NULL;
            error = -EAFNOSUPPORT;
        }
        t->flags = flags;
        t->is_six = s && s->is_six;
        result = !s ? error : is_send ? s->protocol->send(s, t) : s->protocol->receive(s, t);
    } while (__builtin_expect(result == -SOCKET_MOVED, 0));
    exos_release();
    return __builtin_expect(result < 0, 0) ? fd_result(result) : result;
}

static int make(int domain, int type, int protocol, struct socket **made)
{
    bool is_stranger = type == SOCK_RAW || type == SOCK_SEQPACKET;

    for (const struct socket_protocol *const *at = socket_protocols; *at; at++) {
        const struct socket_protocol *p = *at;
        if (p->type != type || (protocol && p->number != protocol))
            continue;
        if (domain == AF_INET6 && !p->speaks_ipv6)
            return -EAFNOSUPPORT;
        *made = socket_make(p);
        if (!*made)
            return -ENOMEM;
        (*made)->is_six = domain == AF_INET6;
        return 0;
    }
    return is_stranger                                 ? -EPROTOTYPE
           : type == SOCK_STREAM || type == SOCK_DGRAM ? -EPROTONOSUPPORT
                                                       : -EINVAL;
}

int socket(int domain, int type, int protocol)
{
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), fd = -1;
    struct socket *s;

    if (domain != AF_INET && domain != AF_INET6)
        return (int)fd_result(-EAFNOSUPPORT);
    exos_hold();
    int error = make(domain, kind, protocol, &s);
    if (!error) {
        s->object.flags |= type & SOCK_NONBLOCK ? O_NONBLOCK : 0;
        fd = fd_install(&s->object, 0, type & SOCK_CLOEXEC ? FD_CLOEXEC : 0);
        if (fd < 0)
            free(s);
    }
    exos_release();
    return (int)fd_result(error ? error : fd);
}

typedef int on_end(struct socket *s, const struct socket_end *end);

static int do_bind(struct socket *s, const struct socket_end *end)
{
    return s->protocol->bind(s, end);
}

static int do_connect(struct socket *s, const struct socket_end *end)
{
    struct socket_end peer = *end;

    if (!peer.address)
        socket_name_self(&peer);
    return s->protocol->connect(s, &peer);
}

static int with_end(int fd, const struct sockaddr *address, socklen_t size, on_end *act)
{
    struct socket_end end;
    int error;
    exos_hold();
    struct socket *s = find(fd, &error);
    if (s)
        error = socket_read_end(address, size, &end);
    if (!error)
        error = socket_end_suits(s->is_six, &end) ? act(s, &end) : -EAFNOSUPPORT;
    exos_release();
    return (int)fd_result(error);
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return with_end(fd, address, size, do_bind);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return with_end(fd, address, size, do_connect);
}

int listen(int fd, int backlog)
{
    int error;
    exos_hold();
    struct socket *s = find(fd, &error);
    if (s)
        error = s->protocol->listen ? s->protocol->listen(s, backlog) : -EOPNOTSUPP;
    exos_release();
    return (int)fd_result(error);
}

/* The new descriptor, or a negative errno value; *end is who is at the other end. */
static int do_accept(struct socket *s, int flags, struct socket_end *end, bool *is_six)
{
    int error = -EOPNOTSUPP;
    struct socket *connection = s->protocol->accept ? s->protocol->accept(s, &error) : NULL;

    if (!connection)
        return error;
    connection->object.flags |= flags & SOCK_NONBLOCK ? O_NONBLOCK : 0;
    *end = connection->peer;
    *is_six = connection->is_six;
    int fd = fd_install(&connection->object, 0, flags & SOCK_CLOEXEC ? FD_CLOEXEC : 0);
    if (fd < 0)
        s->protocol->put_back(s, connection);
    return fd;
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    struct socket_end end;
    bool is_six;
    int result;

    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return (int)fd_result(-EINVAL);
    exos_hold();
    do {
        struct socket *s = find(fd, &result);
        if (s)
            result = do_accept(s, flags, &end, &is_six);
    } while (result == -SOCKET_MOVED);
    exos_release();
    if (result >= 0 && address)
        socket_write_end(is_six, &end, address, size);
    return (int)fd_result(result);
}

int accept(int fd, struct sockaddr *address, socklen_t *size)
{
    return accept4(fd, address, size, 0);
}

ssize_t sendto(int fd, const void *bytes, size_t count, int flags, const struct sockaddr *address,
               socklen_t size)
{
    struct iovec vector = {(void *)(uintptr_t)bytes, count};
    struct socket_transfer t = {.vector = &vector,
                                .count = 1,
                                .size = count,
                                .flags = flags & ~SOCKET_INFO,
                                .has_end = address};
    int error = address ? socket_read_end(address, size, &t.end) : 0;
    if (address && !t.end.address)
        socket_name_self(&t.end);
    return error ? fd_result(error) : transfer(fd, &t, true);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags)
{
    return sendto(fd, bytes, count, flags, NULL, 0);
}

ssize_t recvfrom(int fd, void *bytes, size_t count, int flags, struct sockaddr *address,
                 socklen_t *size)
{
    struct iovec vector = {bytes, count};
    struct socket_transfer t = {
        .vector = &vector, .count = 1, .size = count, .flags = flags & ~SOCKET_INFO};
    ssize_t result = transfer(fd, &t, false);
    if (result < 0 || !address)
        return result;
    if (t.has_end)
        socket_write_end(t.is_six, &t.end, address, size);
    else
        *size = 0; /* a stream's bytes don't say it */
    return result;
}

ssize_t recv(int fd, void *bytes, size_t count, int flags)
{
    return recvfrom(fd, bytes, count, flags, NULL, NULL);
}

/* What a message header says; or a negative errno value. */
static int read_message(const struct msghdr *message, int flags, struct socket_transfer *t)
{
    *t = (struct socket_transfer){
        .vector = message->msg_iov, .count = message->msg_iovlen, .flags = flags & ~SOCKET_INFO};
    if (message->msg_iovlen < 0 || message->msg_iovlen > IOV_MAX)
        return -EMSGSIZE;
    for (int i = 0; i < t->count; i++) {
        if (t->vector[i].iov_len > (size_t)LONG_MAX - t->size)
            return -EINVAL;
        t->size += t->vector[i].iov_len;
    }
    return 0;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct socket_message m = {.interface = 0};
    struct socket_transfer *t = &m.transfer;
    int error = read_message(message, flags, t);
    if (!error && message->msg_name) {
        t->has_end = true;
        error = socket_read_end(message->msg_name, message->msg_namelen, &t->end);
        if (!error)
            socket_name_self(&t->end);
    }
    if (!error && message->msg_control && message->msg_controllen) {
        t->flags |= SOCKET_INFO;
        error = socket_read_control(message, &m);
    }
    return error ? fd_result(error) : transfer(fd, t, true);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    struct socket_message m = {.interface = 0};
    struct socket_transfer *t = &m.transfer;
    int error = read_message(message, flags, t);
    if (error)
        return fd_result(error);
    t->flags |= SOCKET_INFO;
    ssize_t result = transfer(fd, t, false);
    if (result < 0)
        return result;
    if (message->msg_name && t->has_end)
        socket_write_end(t->is_six, &t->end, message->msg_name, &message->msg_namelen);
    else
        message->msg_namelen = 0;
    message->msg_flags = t->flags;
    socket_write_control(t->is_six, &m, message);
    return result;
}

int shutdown(int fd, int how)
{
    int error;
    exos_hold();
    struct socket *s = find(fd, &error);
    if (s)
        error = how < SHUT_RD || how > SHUT_RDWR ? -EINVAL : s->protocol->shutdown(s, how);
    exos_release();
    return (int)fd_result(error);
}

static int tell_end(int fd, bool is_peer, struct sockaddr *address, socklen_t *size)
{
    int error;
    exos_hold();
    const struct socket *s = find(fd, &error);
    if (s && is_peer && !(s->protocol->has_peer ? s->protocol->has_peer(s) : s->peer.port != 0))
        error = -ENOTCONN;
    if (!error && s->protocol->family)
        socket_write_family(s->protocol->family, address, size);
    else if (!error)
        socket_write_end(s->is_six, is_peer ? &s->peer : &s->own, address, size);
    exos_release();
    return (int)fd_result(error);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    return tell_end(fd, false, address, size);
}

int getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
    return tell_end(fd, true, address, size);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    int error;
    exos_hold();
    struct socket *s = find(fd, &error);
    if (s)
        error = socket_set(s, level, option, value, size);
    exos_release();
    return (int)fd_result(error);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
    int error;
    exos_hold();
    struct socket *s = find(fd, &error);
    if (s)
        error = socket_get(s, level, option, value, size);
    exos_release();
    return (int)fd_result(error);
}
