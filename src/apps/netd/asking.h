/*
 * When the network is asked where a neighbour is, in IPv4 and IPv6 alike. Pure; also on the host.
 *
 * What is known is asked for again after a minute, and serves meanwhile; as long as it does, the
 * handler takes only the answer that says the same. So a liar has to silence the neighbour for
 * some seconds, and not just to be quicker once. After three questions without an answer it is
 * forgotten, and any answer taken; after five more there is no such neighbour.
 */
#ifndef NETD_ASKING_H
#define NETD_ASKING_H

#include <stdint.h>

#include "libos/net/neighbour.h"

#define ASKING_DOUBTS 3 /* questions until what is known is forgotten, */
#define ASKING_MOST   5 /* and then until there is no such neighbour */

/* What netd remembers of a place in a table beside what everybody sees. All 0: nothing. */
struct asking {
    uint32_t asked; /* seconds since boot */
    uint32_t times; /* asked without an answer */
};

/*
 * Somebody wants the neighbour of a place, whose word that is, and when it was learnt (struct
 * net_neighbour). Returns 1 if the network is to be asked now, and marks the place; 0 if not; or
 * -EHOSTUNREACH. A place that is made another's has to be emptied before, and its asking, too.
 */
int64_t asking_due(struct asking *asking, volatile unsigned long long *word, uint32_t learnt,
                   uint32_t now);

#endif
