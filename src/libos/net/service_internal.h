/* What service.c and offer.c share. */
#ifndef EXOS_NET_SERVICE_INTERNAL_H
#define EXOS_NET_SERVICE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "libos/net/service.h"

/* Binds this program's own frames, of a lease's port and peer, inside of a binding, with a ring. 0,
 * or -1 with errno ENOMEM, ENOBUFS. */
int net_bind_inside(struct net_lease *lease, const struct aegis_cap *parent, bool is_loop,
                    uint64_t slots);

/* Give a port back to netd, by the capability that it gave; one that has ended has nothing to be
 * given back. */
void net_give_back(const struct aegis_cap *parent);

#endif
