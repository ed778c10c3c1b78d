/* TCP's sockets: how they connect. */
#include <errno.h>

#include "libos/net/service.h"
#include "libos/net/stream.h"
#include "libos/start/start.h"
#include "libos/time/time.h"

static bool is_local(const struct socket_end *end)
{
    return socket_end_is_ipv6(end) ? net_ipv6_is_local(&end->six)
                                   : net_is_local(net_service(), end->address);
}

/* Whether the next hop is there, or may answer still. */
static int ask_hop(const struct socket_end *peer)
{
    uint8_t mac[6] __attribute__((aligned(2)));

    if (socket_end_is_ipv6(peer))
        return stream6_look_for_hop(peer);
    if (is_local(peer) || net_next_hop(peer->address, mac, 0) == 0 || errno == EAGAIN)
        return 0;
    return -errno;
}

/* A neighbour that doesn't answer: sooner than lwIP would give up. */
static void look_for_hop(struct stream *t)
{
    int error = -ask_hop(&t->socket.peer);

    if (!error)
        return;
    struct tcp_pcb *pcb = t->pcb;
    stream_detach(t);
    tcp_abort(pcb);
    t->state = STREAM_FRESH;
    t->socket.error = error;
}

void stream_look_for_peer(struct stream *t)
{
    stream_serve();
    if (t->state == STREAM_CONNECTING)
        look_for_hop(t);
}

int stream_finish_connect(struct stream *t, uint64_t deadline)
{
    for (stream_look_for_peer(t); t->state == STREAM_CONNECTING; stream_look_for_peer(t)) {
        if (time_now() >= deadline)
            return -EINPROGRESS;
        int error = stream_wait(t, deadline);
        if (error)
            return error;
    }
    if (t->socket.error)
        return stream_take_error(t);
    return t->state == STREAM_CONNECTED ? 0 : -ECONNABORTED;
}

static int check_peer(struct socket_end *end)
{
    const struct net_host *host = net_service();

    if (socket_end_is_ipv6(end))
        return stream6_check_peer(end);
    if (!host)
        return -ENETDOWN;
    if (!end->port)
        return -EADDRNOTAVAIL;
    if (end->address == INADDR_BROADCAST || end->address == (host->address | ~host->mask))
        return -EACCES;
    if (is_local(end))
        return net_find_local(IPPROTO_TCP, ntohs(end->port)) ? -errno : 0;
    return ask_hop(end);
}

/* A fresh stream's pcb, with a port for this one connection. */
static int take_client_port(struct stream *t, const struct socket_end *peer)
{
    const struct socket_end any = {0};

    if (net_lwip_begin())
        return -errno;
    stream_drive();
    stream_begin_options(t);
    const ip_addr_t own = stream_address(&t->socket, &any), to = stream_address(&t->socket, peer);
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&own));
    if (!pcb)
        return -ENOBUFS;
    int port = net_lwip_dial(pcb, &to, ntohs(peer->port), is_local(peer));
    if (port < 0) {
        int error = -errno;
        tcp_abort(pcb);
        return error;
    }
    stream_attach(t, pcb);
    t->socket.own = (struct socket_end){.port = htons((u16_t)port)};
    t->state = STREAM_BOUND;
    return 0;
}

/* It was for that peer alone. */
static void give_client_port_back(struct stream *t)
{
    struct tcp_pcb *pcb = t->pcb;

    stream_detach(t);
    tcp_abort(pcb);
    t->socket.own = (struct socket_end){0};
    t->state = STREAM_FRESH;
}

static int prepare_connect(struct stream *t, const struct socket_end *peer, uint64_t deadline)
{
    uint16_t port = ntohs(t->socket.own.port);
    bool from_loop = (ntohl(t->socket.own.address) >> 24) == 127;

    if (from_loop && !is_local(peer)) /* nobody out there could answer */
        return -EINVAL;
    if (is_local(peer) && net_lwip_open_loop(port))
        return -errno;
    net_lwip_open_notes(port);
    return socket_end_is_ipv6(peer) ? stream6_take_source(t, peer, deadline) : 0;
}

static int say_hello(struct stream *t, const struct socket_end *peer)
{
    const ip_addr_t address = stream_address(&t->socket, peer);
    t->socket.error = 0;
    int error = stream_error_of(tcp_connect(t->pcb, &address, ntohs(peer->port), stream_connected));
    if (error)
        return error;
    tcp_poll(t->pcb, stream_connects, 1);
    net_lwip_soon();
    t->state = STREAM_CONNECTING;
    t->socket.peer = *peer;
    t->socket.own = stream_end(&t->pcb->local_ip, t->pcb->local_port);
    net_lwip_flush();
    return 0;
}

static int begin_connect(struct stream *t, const struct socket_end *end, uint64_t deadline)
{
    struct socket_end peer = *end;
    bool was_fresh = t->state == STREAM_FRESH;
    int error = check_peer(&peer);

    if (!error && was_fresh)
        error = take_client_port(t, &peer);
    if (error)
        return error;
    error = prepare_connect(t, &peer, deadline);
    if (!error)
        error = say_hello(t, &peer);
    if (error && was_fresh && t->state == STREAM_BOUND)
        give_client_port_back(t);
    return error;
}

int stream_connect(struct socket *s, const struct socket_end *end)
{
    struct stream *t = (struct stream *)s;
    uint64_t deadline = socket_deadline(s, s->send_ns, 0);

    if (t->state == STREAM_CONNECTED || t->state == STREAM_LISTENS)
        return -EISCONN;
    if (t->state == STREAM_CONNECTING) {
        int error = stream_finish_connect(t, deadline);
        return error == -EINPROGRESS ? -EALREADY : error;
    }
    int error = begin_connect(t, end, deadline);
    if (!error && !deadline)
        return -EINPROGRESS; /* without a look, which may see the answer already: poll tells it */
    return error ? error : stream_finish_connect(t, deadline);
}
