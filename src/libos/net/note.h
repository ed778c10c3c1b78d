/*
 * What netd tells a program of one of its ports that no frame of the port's own could: that ICMP
 * says that something the program has sent can't arrive, and a datagram that came in fragments, in
 * pieces. A note is a frame on the loop interface, from the peer that it is about to the port. Only
 * who has that interface's root binding can send in the name of another machine; in that of a port
 * of this machine, who has the port as well: so a note says nothing that its peer couldn't bring
 * about otherwise. Who has a port sends pieces himself to others of this machine (udp_long.c).
 *
 * Ethernet header, all zero but the type, and then
 *   IPv4: a header of eight words, with an option for experiments (RFC 4727) that says what it is;
 *     the ports; four bytes (UDP: length, no sum; TCP: the sequence number that ICMP quotes)
 *   IPv6: a header with a class and a flow label that nobody's packets have; the ports; four bytes
 *     (UDP: zero; TCP: as above); what it is. Neither UDP's length nor the place where TCP's offset
 *     would stand can be one: who doesn't know notes takes it for nothing
 * and the piece. Pure; also on the host.
 */
#ifndef EXOS_NET_NOTE_H
#define EXOS_NET_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/headers.h"
#include "libos/net/ipv6.h"

enum net_note_kind {
    NOTE_ERROR = 1, /* of ICMP, or ICMPv6 */
    NOTE_PIECE,     /* of a datagram's payload; they come in their order, all or none of the rest */
};

#define NOTE_FIRST     0x48       /* IPv4's first byte: version, eight words */
#define NOTE6_FIRST    0x6fffffff /* IPv6's first word: version, class, flow label */
#define NOTE_HEADERS   (ETH_SIZE + 32 + UDP_SIZE)
#define NOTE6_HEADERS  (ETH_SIZE + IPV6_SIZE + 20)
#define NOTE_PIECE_MAX (AEGIS_FRAME_MAX - NOTE6_HEADERS) /* of either family */

/* Addresses and ports as on the wire; the rest in host byte order. */
struct net_note {
    uint8_t kind;       /* enum net_note_kind */
    uint8_t protocol;   /* of the port */
    uint8_t type, code; /* of an error: ICMP's, or with addresses of IPv6 ICMPv6's */
    uint16_t mtu;       /* of an error that says so: the next hop's, else 0 */
    uint16_t at, total; /* of a piece: its place, and the bytes of all, at least 1 */
    uint16_t source_port, destination_port; /* the peer's, and the port */
    uint32_t sequence;                      /* of an error of TCP */
    /* The peer, and this machine as the peer knows it: both of one family, IPv4's mapped. */
    struct net_ipv6 source, destination;
    const uint8_t *payload; /* of a piece */
    size_t size;            /* bytes of it, at most NOTE_PIECE_MAX */
};

/* ICMPv6's types of errors (RFC 4443). */
#define NOTE6_UNREACHABLE   1
#define NOTE6_TOO_BIG       2
#define NOTE6_TIME_EXCEEDED 3
#define NOTE6_PARAMETER     4

#define NOTE6_MTU_LEAST 1280 /* of a link, and so of a path: RFC 8200, section 5 */

static inline bool net_note_is_ipv6(const struct net_note *note)
{
    return !net_ipv6_is_mapped(&note->source);
}

/* Whether a frame that came over the loop interface, of IPv4 or IPv6, may be a note. */
static inline bool net_is_note(const uint8_t *frame)
{
    uint8_t first = frame[IPV4_FIRST];

    if (__builtin_expect(first == NET_IPV4_PLAIN, 1))
        return false;
    return first == NOTE_FIRST ||
           (first == NOTE6_FIRST >> 24 && net_get32(frame + IPV6_FIRST) == NOTE6_FIRST);
}

/* Make the frame of a note, at most AEGIS_FRAME_MAX bytes. Returns its length. */
size_t net_note_write(uint8_t *frame, const struct net_note *note);

/* Read one; false if the frame is none, or its lengths don't fit into each other. */
bool net_note_read(const uint8_t *frame, size_t length, struct net_note *note);

/*
 * What an error means to a program (RFC 1122, 4.2.3.9 and 4.1.3.3; RFC 4443; the values are
 * Linux's): an errno value, or 0 if it is to go on.
 */
int net_note_errno(const struct net_note *note);

#endif
