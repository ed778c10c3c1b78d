/*
 * A member on its way into the trie that is being built, one conjunction after the other, in steps
 * (paths.h). Internal.
 */
#ifndef DPF_INSERT_H
#define DPF_INSERT_H

#include "dpf/paths.h"
#include "dpf/trie.h"

struct insertion {
    struct dpf_trie *trie;
    struct dpf_member member;
    uint64_t tap;   /* the member's bit, or 0 */
    uint64_t order; /* the member's, or 0 for a tap */
    uint8_t stage;  /* enum stage */
    bool full;
    bool is_apart;      /* the present path has a conjunction; else the filter is copied */
    bool relates;       /* how the atom lies to the table at is being found out */
    uint16_t atom;      /* of the conjunction, in work */
    uint32_t first;     /* the first of the alternatives that it goes on from */
    uint32_t at, last;  /* the one looked at; the one before */
    uint32_t open;      /* a table that may take its set, or 0 */
    uint32_t intervals; /* of its set so far */
    uint32_t entry;     /* that is equal to the last one, or 0 */
    uint32_t noted; /* 1 more than entries that know how many their set has; 0: not all are in */
    uint32_t node;  /* REST: to which the filter is copied */
    size_t copied;  /* bytes of it */
    struct paths paths;
};
_Static_assert(sizeof(struct insertion) <= DPF_SCRATCH_SIZE, "it lives in the scratch memory");

/* What memory is left between the nodes and the entries. */
static inline size_t insert_space(const struct dpf_trie *trie)
{
    return trie->size - trie->entries * sizeof(struct trie_entry) - sizeof *trie -
           (trie->nodes - 1) * sizeof(struct trie_node);
}

enum relation { DISJOINT, CLASHING, EQUAL, MORE };

/* Begins to find out how an atom's set lies to those of a table. */
void treap_start(struct insertion *in, const struct atom *atom);

/* How it does; EQUAL: to one of them, which leads to *child. MORE: the work is spent. */
enum relation treap_relate(struct insertion *in, const struct trie_node *node,
                           const struct atom *atom, uint32_t *child);

/* Adds the set, started before, to the table in->open; it leads to the next node to be made. false:
 * the work is spent. Without room in->full is set. */
bool treap_add(struct insertion *in, const struct atom *atom);

#endif
