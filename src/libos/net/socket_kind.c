/* Sockets as objects of descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "libos/net/service.h"
#include "libos/net/share.h"
#include "libos/proc/part.h"
#include "libos/start/start.h"

bool sockets_made;

struct socket *socket_make(const struct socket_protocol *protocol)
{
    struct socket *s = calloc(1, protocol->size);

    if (!s)
        return NULL;
    sockets_made = true;
    proc_says_goodbye = true;
    s->object.kind = &socket_kind;
    s->object.flags = O_RDWR;
    s->protocol = protocol;
    s->ttl = SOCKET_TTL;
    return s;
}

int socket_check_own(uint32_t address)
{
    const struct net_host *host = net_service();
    if (!host)
        return -ENETDOWN;
    return address == INADDR_ANY || net_is_local(host, address) ? 0 : -EADDRNOTAVAIL;
}

static ssize_t transfer(struct fd_object *object, struct socket_transfer *t, bool is_write)
{
    struct socket *s = (struct socket *)object;
    ssize_t result;

    do {
        result = socket_hold(s, 0);
        if (result == 0)
            result = is_write ? s->protocol->send(s, t) : s->protocol->receive(s, t);
    } while (__builtin_expect(result == -SOCKET_MOVED, 0));
    return result;
}

static ssize_t kind_read(struct fd_object *object, void *bytes, size_t count)
{
    struct iovec vector = {bytes, count};
    struct socket_transfer t = {.vector = &vector, .count = 1, .size = count};
    return transfer(object, &t, false);
}

static ssize_t kind_write(struct fd_object *object, const void *bytes, size_t count)
{
    struct iovec vector = {(void *)(uintptr_t)bytes, count};
    struct socket_transfer t = {.vector = &vector, .count = 1, .size = count};
    return transfer(object, &t, true);
}

static int kind_control(struct fd_object *object, unsigned long request, void *argument)
{
    struct socket *s = (struct socket *)object;
    if (request == FIONBIO)
        object->flags =
            (object->flags & ~(uint32_t)O_NONBLOCK) | (*(int *)argument ? O_NONBLOCK : 0);
    else if (request == FIONREAD)
        *(int *)argument = s->lost || s->away ? 0 : s->protocol->readable(s);
    else
        return -ENOTTY;
    return 0;
}

static int kind_status(struct fd_object *object, struct stat *status)
{
    (void)object;
    status->st_mode = S_IFSOCK | 0600;
    return 0;
}

/* Of a socket that others have, too, or have taken. */
static __attribute__((noinline)) short ready_slowly(struct socket *s, short events,
                                                    struct fd_watch *watch)
{
    const volatile uint64_t *frames = &aegis_env(exos.env)->frames;
    struct aegis_predicate when = AEGIS_WHEN(*frames, NE, *frames);

    int error = socket_hold(s, MSG_DONTWAIT);
    short ready = !error ? s->protocol->ready(s, events) : error == -EAGAIN ? 0 : POLLERR;
    if (error == -EAGAIN)
        when = share_when(s);
    if (!ready)
        fd_watch(watch, &when, false);
    return ready;
}

/* One word tells of frames for any socket; it is read before the look at the rings. */
static short kind_ready(struct fd_object *object, short events, struct fd_watch *watch)
{
    struct socket *s = (struct socket *)object;
    const volatile uint64_t *frames = &aegis_env(exos.env)->frames;
    uint64_t seen = *frames;

    if (__builtin_expect(s->lost || s->share, 0))
        return ready_slowly(s, events, watch);
    short ready = s->protocol->ready(s, events);
    if (!ready) {
        const struct aegis_predicate when = AEGIS_WHEN(*frames, NE, seen);
        fd_watch(watch, &when, false);
    }
    return ready;
}

static void kind_close(struct fd_object *object)
{
    struct socket *s = (struct socket *)object;
    if (s->share) {
        if (!share_close(s))
            return;
    } else if (!s->lost) {
        s->protocol->close(s);
    }
    free(s);
}

static void kind_in_child(struct fd_object *object)
{
    struct socket *s = (struct socket *)object;
    share_in_child(s);
    s->protocol->in_child(s);
}

const struct fd_kind socket_kind = {
    .tag = FD_TAG('s', 'o', 'c', 'k'),
    .read = kind_read,
    .write = kind_write,
    .status = kind_status,
    .control = kind_control,
    .ready = kind_ready,
    .close = kind_close,
    .pass = share_pass,
    .undo_pass = share_undo_pass,
    .take = share_take,
    .forked = share_forked,
    .in_child = kind_in_child,
};
FD_KIND(socket_kind);
