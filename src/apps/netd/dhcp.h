/*
 * DHCP's client (RFC 2131, options of RFC 2132): the messages, and what to do when. Pure; also on
 * the host. Times are milliseconds of any clock; addresses are in host byte order.
 */
#ifndef NETD_DHCP_H
#define NETD_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_CLIENT     68  /* the port that answers come to */
#define DHCP_FRAME      600 /* bytes of what is sent, at most */
#define DHCP_SERVERS    3   /* of names, that are kept */
#define DHCP_SEARCH_MAX 256

enum dhcp_state {
    DHCP_INIT,
    DHCP_SELECTING,
    DHCP_REQUESTING,
    DHCP_BOUND,
    DHCP_RENEWING,  /* asks the server that gave it */
    DHCP_REBINDING, /* asks anybody */
};

struct dhcp_lease {
    uint32_t address, router;     /* router: 0 if there is none */
    uint32_t dns[DHCP_SERVERS];   /* servers of names; 0: none, nor behind it */
    char search[DHCP_SEARCH_MAX]; /* domains, with a blank between two */
    uint8_t prefix;
    uint32_t server;
    uint8_t server_mac[6];
    uint32_t seconds, renew, rebind; /* from its beginning; UINT32_MAX seconds: for ever */
};

struct dhcp {
    enum dhcp_state state;
    uint8_t mac[6];
    uint32_t number;         /* of the exchange, xid */
    uint64_t due;            /* when dhcp_tick has something to do; UINT64_MAX: never */
    uint64_t began;          /* the exchange */
    uint64_t asked;          /* the request that is acknowledged: the lease counts from it */
    unsigned tries;          /* in this state */
    struct dhcp_lease offer; /* asked for, but not ours yet */
    struct dhcp_lease lease; /* ours from DHCP_BOUND on */
    uint64_t leased;         /* since when */
};

enum dhcp_event {
    DHCP_NOTHING,
    DHCP_HAVE, /* the lease is ours, or ours for longer; it may be another */
    DHCP_LOST, /* it isn't any more */
};

/* A frame to send, to wherever it says; size 0: none. It must lie at 6 modulo 8. */
struct dhcp_out {
    uint8_t *frame; /* DHCP_FRAME bytes */
    size_t size;
};

/* Begin to look for a lease, at once. */
void dhcp_begin(struct dhcp *d, const uint8_t mac[6], uint64_t now);

/* What is to be done by time. random: any number that others don't guess. */
enum dhcp_event dhcp_tick(struct dhcp *d, uint64_t now, uint32_t random, struct dhcp_out *out);

/* A frame has come (at 6 modulo 8). What isn't an answer to the question that is under way is
 * passed over. */
enum dhcp_event dhcp_receive(struct dhcp *d, const uint8_t *frame, size_t length, uint64_t now,
                             struct dhcp_out *out);

#endif
