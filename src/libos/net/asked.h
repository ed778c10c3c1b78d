/* Waiting until netd has learnt of a neighbour, in IPv4 and IPv6 alike. */
#ifndef EXOS_NET_ASKED_H
#define EXOS_NET_ASKED_H

#include <stdint.h>

#include "libos/gate/gate.h"

struct net_asked {
    uint64_t order[GATE_WORDS]; /* NETD_RESOLVE or NETD_RESOLVE6 */
    const void *address;
    /* The word of its place in the page that there is now: another after netd was started anew. */
    const volatile unsigned long long *(*place)(const void *address);
    uint64_t (*look_up)(const void *address); /* what that says of the address, or 0 */
};

/*
 * Ask netd for a neighbour and wait until the page tells its hardware address, an old one too; it
 * goes to *word. Returns 0, or -1 with errno: netd's, EAGAIN at the deadline, EHOSTUNREACH if
 * nothing came of it in ten seconds: others may want the same place in the page over and over.
 */
int net_await_neighbour(const struct net_asked *asked, uint64_t *word, uint64_t deadline);

#endif
