/*
 * UDP: a socket with a port has a lease, and its ring is the queue of datagrams. What is received
 * is copied once, from the ring's slot to the program; what is sent is built once, in a buffer that
 * the kernel copies whole if it is short and that the device reads in place otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/udp.h"
#include "libos/time/time.h"

#define FULL_RETRY                                                                                 \
    1000000UL /* ns: nothing tells of room in the device's queue, so look again then */
/* As many as the socket may speak, unless bind has said which. */
static uint8_t family(const struct udp *u)
{
    if (u->wanted || !u->socket.is_six)
        return u->wanted ? u->wanted - 1 : NET_IPV4;
    return u->socket.six_only ? NET_IPV6 : NET_BOTH;
}

int udp_take_port(struct udp *u, uint16_t port)
{
    if (u->has_lease)
        return 0;
    if (net_lease_family(&u->lease, IPPROTO_UDP, family(u), ntohs(port), UDP_SLOTS))
        return -errno;
    u->has_lease = true;
    u->socket.own.port = htons(u->lease.port);
    return 0;
}

int udp_open_loop(struct udp *u, uint64_t slots)
{
    return u->lease.loop.ring || net_lease_loop(&u->lease, slots) == 0 ? 0 : -errno;
}

/* The oldest of what was there before; NULL: there is no more of it. */
static struct aegis_slot_header *oldest_before(struct udp *u)
{
    for (int i = 0; i < 2; i++) {
        u->from = &u->before[i];
        struct aegis_slot_header *slot = u->from->ring ? net_next(u->from) : NULL;
        if (slot)
            return slot;
        free(u->from->ring);
        u->from->ring = NULL;
    }
    return NULL;
}

struct aegis_slot_header *udp_oldest(struct udp *u)
{
    if (__builtin_expect(u->before[0].ring || u->before[1].ring, 0)) {
        struct aegis_slot_header *first = oldest_before(u);
        if (first)
            return first;
    }
    struct aegis_slot_header *slot = net_next(&u->lease.net);

    u->from = &u->lease.net;
    if (!u->lease.loop.ring)
        return slot;
    struct aegis_slot_header *other = net_next(&u->lease.loop);
    if (!other || (slot && slot->time <= other->time))
        return slot;
    u->from = &u->lease.loop;
    return other;
}

bool udp_is_mine(const struct udp *u, const struct net_datagram *d)
{
    const struct socket_end *own = &u->socket.own, *peer = &u->socket.peer;

    if (own->address && d->destination != own->address)
        return false;
    if (peer->port && (d->source != peer->address || d->source_port != peer->port))
        return false;
    return udp_is_from_loop(u) || udp_is_from_outside(d->source);
}

/* The oldest datagram that is for this socket; others are dropped on the way. */
static bool next_datagram(struct udp *u, struct net_datagram *d)
{
    struct aegis_slot_header *slot;

    if (!u->has_lease)
        return false;
    if (__builtin_expect(u->whole != NULL, 0)) {
        udp_take_whole(u, d);
        return true;
    }
    while ((slot = udp_oldest(u))) {
        if (__builtin_expect(udp_is_from_loop(u), 0) && net_is_note(net_frame(slot)) &&
            udp_take_note(u, slot, net_frame(slot))) {
            net_release(u->from);
            if (!u->whole)
                continue;
            udp_take_whole(u, d);
            return true;
        }
        u->is_from_six = u->socket.is_six &&
                         ((const struct net_udp_slot *)slot)->type == NET_WIRE16(ETH_TYPE_IPV6);
        if (__builtin_expect(u->is_from_six, 0)
                ? udp6_take(u, slot, d)
                : net_datagram_read(net_frame(slot), slot->length, d) && udp_is_mine(u, d) &&
                      udp_note_sender(u, net_frame(slot), d->source))
            return true;
        net_release(u->from);
    }
    return false;
}

/* The program has it. */
static void consume(struct udp *u)
{
    if (u->from)
        net_release(u->from);
    else
        udp_forget_whole(u);
}

void udp_look_for_notes(struct udp *u)
{
    struct net_datagram d;

    if (u->has_lease && u->lease.loop.ring && net_next(&u->lease.loop))
        next_datagram(u, &d);
}

/* The datagram that is there is the program's. */
static inline ssize_t hand_over(struct udp *u, const struct net_datagram *d,
                                struct socket_transfer *t)
{
    size_t copied = socket_scatter(t, 0, d->payload, d->size);
    int flags = t->flags;

