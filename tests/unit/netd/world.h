/*
 * The machine around netd's process, on the host: environments that are made and end as the kernel
 * does it, bindings of which no two owners' overlap, capabilities, and the tables that netd's other
 * process shows it. What neighbours there are is of no account here.
 */
#ifndef AEGIS_TESTS_NETD_WORLD_H
#define AEGIS_TESTS_NETD_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/netd/handlers/linger.h"
#include "libos/net/filter.h"
#include "libos/start/start.h"

#define WORLD_ENVS     128
#define WORLD_BINDINGS 4096

enum { WORLD_INIT = 1, WORLD_AGENT, WORLD_NETD, WORLD_FRAMES }; /* environments */
enum { WORLD_ROOT, WORLD_LOOP, WORLD_FIRST };                   /* bindings */
#define WORLD_ADDRESS 0x0a00020fU                               /* the machine's */

/* A binding that somebody has: netd, or who binds beside it. */
struct world_binding {
    struct net_port_range range;
    bool is_severed; /* what was inside has been undone */
};
extern struct world_binding world_bindings[WORLD_BINDINGS];
extern struct linger_set world_lingering[2]
                                        [LINGER_SETS]; /* the interface's, the loop interface's */

/* Begin anew: init, the agent and netd's two processes are there; netd has forgotten all. */
void world_begin(void);

/* An environment that one makes; its number, or 0. One that ends: what it owns is its owner's. */
uint32_t world_make(uint32_t owner);
void world_end(uint32_t env);

/* Binds the range beside netd; whether nobody had any of it. */
bool world_bind(uint32_t owner, bool is_loop, const struct net_port_range *range);

/* The next binding that is there, but the roots, after one (0: the first); 0: there are no more. */
uint32_t world_next_binding(uint32_t after);

#endif
