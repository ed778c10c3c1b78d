/*
 * DPF: packet filters as data, after "DPF: Fast, Flexible Message Demultiplexing using Dynamic Code
 * Generation" (Engler and Kaashoek, SIGCOMM 1996).
 *
 * A filter is a DAG of atoms. An atom asks whether a field of the frame, under a mask, lies in a
 * set of values, and names one successor for each answer. That is little enough for the questions
 * that a kernel has to ask to be decidable: is this image sound (dpf_verify), is this filter
 * contained in that one (dpf_contains), can two filters take the same frame (dpf_overlaps), which
 * of all filters takes this frame (dpf_trie_*).
 *
 * The library is free-standing: no heap, no global state, no recursion, at most 1 KiB of stack a
 * function. What it needs beyond that is memory that its caller gives.
 */
#ifndef DPF_DPF_H
#define DPF_DPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dpf_error {
#define DPF_ERROR(name, value, sentence) DPF_E_##name = value,
#include "dpf/errors.def"
#undef DPF_ERROR
};

/* A sentence for a DPF_E_*; never null. */
const char *dpf_strerror(int error);

/*
 * The image of a filter, little-endian, 8-byte aligned:
 *
 *   struct dpf_header
 *   struct dpf_node  [nodes]    successors point only forward, so no path is longer than nodes
 *   struct dpf_range [ranges]   the sets, one after the other in the order of their nodes
 */
#define DPF_MAGIC      0x46504441u /* "ADPF" */
#define DPF_VERSION    1
#define DPF_NODES_MAX  1024
#define DPF_RANGES_MAX 2559
#define DPF_IMAGE_MAX  65536 /* bytes: what the largest image takes */
#define DPF_STEP_MAX   65535 /* bytes by which one shift atom can move the base */

/* Ends of a path; any other successor is the index of a node. */
#define DPF_ACCEPT 0xffff
#define DPF_REJECT 0xfffe

struct dpf_header {
    uint32_t magic;   /* DPF_MAGIC */
    uint16_t version; /* DPF_VERSION */
    uint16_t entry;   /* 0, or DPF_ACCEPT or DPF_REJECT if there are no nodes */
    uint16_t nodes;
    uint16_t ranges;
    uint32_t reserved; /* 0 */
};
_Static_assert(sizeof(struct dpf_header) == 16, "layout");

/*
 * The effect of each kind, with load() big-endian, as networks are, and
 * at = offset + (relative ? base : 0):
 *
 *   DPF_FIELD    goto (load(at, width) & mask) in set ? yes : no
 *   DPF_LENGTH   goto (length of the frame & mask) in set ? yes : no
 *   DPF_SHIFT    base = (relative ? base : 0) + ((load(at, width) & mask) << shift); goto yes
 *
 * A load that doesn't lie wholly in the frame's readable bytes rejects the frame. "Has any bit of
 * mask" is "not in {0}"; "these bytes exist" is mask 0 and the set {0}.
 */
enum dpf_kind { DPF_FIELD = 1, DPF_LENGTH, DPF_SHIFT };

struct dpf_node {
    uint8_t kind;  /* enum dpf_kind */
    uint8_t width; /* bytes: 1, 2, 4 or 8; 4 for DPF_LENGTH */
    uint8_t
        relative;    /* 1: at the running base, which a shift must have set on every path to here */
    int8_t shift;    /* DPF_SHIFT: bits to the left, or to the right if negative; else 0 */
    uint16_t offset; /* 0 for DPF_LENGTH */
    uint16_t yes;
    uint16_t no;    /* DPF_REJECT for DPF_SHIFT */
    uint16_t set;   /* index of the set's first range: where the sets before it end */
    uint16_t count; /* ranges of the set, at least 1; 0 for DPF_SHIFT */
    uint16_t reserved;
    uint64_t mask;
};
_Static_assert(sizeof(struct dpf_node) == 24, "layout");

