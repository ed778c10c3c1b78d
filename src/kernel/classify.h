/*
 * The merged classifier of an interface: built beside the one in use, then put in its place by one
 * store.
 */
#ifndef AEGIS_KERNEL_CLASSIFY_H
#define AEGIS_KERNEL_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dpf/compile.h"
#include "kernel/code.h"

struct netif;
struct binding;

/*
 * A compiled classifier or egress check; entry is NULL where there was no room for code, and then
 * the trie or the filter is interpreted, which decides the same.
 */
struct classify_code {
    struct code code;
    void *entry;
};

/*
 * Takes working memory for info->binding_count bindings; seed is secret and random, isa what the
 * hart has (enum rv64_isa). Only at boot.
 */
void classify_init(uint64_t seed, unsigned int isa);

/* Bytes for each of an interface's two tries. */
size_t classify_trie_size(void);

/*
 * Rebuilds the classifier of netif from all its bindings; false, with the old one in use, if it
 * doesn't fit into its memory.
 */
bool classify_rebuild(struct netif *netif);

/* Which binding takes a frame, and which taps copy it; available <= length bytes are readable. */
struct dpf_found classify_frame(const struct netif *netif, const uint8_t *frame, size_t available,
                                size_t length);

/* Compiles a binding's egress filter, and gives its code back. */
void classify_compile_egress(struct binding *binding);
void classify_forget_egress(struct binding *binding);

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

/* Working memory for dpf_contains and dpf_overlaps; DPF_SCRATCH_SIZE bytes. */
extern void *classify_scratch;

#endif
