/*
 * Datagrams of IPv4 out of their fragments (RFC 791, section 3.2; RFC 815). Pure; also on the host.
 *
 * A byte comes once. A fragment that says again what is there is ignored; one that reaches over
 * part of it ends the datagram: nobody sends such but to have two readers see two datagrams (RFC
 * 1858, RFC 5722). What of it comes later, as long as its time lasts, is dropped.
 */
#ifndef NETD_FRAGMENTS_H
#define NETD_FRAGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAGMENTS_DATAGRAMS 16    /* under way at once; one more, and the oldest makes room, */
#define FRAGMENTS_OF_ONE    4     /* of one sender's if it has so many */
#define FRAGMENTS_SECONDS   15    /* RFC 1122, 3.3.2, asks for 60 to 120; Linux takes 30 */
#define FRAGMENTS_DATA_MAX  65515 /* bytes behind a header of five words */

/* A whole one; numbers as on the wire. */
struct fragments_datagram {
    uint32_t source, destination;
    uint8_t protocol;
    uint8_t mac[6]; /* who has sent the last of them */
    uint8_t *data;  /* behind the IPv4 header; the caller may change it */
    size_t size;
};

/*
 * Take a fragment: a frame of Ethernet with IPv4 and a header of five words, `now` seconds of any
 * clock. Returns true with *datagram if its datagram is whole now; that stays until the next call.
 */
bool fragments_add(const uint8_t *frame, size_t length, uint32_t now,
                   struct fragments_datagram *datagram);

/* Forget all. */
void fragments_forget(void);

#endif
