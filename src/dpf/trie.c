/*
 * Building the merged trie: the conjunctions of each member are inserted atom by atom (paths.h,
 * trie.h).
 *
 * An invariant keeps the trie as small as its members: the sets of one table are disjoint. A set
 * that is in the table already is shared; one that clashes with it goes to another alternative. So
 * no subtree is ever copied.
 */
#include "dpf/trie.h"
#include "dpf/paths.h"

#include <string.h>

struct insertion {
    struct dpf_trie *trie;
    const struct dpf_member *member;
    const struct paths *paths;
    uint64_t tap;   /* the member's bit, or 0 */
    uint64_t order; /* the member's, or 0 for a tap */
    bool full;
};

/* What memory is left between the nodes and the entries. */
static size_t space(const struct dpf_trie *trie)
{
    return trie->size - trie->entries * sizeof(struct trie_entry) - sizeof *trie -
           (trie->nodes - 1) * sizeof(struct trie_node);
}

/* Appends a node to the alternatives that begin with first, which may be the node to come. */
static struct trie_node *append(struct insertion *in, uint32_t first, enum trie_kind kind)
{
    struct dpf_trie *trie = in->trie;
    if (space(trie) < sizeof(struct trie_node)) {
        in->full = true;
        return 0;
    }
    uint32_t number = trie->nodes++;
    for (uint32_t n = first; n != number;) {
        struct trie_node *sibling = trie_node(trie, n);
        n = sibling->fail ? sibling->fail : number;
        if (n == number)
            sibling->fail = number;
    }
    struct trie_node *node = trie_node(trie, number);
    memset(node, 0, sizeof *node);
    node->kind = kind;
    return node;
}

/* Notes on a node of the path that the member is accepted below. */
static void pass(const struct insertion *in, struct trie_node *node)
{
    node->taps |= in->tap;
    if (node->order < in->order)
        node->order = in->order;
}

/* The entry of a table that has a value in common with the interval, or null. */
static struct trie_entry *find_entry(const struct dpf_trie *trie, const struct trie_node *node,
                                     const struct dpf_range *interval)
{
    for (uint64_t e = node->build.entries; e;) {
        struct trie_entry *entry = trie_entry(trie, (uint32_t)e);
        if (interval->high < entry->low)
            e = entry->left;
        else if (interval->low > entry->high)
            e = entry->right;
        else
            return entry;
    }
    return 0;
}

enum relation { DISJOINT, CLASHING, EQUAL };

/* How an atom's set lies to those of a table; EQUAL: to one of them, which leads to *child. */
static enum relation relate(const struct insertion *in, const struct trie_node *node,
                            const struct atom *atom, uint32_t *child)
{
    struct dpf_range interval = {0};
    struct trie_entry *entry = 0;
    unsigned count = 0;
    for (uint64_t from = 0; paths_interval(in->paths, atom, from, &interval); count++) {
        struct trie_entry *e = find_entry(in->trie, node, &interval);
        bool equal = e && e->low == interval.low && e->high == interval.high;
        if (e && !equal)
            return CLASHING;
        if (count > 0 && (!e != !entry || (e && e->child != entry->child)))
            return CLASHING;
        entry = e;
        if (interval.high == atom->mask) {
            count++;
            break;
        }
        from = dpf_next_under(interval.high, atom->mask);
    }
    if (!entry)
        return DISJOINT;
    *child = entry->child;
    return entry->set == count ? EQUAL : CLASHING;
}

static uint64_t priority(const struct dpf_trie *trie, const struct trie_entry *entry)
{
    return trie_mix(entry->low ^ trie->seed);
}

/* Puts an entry into a treap: below those of higher priority, above the rest, which it splits. */
static void insert_entry(struct dpf_trie *trie, struct trie_node *node, uint32_t number)
{
    struct trie_entry *entry = trie_entry(trie, number);
    uint32_t root = (uint32_t)node->build.entries, *link = &root;
    while (*link && priority(trie, trie_entry(trie, *link)) >= priority(trie, entry)) {
        struct trie_entry *e = trie_entry(trie, *link);
        link = entry->low < e->low ? &e->left : &e->right;
    }
    uint32_t rest = *link, *left = &entry->left, *right = &entry->right;
    *link = number;
    while (rest) {
        struct trie_entry *e = trie_entry(trie, rest);
        if (e->low < entry->low) {
            *left = rest;
            left = &e->right;
            rest = e->right;
        } else {
            *right = rest;
            right = &e->left;
            rest = e->left;
        }
    }
    *left = *right = 0;
    node->build.entries = root;
}