/* All values under the node's mask from low to high. Both ends lie under the mask; the ranges of a
   set rise, and some value under the mask lies between any two of them. */
struct dpf_range {
    uint64_t low;
    uint64_t high;
};

/* A view on a verified image, valid as long as the image stays where it is and unchanged. */
struct dpf_filter {
    const struct dpf_node *nodes;
    const struct dpf_range *ranges;
    uint16_t entry;
    uint16_t node_count;
    uint16_t range_count;
    uint32_t size; /* bytes of the image */
};

/*
 * Checks an untrusted image in one walk over its nodes and makes a view on it. The image stays in
 * the caller's memory, which nobody may change from the call on. Returns 0 or a DPF_E_*, and then
 * filter is unchanged.
 */
int dpf_verify(const void *image, size_t size, struct dpf_filter *filter);

/*
 * The same in steps: begin returns 0, or what is wrong with the header; then step, for about work
 * nodes and ranges a call (some 20 instructions each), returns 1 if more is left, 0 with filter
 * filled in, or a DPF_E_*.
 */
struct dpf_verification {
    const void *image;
    size_t size;
    unsigned node, used; /* the next node, the ranges before it */
    unsigned range;      /* of its own that have been checked */
    struct {
        uint64_t any[DPF_NODES_MAX / 64];      /* some path leads to the node */
        uint64_t baseless[DPF_NODES_MAX / 64]; /* and one of them sets no running base */
    } reach;
};
int dpf_verify_begin(struct dpf_verification *v, const void *image, size_t size);
int dpf_verify_step(struct dpf_verification *v, size_t work, struct dpf_filter *filter);

/*
 * Whether the filter accepts a frame: the naive evaluator, and the oracle of everything faster.
 * available <= length bytes at frame are readable; length is what DPF_LENGTH tests. Takes at most
 * node_count steps.
 */
bool dpf_match(const struct dpf_filter *filter, const uint8_t *frame, size_t available,
               size_t length);

enum dpf_decision { DPF_NO, DPF_YES, DPF_UNDECIDED, DPF_MORE };

/* Working memory of the functions that take a scratch argument: 8-byte aligned, contents don't
 * matter. */
#define DPF_SCRATCH_SIZE 36864

/*
 * Whether outer accepts every frame that inner accepts. DPF_YES is a proof. DPF_NO: a path through
 * both was found that inner accepts and outer doesn't, and on which no contradiction is seen.
 * DPF_UNDECIDED: the budget or the scratch memory was spent first.
 *
 * The walk goes down both DAGs at once and keeps what each test has told about the frame. Exact
 * where facts about one base don't have to be weighed against facts about another.
 *
 * budget: steps, each up to a few thousand instructions. Most pairs of filters take less than 200.
 */
enum dpf_decision dpf_contains(const struct dpf_filter *outer, const struct dpf_filter *inner,
                               size_t budget, void *scratch);

/* Whether some frame is accepted by both. Here DPF_NO (disjoint) is the proof, DPF_YES the failure
   to see a contradiction. Otherwise as dpf_contains. */
enum dpf_decision dpf_overlaps(const struct dpf_filter *a, const struct dpf_filter *b,
                               size_t budget, void *scratch);

/*
 * The same in steps, for a kernel that must not be away for long: begin, then decide until it
 * returns something else than DPF_MORE. A call does about *work operations of some 50 instructions
 * (looks at a fact, compares eight ranges, a quarter of a search in a set), at most 256 beyond, and
 * leaves in *work what is left of them. Until then the filters (the views, too) and scratch must
 * stay as they are; giving up takes no call.
 */
void dpf_contains_begin(const struct dpf_filter *outer, const struct dpf_filter *inner,
                        size_t budget, void *scratch);
void dpf_overlaps_begin(const struct dpf_filter *a, const struct dpf_filter *b, size_t budget,
                        void *scratch);
enum dpf_decision dpf_decide(void *scratch, size_t *work);

