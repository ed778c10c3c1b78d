/* Which of a name's addresses to try first: RFC 6724, section 6. Pure; also on the host. */
#ifndef EXOS_NET_ORDER_H
#define EXOS_NET_ORDER_H

#include <stdbool.h>

#include "libos/net/ipv6.h"

/* A destination and where packets to it would come from; IPv4 is mapped. */
struct net_way {
    struct net_ipv6 destination, source;
    bool is_usable; /* there is such a source */
};

/*
 * Whether a is to be tried before b: what can be used; then what is of its source's scope, then of
 * its source's kind (the policy table's labels); then what the policy table prefers; then what is
 * nearer. The rules that need more than one source, or tunnels, decide nothing here; nor does the
 * longest common prefix, which would undo a server's round robin.
 */
bool net_way_before(const struct net_way *a, const struct net_way *b);

#endif
