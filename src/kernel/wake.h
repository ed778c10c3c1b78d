/*
 * Wake-up predicates (SOSP '95's and Xok's way to wait without a kernel that knows for what): an
 * environment names words and what they must be; the kernel looks when its slot comes up.
 *
 * Invariant: each predicate's word lies in an exposed page or in a page that is pinned for it.
 */
#ifndef AEGIS_KERNEL_WAKE_H
#define AEGIS_KERNEL_WAKE_H

#include <stdbool.h>
#include <stdint.h>

struct env;

/*
 * Whether env can run: it waits for nothing, or a predicate holds, or its deadline has come. Then
 * it waits no more, and its a0 tells which.
 */
bool wake_ready(struct env *env, uint64_t now);

/*
 * How many armed predicates look at a counter of an interface (struct aegis_netif_info). While
 * there are none, a frame that a handler has dealt with is nothing that somebody waits for, and
 * nobody's predicates need a look.
 */
extern uint32_t wake_counters;

/* Forgets what env waits for, and unpins it. */
void wake_cancel(struct env *env);

#endif
