/* A datagram that comes in pieces, by notes (note.h), for a socket. Pure; also on the host. */
#ifndef EXOS_NET_PIECES_H
#define EXOS_NET_PIECES_H

#include "libos/net/datagram.h"
#include "libos/net/note.h"

/* Zero: none. */
struct net_pieces {
    uint8_t *bytes;  /* malloc'ed; NULL: none */
    uint32_t sender; /* of whom they are (net_pieces_place), */
    uint64_t number; /* and when that one began them, among others */
    size_t have, total;
    struct net_ipv6 source, destination; /* as a note has them */
    uint16_t source_port;
};

/*
 * Take a piece: one at place 0 begins a datagram, and ends what was there; one that doesn't go on
 * where the last one ended ends it, too.
 */
void net_pieces_take(struct net_pieces *pieces, const struct net_note *note);

/*
 * Whether a datagram is whole: fills *datagram, whose payload stays until net_pieces_forget. Its
 * destination port isn't set; its addresses are set if they are of IPv4, else they are 0, and in
 * *pieces alone.
 */
bool net_pieces_whole(const struct net_pieces *pieces, struct net_datagram *datagram);

void net_pieces_forget(struct net_pieces *pieces);

/*
 * Where of `count` places, all zero at first, a piece of a sender's belongs: with what there is of
 * his; or, if it begins a datagram, in a free place, or in that of who began his the longest time
 * ago. So a sender ends no datagram but his own, unless there are more senders than places. NULL:
 * nowhere.
 */
struct net_pieces *net_pieces_place(struct net_pieces *places, size_t count, uint32_t sender,
                                    const struct net_note *note);

#endif
