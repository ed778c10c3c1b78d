/*
 * Finishing the merged trie: treaps become hash tables and sorted ranges, and every node learns
 * where to go on when it fails.
 *
 * Values that stand alone, or in pairs, go to a hash table by multiplication; a multiplier is
 * sought with which no value lies far from its slot. Wider ranges are sorted behind the slots, for
 * a binary search.
 */
#include "dpf/trie.h"
#include "dpf/paths.h"

#include <string.h>

#define PROBES_MAX  16 /* slots behind its own in which a value may lie */
#define MULTIPLIERS 16 /* tried before the values are sorted as ranges instead */
#ifndef DPF_COLLIDE
#define DPF_COLLIDE 0 /* 1: a multiplier that has most values collide, for checked kernels */
#endif
#define INTERVAL_BYTES (sizeof(struct trie_entry) + 2 * 4 * sizeof(struct trie_slot))

/* What a treap holds, as counts. */
struct content {
    uint32_t intervals;
    uint32_t values; /* of intervals of one or two values */
    uint32_t wide;   /* intervals of more */
};

/* Rotates a treap into a list, sorted, linked by right; returns its first entry. */
static uint32_t flatten(struct dpf_trie *trie, uint32_t root)
{
    uint32_t first = root, *link = &first;
    while (*link) {
        struct trie_entry *entry = trie_entry(trie, *link);
        if (entry->left) {
            struct trie_entry *left = trie_entry(trie, entry->left);
            uint32_t number = entry->left;
            entry->left = left->right;
            left->right = *link;
            *link = number;
        } else {
            link = &entry->right;
        }
    }
    return first;
}

/* Values of an interval if they are one or two, else 0. */
static unsigned few(const struct trie_entry *entry, uint64_t mask)
{
    if (entry->low == entry->high)
        return 1;
    return dpf_next_under(entry->low, mask) == entry->high ? 2 : 0;
}

static struct content count(const struct dpf_trie *trie, uint32_t first, uint64_t mask)
{
    struct content content = {0};
    for (uint32_t e = first; e; e = trie_entry(trie, e)->right) {
        unsigned values = few(trie_entry(trie, e), mask);
        content.intervals++;
        content.values += values;
        content.wide += values == 0;
    }
    return content;
}

/* Puts a value into the first free slot from its own on; false if that is too far. */
static bool put(struct trie_node *node, struct trie_slot *slots, uint64_t value, uint32_t child)
{
    unsigned bits = node->bits, last = (1u << bits) - 1;
    unsigned own = (unsigned)(value * node->many.multiplier >> (64 - bits));
    for (unsigned probe = 0; probe <= PROBES_MAX; probe++) {
        struct trie_slot *slot = &slots[(own + probe) & last];
        if (slot->child)
            continue;
        *slot = (struct trie_slot){value, child, 0};
        if (node->probes < probe)
            node->probes = (uint8_t)probe;
        return true;
    }
    return false;
}

/* Fills the slots with the values of the list, with the node's multiplier; false if it is a bad
 * one. */
static bool fill_slots(const struct dpf_trie *trie, struct trie_node *node, struct trie_slot *slots,
                       uint32_t first)
{
    memset(slots, 0, sizeof *slots << node->bits);
    node->probes = 0;
    for (uint32_t e = first; e; e = trie_entry(trie, e)->right) {
        const struct trie_entry *entry = trie_entry(trie, e);
        unsigned values = few(entry, node->mask);
        if (values > 0 && !put(node, slots, entry->low, entry->child))
            return false;
        if (values > 1 && !put(node, slots, entry->high, entry->child))
            return false;
    }
    return true;
}

/* Makes the slots at table; false if no multiplier is good. */
static bool hash(const struct dpf_trie *trie, struct trie_node *node, void *table, uint32_t first)
{
    uint64_t multiplier = trie->seed;
    for (unsigned i = 0; i < MULTIPLIERS; i++) {
        multiplier = trie_mix(multiplier);
        node->many.multiplier = DPF_COLLIDE ? 1 : multiplier | 1;
        if (fill_slots(trie, node, table, first))
            return true;
    }
    return false;
}

static void sort(const struct dpf_trie *trie, const struct trie_node *node,
                 struct trie_range *ranges, uint32_t first, bool hashed)
{
    for (uint32_t e = first; e; e = trie_entry(trie, e)->right) {
        const struct trie_entry *entry = trie_entry(trie, e);
        if (!hashed || few(entry, node->mask) == 0)
            *ranges++ = (struct trie_range){entry->low, entry->high, entry->child, 0};
    }
}

