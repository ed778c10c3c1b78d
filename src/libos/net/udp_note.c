/* UDP's sockets: what netd tells of their ports (note.h). */
#include "libos/net/udp.h"

/* Whether something from there to one of this machine's addresses is this socket's. */
static bool is_between(const struct udp *u, const struct net_note *n)
{
    const struct socket_end *own = &u->socket.own, *peer = &u->socket.peer;

    if (own->address && n->destination != own->address)
        return false;
    return !peer->port || (!socket_end_is_ipv6(peer) && n->source == peer->address &&
                           n->source_port == peer->port);
}

void udp_take_note(struct udp *u, const uint8_t *frame, size_t length)
{
    struct net_note n;

    if (!net_note_read(frame, length, &n) || !is_between(u, &n))
        return;
    if (n.kind == NOTE_PIECE) {
        net_pieces_take(&u->pieces, &n);
        udp_note_sender(u, frame, n.source);
    } else if (u->socket.peer.port && net_note_errno(&n)) { /* RFC 1122, 4.1.3.3: a peer's alone */
        u->socket.error = net_note_errno(&n);
    }
}

bool udp_take_pieces(struct udp *u, struct net_datagram *d)
{
    if (!net_pieces_whole(&u->pieces, d))
        return false;
    u->from = NULL;
    u->is_from_six = false;
    return true;
}

int udp_take_error(struct udp *u)
{
    int error = u->socket.error;

    u->socket.error = 0;
    return -error;
}
