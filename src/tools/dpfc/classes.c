/* Classes of a field's values (classes.h). */
#include "tools/dpfc/classes.h"

#include <stdlib.h>

/* A signature is a list of sets, shared at its beginning. */
struct signature {
    uint32_t before; /* number + 1, or 0 */
    uint32_t set;
};

void classes_start(struct classes *classes, struct trouble *trouble)
{
    *classes = (struct classes){.trouble = trouble};
    pool_start(&classes->sets, trouble, sizeof(uint32_t), UINT32_MAX / 2);
    pool_start(&classes->signatures, trouble, sizeof(struct signature), UINT32_MAX / 2);
}

void classes_end(struct classes *classes)
{
    pool_end(&classes->sets);
    pool_end(&classes->signatures);
    free(classes->segments);
    free(classes->starts);
    free(classes->ranges);
    free(classes->outcomes);
}

/* Makes room for count items of an array; returns the array. */
static void *room(struct classes *classes, void *array, uint32_t *have, uint32_t count,
                  size_t item_size)
{
    if (count <= *have)
        return array;
    array = must_grow(classes->trouble, array, 2 * count * item_size);
    *have = 2 * count;
    return array;
}

void classes_clear(struct classes *classes)
{
    struct trouble *trouble = classes->trouble;
    pool_end(&classes->sets);
    pool_end(&classes->signatures);
    pool_start(&classes->sets, trouble, sizeof(uint32_t), UINT32_MAX / 2);
    pool_start(&classes->signatures, trouble, sizeof(struct signature), UINT32_MAX / 2);
    classes->count = classes->start_count = 0;
}

void classes_add(struct classes *classes, uint32_t set)
{
    pool_put(&classes->sets, &set, 0);
}

static void add_start(struct classes *classes, uint64_t value)
{
    classes->starts = room(classes, classes->starts, &classes->start_room, classes->start_count + 1,
                           sizeof *classes->starts);
    classes->starts[classes->start_count++] = value;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Collects the values at which a value's membership may differ from that of the one before. */
static void find_starts(struct classes *classes, const struct sets *sets, uint64_t mask)
{
    uint32_t distinct = 0;
    add_start(classes, 0);
    for (uint32_t i = 0; i < classes->sets.count; i++) {
        uint32_t set = *(uint32_t *)pool_item(&classes->sets, i);
        for (uint32_t k = 0; k < set_count(sets, set); k++) {
            struct dpf_range range = set_ranges(sets, set)[k];
            add_start(classes, range.low);
            if (range.high != mask)
                add_start(classes, dpf_next_under(range.high, mask));
        }
    }
    qsort(classes->starts, classes->start_count, sizeof *classes->starts, by_value);
    for (uint32_t i = 0; i < classes->start_count; i++)
        if (i == 0 || classes->starts[i] != classes->starts[i - 1])
            classes->starts[distinct++] = classes->starts[i];
    classes->start_count = distinct;
}

static uint32_t signature_of(struct classes *classes, const struct sets *sets, uint64_t value)
{
    struct signature signature = {0, 0};
    for (uint32_t i = 0; i < classes->sets.count; i++) {
        signature.set = *(uint32_t *)pool_item(&classes->sets, i);
        if (set_has(sets, signature.set, value))
            signature.before = pool_put(&classes->signatures, &signature, 0) + 1;
    }
    return signature.before;
}

static int by_signature(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    if (x->signature != y->signature)
        return x->signature < y->signature ? -1 : 1;
    return x->range.low < y->range.low ? -1 : x->range.low > y->range.low;
}

static void add_outcome(struct classes *classes, uint32_t set)
{
    classes->outcomes = room(classes, classes->outcomes, &classes->outcome_room, classes->count + 1,
                             sizeof *classes->outcomes);
    classes->outcomes[classes->count++] = (struct outcome){set, 0};
}

void classes_make(struct classes *classes, struct sets *sets, uint64_t mask)
{
    find_starts(classes, sets, mask);
    uint32_t count = classes->start_count;
    classes->segments =
        room(classes, classes->segments, &classes->segment_room, count, sizeof *classes->segments);
    classes->ranges =
        room(classes, classes->ranges, &classes->range_room, count, sizeof *classes->ranges);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t low = classes->starts[i];
        uint64_t high = i + 1 < count ? (classes->starts[i + 1] - 1) & mask : mask;
        classes->segments[i] = (struct segment){{low, high}, signature_of(classes, sets, low)};
    }
    qsort(classes->segments, count, sizeof *classes->segments, by_signature);
    for (uint32_t i = 0, n = 0; i < count; i++) {
        const struct segment *segment = &classes->segments[i];
        classes->ranges[n++] = segment->range;
        if (i + 1 == count || segment[1].signature != segment->signature) {
            add_outcome(classes, set_of(sets, classes->ranges, n, mask));
            n = 0;
        }
    }
}

static int by_node(const void *a, const void *b)
{
    const struct outcome *x = a, *y = b;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return x->set < y->set ? -1 : x->set > y->set;
}

void classes_unite(struct classes *classes, struct sets *sets, uint64_t mask)
{
    uint32_t count = 0;
    qsort(classes->outcomes, classes->count, sizeof *classes->outcomes, by_node);
    for (uint32_t i = 0; i < classes->count; i++) {
        struct outcome outcome = classes->outcomes[i];
        if (count && classes->outcomes[count - 1].node == outcome.node) {
            struct outcome *same = &classes->outcomes[count - 1];
            same->set = set_or(sets, same->set, outcome.set, mask);
        } else {
            classes->outcomes[count++] = outcome;
        }
    }
    classes->count = count;
}