/* Adds an atom's set to a table; it leads to the next node to be made. */
static void add_set(struct insertion *in, struct trie_node *node, const struct atom *atom)
{
    struct dpf_trie *trie = in->trie;
    struct dpf_range interval;
    uint32_t first = trie->entries + 1;
    for (uint64_t from = 0; paths_interval(in->paths, atom, from, &interval);) {
        if (space(trie) < sizeof(struct trie_entry)) {
            in->full = true;
            return;
        }
        struct trie_entry *entry = trie_entry(trie, ++trie->entries);
        *entry = (struct trie_entry){interval.low, interval.high, 0, 0, trie->nodes, 0};
        insert_entry(trie, node, trie->entries);
        if (interval.high == atom->mask)
            break;
        from = dpf_next_under(interval.high, atom->mask);
    }
    for (uint32_t e = first; e <= trie->entries; e++)
        trie_entry(trie, e)->set = trie->entries - first + 1;
}

static bool same_test(const struct trie_node *node, enum trie_kind kind, const struct atom *atom)
{
    unsigned level = kind == TRIE_SHIFT ? atom->parent : atom->stage;
    unsigned width = atom->kind == ATOM_LENGTH ? 0 : atom->width;
    return node->kind == kind && node->level == level && node->offset == atom->offset &&
           node->width == width && node->mask == atom->mask && node->shift == atom->shift;
}

static struct trie_node *append_test(struct insertion *in, uint32_t first, enum trie_kind kind,
                                     const struct atom *atom)
{
    struct trie_node *node = append(in, first, kind);
    if (!node)
        return 0;
    node->mask = atom->mask;
    node->offset = atom->offset;
    node->width = atom->kind == ATOM_LENGTH ? 0 : atom->width;
    node->level = kind == TRIE_SHIFT ? atom->parent : atom->stage;
    node->shift = atom->shift;
    return node;
}

/* Goes on from the alternatives that begin with first by an atom; returns the alternatives behind
   it. The returned number may be that of the next node to be made. */
static uint32_t insert_shift(struct insertion *in, uint32_t first, const struct atom *atom)
{
    struct trie_node *node = 0;
    for (uint32_t n = first; n && n != in->trie->nodes; n = trie_node(in->trie, n)->fail)
        if (same_test(trie_node(in->trie, n), TRIE_SHIFT, atom))
            node = trie_node(in->trie, n);
    if (!node && (node = append_test(in, first, TRIE_SHIFT, atom))) {
        node->to = atom->stage;
        node->child = in->trie->nodes;
    }
    if (!node)
        return 0;
    pass(in, node);
    return node->child;
}

static uint32_t insert_test(struct insertion *in, uint32_t first, const struct atom *atom)
{
    struct trie_node *open = 0;
    uint32_t child;
    for (uint32_t n = first; n && n != in->trie->nodes; n = trie_node(in->trie, n)->fail) {
        struct trie_node *node = trie_node(in->trie, n);
        if (!same_test(node, TRIE_BUILD, atom))
            continue;
        enum relation relation = relate(in, node, atom, &child);
        if (relation == EQUAL) {
            pass(in, node);
            return child;
        }
        if (relation == DISJOINT && !open)
            open = node;
    }
    if (!open && !(open = append_test(in, first, TRIE_BUILD, atom)))
        return 0;
    pass(in, open);
    child = in->trie->nodes;
    add_set(in, open, atom);
    return child;
}

