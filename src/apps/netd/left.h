/* Connections of TCP's whose programs have left them to netd (handlers/linger.h). */
#ifndef NETD_LEFT_H
#define NETD_LEFT_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/netd/handlers/linger.h"
#include "libos/gate/gate.h"
#include "ports.h"

/* One that has been checked: it is of a port that its giver has. */
struct left {
    struct linger_entry entry; /* but for `until` and the number in `state` */
    uint32_t env;              /* who leaves it */
    uint32_t seconds;          /* for which it lasts */
    bool is_loop;              /* its segments go over the loop interface */
};

/* Read NETD_LINGER's words, of a port of env's: 0 or -EINVAL. */
int64_t left_check(struct left *l, uint32_t env, const struct port *p,
                   const uint64_t words[GATE_WORDS]);

/* Put it in. 0 or a negated errno value. */
int64_t left_add(const struct left *l);

/* Whether NETD_LINGERS' first word names a page of the tables; takes that page, which is env's. */
bool left_is_page(uint64_t which);
int64_t left_open(uint32_t env, uint64_t which, const struct aegis_cap *page);

/* Whether one of some ports of TCP is kept for such from an environment, which says that it reuses
 * ports. */
bool left_has(uint16_t low, uint16_t count, uint32_t by, bool reuses);

/* All of them are over. */
void left_forget(void);

#endif
