/*
 * A filter taken apart into conjunctions: the paths from its entry to accept, each as a list of
 * atoms in the canonical order of the trie. Internal.
 *
 * The filter accepts a frame if and only if all atoms of one of its conjunctions hold, so that the
 * atoms may be asked in any order that sets a base before it is used.
 *
 * What may take long is done in steps: paths->work is what a step may still do, in operations of
 * some 50 instructions, and PATHS_MORE says that it is spent: to be called again.
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

/* The interval of an atom's set that is looked for. */
struct search {
    const struct atom *atom;
    struct dpf_range found; /* what the edges so far leave of it */
    uint16_t edge;          /* whose turn it is */
    bool moved;             /* its low end, since the first one's turn */
};

enum paths_phase { PATHS_COUNT, PATHS_COVER, PATHS_DESCEND, PATHS_BACK };

struct paths {
    const struct dpf_filter *filter;
    size_t work;      /* operations left in this step */
    uint8_t phase;    /* enum paths_phase: of the way to the next path */
    uint8_t running;  /* the stage that the path has come to, while its conjunction is made */
    uint8_t readable; /* and the stage whose bytes are looked at behind that */
    uint16_t cursor;  /* of the phase, and then of the conjunction */
    struct search search;
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

enum paths_answer { PATHS_NO, PATHS_YES, PATHS_MORE };

/* Starts on a filter; the first paths_next comes to its first path. */
void paths_start(struct paths *paths, const struct dpf_filter *filter);

/* Goes on to the next path: PATHS_NO if there is none. */
enum paths_answer paths_next(struct paths *paths);

/* Makes the present path's conjunction in paths->atom; PATHS_NO if it has too many atoms or stages.
 */
enum paths_answer paths_conjunction(struct paths *paths);

/* Looks for the first interval of an atom's set that lies at or behind from: PATHS_YES with
 * paths->search.found, or PATHS_NO if there is none. */
void paths_search(struct paths *paths, const struct atom *atom, uint64_t from);
enum paths_answer paths_interval(struct paths *paths);

/* Takes operations off this step's work; false, and none were, if it was spent before. */
static inline bool paths_pay(struct paths *paths, size_t operations)
{
    bool some = paths->work > 0;
    paths->work -= operations < paths->work ? operations : paths->work;
    return some;
}

#endif
