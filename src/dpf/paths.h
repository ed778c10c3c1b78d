/*
 * A filter taken apart into conjunctions: the paths from its entry to accept, each as a list of
 * atoms in the canonical order of the trie. Internal.
 *
 * The filter accepts a frame if and only if all atoms of one of its conjunctions hold, so that the
 * atoms may be asked in any order that sets a base before it is used.
 */
#ifndef DPF_PATHS_H
#define DPF_PATHS_H

#include "dpf/atom.h"

#define PATHS_MAX  64  /* of a filter that is taken apart completely */
#define ATOMS_MAX  128 /* of one conjunction */
#define STAGES_MAX 8   /* bases of one conjunction, the start of the frame among them */
#define NO_EDGE    0xffff

/* One step of a path: a node and the answer. Those that narrow one atom's set are chained. */
struct edge {
    uint16_t node;
    uint16_t next; /* in paths.edge, or NO_EDGE */
    bool yes;
};

/* In canonical order within a stage: the shift that begins it, fields by offset, the length. */
enum atom_kind { ATOM_SHIFT, ATOM_FIELD, ATOM_LENGTH };

struct atom {
    uint64_t mask;   /* FIELD, LENGTH: the set's domain; a mask of leading bits is made full */
    uint32_t offset; /* from the base of its stage; of SHIFT: from its parent's */
    uint16_t edges;  /* whose sets it has to lie in, or not; NO_EDGE: any value */
    uint8_t kind;
    uint8_t width;
    uint8_t stage;
    uint8_t parent; /* SHIFT: the stage that it starts from */
    int8_t shift;
};

struct paths {
    const struct dpf_filter *filter;
    bool whole;          /* it is taken apart completely; else up to its first branch */
    unsigned depth;      /* edges of the present path */
    uint16_t rest;       /* where the present path ends: DPF_ACCEPT, or the node to evaluate from */
    uint8_t rest_stage;  /* whose base is the running base there */
    uint8_t stages;      /* of the present conjunction */
    uint16_t atom_count; /* likewise */
    uint16_t count[DPF_NODES_MAX];        /* paths from each node to accept, at most UINT16_MAX */
    uint64_t covered[DPF_NODES_MAX / 64]; /* nodes whose "no" needs no test (paths.c) */
    uint32_t needed[STAGES_MAX];          /* bytes that the path loads from each base */
    struct edge edge[DPF_NODES_MAX];
    struct atom atom[ATOMS_MAX];
    struct dpf_need {
        uint32_t atoms, intervals;
    } need[DPF_NODES_MAX]; /* upper bounds over all paths from each node */
};
_Static_assert(sizeof(struct paths) <= DPF_SCRATCH_SIZE, "paths live in the scratch memory");

/* Starts on a filter; false if it accepts nothing. Then the first path is the present one. */
bool paths_start(struct paths *paths, const struct dpf_filter *filter);

/* Goes on to the next path; false after the last. */
bool paths_next(struct paths *paths);

/* Makes the present path's conjunction in paths->atom; false if it has too many atoms or stages. */
bool paths_conjunction(struct paths *paths);

/* The first interval of an atom's set that lies at or behind from; false if there is none. */
bool paths_interval(const struct paths *paths, const struct atom *atom, uint64_t from,
                    struct dpf_range *interval);

#endif
