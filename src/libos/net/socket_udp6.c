/*
 * UDP's sockets of AF_INET6. The port, the rings and the way of waiting are those of socket_udp.c;
 * IPv4, which such a socket speaks as well unless it was told not to, is left to it.
 */
#include <errno.h>
#include <string.h>

#include "libos/net/datagram6.h"
#include "libos/net/ipv6.h"
#include "libos/net/udp.h"
#include "libos/time/time.h"

/* Zones of link-local addresses are numbers of interfaces, from 1; there is one. */
static int check_zone(const struct socket_end *end)
{
    return end->scope && end->scope != net_service()->netif + 1 ? -ENODEV : 0;
}

int udp6_bind(struct udp *u, const struct socket_end *end)
{
    bool is_any = net_ipv6_is_any(&end->six);

    if (u->has_lease)
        return -EINVAL;
    if (!net_ipv6_page())
        return -ENETDOWN;
    if (!is_any && !net_ipv6_is_local(&end->six))
        return -EADDRNOTAVAIL;
    u->wanted = 1 + (!is_any || u->socket.six_only ? NET_IPV6 : NET_BOTH);
    int error = udp_take_port(u, end->port);
    if (!error && (error = udp_open_loop(u, UDP_SLOTS)) == -ENETUNREACH)
        error = net_ipv6_is_loopback(&end->six) ? -EADDRNOTAVAIL : 0;
    if (error)
        return error;
    u->socket.own.six = end->six;
    u->has_address = !is_any;
    return 0;
}

int udp_try_again(struct udp *u, uint64_t deadline)
{
    uint64_t later = time_after(UDP_HOP_RETRY);

    if (errno != EAGAIN)
        return -errno;
    if (time_now() >= deadline)
        return -EAGAIN;
    return socket_wait(&u->socket, NULL, 0, later < deadline ? later : deadline);
}

/* own: what the call says, or NULL. */
static int find_source(struct udp *u, const struct net_ipv6 *to, const struct socket_end *own,
                       struct net_ipv6 *source, uint64_t deadline)
{
    if (own || u->has_address) {
        *source = own ? own->six : u->socket.own.six;
        bool is_wrong = net_ipv6_is_loopback(source) && !net_ipv6_is_local(to);
        return is_wrong ? -EINVAL : 0;
    }
    while (net_ipv6_source(to, source, 0)) {
        int error = udp_try_again(u, deadline);
        if (error)
            return error;
    }
    return 0;
}

static int find_hop(struct udp *u, const struct net_ipv6 *to, uint8_t mac[6], uint64_t deadline)
{
    while (net_ipv6_next_hop(to, mac, 0)) {
        if (udp_heard(u, !u->heard && net_ipv6_equal(&u->sender.six, to), mac))
            return 0;
        int error = udp_try_again(u, deadline);
        if (error)
            return error;
    }
    return 0;
}

/* The address that is meant: to nobody is to oneself, as elsewhere. */
static struct net_ipv6 meant(const struct socket_end *end)
{
    const struct net_ipv6 loopback = {{0, 0, 0, NET_WIRE32(1)}};
    return net_ipv6_is_any(&end->six) ? loopback : end->six;
}

static int prepare(struct udp *u, const struct net_ipv6 *to)
{
    int error = net_ipv6_page() ? udp_take_port(u, 0) : -ENETDOWN;

    if (error)
        return error;
    if (u->lease.family == NET_IPV4 || net_ipv6_is_group(to))
        return -ENETUNREACH;
    return net_ipv6_is_local(to) ? udp_open_loop(u, UDP_SLOTS) : 0;
}

int udp6_connect(struct udp *u, const struct socket_end *end)
{
    struct net_ipv6 to = meant(end), source;
    uint64_t deadline = socket_deadline(&u->socket, u->socket.send_ns, 0);
    int error = prepare(u, &to);

    if (!error && !net_ipv6_is_local(&to))
        udp_open_loop(u, UDP_NOTE_SLOTS); /* without the loop, nothing is told */
    if (!error)
        error = check_zone(end);
    if (!error)
        error = find_source(u, &to, NULL, &source, deadline);
    if (error)
        return error;
    u->socket.peer = *end;
    u->socket.peer.six = to;
    if (!u->has_address)
        u->socket.own.six = source;
    return 0;
}

/* What a packet to the peer may be, bytes. */
static int path_of(const struct udp *u)
{
    return u->path ? u->path : AEGIS_FRAME_MAX - ETH_SIZE;
}

