/*
 * UDP: a socket with a port has a lease, and its ring is the queue of datagrams. What is received
 * is copied once, from the ring's slot to the program; what is sent is built once, in a buffer that
 * the kernel copies whole if it is short and that the device reads in place otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "libos/net/datagram.h"
#include "libos/net/service.h"
#include "libos/net/socket.h"
#include "libos/time/time.h"

#define RING_SLOTS 32
#define FULL_RETRY                                                                                 \
    1000000UL /* ns: nothing tells of room in the device's queue, so look again then */
#define HOP_RETRY 20000000UL /* ns: until a neighbour is looked up again, at most */

struct udp {
    struct socket socket;
    bool has_lease;
    struct net_lease lease;
    /* A short datagram under way; as in all buffers the frame lies behind NET_FRAME_LEAD bytes. */
    uint8_t out[NET_FRAME_LEAD + AEGIS_HEADER_COPY] __attribute__((aligned(8)));
};

static int take_port(struct udp *u, uint16_t port)
{
    if (u->has_lease)
        return 0;
    if (net_lease(&u->lease, IPPROTO_UDP, ntohs(port), RING_SLOTS))
        return -errno;
    u->has_lease = true;
    u->socket.own.port = htons(u->lease.port);
    return 0;
}

static int udp_bind(struct socket *s, const struct socket_end *end)
{
    struct udp *u = (struct udp *)s;
    int error = u->has_lease ? -EINVAL : socket_check_own(end->address);

    if (!error)
        error = take_port(u, end->port);
    if (!error)
        s->own.address = end->address;
    return error;
}

static int udp_connect(struct socket *s, const struct socket_end *end)
{
    struct udp *u = (struct udp *)s;

    if (!end->port) {
        s->peer = *end;
        return 0;
    }
    int error = take_port(u, 0);
    if (error)
        return error;
    s->peer = *end;
    s->own.address = net_service()->address;
    return 0;
}

/* The oldest datagram that is for this socket, or NULL; others are dropped on the way. */
static struct aegis_slot_header *next_datagram(struct udp *u, struct net_datagram *d)
{
    const struct socket_end *peer = &u->socket.peer;
    struct aegis_slot_header *slot;

    if (!u->has_lease)
        return NULL;
    while ((slot = net_next(&u->lease.net))) {
        if (net_datagram_read(net_frame(slot), slot->length, d) &&
            (!peer->port || (d->source == peer->address && d->source_port == peer->port)))
            return slot;
        net_release(&u->lease.net);
    }
    return NULL;
}

static ssize_t udp_receive(struct socket *s, struct socket_transfer *t)
{
    struct udp *u = (struct udp *)s;
    struct net_datagram d;
    uint64_t deadline = 0;

    while (!next_datagram(u, &d)) {
        if (s->shut[SHUT_RD])
            return 0;
        if (!deadline)
            deadline = socket_deadline(s, s->receive_ns, t->flags);
        if (time_now() >= deadline)
            return -EAGAIN;
        int error = take_port(u, 0); /* somewhere it has to come to */
        if (error)
            return error;
        struct aegis_predicate when = net_readable(&u->lease.net);
        error = fd_wait(&s->object, &when, 1, deadline);
        if (error)
            return error;
    }
    size_t copied = socket_scatter(t, d.payload, d.size);
    bool tells_all = t->flags & MSG_TRUNC, peeks = t->flags & MSG_PEEK;
    t->end = (struct socket_end){d.source, d.source_port};
    t->has_end = true;
    t->flags = copied < d.size ? MSG_TRUNC : 0;
    if (!peeks)
        net_release(&u->lease.net);
    return (ssize_t)(tells_all ? d.size : copied);
}

/* The hardware address to send to; waits for it, if the call may. */
static int find_hop(struct socket *s, uint32_t address, uint8_t mac[6], uint64_t deadline)
{
    while (net_next_hop(address, mac, 0)) {
        if (errno != EAGAIN)
            return -errno;
        if (time_now() >= deadline)
            return -EAGAIN;
        uint64_t later = time_after(HOP_RETRY);
        int error = fd_wait(&s->object, NULL, 0, later < deadline ? later : deadline);
        if (error)
            return error;
    }
    return 0;
}

