/*
 * Classes of a field's values: the coarsest partition in which every one of some sets is a union of
 * classes.
 */
#ifndef DPFC_CLASSES_H
#define DPFC_CLASSES_H

#include "tools/dpfc/sets.h"

/* A set of values, and the node that they lead to. */
struct outcome {
    uint32_t set;
    uint32_t node;
};

struct classes {
    struct trouble *trouble;
    struct pool sets; /* numbers of the sets to distinguish */
    struct pool signatures;
    struct segment {
        struct dpf_range range;
        uint32_t signature; /* which of the sets it lies in */
    } * segments;
    uint64_t *starts; /* values at which some membership changes */
    struct dpf_range *ranges;
    struct outcome
        *outcomes;  /* of classes_make: the classes; their nodes are the caller's to fill in */
    uint32_t count; /* of outcomes */
    uint32_t start_count, start_room, segment_room, range_room, outcome_room;
};

void classes_start(struct classes *classes, struct trouble *trouble);
void classes_end(struct classes *classes);

/* Begins anew without sets; then add each set, then make the partition of the values under the
 * mask. */
void classes_clear(struct classes *classes);
void classes_add(struct classes *classes, uint32_t set);
void classes_make(struct classes *classes, struct sets *sets, uint64_t mask);

/* Unites the outcomes that lead to one node. */
void classes_unite(struct classes *classes, struct sets *sets, uint64_t mask);

#endif
