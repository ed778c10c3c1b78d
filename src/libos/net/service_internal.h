/* What service.c, lease.c, hop.c and offer.c share. */
#ifndef EXOS_NET_SERVICE_INTERNAL_H
#define EXOS_NET_SERVICE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "libos/net/service.h"

extern struct net_host net_here; /* zero before net_service_begin */

/* Ask netd how the machine is now, into net_here; *page gets the capability for the neighbours.
 * False with errno if netd can't be asked. */
bool net_look(struct aegis_cap *page);

/* Binds this program's own frames, of a lease's port and peer, inside of a binding, with a ring; 0
 * slots: without. 0, or -1 with errno ENOMEM, ENOBUFS. */
int net_bind_inside(struct net_lease *lease, const struct aegis_cap *parent, bool is_loop,
                    uint64_t slots);

/* Undoes a binding of this program's with its ring, if it has one: now, or, if others' lie inside,
 * in a net_sweep when they don't any more. */
void net_give_up(struct net *net);
void net_sweep(void);

/* Give a port back to netd, by the capability that it gave; one that has ended has nothing to be
 * given back. */
void net_give_back(const struct aegis_cap *parent);

#endif
