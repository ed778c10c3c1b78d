/*
 * dpfc -dd and -ddd: what the kernel would make of filters: the merged trie, and machine code.
 */
#ifndef DPFC_MERGE_H
#define DPFC_MERGE_H

#include "tools/dpfc/dpflift.h"

/* Filters that are bound together. */
struct merge {
    struct dpf_member *members; /* count of them; their filters and images are the caller's */
    const char **texts;         /* what each is called */
    size_t count;
    struct dpf_trie *trie; /* of merge_build */
};

/*
 * Merges the members as the kernel would: one that is contained in another ranks above it, and two
 * of which neither contains the other have to be disjoint. Sets ids and ranks, and trie, to be
 * freed. False, with error (DPFLIFT_ERROR_SIZE bytes) set, if they overlap, or memory is short.
 */
bool merge_build(struct merge *merge, char *error);

/* Prints the trie, node by node (print_trie.c). */
void merge_print(FILE *out, const struct merge *merge);

/* Prints the machine code of the trie, and of one filter; false if memory is short
 * (print_code.c). */
bool merge_print_code(FILE *out, const struct merge *merge);
bool merge_print_filter_code(FILE *out, const struct dpf_filter *filter);

#endif