/* Copies the filter to the nodes behind node, which evaluates it from where the path stopped. */
static void copy_filter(struct insertion *in, struct trie_node *node, const struct dpf_filter *f)
{
    size_t nodes = f->node_count * sizeof *f->nodes, ranges = f->range_count * sizeof *f->ranges;
    uint32_t slots = (uint32_t)((nodes + ranges + sizeof *node - 1) / sizeof *node);
    if (space(in->trie) < slots * sizeof *node) {
        in->full = true;
        return;
    }
    uint8_t *copy = (uint8_t *)(node + 1);
    memcpy(copy, f->nodes, nodes);
    memcpy(copy + nodes, f->ranges, ranges);
    node->rest.from = in->paths->rest;
    node->rest.nodes = f->node_count;
    node->rest.slots = slots;
    node->level = in->paths->rest_stage;
    in->trie->nodes += slots;
}

/* The end of a path: where the member is accepted, or its rest evaluated. */
static void insert_end(struct insertion *in, uint32_t first)
{
    bool accepts = in->paths->rest == DPF_ACCEPT;
    for (uint32_t n = first; accepts && n && n != in->trie->nodes;) {
        const struct trie_node *node = trie_node(in->trie, n);
        bool outranked = !in->tap && node->order >= in->order;
        if (node->kind == TRIE_ACCEPT && (outranked || (in->tap && node->taps == in->tap)))
            return; /* it can never win here, or it is here already */
        n = node->fail;
    }
    struct trie_node *node = append(in, first, accepts ? TRIE_ACCEPT : TRIE_REST);
    if (!node)
        return;
    node->id = in->member->id;
    pass(in, node);
    if (!accepts)
        copy_filter(in, node, in->paths->filter);
}

/* Whether the present conjunction contradicts itself: then no frame takes the path. */
static bool contradicts(const struct paths *paths)
{
    struct dpf_range some;
    for (unsigned i = 0; i < paths->atom_count; i++)
        if (!paths_interval(paths, &paths->atom[i], 0, &some))
            return true;
    return false;
}

/* Inserts the present conjunction, or its end alone if it is too long to take apart. */
static void insert_path(struct insertion *in, bool taken_apart)
{
    struct dpf_trie *trie = in->trie;
    uint32_t at = trie->root;
    if (taken_apart && contradicts(in->paths))
        return;
    if (!at)
        at = trie->root = trie->nodes;
    for (unsigned i = 0; taken_apart && i < in->paths->atom_count; i++) {
        const struct atom *atom = &in->paths->atom[i];
        at = atom->kind == ATOM_SHIFT ? insert_shift(in, at, atom) : insert_test(in, at, atom);
        if (!at || in->full)
            return;
    }
    insert_end(in, at);
}

static void insert_member(struct insertion *in, struct paths *paths)
{
    bool more = paths_start(paths, in->member->filter);
    while (more && !in->full) {
        bool taken_apart = paths_conjunction(paths);
        if (!taken_apart) {
            paths->rest = in->member->filter->entry;
            paths->rest_stage = 0;
        }
        insert_path(in, taken_apart);
        more = taken_apart && paths_next(paths);
    }
}

int dpf_trie_begin(void *memory, size_t size, uint64_t seed)
{
    struct dpf_trie *trie = memory;
    if ((uintptr_t)memory % 8)
        return DPF_E_ALIGNMENT;
    if (size < sizeof *trie)
        return DPF_E_SPACE;
    memset(trie, 0, sizeof *trie);
    trie->seed = seed;
    trie->size = size & ~(size_t)7;
    trie->state = TRIE_ADDING;
    trie->nodes = 1;
    trie->cursor = 1;
    return 0;
}

int dpf_trie_add(void *memory, const struct dpf_member *member, void *scratch)
{
    struct insertion in = {.trie = memory, .member = member, .paths = scratch};
    if (in.trie->state != TRIE_ADDING)
        return DPF_E_SPACE;
    if (member->tap && in.trie->taps == DPF_TAPS_MAX) {
        in.trie->state = TRIE_EMPTY;
        return DPF_E_TAPS;
    }
    if (member->tap) {
        in.tap = UINT64_C(1) << in.trie->taps;
        in.trie->tap[in.trie->taps++] = member->id;
    } else {
        in.order = trie_order(member->rank, in.trie->members++);
    }
    insert_member(&in, scratch);
    if (!in.full)
        return 0;
    in.trie->state = TRIE_EMPTY;
    return DPF_E_SPACE;
}
