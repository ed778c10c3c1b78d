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

#define CLEARED 64 /* slots cleared in one go */
#define PUT     4  /* operations that an interval put in its place takes */

/* What comes next. A stage returns false when the work is spent before its end. */
enum stage { NEXT_NODE, LINK_ROOT, FLATTEN, COUNT, LINK, RESERVE, CLEAR, FILL, SORT, FULL };

struct finishing {
    struct dpf_trie *trie;
    struct trie_finish *state; /* the trie's */
    struct trie_node *node;    /* in work: the one before the cursor */
    size_t work;               /* operations left, of some 50 instructions */
};

static bool pay(struct finishing *f, size_t operations)
{
    bool some = f->work > 0;
    f->work -= operations < f->work ? operations : f->work;
    return some;
}

static bool next(struct finishing *f, enum stage stage)
{
    f->state->stage = (uint8_t)stage;
    return true;
}

/* Goes to the first entry of the list, to do something with each. */
static bool for_each(struct finishing *f, enum stage stage)
{
    f->state->at = f->state->first;
    return next(f, stage);
}

/* Begins to make the alternatives from first on end in fail. */
static void begin_list(struct finishing *f, uint32_t first, uint32_t fail)
{
    f->state->list = first;
    f->state->end = fail;
}

/* Makes them, unless that was done. */
static bool link_list(struct finishing *f)
{
    uint32_t *list = &f->state->list;
    while (*list) {
        struct trie_node *node = trie_node(f->trie, *list);
        if (node->linked)
            break;
        if (!pay(f, 1))
            return false;
        node->linked = true;
        *list = node->fail;
        if (!*list)
            node->fail = f->state->end;
    }
    *list = 0;
    return true;
}

static bool link_root(struct finishing *f)
{
    return link_list(f) && next(f, NEXT_NODE);
}

/* A node's parents have lower numbers, so its own fail link is final when its turn comes. */
static bool next_node(struct finishing *f)
{
    struct dpf_trie *trie = f->trie;
    if (!pay(f, 1))
        return false;
    if (trie->cursor == trie->nodes) {
        trie->state = TRIE_FINISHED;
        return true;
    }
    struct trie_node *node = f->node = trie_node(trie, trie->cursor++);
    if (node->kind == TRIE_REST)
        trie->cursor += node->rest.slots;
    if (node->kind == TRIE_SHIFT) {
        begin_list(f, node->child, node->fail);
        return next(f, LINK_ROOT);
    }
    if (node->kind != TRIE_BUILD)
        return true;
    *f->state = (struct trie_finish){.multiplier = trie->seed,
                                     .first = (uint32_t)node->build.entries,
                                     .at = (uint32_t)node->build.entries};
    return next(f, FLATTEN);
}

/* Rotates the treap into a list, sorted, linked by right. */
static bool flatten(struct finishing *f)
{
    struct trie_finish *s = f->state;
    while (s->at) {
        struct trie_entry *entry = trie_entry(f->trie, s->at);
        if (!pay(f, 1))
            return false;
        if (entry->left) {
            struct trie_entry *left = trie_entry(f->trie, entry->left);
            uint32_t number = entry->left;
            entry->left = left->right;
            left->right = s->at;
            *(s->before ? &trie_entry(f->trie, s->before)->right : &s->first) = number;
            s->at = number;
        } else {
            s->before = s->at;
            s->at = entry->right;
        }
    }
    return for_each(f, COUNT);
}

/* Values of an interval if they are one or two, else 0. */
static unsigned few(const struct trie_entry *entry, uint64_t mask)
{
    if (entry->low == entry->high)
        return 1;
    return dpf_next_under(entry->low, mask) == entry->high ? 2 : 0;
}

/* What the list holds; and each entry's alternatives fail to where the table does. */
static bool count(struct finishing *f)
{
    struct trie_finish *s = f->state;
    if (!s->at)
        return next(f, RESERVE);
    if (!pay(f, 1))
        return false;
    const struct trie_entry *entry = trie_entry(f->trie, s->at);
    unsigned values = few(entry, f->node->mask);
    s->intervals++;
    s->values += values;
    s->wide += values == 0;
    begin_list(f, entry->child, f->node->fail);
    return next(f, LINK);
}

static bool link_entry(struct finishing *f)
{
    if (!link_list(f))
        return false;
    f->state->at = trie_entry(f->trie, f->state->at)->right;
    return next(f, COUNT);
}

static size_t slot_bytes(const struct trie_node *node)
{
    return node->bits ? sizeof(struct trie_slot) << node->bits : 0;
}

static uint8_t *table_of(const struct finishing *f)
{
    return (uint8_t *)f->trie + f->trie->used;
}

/* Whether a table of so many bytes and ranges fits between the nodes and the entries. */
static bool has_space(const struct dpf_trie *trie, size_t slots, uint32_t ranges)
{
    uint64_t entries = trie->size - trie->entries * sizeof(struct trie_entry);
    return entries - trie->used >= slots + ranges * sizeof(struct trie_range);
}

