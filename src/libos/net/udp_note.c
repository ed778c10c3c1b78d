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

/* Whether it is of this machine: then the kernel's filter has seen to it that its sender has the
 * port. */
static bool is_from_here(const struct net_note *n)
{
    return net_note_is_ipv6(n) ? net_ipv6_is_local(&n->source)
                               : net_is_local(net_service(), n->source.words[3]);
}

static void take_piece(struct udp *u, const struct net_note *n, uint32_t sender)
{
    struct net_pieces *pieces =
        sender ? net_pieces_place(u->pieces, UDP_SENDERS, sender, n) : &u->told;
    struct net_datagram d;

    if (!pieces)
        return;
    net_pieces_take(pieces, n);
    u->whole = net_pieces_whole(pieces, &d) ? pieces : NULL;
}

bool udp_take_note(struct udp *u, const struct aegis_slot_header *slot, const uint8_t *frame)
{
    bool is_told = net_is_told(slot);
    struct net_note n;

    if (!net_note_read(frame, slot->length, &n))
        return is_told;
    if (!is_told && (n.kind != NOTE_PIECE || n.protocol != IPV4_UDP || !is_from_here(&n)))
        return false;
    if (!is_between(u, &n))
        return true;
    if (n.kind == NOTE_PIECE) {
        take_piece(u, &n, net_sender(slot));
        udp_note_sender(u, frame, net_note_is_ipv6(&n) ? 0 : n.source.words[3]);
    } else if (u->socket.peer.port && net_note_errno(&n)) { /* RFC 1122, 4.1.3.3: a peer's alone */
        u->socket.error = net_note_errno(&n);
        if (net_note_is_ipv6(&n) && u->socket.error == EMSGSIZE && (!u->path || n.mtu < u->path))
            u->path = n.mtu;
    }
    return true;
}

void udp_take_whole(struct udp *u, struct net_datagram *d)
{
    const struct net_ipv6 *source = &u->whole->source;

    net_pieces_whole(u->whole, d);
    u->from = NULL;
    u->is_from_six = !net_ipv6_is_mapped(source);
    if (u->is_from_six)
        u->sender = (struct socket_end){.port = d->source_port, .is_six = true, .six = *source};
}

void udp_forget_whole(struct udp *u)
{
    net_pieces_forget(u->whole);
    u->whole = NULL;
}

void udp_forget_pieces(struct udp *u)
{
    net_pieces_forget(&u->told);
    for (int i = 0; i < UDP_SENDERS; i++)
        net_pieces_forget(&u->pieces[i]);
    u->whole = NULL;
}

int udp_take_error(struct udp *u)
{
    int error = u->socket.error;

    u->socket.error = 0;
    return -error;
}
