/*
 * The merged classifier of an interface: built beside the one in use, then put in its place by one
 * store.
 */
#ifndef AEGIS_KERNEL_CLASSIFY_H
#define AEGIS_KERNEL_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netif;
struct board;

/* Takes working memory for info->binding_count bindings; seed is secret and random. Only at boot.
 */
void classify_init(uint64_t seed);

/* Bytes for each of an interface's two tries. */
size_t classify_trie_size(void);

/*
 * Rebuilds the classifier of netif from all its bindings; false, with the old one in use, if it
 * doesn't fit into its memory.
 */
bool classify_rebuild(struct netif *netif);

/* Working memory for dpf_contains and dpf_overlaps; DPF_SCRATCH_SIZE bytes. */
extern void *classify_scratch;

#endif
