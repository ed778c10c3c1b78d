/* Numbered sets of values (sets.h). */
#include "tools/dpfc/sets.h"
#include "tools/dpfc/dpflift.h"

#include <stdlib.h>
#include <string.h>

#define RANGES_MAX (1u << 22) /* of all sets together: 64 MiB */

void sets_start(struct sets *sets, struct trouble *trouble)
{
    *sets = (struct sets){.trouble = trouble};
    sets->range_room = 64;
    sets->ranges = must_grow(trouble, 0, sets->range_room * sizeof *sets->ranges);
    set_of(sets, 0, 0, 0);
}

void sets_end(struct sets *sets)
{
    free(sets->sets);
    free(sets->ranges);
    free(sets->index);
    free(sets->sorted);
}

/* Adds a range to the set being made; ranges come in rising order. */
static void add(struct sets *sets, struct dpf_range range, uint64_t mask)
{
    uint32_t at = sets->range_count + sets->making;
    if (at >= sets->range_room) {
        if (at >= RANGES_MAX)
            fail(sets->trouble, DPFLIFT_REFUSED, "the filter has too many ranges");
        sets->range_room = 2 * at + 64;
        sets->ranges =
            must_grow(sets->trouble, sets->ranges, sets->range_room * sizeof *sets->ranges);
    }
    struct dpf_range *last = &sets->ranges[at - (sets->making > 0)];
    if (sets->making && (range.low <= last->high ||
                         (last->high != mask && range.low == dpf_next_under(last->high, mask)))) {
        if (last->high < range.high)
            last->high = range.high;
        return;
    }
    sets->ranges[at] = range;
    sets->making++;
}

static uint32_t hash_of(const struct sets *sets, struct set set)
{
    return pool_hash(sets->ranges + set.first, set.count * sizeof *sets->ranges);
}

static bool equal(const struct sets *sets, struct set a, struct set b)
{
    if (a.count != b.count)
        return false;
    const struct dpf_range *x = sets->ranges + a.first, *y = sets->ranges + b.first;
    return !memcmp(x, y, a.count * sizeof *x);
}

static uint32_t *find(const struct sets *sets, struct set set)
{
    uint32_t slot = hash_of(sets, set) & (sets->slots - 1);
    while (sets->index[slot] && !equal(sets, sets->sets[sets->index[slot] - 1], set))
        slot = (slot + 1) & (sets->slots - 1);
    return &sets->index[slot];
}

static void grow(struct sets *sets)
{
    sets->room = sets->room ? 2 * sets->room : 64;
    sets->slots = 2 * sets->room;
    sets->sets = must_grow(sets->trouble, sets->sets, sets->room * sizeof *sets->sets);
    sets->index = must_grow(sets->trouble, sets->index, sets->slots * sizeof *sets->index);
    memset(sets->index, 0, sets->slots * sizeof *sets->index);
    for (uint32_t i = 0; i < sets->count; i++)
        *find(sets, sets->sets[i]) = i + 1;
}

/* The number of the set that was made. */
static uint32_t made(struct sets *sets)
{
    struct set set = {sets->range_count, sets->making};
    sets->making = 0;
    if (sets->count == sets->room)
        grow(sets);
    uint32_t *slot = find(sets, set);
    if (*slot)
        return *slot - 1;
    sets->range_count += set.count;
    sets->sets[sets->count] = set;
    *slot = ++sets->count;
    return sets->count - 1;
}

static int by_low(const void *a, const void *b)
{
    const struct dpf_range *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

/* The least value under the mask that is >= v: the bits of v, until one is outside the mask; that
   place and all below it are then raised to the next value. False if there is none. */
static bool round_up(uint64_t v, uint64_t mask, uint64_t *value)
{
    uint64_t outside = v & ~mask;
    if (outside) {
        /* All bits below the highest one outside the mask count as set; the next value is greater.
         */
        for (unsigned s = 1; s < 64; s *= 2)
            outside |= outside >> s;
        v = (v | outside) & mask;
        *value = dpf_next_under(v, mask);
        return *value > v;
    }
    *value = v;
    return true;
}

/* The greatest value under the mask that is <= v. */
static uint64_t round_down(uint64_t v, uint64_t mask)
{
    uint64_t outside = v & ~mask;
    for (unsigned s = 1; s < 64; s *= 2)
        outside |= outside >> s;
    return (v | outside) & mask;
}

uint32_t set_of(struct sets *sets, const struct dpf_range *intervals, uint32_t count, uint64_t mask)
{
    struct dpf_range *sorted = must_grow(sets->trouble, sets->sorted, (count + 1) * sizeof *sorted);
    sets->sorted = sorted;
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct dpf_range r = {0, round_down(intervals[i].high, mask)};
        if (intervals[i].low <= intervals[i].high && round_up(intervals[i].low, mask, &r.low) &&
            r.low <= r.high)
            sorted[n++] = r;
    }
    if (n > 1)
        qsort(sorted, n, sizeof *sorted, by_low);
    sets->making = 0;
    for (uint32_t i = 0; i < n; i++)
        add(sets, sorted[i], mask);
    return made(sets);
}

uint32_t set_all(struct sets *sets, uint64_t mask)
{
    return set_of(sets, &(struct dpf_range){0, mask}, 1, mask);
}

uint32_t set_not(struct sets *sets, uint32_t set, uint64_t mask)
{
    uint64_t from = 0;
    sets->making = 0;
    for (uint32_t i = 0; i < set_count(sets, set); i++) {
        struct dpf_range r = set_ranges(sets, set)[i];
        if (r.low > from)
            add(sets, (struct dpf_range){from, (r.low - 1) & mask}, mask);
        if (r.high == mask)
            return made(sets);
        from = dpf_next_under(r.high, mask);
    }
    add(sets, (struct dpf_range){from, mask}, mask);
    return made(sets);
}

uint32_t set_and(struct sets *sets, uint32_t a, uint32_t b, uint64_t mask)
{
    sets->making = 0;
    for (uint32_t i = 0, k = 0; i < set_count(sets, a) && k < set_count(sets, b);) {
        struct dpf_range x = set_ranges(sets, a)[i], y = set_ranges(sets, b)[k];
        struct dpf_range both = {x.low > y.low ? x.low : y.low, x.high < y.high ? x.high : y.high};
        if (both.low <= both.high)
            add(sets, both, mask);
        if (x.high < y.high)
            i++;
        else
            k++;
    }
    return made(sets);
}

uint32_t set_or(struct sets *sets, uint32_t a, uint32_t b, uint64_t mask)
{
    uint32_t neither = set_and(sets, set_not(sets, a, mask), set_not(sets, b, mask), mask);
    return set_not(sets, neither, mask);
}