int udp6_get(const struct udp *u, int option, void *value, socklen_t *size)
{
    int path = path_of(u);

    if (option != IPV6_MTU)
        return -ENOPROTOOPT;
    return u->socket.peer.port ? socket_write_value(value, size, &path, sizeof path) : -ENOTCONN;
}

/* What doesn't fit into a frame goes in fragments; what doesn't fit on the way is told. */
static bool fits(const struct udp *u, const struct socket_end *end, size_t size)
{
    if (size > NET_DATAGRAM6_MAX)
        return size <= UDP_LONG_MAX;
    return end != &u->socket.peer || size + IPV6_SIZE + UDP_SIZE <= (size_t)path_of(u);
}

static int check_destination(const struct udp *u, const struct socket_end *end,
                             const struct socket_transfer *t)
{
    const struct socket *s = &u->socket;

    if (s->shut[SHUT_WR])
        return -EPIPE;
    if (!fits(u, end, t->size))
        return -EMSGSIZE;
    if (t->flags & MSG_OOB)
        return -EOPNOTSUPP;
    return end->port ? 0 : t->has_end ? -EINVAL : -EDESTADDRREQ;
}

ssize_t udp6_send(struct udp *u, struct socket_transfer *t, const struct socket_end *end)
{
    struct socket *s = &u->socket;
    struct net_datagram6 d = {.destination = meant(end),
                              .destination_port = end->port,
                              .size = t->size,
                              .service = s->tos};
    uint64_t deadline = socket_deadline(s, s->send_ns, t->flags);
    uint8_t to[6] = {0}, from[6] = {0}, *frame = u->out;
    const struct net *by = &u->lease.loop;

    const struct socket_end *own = NULL;
    int error = check_destination(u, end, t);
    if (!error && t->flags & SOCKET_INFO)
        error = udp_find_info(u, t, &own);
    if (!error)
        error = prepare(u, &d.destination);
    if (!error)
        error = check_zone(end);
    if (!error)
        error = find_source(u, &d.destination, own, &d.source, deadline);
    if (error)
        return error;
    if (!net_ipv6_is_local(&d.destination)) {
        by = &u->lease.net;
        memcpy(from, net_service()->mac, sizeof from);
        error = find_hop(u, &d.destination, to, deadline);
        if (error)
            return error;
    }
    if (t->size > NET_DATAGRAM6_MAX) {
        const struct socket_end there = {.port = end->port, .is_six = true, .six = d.destination};
        return udp_send_pieces(u, t, &d.source, &there, to, deadline);
    }
    d.source_port = s->own.port;
    if (t->size + NET_DATAGRAM6_HEADERS > AEGIS_HEADER_COPY && !(frame = net_send_buffer()))
        return -ENOBUFS;
    frame += NET_FRAME_LEAD;
    socket_gather(t, frame + NET_DATAGRAM6_HEADERS, t->size);
    size_t length = net_datagram6_write(frame, &d, to, from, s->ttl);
    error = udp_hand_over(u, by, frame, length, deadline);
    return error ? error : (ssize_t)t->size;
}

/* The filter has seen to the lower half of the address that it came to. Others' datagrams come over
 * the loop interface only if netd has put them together. */
static bool is_mine(const struct udp *u, const struct net_datagram6 *d,
                    const struct aegis_slot_header *slot)
{
    const struct socket_end *own = &u->socket.own, *peer = &u->socket.peer;

    if (u->has_address ? !net_ipv6_equal(&d->destination, &own->six)
                       : !net_ipv6_is_local(&d->destination))
        return false;
    if (peer->port && (!net_ipv6_equal(&d->source, &peer->six) || d->source_port != peer->port))
        return false;
    return net_ipv6_is_local(&d->source) == udp_is_from_loop(u) ||
           (udp_is_from_loop(u) && net_is_told(slot));
}

bool udp6_take(struct udp *u, struct aegis_slot_header *slot, struct net_datagram *d)
{
    const uint8_t *frame = net_frame(slot);
    struct net_datagram6 six;

    if (!net_datagram6_read(frame, slot->length, &six) || !is_mine(u, &six, slot))
        return false;
    d->payload = six.payload;
    d->size = six.size;
    u->sender = (struct socket_end){.port = six.source_port, .is_six = true, .six = six.source};
    u->receiver = six.destination;
    return udp_note_sender(u, frame, 0);
}
