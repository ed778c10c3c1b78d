/*
 * Undoing bindings: each at once, and then, in bounded steps, a classifier without it. Until that
 * is in use, frames that the old one gives to a binding that is gone count as unclaimed, and its
 * number isn't used again (a zombie, netif.h).
 */
#ifndef AEGIS_KERNEL_NET_END_H
#define AEGIS_KERNEL_NET_END_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Takes a bounded step towards classifiers that are as the bindings are; whether steps are left.
 * Takes those of a classifier for a binding that is being made, too, whoever makes it.
 */
bool net_end_settle(void);

/* Undoes binding number index, not a root; what is bound inside it goes to its parent: who shares
 * it has to be undone first. */
void net_end_unbind(uint32_t index);

/*
 * A step each of undoing all that is bound inside a binding, taps and sharers included, which
 * itself stays; the bindings that others made for env, and what is inside them; all that env owns.
 * Whether nothing is left to be done, in the classifiers neither.
 */
bool net_end_sever(uint32_t index);
bool net_end_sever_env(uint32_t env);
bool net_end_env(uint32_t env);

/* Undoes the one of env's with the highest number that nothing is bound inside of; false if there
 * is none. */
bool net_end_take(uint32_t env, uint32_t *index);

#endif
