/*
 * TCP: a stream's connection is lwIP's (lwip/lwip.h), called directly. Ports are lent by the
 * interface for as long as lwIP has a use for them, which is longer than the socket: a closed
 * connection says goodbye by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "libos/net/service.h"
#include "libos/net/stream.h"
#include "libos/start/start.h"
#include "libos/time/time.h"

#define HALF_OPEN 255 /* connections of a listener: as many as lwIP counts */

int stream_error_of(err_t error)
{
    return error == ERR_OK    ? 0
           : error == ERR_USE ? -EADDRINUSE
           : error == ERR_RTE ? -ENETUNREACH
                              : -ENOBUFS;
}

ip_addr_t stream_address(const struct socket *s, const struct socket_end *end)
{
    ip_addr_t address = IPADDR4_INIT(end->address);

    if (s->is_six && !end->address && !net_ipv6_is_mapped(&end->six)) {
        address = net_lwip_address(&end->six);
        if (net_ipv6_is_any(&end->six) && !s->six_only)
            IP_SET_TYPE_VAL(address, IPADDR_TYPE_ANY);
    }
    return address;
}

/* Makes the pcb of a fresh stream, and gives it a port: 0, any. */
static int take_port(struct stream *t, const struct socket_end *own)
{
    if (net_lwip_begin())
        return -errno;
    stream_drive();
    stream_begin_options(t);
    int port = net_lwip_lend(ntohs(own->port), t->reuses);
    if (port < 0)
        return -errno;
    ip_addr_t address = stream_address(&t->socket, own);
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&address));
    if (!pcb)
        return -ENOBUFS;
    stream_attach(t, pcb);
    err_t error = tcp_bind(pcb, &address, (u16_t)port);
    if (error != ERR_OK) {
        stream_detach(t);
        tcp_abort(pcb);
        net_lwip_reap();
        return stream_error_of(error);
    }
    t->socket.own = *own;
    t->socket.own.port = htons((u16_t)port);
    t->state = STREAM_BOUND;
    return 0;
}

static int tcp_bind_socket(struct socket *s, const struct socket_end *end)
{
    struct stream *t = (struct stream *)s;

    if (t->state != STREAM_FRESH)
        return -EINVAL;
    int error = socket_end_is_ipv6(end) ? stream6_check_own(end) : socket_check_own(end->address);
    return error ? error : take_port(t, end);
}

int stream_begin_to_listen(struct stream *t)
{
    err_t status;
    struct tcp_pcb *pcb = tcp_listen_with_backlog_and_err(t->pcb, HALF_OPEN, &status);

    if (!pcb)
        return stream_error_of(status);
    stream_listen(t, pcb);
    return 0;
}

static int tcp_listen_socket(struct socket *s, int backlog)
{
    struct stream *t = (struct stream *)s;
    const struct socket_end any = {0};

    if (t->state == STREAM_FRESH) {
        int error = take_port(t, &any);
        if (error)
            return error;
    }
    if (t->state >= STREAM_CONNECTING)
        return -EINVAL;
    net_lwip_open_loop(ntohs(s->own.port)); /* without the loop, for others alone */
    t->backlog = backlog < 1 ? 1 : backlog > SOMAXCONN ? SOMAXCONN : (unsigned)backlog;
    if (t->state == STREAM_LISTENS)
        return 0;
    return stream_begin_to_listen(t);
}

static struct socket *tcp_accept_socket(struct socket *s, int *error)
{
    struct stream *t = (struct stream *)s, *next = NULL;
    uint64_t deadline = socket_deadline(s, s->receive_ns, 0);

    *error = 0;
    while (!*error && !(next = stream_dequeue(t))) {
        if (t->state != STREAM_LISTENS || !t->pcb) {
            *error = -EINVAL;
            break;
        }
        stream_serve();
        if (!t->queue)
            *error = time_now() >= deadline ? -EAGAIN : stream_wait(t, deadline);
    }
    return &next->socket;
}

static void tcp_put_back(struct socket *s, struct socket *connection)
{
    stream_enqueue((struct stream *)s, (struct stream *)connection, true);
}

