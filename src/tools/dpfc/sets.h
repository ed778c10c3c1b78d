/*
 * Numbered sets of values: sorted ranges over the values under a mask, in the form that DPF images
 * demand, so that equal sets have equal numbers. Set 0 is empty.
 */
#ifndef DPFC_SETS_H
#define DPFC_SETS_H

#include "dpf/atom.h"
#include "tools/dpfc/pool.h"

struct set {
    uint32_t first; /* in sets.ranges */
    uint32_t count;
};

struct sets {
    struct trouble *trouble;
    struct set *sets;
    struct dpf_range
        *ranges;     /* of all sets, one after the other; behind them, the set being made */
    uint32_t *index; /* hash table: number + 1, or 0 */
    struct dpf_range *sorted; /* working memory of set_of */
    uint32_t count, room, slots;
    uint32_t range_count, range_room, making;
};

void sets_start(struct sets *sets, struct trouble *trouble);
void sets_end(struct sets *sets);

static inline const struct dpf_range *set_ranges(const struct sets *sets, uint32_t set)
{
    return sets->ranges + sets->sets[set].first;
}

static inline uint32_t set_count(const struct sets *sets, uint32_t set)
{
    return sets->sets[set].count;
}

static inline bool set_has(const struct sets *sets, uint32_t set, uint64_t value)
{
    return dpf_in_set(set_ranges(sets, set), set_count(sets, set), value);
}

/* A set made of intervals of any numbers, in any order: its values are those under the mask that
   lie in one of them. */
uint32_t set_of(struct sets *sets, const struct dpf_range *intervals, uint32_t count,
                uint64_t mask);

uint32_t set_all(struct sets *sets, uint64_t mask);
uint32_t set_not(struct sets *sets, uint32_t set, uint64_t mask);
uint32_t set_and(struct sets *sets, uint32_t a, uint32_t b, uint64_t mask);
uint32_t set_or(struct sets *sets, uint32_t a, uint32_t b, uint64_t mask);

#endif
