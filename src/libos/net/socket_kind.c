/* Sockets as objects of descriptors, and their options. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "libos/net/service.h"
#include "libos/net/share.h"
#include "libos/proc/part.h"
#include "libos/start/start.h"

#define NS          1000000000UL
#define DEFAULT_TTL 64 /* RFC 1340's recommendation */

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
    s->ttl = DEFAULT_TTL;
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

int socket_read_int(const void *value, socklen_t size, int least, int most, int *number)
{
    if (size != sizeof *number)
        return -EINVAL;
    memcpy(number, value, sizeof *number);
    return *number < least || *number > most ? -EINVAL : 0;
}

static int read_time(const void *value, socklen_t size, uint64_t *ns)
{
    struct timeval time;

    if (size != sizeof time)
        return -EINVAL;
    memcpy(&time, value, sizeof time);
    if (time.tv_sec < 0 || time.tv_usec < 0 || time.tv_usec >= 1000000)
        return -EDOM;
    if ((uint64_t)time.tv_sec > UINT64_MAX / NS - 1)
        *ns = 0; /* as good as for ever */
    else
        *ns = (uint64_t)time.tv_sec * NS + (uint64_t)time.tv_usec * 1000;
    return 0;
}

int socket_set_ipv6(struct socket *s, int option, const void *value, socklen_t size)
{
    int number, error;

    switch (option) {
    case IPV6_V6ONLY:
        error = socket_read_int(value, size, INT32_MIN, INT32_MAX, &number);
        if (!error && s->own.port)
            return -EINVAL; /* too late: its port was taken for the one or for both */
        s->six_only = error ? s->six_only : number != 0;
        return error;
    case IPV6_UNICAST_HOPS:
        error = socket_read_int(value, size, -1, 255, &number);
        s->ttl = error ? s->ttl : number < 0 ? DEFAULT_TTL : (uint8_t)number;
        return error;
    default:
        return -ENOPROTOOPT;
    }
}

int socket_set(struct socket *s, int level, int option, const void *value, socklen_t size)
{
    int number = 0, error = -ENOPROTOOPT;

    if (s->protocol->set)
        error = s->protocol->set(s, level, option, value, size);
    if (error != -ENOPROTOOPT)
        return error;
    if (level == IPPROTO_IP && option == IP_TTL) {
        error = socket_read_int(value, size, 1, 255, &number);
        s->ttl = error ? s->ttl : (uint8_t)number;
        return error;
    }
    if (level == IPPROTO_IPV6 && s->is_six)
        return socket_set_ipv6(s, option, value, size);
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    switch (option) {
    case SO_BROADCAST:
        error = socket_read_int(value, size, INT32_MIN, INT32_MAX, &number);
        s->broadcast = error ? s->broadcast : number != 0;
        return error;
    case SO_REUSEADDR: /* a port comes free with its socket: there is nothing to wait for */
    case SO_SNDBUF:    /* frames go straight to the device */
    case SO_RCVBUF:    /* the ring has its size */
        return socket_read_int(value, size, 0, INT32_MAX, &number);
    case SO_RCVTIMEO:
        return read_time(value, size, &s->receive_ns);
    case SO_SNDTIMEO:
        return read_time(value, size, &s->send_ns);
    default:
        return -ENOPROTOOPT;
    }
}

int socket_write_value(void *value, socklen_t *size, const void *from, socklen_t has)
{
    if (*size > has)
        *size = has;
    memcpy(value, from, *size);
    return 0;
}

static int write_time(void *value, socklen_t *size, uint64_t ns)
{
    struct timeval time = {(time_t)(ns / NS), (suseconds_t)(ns % NS / 1000)};
    return socket_write_value(value, size, &time, sizeof time);
}

/* What there is by now: the protocol may have heard of it only when it was asked. */
static int take_error(struct socket *s, void *value, socklen_t *size)
{
    int error = s->error;

    s->error = 0;
    return socket_write_value(value, size, &error, sizeof error);
}

int socket_get(struct socket *s, int level, int option, void *value, socklen_t *size)
{
    const struct {
        int level, option, number;
    } numbers[] = {
        {SOL_SOCKET, SO_TYPE, s->protocol->type},
        {SOL_SOCKET, SO_PROTOCOL, s->protocol->number},
        {SOL_SOCKET, SO_DOMAIN, s->is_six ? AF_INET6 : AF_INET},
        {SOL_SOCKET, SO_BROADCAST, s->broadcast},
        {SOL_SOCKET, SO_REUSEADDR, 0},
        {SOL_SOCKET, SO_ACCEPTCONN, 0},
        {IPPROTO_IP, IP_TTL, s->ttl},
        {IPPROTO_IPV6, IPV6_V6ONLY, s->six_only},
        {IPPROTO_IPV6, IPV6_UNICAST_HOPS, s->ttl},
    };

    if (level == IPPROTO_IPV6 && !s->is_six)
        return -ENOPROTOOPT;
    int error = s->protocol->get ? s->protocol->get(s, level, option, value, size) : -ENOPROTOOPT;
    if (error != -ENOPROTOOPT)
        return error;
    if (level == SOL_SOCKET && option == SO_ERROR)
        return take_error(s, value, size);
    if (level == SOL_SOCKET && option == SO_RCVTIMEO)
        return write_time(value, size, s->receive_ns);
    if (level == SOL_SOCKET && option == SO_SNDTIMEO)
        return write_time(value, size, s->send_ns);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].level == level && numbers[i].option == option)
            return socket_write_value(value, size, &numbers[i].number, sizeof numbers[i].number);
    return -ENOPROTOOPT;
}