/* Those that nobody has accepted are reset. */
static void stop_listening(struct stream *t)
{
    struct tcp_pcb *pcb = t->pcb;

    for (struct stream *c; (c = stream_dequeue(t));) {
        struct tcp_pcb *connection = c->pcb;
        stream_detach(c);
        if (connection)
            tcp_abort(connection);
        stream_drop_received(c);
        free(c);
    }
    stream_detach(t);
    if (pcb)
        tcp_close(pcb);
    net_lwip_flush();
}

/* Not any more behind a reset, or once both sides have ended. */
static bool tcp_has_peer(const struct socket *s)
{
    const struct stream *t = (const struct stream *)s;
    return t->state == STREAM_CONNECTED && t->pcb;
}

static int tcp_shutdown_socket(struct socket *s, int how)
{
    struct stream *t = (struct stream *)s;

    if (t->state == STREAM_LISTENS) {
        if (how != SHUT_WR)
            stop_listening(t);
        return 0;
    }
    if (!tcp_has_peer(s))
        return -ENOTCONN;
    bool ends = how != SHUT_RD && !s->shut[SHUT_WR];
    s->shut[SHUT_RD] |= how != SHUT_WR;
    s->shut[SHUT_WR] |= how != SHUT_RD;
    if (ends)
        tcp_shutdown(t->pcb, 0, 1);
    net_lwip_flush();
    return 0;
}

/* SO_LINGER: the descriptor is gone already, and nobody else can have it. */
static void linger(const struct stream *t)
{
    uint64_t end = time_after((uint64_t)t->linger_s * 1000000000);

    for (stream_serve(); stream_owes(t); stream_serve()) {
        struct aegis_predicate frames = net_lwip_when();
        uint64_t due = net_lwip_next;
        exos_release();
        int64_t result = exos_wait(&frames, 1, due < end ? due : end);
        exos_hold();
        if (result == -EXOS_INTERRUPTED || time_now() >= end)
            break;
    }
}

/* Unread bytes, or SO_LINGER's zero, make it a reset: the peer is told that they were lost. */
static void tcp_close_socket(struct socket *s)
{
    struct stream *t = (struct stream *)s;
    struct tcp_pcb *pcb = t->pcb;

    if (t->state == STREAM_LISTENS) {
        stop_listening(t);
        net_lwip_reap();
        return;
    }
    stream_detach(t);
    if (pcb && ((t->lingers && !t->linger_s) || t->waiting || tcp_close(pcb) != ERR_OK))
        tcp_abort(pcb);
    stream_drop_received(t);
    net_apart_end(&t->apart);
    net_lwip_flush();
    if (pcb && t->lingers && t->linger_s && t->state == STREAM_CONNECTED)
        linger(t);
}

static void tcp_in_child(struct socket *s)
{
    struct stream *t = (struct stream *)s;
    t->pcb = NULL;
    t->first = t->last = NULL;
    t->waiting = 0;
    t->queue = NULL;
    t->queued = 0;
    t->gone.is_listed = false;
    t->apart.is_there = false;
}

const struct socket_protocol socket_tcp = {
    .type = SOCK_STREAM,
    .number = IPPROTO_TCP,
    .speaks_ipv6 = true,
    .size = sizeof(struct stream),
    .bind = tcp_bind_socket,
    .connect = stream_connect,
    .listen = tcp_listen_socket,
    .accept = tcp_accept_socket,
    .put_back = tcp_put_back,
    .has_peer = tcp_has_peer,
    .send = stream_send,
    .receive = stream_receive,
    .ready = stream_ready,
    .readable = stream_readable,
    .shutdown = tcp_shutdown_socket,
    .set = stream_set,
    .get = stream_get,
    .close = tcp_close_socket,
    .in_child = tcp_in_child,
    .lease = stream_lease,
    .narrow = stream_narrow,
    .state_size = stream_state_size,
    .give = stream_give,
    .take = stream_take,
    .forget = stream_forget,
};
