/*
 * UDP datagrams that don't fit into a frame: they go over the loop interface in pieces, as netd's
 * do (note.h). The kernel sees to it that pieces in the name of a port are from who has it, so who
 * has one may send them himself: to this machine's own ports, and to netd, which sends those for
 * other machines in fragments.
 */
#include <errno.h>
#include <stdlib.h>

#include "libos/net/udp.h"

ssize_t udp_send_pieces(struct udp *u, const struct socket_transfer *t,
                        const struct net_ipv6 *source, const struct socket_end *end,
                        const uint8_t mac[6], uint64_t deadline)
{
    struct net_note note = {.kind = NOTE_PIECE,
                            .protocol = IPV4_UDP,
                            .source = *source,
                            .destination = end->six,
                            .source_port = u->socket.own.port,
                            .destination_port = end->port,
                            .total = (uint16_t)t->size};
    uint8_t *bytes = malloc(t->size), *frame = malloc(AEGIS_FRAME_MAX);
    int error = bytes && frame ? udp_open_loop(u, UDP_NOTE_SLOTS) : -ENOBUFS;

    if (!error)
        socket_gather(t, bytes, t->size);
    for (size_t at = 0; at < t->size && !error; at += note.size) {
        note.at = (uint16_t)at;
        note.payload = bytes + at;
        note.size = t->size - at < NOTE_PIECE_MAX ? t->size - at : NOTE_PIECE_MAX;
        size_t length = net_note_write(frame, &note);
        memcpy(frame + ETH_DESTINATION, mac, 6);
        error = udp_hand_over(u, &u->lease.loop, frame, length, deadline);
    }
    free(bytes);
    free(frame);
    return error ? error : (ssize_t)t->size;
}
