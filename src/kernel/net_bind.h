/*
 * net_bind: making a binding, in bounded steps between which its caller can be interrupted. One is
 * made at a time; its state is in net_bind.c, whoever takes the steps.
 */
#ifndef AEGIS_KERNEL_NET_BIND_H
#define AEGIS_KERNEL_NET_BIND_H

#include <stdbool.h>
#include <stdint.h>

#include "dpf/dpf.h"
#include "kernel/classify.h"

struct codegen;
struct codegen_result;
struct netif;

/*
 * Whether binding number index belongs into the classifier of netif that is being built, and what
 * it is there: it is bound, or about to be.
 */
bool net_bind_member(const struct netif *netif, uint32_t index, struct dpf_member *member);

/*
 * For who takes the steps of a classifier (net_end.h): whether the one being built has the binding
 * that is about to be; and then: whether that may still be made, or else it is given up; and what
 * became of the classifier, with which it is bound, or fails.
 */
bool net_bind_joins(void);
bool net_bind_still_may(void);
void net_bind_built(enum classify_state state);

/* Gives up what env is about to bind. */
void net_bind_end_env(uint32_t env);

/* What the binding under way has of the two arenas, for the checked kernel: images (or NULL), its
 * compilation, its code. */
void net_bind_holds(const void **images, const struct codegen **job,
                    const struct codegen_result **code);

#endif
