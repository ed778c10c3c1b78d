/*
 * What a connection does whose program has ended (RFC 9293, 3.10.7.4): it has said its FIN, and
 * whatever it wanted to say. Pure; also on the host.
 */
#ifndef NETD_LINGER_H
#define NETD_LINGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/linger.h"

#define LINGER_SECONDS 60 /* TIME-WAIT: two lives of a segment; and for the peer to say its end */

struct linger {
    enum net_linger_state state;  /* NET_LINGER_NONE: it is over */
    uint32_t own_next, peer_next; /* sequence numbers: behind our FIN; expected of the peer */
};

/* What counts of a segment of the peer's. */
struct linger_segment {
    uint32_t sequence, acknowledges;
    size_t data; /* bytes */
    uint8_t flags;
};
#define LINGER_FIN 1
#define LINGER_SYN 2
#define LINGER_RST 4
#define LINGER_ACK 16

enum linger_answer {
    LINGER_SILENCE,
    LINGER_ACKNOWLEDGES, /* own_next, acknowledging peer_next */
    LINGER_RESETS,       /* as who knows of no connection (RFC 9293, 3.10.7.1) */
};

/*
 * Take a segment. *anew is set if the connection's time begins anew: LINGER_SECONDS from now on.
 */
enum linger_answer linger_take(struct linger *l, const struct linger_segment *s, bool *anew);

/* Whether our FIN isn't acknowledged yet, and has to be sent again. */
static inline bool linger_says_end(enum net_linger_state state)
{
    return state == NET_LINGER_FIN_WAIT_1 || state == NET_LINGER_CLOSING ||
           state == NET_LINGER_LAST_ACK;
}

#endif