/* Makes a table of the sorted list that begins with first. Returns 0 or DPF_E_SPACE. */
static int make_table(struct dpf_trie *trie, struct trie_node *node, uint32_t first,
                      struct content content)
{
    uint64_t entries = trie->size - trie->entries * sizeof(struct trie_entry);
    uint32_t ranges = content.wide, bits = 0;
    if (content.values > 1)
        for (bits = 1; UINT64_C(1) << bits < 2 * (uint64_t)content.values; bits++)
            ;
    else
        ranges = content.intervals;
    size_t slots = bits ? sizeof(struct trie_slot) << bits : 0;
    uint8_t *table = (uint8_t *)trie + trie->used;
    node->many.table = (uint32_t)(trie->used / 8);
    node->bits = (uint8_t)bits;
    if (entries - trie->used < slots)
        return DPF_E_SPACE;
    if (bits && !hash(trie, node, table, first)) {
        node->bits = 0;
        slots = 0;
        ranges = content.intervals;
    }
    if (entries - trie->used < slots + ranges * sizeof(struct trie_range))
        return DPF_E_SPACE;
    sort(trie, node, (void *)(table + slots), first, node->bits);
    node->many.ranges = ranges;
    node->kind = TRIE_MANY;
    trie->used += slots + ranges * sizeof(struct trie_range);
    return 0;
}

/* Makes the alternatives that begin with first end in fail, unless that was done. */
static void link_alternatives(struct dpf_trie *trie, uint32_t first, uint32_t fail)
{
    while (first) {
        struct trie_node *node = trie_node(trie, first);
        if (node->linked)
            return;
        node->linked = true;
        first = node->fail;
        if (!first)
            node->fail = fail;
    }
}

/* Gives a treap its final form. Returns its intervals, or DPF_E_SPACE. */
static int finish_tests(struct dpf_trie *trie, struct trie_node *node)
{
    uint32_t first = flatten(trie, (uint32_t)node->build.entries);
    struct content content = count(trie, first, node->mask);
    for (uint32_t e = first; e; e = trie_entry(trie, e)->right)
        link_alternatives(trie, trie_entry(trie, e)->child, node->fail);
    if (content.intervals > 1) {
        int error = make_table(trie, node, first, content);
        return error ? error : (int)content.intervals;
    }
    const struct trie_entry *only = trie_entry(trie, first);
    node->kind = TRIE_ONE;
    node->child = only->child;
    node->one.low = only->low;
    node->one.high = only->high;
    return 1;
}

int dpf_trie_finish(void *memory, size_t work)
{
    struct dpf_trie *trie = memory;
    if (trie->state == TRIE_ADDING) {
        link_alternatives(trie, trie->root, 0);
        trie->used = sizeof *trie + (trie->nodes - 1) * sizeof(struct trie_node);
        trie->state = TRIE_FINISHING;
    }
    if (trie->state == TRIE_EMPTY)
        return DPF_E_SPACE;
    /* A node's parents have lower numbers, so its own fail link is final when its turn comes. */
    while (trie->cursor < trie->nodes) {
        struct trie_node *node = trie_node(trie, trie->cursor++);
        int done = 1;
        if (node->kind == TRIE_SHIFT)
            link_alternatives(trie, node->child, node->fail);
        else if (node->kind == TRIE_REST)
            trie->cursor += node->rest.slots;
        else if (node->kind == TRIE_BUILD)
            done = finish_tests(trie, node);
        if (done < 0) {
            trie->state = TRIE_EMPTY;
            return done;
        }
        if (work <= (size_t)done && trie->cursor < trie->nodes)
            return 1;
        work -= (size_t)done;
    }
    trie->state = TRIE_FINISHED;
    return 0;
}

int dpf_trie_build(void *memory, size_t size, uint64_t seed, const struct dpf_member *members,
                   size_t count, void *scratch)
{
    int error = dpf_trie_begin(memory, size, seed);
    for (size_t i = 0; i < count && !error; i++)
        error = dpf_trie_add(memory, &members[i], scratch);
    return error ? error : dpf_trie_finish(memory, SIZE_MAX);
}

/* Whether some conjunction of the filter may be too long, so that the filter is copied as a whole.
 */
static bool may_be_copied(const struct paths *paths)
{
    const struct dpf_filter *filter = paths->filter;
    unsigned shifts = 0;
    for (unsigned i = 0; i < filter->node_count; i++)
        shifts += filter->nodes[i].kind == DPF_SHIFT;
    return !paths->whole || shifts >= STAGES_MAX || filter->node_count > ATOMS_MAX - 2 * STAGES_MAX;
}

size_t dpf_trie_size(const struct dpf_member *members, size_t count, void *scratch)
{
    struct paths *paths = scratch;
    size_t nodes = 0, intervals = 0;
    for (size_t i = 0; i < count; i++) {
        const struct dpf_filter *filter = members[i].filter;
        if (!paths_start(paths, filter))
            continue;
        /* Each path has an end, and perhaps an atom for bytes that only have to be readable. */
        nodes += 2;
        if (may_be_copied(paths))
            nodes += filter->size / sizeof(struct trie_node) + 1;
        if (!paths->whole) {
            nodes += 2 * paths->depth;
            intervals += filter->range_count + paths->depth;
        } else if (filter->node_count > 0) {
            nodes += 2 * paths->count[0] + paths->need[0].atoms;
            intervals += paths->need[0].intervals + paths->count[0];
        }
    }
    return sizeof(struct dpf_trie) + nodes * sizeof(struct trie_node) + intervals * INTERVAL_BYTES;
}

size_t dpf_trie_used(const struct dpf_trie *trie)
{
    return trie->used;
}

uint32_t dpf_trie_tap(const struct dpf_trie *trie, unsigned tap)
{
    return tap < trie->taps ? trie->tap[tap] : DPF_NONE;
}
