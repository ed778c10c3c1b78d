/*
 * Ports that programs have. For each netd holds a binding of its frames, without a ring, and has
 * given its taker a capability to bind inside of that.
 */
#ifndef NETD_PORTS_H
#define NETD_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"

/* That one program has a port, or a block of them. Several may have one binding. */
struct port {
    uint32_t env, serial; /* who; 0: the place is free */
    uint32_t times;       /* that it was given, by TAKE and JOIN, and not yet given back */
    uint32_t binding;
    uint32_t loop;        /* the same on the loop interface, or AEGIS_NO_BINDING */
    uint16_t port, count; /* the first one, and how many */
    uint8_t protocol, family;
};

struct port_wanted {
    uint8_t protocol, family; /* an enum net_family, and NET_REUSES */
    uint16_t port, count;     /* the first one, 0: any; how many, a power of two */
};

/* What an environment has, by netd's binding, or NULL. */
struct port *port_of(uint32_t env, uint32_t binding);

/* What somebody has whose capability, as port_take gives it, is shown, or NULL. */
struct port *port_shown(const struct aegis_cap *shown);

/* Returns 0 with w->port and a capability, DELEGATE, or a negated errno value. */
int64_t port_take(uint32_t env, struct port_wanted *w, struct aegis_cap *capability);

/* The same port on the loop interface: likewise. */
int64_t port_loop(struct port *p, struct aegis_cap *capability);

/* Whether somebody has it on the loop interface: 0 or -ECONNREFUSED. */
int64_t port_find(uint8_t protocol, uint16_t port);

/* Another has it, too, or once more. 0 or a negated errno value. */
int64_t port_join(const struct port *p, uint32_t env);

/* One of those who have it gives it back, once. */
void port_leave(struct port *p);

/* Takes all ports from who has them: the address isn't ours any more. */
void ports_take_back(void);

#endif