/*
 * Makers of filters. Each writes an image to memory (8-byte aligned, size bytes) and returns the
 * bytes that it takes, or DPF_E_SPACE, DPF_E_ALIGNMENT.
 */
int dpf_make_all(void *memory, size_t size);  /* accepts every frame */
int dpf_make_none(void *memory, size_t size); /* accepts none */
/* Accepts the frames whose Ethernet source address (bytes 6 to 11) is mac. */
int dpf_make_source_mac(void *memory, size_t size, const uint8_t mac[6]);
/* Accepts the frames that both a and b accept; a is asked first. Also DPF_E_NODES, DPF_E_RANGES if
   both together are too large. memory must not overlap their images. */
int dpf_conjoin(const struct dpf_filter *a, const struct dpf_filter *b, void *memory, size_t size);

/*
 * The merged trie: which of many filters takes a frame. Paths of all filters are inserted with
 * their atoms in one canonical order, so that shared prefixes are tested once; alternatives on one
 * field are one node with a table of values, hashed or sorted. So classification costs the same for
 * one filter and for a thousand of its shape, and grows with the number of different shapes.
 *
 * A trie holds no pointers: it may be copied or mapped anywhere, aligned to 8 bytes.
 */
struct dpf_trie;

struct dpf_member {
    const struct dpf_filter *filter; /* read while the trie is built, not later */
    uint32_t id;                     /* what dpf_classify reports; not DPF_NONE */
    uint32_t rank;                   /* of the members that match, the highest rank wins */
    bool tap;                        /* gets copies beside the winner; rank doesn't matter */
};

#define DPF_NONE     0xffffffffu
#define DPF_TAPS_MAX 64

/*
 * Builds a trie in memory (8-byte aligned, size bytes). Among members of one rank the first wins.
 * seed: secret and random, so that nobody can choose constants that collide in the hash tables.
 * Returns 0, DPF_E_ALIGNMENT, DPF_E_SPACE or DPF_E_TAPS; after an error memory holds no trie.
 */
int dpf_trie_build(void *memory, size_t size, uint64_t seed, const struct dpf_member *members,
                   size_t count, void *scratch);

/*
 * The same in steps, for a kernel that must not be away for long: begin, add each member, then
 * finish until it returns 0. A DPF_E_SPACE or DPF_E_TAPS of any step is final: begin again.
 *
 * A member can be added in steps as well: add_begin, then add_step until it returns 0; until then
 * its filter (the view, too) and scratch must stay as they are. add_step and finish return 1 if
 * they are to be called again; a call does about work operations of some 50 instructions, and at
 * most 200 beyond.
 */
int dpf_trie_begin(void *memory, size_t size, uint64_t seed);
int dpf_trie_add(void *memory, const struct dpf_member *member, void *scratch);
int dpf_trie_add_begin(void *memory, const struct dpf_member *member, void *scratch);
int dpf_trie_add_step(void *scratch, size_t *work);
int dpf_trie_finish(void *memory, size_t *work);

/* An upper bound for the memory that these members need. */
size_t dpf_trie_size(const struct dpf_member *members, size_t count, void *scratch);

/* The bytes of a finished trie from its start on that matter: what a copy has to take. */
size_t dpf_trie_used(const struct dpf_trie *trie);

struct dpf_result {
    uint32_t id;    /* of the winner, or DPF_NONE */
    uint32_t steps; /* trie nodes and probes visited: what classification cost */
    uint64_t taps;  /* bit i: the i-th tap member, in the order they were added, matches as well */
};

/* Classifies a frame; available and length as in dpf_match. */
struct dpf_result dpf_classify(const struct dpf_trie *trie, const uint8_t *frame, size_t available,
                               size_t length);

/* The id of tap member number tap (a bit of dpf_result.taps), or DPF_NONE if there is none. */
uint32_t dpf_trie_tap(const struct dpf_trie *trie, unsigned tap);

#endif
