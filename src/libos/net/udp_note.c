/* UDP's sockets: what netd tells of their ports (note.h). */
#include "libos/net/udp.h"

static bool is_between6(const struct udp *u, const struct net_note *n)
{
    const struct socket_end *own = &u->socket.own, *peer = &u->socket.peer;
    bool is_connected = peer->port != 0;

    if (is_connected && (!socket_end_is_ipv6(peer) || !net_ipv6_equal(&n->source, &peer->six) ||
                         n->source_port != peer->port))
        return false;
    return is_connected || u->has_address ? net_ipv6_equal(&n->destination, &own->six)
                                          : net_ipv6_is_local(&n->destination);
}

/* Whether something from there to one of this machine's addresses is this socket's. */
static bool is_between(const struct udp *u, const struct net_note *n)
{
    const struct socket_end *own = &u->socket.own, *peer = &u->socket.peer;

    if (net_note_is_ipv6(n))
        return u->socket.is_six && is_between6(u, n);
    if (own->address && n->destination.words[3] != own->address)
        return false;
    return !peer->port || (!socket_end_is_ipv6(peer) && n->source.words[3] == peer->address &&
                           n->source_port == peer->port);
}

void udp_take_note(struct udp *u, const uint8_t *frame, size_t length)
{
    struct net_note n;

    if (!net_note_read(frame, length, &n) || !is_between(u, &n))
        return;
    if (n.kind == NOTE_PIECE) {
        net_pieces_take(&u->pieces, &n);
        udp_note_sender(u, frame, net_note_is_ipv6(&n) ? 0 : n.source.words[3]);
    } else if (u->socket.peer.port && net_note_errno(&n)) { /* RFC 1122, 4.1.3.3: a peer's alone */
        u->socket.error = net_note_errno(&n);
        if (net_note_is_ipv6(&n) && u->socket.error == EMSGSIZE && (!u->path || n.mtu < u->path))
            u->path = n.mtu;
    }
}

bool udp_take_pieces(struct udp *u, struct net_datagram *d)
{
    if (!net_pieces_whole(&u->pieces, d))
        return false;
    u->from = NULL;
    u->is_from_six = !net_ipv6_is_mapped(&u->pieces.source);
    if (u->is_from_six)
        u->sender =
            (struct socket_end){.port = d->source_port, .is_six = true, .six = u->pieces.source};
    return true;
}

int udp_take_error(struct udp *u)
{
    int error = u->socket.error;

    u->socket.error = 0;
    return -error;
}