/* One interval needs no table. */
static bool reserve(struct finishing *f)
{
    struct trie_finish *s = f->state;
    struct trie_node *node = f->node;
    unsigned bits = 0;
    if (s->intervals == 1) {
        const struct trie_entry *only = trie_entry(f->trie, s->first);
        node->kind = TRIE_ONE;
        node->child = only->child;
        node->one.low = only->low;
        node->one.high = only->high;
        return next(f, NEXT_NODE);
    }
    if (s->values > 1)
        for (bits = 1; UINT64_C(1) << bits < 2 * (uint64_t)s->values; bits++)
            ;
    node->bits = (uint8_t)bits;
    node->many.table = (uint32_t)(f->trie->used / 8);
    if (!has_space(f->trie, slot_bytes(node), 0))
        return next(f, FULL);
    return bits ? next(f, CLEAR) : for_each(f, SORT);
}

/* Clears the slots for the next multiplier. */
static bool clear(struct finishing *f)
{
    struct trie_finish *s = f->state;
    uint32_t slots = UINT32_C(1) << f->node->bits;
    for (; s->slot < slots; s->slot += CLEARED) {
        uint32_t left = slots - s->slot;
        if (!pay(f, CLEARED / 4))
            return false;
        memset((struct trie_slot *)(void *)table_of(f) + s->slot, 0,
               (left < CLEARED ? left : CLEARED) * sizeof(struct trie_slot));
    }
    s->slot = 0;
    s->multiplier = trie_mix(s->multiplier);
    f->node->many.multiplier = DPF_COLLIDE ? 1 : s->multiplier | 1;
    f->node->probes = 0;
    return for_each(f, FILL);
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

/* Another multiplier; after too many, all are sorted as ranges. */
static bool retry(struct finishing *f)
{
    if (++f->state->attempt < MULTIPLIERS)
        return next(f, CLEAR);
    f->node->bits = 0;
    return for_each(f, SORT);
}

/* Fills the slots with the values of the list. */
static bool fill(struct finishing *f)
{
    struct trie_finish *s = f->state;
    struct trie_slot *slots = (void *)table_of(f);
    while (s->at) {
        const struct trie_entry *entry = trie_entry(f->trie, s->at);
        unsigned values = few(entry, f->node->mask);
        if (!pay(f, PUT))
            return false;
        if (values > 0 && !put(f->node, slots, entry->low, entry->child))
            return retry(f);
        if (values > 1 && !put(f->node, slots, entry->high, entry->child))
            return retry(f);
        s->at = entry->right;
    }
    return for_each(f, SORT);
}

/* Lays the ranges behind the slots: those that aren't there. */
static bool sort(struct finishing *f)
{
    struct trie_finish *s = f->state;
    struct trie_node *node = f->node;
    size_t slots = slot_bytes(node);
    uint32_t ranges = slots ? s->wide : s->intervals;
    struct trie_range *out = (void *)(table_of(f) + slots);
    if (!has_space(f->trie, slots, ranges))
        return next(f, FULL);
    for (; s->at; s->at = trie_entry(f->trie, s->at)->right) {
        const struct trie_entry *entry = trie_entry(f->trie, s->at);
        if (!pay(f, 1))
            return false;
        if (!slots || few(entry, node->mask) == 0)
            out[s->slot++] = (struct trie_range){entry->low, entry->high, entry->child, 0};
    }
    node->many.ranges = ranges;
    node->kind = TRIE_MANY;
    f->trie->used += slots + ranges * sizeof(struct trie_range);
    return next(f, NEXT_NODE);
}

static bool (*const stages[])(struct finishing *f) = {
    [NEXT_NODE] = next_node, [LINK_ROOT] = link_root, [FLATTEN] = flatten,
    [COUNT] = count,         [LINK] = link_entry,     [RESERVE] = reserve,
    [CLEAR] = clear,         [FILL] = fill,           [SORT] = sort,
};

int dpf_trie_finish(void *memory, size_t *work)
{
    struct dpf_trie *trie = memory;
    struct finishing f = {.trie = trie, .state = &trie->finish, .work = *work};
    if (trie->state == TRIE_ADDING) {
        trie->finish = (struct trie_finish){.list = trie->root, .stage = LINK_ROOT};
        trie->used = sizeof *trie + (trie->nodes - 1) * sizeof(struct trie_node);
        trie->state = TRIE_FINISHING;
    }
    if (trie->cursor > 1)
        f.node = trie_node(trie, trie->cursor - 1);
    while (trie->state == TRIE_FINISHING && stages[trie->finish.stage](&f))
        if (trie->finish.stage == FULL)
            trie->state = TRIE_EMPTY;
    *work = f.work;
    if (trie->state == TRIE_FINISHING)
        return 1;
    return trie->state == TRIE_FINISHED ? 0 : DPF_E_SPACE;
}

int dpf_trie_build(void *memory, size_t size, uint64_t seed, const struct dpf_member *members,
                   size_t count, void *scratch)
{
    int error = dpf_trie_begin(memory, size, seed);
    for (size_t i = 0; i < count && !error; i++)
        error = dpf_trie_add(memory, &members[i], scratch);
    for (int more = 1; !error && more == 1; error = more < 0 ? more : 0) {
        size_t work = SIZE_MAX;
        more = dpf_trie_finish(memory, &work);
    }
    return error;
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
        paths_start(paths, filter);
        paths->work = SIZE_MAX;
        if (paths_next(paths) == PATHS_NO)
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