static int hand_over(struct udp *u, const uint8_t *frame, size_t length, uint64_t deadline)
{
    struct aegis_frame_out out = {.address = frame, .length = length};
    int64_t result;

    while ((result = net_send(&u->lease.net, &out, 1)) == -AEGIS_E_FULL) {
        uint64_t now = time_now(), later = time_after(FULL_RETRY);
        if (now >= deadline)
            return -EAGAIN;
        int error = fd_wait(&u->socket.object, NULL, 0, later < deadline ? later : deadline);
        if (error)
            return error;
    }
    return result == 1 ? 0 : -ENETDOWN;
}

static int check_destination(const struct socket *s, const struct socket_end *end, size_t size)
{
    if (size > NET_DATAGRAM_MAX)
        return -EMSGSIZE;
    if (!end->port)
        return -EDESTADDRREQ;
    if (s->broadcast)
        return 0;
    const struct net_host *host = net_service();
    bool is_broadcast =
        host && (end->address == INADDR_BROADCAST || end->address == (host->address | ~host->mask));
    return is_broadcast ? -EACCES : 0;
}

static ssize_t udp_send(struct socket *s, struct socket_transfer *t)
{
    struct udp *u = (struct udp *)s;
    const struct socket_end *end = t->has_end ? &t->end : &s->peer;
    const struct net_host *host;
    uint64_t deadline = socket_deadline(s, s->send_ns, t->flags);
    uint8_t mac[6] __attribute__((aligned(2))), *frame = u->out;

    int error = s->shut[SHUT_WR] ? -EPIPE : check_destination(s, end, t->size);
    if (!error)
        error = take_port(u, 0);
    if (!error)
        error = find_hop(s, end->address, mac, deadline);
    if (error)
        return error;
    host = net_service();
    if (t->size + NET_DATAGRAM_HEADERS > AEGIS_HEADER_COPY && !(frame = net_send_buffer()))
        return -ENOBUFS;
    frame += NET_FRAME_LEAD;
    struct net_datagram d = {.source = host->address,
                             .destination = end->address,
                             .source_port = s->own.port,
                             .destination_port = end->port,
                             .size = t->size};
    socket_gather(t, frame + NET_DATAGRAM_HEADERS, t->size);
    size_t length = net_datagram_write(frame, &d, mac, host->mac, s->ttl);
    error = hand_over(u, frame, length, deadline);
    return error ? error : (ssize_t)t->size;
}

static short udp_ready(struct socket *s, short events)
{
    struct net_datagram d;
    short ready = POLLOUT | POLLWRNORM;

    if (s->shut[SHUT_RD] ||
        ((events & (POLLIN | POLLRDNORM)) && next_datagram((struct udp *)s, &d)))
        ready |= POLLIN | POLLRDNORM;
    return ready & (events | POLLERR | POLLHUP);
}

static int udp_readable(struct socket *s)
{
    struct net_datagram d;
    return next_datagram((struct udp *)s, &d) ? (int)d.size : 0;
}

static int udp_shutdown(struct socket *s, int how)
{
    if (!s->peer.port)
        return -ENOTCONN;
    s->shut[SHUT_RD] |= how != SHUT_WR;
    s->shut[SHUT_WR] |= how != SHUT_RD;
    return 0;
}

static void udp_close(struct socket *s)
{
    struct udp *u = (struct udp *)s;
    if (u->has_lease)
        net_lease_end(&u->lease);
}

/* The ring and the binding are the parent's. */
static void udp_in_child(struct socket *s)
{
    ((struct udp *)s)->has_lease = false;
}

const struct socket_protocol socket_udp = {
    .type = SOCK_DGRAM,
    .number = IPPROTO_UDP,
    .size = sizeof(struct udp),
    .bind = udp_bind,
    .connect = udp_connect,
    .send = udp_send,
    .receive = udp_receive,
    .ready = udp_ready,
    .readable = udp_readable,
    .shutdown = udp_shutdown,
    .close = udp_close,
    .in_child = udp_in_child,
};
