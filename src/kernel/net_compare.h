/*
 * What a binding under way is compared with before it is made: the one that it is to lie in, and
 * those beside it (netif.h's invariant). Every step is bounded; between two of them bindings may
 * end, but none is made.
 */
#ifndef AEGIS_KERNEL_NET_COMPARE_H
#define AEGIS_KERNEL_NET_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

/* Takes its memory; at boot, when the table of bindings has its size. */
void net_compare_init(void);

/* Begins with number index, which has its filters by the first step: to lie in parent, as owner's.
 */
void net_compare_begin(uint32_t index, uint32_t parent, uint32_t owner, uint16_t netif);

/* A step of whether its ingress or egress is contained in the parent's: 1 if there is more to do, 0
 * if it is, or negated NOT_CONTAINED, BUDGET. */
long net_compare_parent(bool is_egress);

/* A step of the comparison with those beside it: 1 if there is more to do, 0 at the end, or negated
 * OVERLAP, BUDGET. */
long net_compare_step(void);

/* Whether a binding is contained in the new one, whose owner has both; those are ranked one higher
 * when it is made. */
bool net_compare_is_inner(uint32_t index);
void net_compare_rank_inner(void);

#endif
