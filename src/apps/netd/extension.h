/*
 * The headers between IPv6's own and what it carries (RFC 8200, section 4), gone through as the
 * machine that the packet is for. Pure; also on the host.
 *
 * Hop-by-hop options and destination options: there is none that this machine knows but padding,
 * so the two highest bits of each say what becomes of the packet. A routing header with segments
 * left is for a router, which this machine isn't (RFC 5095). A fragment header that says that the
 * packet is no fragment is like any other (RFC 6946).
 */
#ifndef NETD_EXTENSION_H
#define NETD_EXTENSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXTENSION_HOPS     0 /* next headers */
#define EXTENSION_ROUTING  43
#define EXTENSION_FRAGMENT 44
#define EXTENSION_NOTHING  59 /* and nothing behind */
#define EXTENSION_OPTIONS  60

enum extension_verdict {
    EXTENSION_PASSES,  /* what it carries is UDP, TCP or ICMPv6, or it is a later fragment */
    EXTENSION_DROPS,   /* without a word */
    EXTENSION_PROBLEM, /* and its sender is told (RFC 4443, section 3.4) */
};

/* Codes of that. */
enum extension_problem {
    EXTENSION_BAD_FIELD,   /* RFC 4443 */
    EXTENSION_BAD_HEADER,  /* a next header that isn't known */
    EXTENSION_BAD_OPTION,  /* an option that isn't known */
    EXTENSION_BAD_FRAGMENT /* a first fragment without all headers: RFC 7112, section 5 */
};

/* Places are in bytes from the IPv6 header on. */
struct extension {
    size_t at;        /* where the last header ends */
    uint8_t protocol; /* what is there */
    bool is_fragment; /* of several; then */
    size_t fragment;  /* the place of the header that says so, */
    size_t offset;    /* where in the datagram what is behind that belongs, */
    bool is_last;
    uint32_t id;
    uint8_t code; /* of EXTENSION_PROBLEM, an enum extension_problem */
    uint32_t pointer;
};

/*
 * Go through a packet: `size` bytes from the IPv6 header on, that one included, and no more than
 * its payload length says. Of a first fragment all headers are looked at, of a later one those
 * before the fragment header; its `protocol` is what that one says, and `at` is behind it.
 */
enum extension_verdict extension_walk(const uint8_t *packet, size_t size, struct extension *e);

/*
 * Whether a packet carries a message of ICMPv6 that mustn't be answered by an error (RFC 4443,
 * section 2.4 e), as far as can be seen: an error itself, or a redirect.
 */
bool extension_is_error(const uint8_t *packet, size_t size);

#endif
