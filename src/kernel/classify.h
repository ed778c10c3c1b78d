/*
 * The merged classifier of an interface: built beside the one in use, in bounded steps, then put in
 * its place by one store. One is built at a time.
 */
#ifndef AEGIS_KERNEL_CLASSIFY_H
#define AEGIS_KERNEL_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/codegen.h"

struct netif;
struct binding;

/* Takes working memory for info->binding_count bindings; seed is secret and random. Only at boot.
 */
void classify_init(uint64_t seed);

/* Bytes for each of an interface's two tries. */
size_t classify_trie_size(void);

/* Begins to build the classifier of netif from its bindings (net_bind_member) as they will be found
 * in the steps; none is being built. */
void classify_begin(struct netif *netif);

/* A binding is about to give back its filters: if they are being read, building begins anew. */
void classify_begin_again_without(uint32_t index);

/* The interface whose classifier is being built, or NULL. */
struct netif *classify_building(void);

enum classify_state {
    CLASSIFY_MORE,
    CLASSIFY_DONE, /* it is in use now */
    CLASSIFY_FULL, /* it doesn't fit into its memory: the old one stays */
};

/* Goes on with what is being built. */
enum classify_state classify_step(void);

/* Gives it up. */
void classify_abandon(void);

/* Whether the classifier being built, or built last, has binding number index. */
bool classify_has(uint32_t index);

/* The compilation that is under way, for the checked kernel. */
const struct codegen *classify_compiling(void);

/* Which binding takes a frame, and which taps copy it; available <= length bytes are readable. */
struct dpf_found classify_frame(const struct netif *netif, const uint8_t *frame, size_t available,
                                size_t length);

/* Code was compiled for frames that lie as they usually do; a handler may have moved one. */
#define CLASSIFY_RESIDUE 6 /* modulo 8: NIC_BUFFER_FRAME's, NIC_TX_COPY's */
static inline bool classify_lies_as_usual(const uint8_t *frame)
{
    return (uintptr_t)frame % 8 == CLASSIFY_RESIDUE;
}

/* Whether the binding may send a frame; in a system call, which leaves t2 to t6 as they were, too.
 */
bool classify_egress(const struct binding *binding, const uint8_t *frame, size_t available,
                     size_t length);

#endif
