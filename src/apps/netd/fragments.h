/*
 * Datagrams out of their fragments, in IPv4 (RFC 791, section 3.2; RFC 815) and in IPv6 (RFC 8200,
 * section 4.5). Pure; also on the host.
 *
 * A byte comes once. A fragment that says again what is there is ignored (in IPv6 it has to be one
 * that came, RFC 5722); one that reaches over part of it ends the datagram: nobody sends such but
 * to have two readers see two datagrams (RFC 1858). What of it comes later, as long as its time
 * lasts, is dropped.
 */
#ifndef NETD_FRAGMENTS_H
#define NETD_FRAGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icmp_out.h"
#include "libos/net/ipv6.h"

#define FRAGMENTS_DATAGRAMS 16    /* under way at once; one more, and the oldest makes room, */
#define FRAGMENTS_OF_ONE    4     /* of one sender's if it has so many */
#define FRAGMENTS_SECONDS   15    /* RFC 1122, 3.3.2, asks for 60 to 120; Linux takes 30 */
#define FRAGMENTS6_SECONDS  60    /* RFC 8200 */
#define FRAGMENTS_DATA_MAX  65515 /* bytes behind an IPv4 header of five words */
#define FRAGMENTS6_DATA_MAX 65535 /* behind an IPv6 header, extension headers among them */
#define FRAGMENTS_KEPT      (ETH_SIZE + 1232) /* bytes of a first fragment: ICMPv6 quotes no more */

/* One; numbers as on the wire but for sizes and places. */
struct fragments_piece {
    struct net_ipv6 source, destination; /* IPv4's mapped */
    uint32_t id;
    uint8_t protocol; /* in IPv4; in IPv6 of the first one, behind all headers, */
    size_t skip;      /* which take so many bytes at the datagram's beginning */
    const uint8_t *data;
    size_t at, size; /* of a datagram of FRAGMENTS6_DATA_MAX bytes at most */
    bool is_last;
    const uint8_t *frame; /* that it came in */
    size_t length;
};

/* A whole one; numbers as on the wire. */
struct fragments_datagram {
    struct net_ipv6 source, destination; /* IPv4's mapped */
    uint8_t protocol;
    uint8_t mac[6]; /* who has sent the last of them */
    uint8_t *data;  /* behind the headers; the caller may change it */
    size_t size;
};

static inline bool fragments_is_ipv6(const struct fragments_datagram *d)
{
    return !net_ipv6_is_mapped(&d->source);
}

/*
 * The sum of a datagram of ICMP, ICMPv6 or UDP and of the pseudo header where there is one: folded,
 * to be stored or, with the field's own value in place, zero. Of both ways, as addresses are added.
 */
uint16_t fragments_sum(const struct fragments_datagram *d);

/* A fragment of IPv4: a frame of Ethernet, with a header of five words. false if it is none. */
bool fragments_read(const uint8_t *frame, size_t length, struct fragments_piece *piece);

/*
 * Take a fragment, `now` seconds of any clock. Returns true with *datagram if its datagram is whole
 * now; that stays until the next call.
 */
bool fragments_add(const struct fragments_piece *piece, uint32_t now,
                   struct fragments_datagram *datagram);

/*
 * End one whose time is over: false if there is none. Who has sent it is to be told if its first
 * fragment came (RFC 792, RFC 4443, section 3.3): *length bytes of that one's frame are in
 * frame[FRAGMENTS_KEPT] then, and *error is what to say; else *length is 0.
 */
bool fragments_expire(uint32_t now, uint8_t *frame, size_t *length, struct icmp_out *error);

/* When the next one's time is over; false: there is none. */
bool fragments_due(uint32_t *when);

/* Forget all. */
void fragments_forget(void);

#endif