    if (u->is_from_six) {
        t->end = u->sender;
    } else {
        t->end.address = d->source;
        t->end.port = d->source_port;
    }
    t->has_end = true;
    t->flags = copied < d->size ? MSG_TRUNC : 0;
    if (__builtin_expect(flags & (SOCKET_INFO | MSG_PEEK | MSG_TRUNC), 0)) {
        if (flags & SOCKET_INFO)
            udp_tell_info(u, d, t);
        if (flags & MSG_TRUNC)
            copied = d->size;
        if (flags & MSG_PEEK)
            return (ssize_t)copied;
    }
    consume(u);
    return (ssize_t)copied;
}

static ssize_t udp_receive(struct socket *s, struct socket_transfer *t)
{
    struct udp *u = (struct udp *)s;
    const volatile uint64_t *frames = &aegis_env(exos.env)->frames; /* of both rings */
    struct net_datagram d;
    uint64_t deadline = 0;

    for (;;) {
        uint64_t seen = *frames; /* before the look: what comes behind that is waited for */
        bool is_there = next_datagram(u, &d);
        if (__builtin_expect(s->error, 0))
            return udp_take_error(u);
        if (is_there)
            break;
        if (s->shut[SHUT_RD])
            return 0;
        if (!deadline)
            deadline = socket_deadline(s, s->receive_ns, t->flags);
        if (time_now() >= deadline)
            return -EAGAIN;
        int error = udp_take_port(u, 0); /* somewhere it has to come to */
        if (error)
            return error;
        struct aegis_predicate more = AEGIS_WHEN(*frames, NE, seen);
        error = socket_wait(s, &more, 1, deadline);
        if (error)
            return error;
    }
    return hand_over(u, &d, t);
}

/* The hardware address to send to; waits for it, if the call may. It and what follows are inline,
 * as a call for each would cost short datagrams more than send_long is worth. */
static __attribute__((always_inline)) inline int find_hop(struct udp *u, uint32_t address,
                                                          uint8_t mac[6], uint64_t deadline)
{
    while (net_next_hop(address, mac, 0)) {
        if (udp_heard(u, u->heard == address, mac))
            return 0;
        int error = udp_try_again(u, deadline);
        if (error)
            return error;
    }
    return 0;
}

int udp_hand_over(struct udp *u, const struct net *by, const uint8_t *frame, size_t length,
                  uint64_t deadline)
{
    struct aegis_frame_out out = {.address = frame, .length = length};
    int64_t result;

    while ((result = net_send(by, &out, 1)) == -AEGIS_E_FULL) {
        uint64_t now = time_now(), later = time_after(FULL_RETRY);
        if (now >= deadline)
            return -EAGAIN;
        int error = socket_wait(&u->socket, NULL, 0, later < deadline ? later : deadline);
        if (error)
            return error;
    }
    return result == 1 ? 0 : -ENETDOWN;
}

static __attribute__((always_inline)) inline int check_destination(const struct socket *s,
                                                                   const struct socket_end *end,
                                                                   const struct socket_transfer *t)
{
    if (t->size > NET_DATAGRAM_MAX)
        return -EMSGSIZE;
    if (!end->port)
        return t->has_end ? -EINVAL : -EDESTADDRREQ;
    if (s->broadcast)
        return 0;
    const struct net_host *host = net_service();
    bool is_broadcast =
        host && (end->address == INADDR_BROADCAST || end->address == (host->address | ~host->mask));
    return is_broadcast ? -EACCES : 0;
}

/* A way to send to an address: by which binding, and between which hardware addresses. */
struct way {
    const struct net *by;
    const uint8_t *from;
    uint8_t to[6] __attribute__((aligned(2)));
};

static __attribute__((always_inline)) inline int
find_way(struct udp *u, uint32_t own, uint32_t address, struct way *way, uint64_t deadline)
{
    static const uint8_t none[6] __attribute__((aligned(2))); /* as all of the loop interface */
    const struct net_host *host = net_service();

    if (net_is_local(host, address)) {
        *way = (struct way){.by = &u->lease.loop, .from = none};
        return udp_open_loop(u, UDP_SLOTS);
    }
    if (udp_is_loopback(own))
        return -EINVAL;
    way->by = &u->lease.net;
    way->from = host->mac;
    return find_hop(u, address, way->to, deadline);
}

