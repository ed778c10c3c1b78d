/*
 * What netd tells a program of one of its ports that no frame of the port's own could: that ICMP
 * says that something the program has sent can't arrive, and a datagram that came in fragments, in
 * pieces. A note is a frame on the loop interface, from the peer that it is about to the port. Only
 * who has that interface's root binding can send in the name of another machine; in that of a port
 * of this machine, who has the port as well: so a note says nothing that its peer couldn't bring
 * about otherwise.
 *
 * Ethernet header, all zero but the type; IPv4 header of eight words, with an option for
 * experiments (RFC 4727); the ports; four bytes (UDP: length, no sum; TCP: the sequence number that
 * ICMP quotes); the piece. Pure; also on the host.
 */
#ifndef EXOS_NET_NOTE_H
#define EXOS_NET_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/headers.h"

enum net_note_kind {
    NOTE_ERROR = 1, /* of ICMP */
    NOTE_PIECE,     /* of a datagram's payload; they come in their order, all or none of the rest */
};

#define NOTE_FIRST     0x48 /* IPv4's first byte: version, eight words */
#define NOTE_HEADERS   (ETH_SIZE + 32 + UDP_SIZE)
#define NOTE_PIECE_MAX (AEGIS_FRAME_MAX - NOTE_HEADERS)

/* Addresses and ports as on the wire; the rest in host byte order. */
struct net_note {
    uint8_t kind;                 /* enum net_note_kind */
    uint8_t protocol;             /* of the port */
    uint8_t type, code;           /* of an error */
    uint16_t mtu;                 /* of an error that says so: the next hop's, else 0 */
    uint16_t at, total;           /* of a piece: its place, and the bytes of all, at least 1 */
    uint32_t source, destination; /* the peer, and this machine as the peer knows it */
    uint16_t source_port, destination_port; /* the peer's, and the port */
    uint32_t sequence;                      /* of an error of TCP */
    const uint8_t *payload;                 /* of a piece */
    size_t size;                            /* bytes of it, at most NOTE_PIECE_MAX */
};

/* Whether a frame that came over the loop interface, of IPv4, may be a note. */
static inline bool net_is_note(const uint8_t *frame)
{
    return frame[IPV4_FIRST] == NOTE_FIRST;
}

/* Make the frame of a note, at most AEGIS_FRAME_MAX bytes. Returns its length. */
size_t net_note_write(uint8_t *frame, const struct net_note *note);

/* Read one; false if the frame is none, or its lengths don't fit into each other. */
bool net_note_read(const uint8_t *frame, size_t length, struct net_note *note);

/*
 * What an ICMP error means to a program (RFC 1122, 4.2.3.9 and 4.1.3.3): an errno value, or 0 if it
 * is to go on.
 */
int net_note_errno(const struct net_note *note);

#endif
