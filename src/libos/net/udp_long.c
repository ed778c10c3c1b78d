/*
 * UDP datagrams to this machine's own ports that don't fit into a frame: they go over the loop
 * interface in pieces, as netd's do (note.h). The kernel sees to it that pieces in the name of a
 * port are from who has it, so who has one may send them himself.
 */
#include <errno.h>
#include <stdlib.h>

#include "libos/net/udp.h"

ssize_t udp_send_pieces(struct udp *u, const struct socket_transfer *t,
                        const struct net_ipv6 *source, const struct net_ipv6 *destination,
                        uint16_t port, uint64_t deadline)
{
    struct net_note note = {.kind = NOTE_PIECE,
                            .protocol = IPV4_UDP,
                            .source = *source,
                            .destination = *destination,
                            .source_port = u->socket.own.port,
                            .destination_port = port,
                            .total = (uint16_t)t->size};
    uint8_t *bytes = malloc(t->size), *frame = malloc(AEGIS_FRAME_MAX);
    int error = bytes && frame ? 0 : -ENOBUFS;

    if (!error)
        socket_gather(t, bytes, t->size);
    for (size_t at = 0; at < t->size && !error; at += note.size) {
        note.at = (uint16_t)at;
        note.payload = bytes + at;
        note.size = t->size - at < NOTE_PIECE_MAX ? t->size - at : NOTE_PIECE_MAX;
        size_t length = net_note_write(frame, &note);
        error = udp_hand_over(u, &u->lease.loop, frame, length, deadline);
    }
    free(bytes);
    free(frame);
    return error ? error : (ssize_t)t->size;
}

ssize_t udp_send_long(struct udp *u, struct socket_transfer *t, const struct socket_end *end,
                      uint64_t deadline)
{
    const struct net_host *host = net_service();
    const struct socket_end *own = &u->socket.own;
    int error = 0;

    if (t->size > UDP_LONG_MAX || (host && !net_is_local(host, end->address)))
        return -EMSGSIZE;
    if (!end->port)
        return t->has_end ? -EINVAL : -EDESTADDRREQ;
    if (t->flags & (SOCKET_INFO | MSG_OOB))
        error = t->flags & MSG_OOB ? -EOPNOTSUPP : udp_find_info(u, t, &own);
    if (!error)
        error = udp_take_port(u, 0);
    if (!error)
        error = udp_open_loop(u, UDP_SLOTS);
    if (error)
        return error;
    const struct net_ipv6 source =
        net_ipv6_mapped(own->address ?: udp_source_towards(end->address));
    const struct net_ipv6 destination = net_ipv6_mapped(end->address);
    return udp_send_pieces(u, t, &source, &destination, end->port, deadline);
}