/* What doesn't fit into a frame, as far as that is the only thing that is against it. */
static __attribute__((noinline)) ssize_t send_long(struct udp *u, struct socket_transfer *t,
                                                   const struct socket_end *end, uint64_t deadline)
{
    struct socket_transfer rest = *t;
    const struct socket_end *own = &u->socket.own;
    struct way way;

    rest.size = 0;
    int error = t->size > UDP_LONG_MAX ? -EMSGSIZE : check_destination(&u->socket, end, &rest);
    if (t->flags & (SOCKET_INFO | MSG_OOB) && !error)
        error = t->flags & MSG_OOB ? -EOPNOTSUPP : udp_find_info(u, t, &own);
    if (!error)
        error = udp_take_port(u, 0);
    if (!error)
        error = find_way(u, own->address, end->address, &way, deadline);
    if (error)
        return error;
    const struct net_ipv6 source =
        net_ipv6_mapped(own->address ?: udp_source_towards(end->address));
    const struct socket_end there = {.port = end->port, .six = net_ipv6_mapped(end->address)};
    return udp_send_pieces(u, t, &source, &there, way.to, deadline);
}

static ssize_t udp_send(struct socket *s, struct socket_transfer *t)
{
    struct udp *u = (struct udp *)s;
    const struct socket_end *end = t->has_end ? &t->end : &s->peer;
    uint64_t deadline = socket_deadline(s, s->send_ns, t->flags);
    uint8_t *frame = u->out;
    const struct socket_end *own = &s->own;
    struct way way;

    if (s->peer.port)
        udp_look_for_notes(u);
    if (__builtin_expect(s->error, 0))
        return udp_take_error(u);
    if (__builtin_expect(socket_end_is_ipv6(end), 0))
        return udp6_send(u, t, end);
    int error = s->shut[SHUT_WR] ? -EPIPE : check_destination(s, end, t);
    if (__builtin_expect(t->flags & (SOCKET_INFO | MSG_OOB), 0) && !error)
        error = t->flags & MSG_OOB ? -EOPNOTSUPP : udp_find_info(u, t, &own);
    if (!error)
        error = udp_take_port(u, 0);
    if (!error)
        error = find_way(u, own->address, end->address, &way, deadline);
    if (error)
        return error == -EMSGSIZE ? send_long(u, t, end, deadline) : error;
    if (t->size + NET_DATAGRAM_HEADERS > AEGIS_HEADER_COPY && !(frame = net_send_buffer()))
        return -ENOBUFS;
    frame += NET_FRAME_LEAD;
    struct net_datagram d = {.source = own->address ?: udp_source_towards(end->address),
                             .destination = end->address,
                             .source_port = s->own.port,
                             .destination_port = end->port,
                             .size = t->size,
                             .service = s->tos};
    socket_gather(t, frame + NET_DATAGRAM_HEADERS, t->size);
    size_t length = net_datagram_write(frame, &d, way.to, way.from, s->ttl);
    error = udp_hand_over(u, way.by, frame, length, deadline);
    return error ? error : (ssize_t)t->size;
}

static short udp_ready(struct socket *s, short events)
{
    struct udp *u = (struct udp *)s;
    struct net_datagram d;
    short ready = POLLOUT | POLLWRNORM;
    bool reads = events & (POLLIN | POLLRDNORM);

    if (!reads)
        udp_look_for_notes(u);
    if ((reads && next_datagram(u, &d)) || s->shut[SHUT_RD])
        ready |= POLLIN | POLLRDNORM | (s->shut[SHUT_RD] && s->shut[SHUT_WR] ? POLLHUP : 0);
    if (s->error)
        ready |= POLLERR | POLLIN | POLLRDNORM;
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

void udp_close(struct socket *s)
{
    struct udp *u = (struct udp *)s;

    udp_forget_pieces(u);
    for (int i = 0; i < 2; i++)
        free(u->before[i].ring);
    if (u->has_lease)
        net_lease_end(&u->lease);
}

const struct socket_protocol socket_udp = {
    .type = SOCK_DGRAM,
    .number = IPPROTO_UDP,
    .speaks_ipv6 = true,
    .size = sizeof(struct udp),
    .bind = udp_bind,
    .connect = udp_connect,
    .send = udp_send,
    .receive = udp_receive,
    .ready = udp_ready,
    .readable = udp_readable,
    .shutdown = udp_shutdown,
    .set = udp_set,
    .get = udp_get,
    .close = udp_close,
    .in_child = udp_in_child,
    .lease = udp_lease,
    .state_size = udp_state_size,
    .give = udp_give,
    .take = udp_take,
    .forget = udp_forget,
};
