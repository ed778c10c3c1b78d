/*
 * What programs ask of netd (libos/net/service.h). Any of them may be hostile: an order is read and
 * checked whole before anything is done, so one that is refused has changed nothing, and none
 * changes what isn't its caller's.
 */
#ifndef NETD_ORDERS_H
#define NETD_ORDERS_H

#include <stdint.h>

#include "libos/gate/gate.h"

/* Serves an order of environment number caller; words become the answer. */
void orders_serve(uint32_t caller, uint64_t words[GATE_WORDS]);

#endif
