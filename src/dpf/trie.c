/*
 * Building the merged trie: the conjunctions of each member are inserted atom by atom (paths.h,
 * trie.h).
 *
 * An invariant keeps the trie as small as its members: the sets of one table are disjoint. A set
 * that is in the table already is shared; one that clashes with it goes to another alternative. So
 * no subtree is ever copied.
 */
#include "dpf/insert.h"

#include <string.h>

#define COPY_BYTES 1024 /* of a filter in one go */

/* Appends a node to the alternatives that have been looked at. */
static struct trie_node *append(struct insertion *in, enum trie_kind kind)
{
    struct dpf_trie *trie = in->trie;
    if (insert_space(trie) < sizeof(struct trie_node)) {
        in->full = true;
        return 0;
    }
    uint32_t number = trie->nodes++;
    if (in->last)
        trie_node(trie, in->last)->fail = number;
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

static bool same_test(const struct trie_node *node, enum trie_kind kind, const struct atom *atom)
{
    unsigned level = kind == TRIE_SHIFT ? atom->parent : atom->stage;
    unsigned width = atom->kind == ATOM_LENGTH ? 0 : atom->width;
    return node->kind == kind && node->level == level && node->offset == atom->offset &&
           node->width == width && node->mask == atom->mask && node->shift == atom->shift;
}

static struct trie_node *append_test(struct insertion *in, enum trie_kind kind,
                                     const struct atom *atom)
{
    struct trie_node *node = append(in, kind);
    if (!node)
        return 0;
    node->mask = atom->mask;
    node->offset = atom->offset;
    node->width = atom->kind == ATOM_LENGTH ? 0 : atom->width;
    node->level = kind == TRIE_SHIFT ? atom->parent : atom->stage;
    node->shift = atom->shift;
    return node;
}

/* What comes next. A stage returns false when the work is spent before its end. */
enum stage { NEXT_PATH, CONJUNCTION, CONTRADICTIONS, NEXT_ATOM, SHIFT, TEST, ADD, END, COPY, DONE };

static bool next(struct insertion *in, enum stage stage)
{
    in->stage = (uint8_t)(in->full ? DONE : stage);
    return true;
}

/* An atom is in: on to the next, from the alternatives that begin with first, which may be the
 * number of the next node to be made. */
static bool go_on(struct insertion *in, uint32_t first)
{
    in->first = first;
    in->atom++;
    return next(in, NEXT_ATOM);
}

static bool next_path(struct insertion *in)
{
    enum paths_answer found = paths_next(&in->paths);
    if (found == PATHS_MORE)
        return false;
    return next(in, found == PATHS_YES ? CONJUNCTION : DONE);
}

/* One that is too long to take apart has its end inserted alone. */
static bool make_conjunction(struct insertion *in)
{
    enum paths_answer made = paths_conjunction(&in->paths);
    if (made == PATHS_MORE)
        return false;
    in->is_apart = made == PATHS_YES;
    if (!in->is_apart) {
        in->paths.rest = in->member.filter->entry;
        in->paths.rest_stage = 0;
        in->paths.atom_count = 0;
    }
    in->atom = 0;
    if (in->paths.atom_count > 0)
        paths_search(&in->paths, &in->paths.atom[0], 0);
    return next(in, CONTRADICTIONS);
}

/* Whether the conjunction contradicts itself: then no frame takes the path. */
static bool find_contradictions(struct insertion *in)
{
    struct paths *paths = &in->paths;
    while (in->atom < paths->atom_count) {
        enum paths_answer some = paths_interval(paths);
        if (some == PATHS_MORE)
            return false;
        if (some == PATHS_NO)
            return next(in, NEXT_PATH);
        if (++in->atom < paths->atom_count)
            paths_search(paths, &paths->atom[in->atom], 0);
    }
    if (!in->trie->root)
        in->trie->root = in->trie->nodes;
    in->first = in->trie->root;
    in->atom = 0;
    return next(in, NEXT_ATOM);
}

static bool next_atom(struct insertion *in)
{
    in->at = in->first;
    in->last = in->open = 0;
    in->relates = false;
    if (in->atom == in->paths.atom_count)
        return next(in, END);
    return next(in, in->paths.atom[in->atom].kind == ATOM_SHIFT ? SHIFT : TEST);
}

/* The alternative whose turn it is, or null behind the last. */
static struct trie_node *alternative(const struct insertion *in)
{
    return in->at && in->at != in->trie->nodes ? trie_node(in->trie, in->at) : 0;
}

static void next_alternative(struct insertion *in)
{
    in->last = in->at;
    in->at = trie_node(in->trie, in->at)->fail;
}

static bool insert_shift(struct insertion *in)
{
    const struct atom *atom = &in->paths.atom[in->atom];
    struct trie_node *node;
    while ((node = alternative(in)) && !same_test(node, TRIE_SHIFT, atom)) {
        if (!paths_pay(&in->paths, 1))
            return false;
        next_alternative(in);
    }
    if (!node && (node = append_test(in, TRIE_SHIFT, atom))) {
        node->to = atom->stage;
        node->child = in->trie->nodes;
    }
    if (!node)
        return next(in, DONE);
    pass(in, node);
    return go_on(in, node->child);
}

/* The set goes to a table that has it already, or to one that it doesn't clash with. */
static bool insert_test(struct insertion *in)
{
    const struct atom *atom = &in->paths.atom[in->atom];
    struct trie_node *node;
    for (; (node = alternative(in)); next_alternative(in)) {
        uint32_t child;
        if (!in->relates && !paths_pay(&in->paths, 1))
            return false;
        if (!same_test(node, TRIE_BUILD, atom))
            continue;
        if (!in->relates) {
            in->relates = true;
            treap_start(in, atom);
        }
        enum relation relation = treap_relate(in, node, atom, &child);
        if (relation == MORE)
            return false;
        in->relates = false;
        if (relation == EQUAL) {
            pass(in, node);
            return go_on(in, child);
        }
        if (relation == DISJOINT && !in->open)
            in->open = in->at;
    }
    if (!in->open && append_test(in, TRIE_BUILD, atom))
        in->open = in->trie->nodes - 1;
    if (in->full)
        return next(in, DONE);
    pass(in, trie_node(in->trie, in->open));
    treap_start(in, atom);
    return next(in, ADD);
}

static bool add_set(struct insertion *in)
{
    return treap_add(in, &in->paths.atom[in->atom]) && go_on(in, in->trie->nodes);
}

/* Makes room behind node for the filter, which evaluates it from where the path stopped. */
static bool begin_copy(struct insertion *in, struct trie_node *node)
{
    const struct dpf_filter *f = in->member.filter;
    size_t bytes = f->node_count * sizeof *f->nodes + f->range_count * sizeof *f->ranges;
    uint32_t slots = (uint32_t)((bytes + sizeof *node - 1) / sizeof *node);
    if (insert_space(in->trie) < slots * sizeof *node) {
        in->full = true;
        return next(in, DONE);
    }
    node->rest.from = in->paths.rest;
    node->rest.nodes = f->node_count;
    node->rest.slots = slots;
    node->level = in->paths.rest_stage;
    in->node = in->trie->nodes - 1;
    in->trie->nodes += slots;
    in->copied = 0;
    return next(in, COPY);
}

/* Copies some bytes of an array that stands at start in the copy. */
static size_t copy_some(uint8_t *copy, size_t copied, size_t start, const void *array, size_t size)
{
    if (copied < start || copied >= start + size)
        return 0;
    size_t left = start + size - copied, some = left < COPY_BYTES ? left : COPY_BYTES;
    memcpy(copy + copied, (const uint8_t *)array + (copied - start), some);
    return some;
}

static bool copy_filter(struct insertion *in)
{
    const struct dpf_filter *f = in->member.filter;
    size_t nodes = f->node_count * sizeof *f->nodes, ranges = f->range_count * sizeof *f->ranges;
    uint8_t *copy = (uint8_t *)(trie_node(in->trie, in->node) + 1);
    while (in->copied < nodes + ranges) {
        if (!paths_pay(&in->paths, COPY_BYTES / 32))
            return false;
        in->copied += copy_some(copy, in->copied, 0, f->nodes, nodes);
        in->copied += copy_some(copy, in->copied, nodes, f->ranges, ranges);
    }
    return next(in, in->is_apart ? NEXT_PATH : DONE);
}

/* The end of a path: where the member is accepted, or its rest evaluated. */
static bool insert_end(struct insertion *in)
{
    bool accepts = in->paths.rest == DPF_ACCEPT;
    const struct trie_node *other;
    for (; (other = alternative(in)); next_alternative(in)) {
        bool outranked = !in->tap && other->order >= in->order;
        if (!paths_pay(&in->paths, 1))
            return false;
        if (accepts && other->kind == TRIE_ACCEPT &&
            (outranked || (in->tap && other->taps == in->tap)))
            return next(in, NEXT_PATH); /* it can never win here, or it is here already */
    }
    struct trie_node *node = append(in, accepts ? TRIE_ACCEPT : TRIE_REST);
    if (!node)
        return next(in, DONE);
    node->id = in->member.id;
    pass(in, node);
    return accepts ? next(in, NEXT_PATH) : begin_copy(in, node);
}

static bool (*const stages[])(struct insertion *in) = {
    [NEXT_PATH] = next_path,
    [CONJUNCTION] = make_conjunction,
    [CONTRADICTIONS] = find_contradictions,
    [NEXT_ATOM] = next_atom,
    [SHIFT] = insert_shift,
    [TEST] = insert_test,
    [ADD] = add_set,
    [END] = insert_end,
    [COPY] = copy_filter,
};

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

int dpf_trie_add_begin(void *memory, const struct dpf_member *member, void *scratch)
{
    struct insertion *in = scratch;
    struct dpf_trie *trie = memory;
    if (trie->state != TRIE_ADDING)
        return DPF_E_SPACE;
    if (member->tap && trie->taps == DPF_TAPS_MAX) {
        trie->state = TRIE_EMPTY;
        return DPF_E_TAPS;
    }
    in->trie = trie;
    in->member = *member;
    in->tap = in->order = 0;
    in->stage = NEXT_PATH;
    in->full = false;
    if (member->tap) {
        in->tap = UINT64_C(1) << trie->taps;
        trie->tap[trie->taps++] = member->id;
    } else {
        in->order = trie_order(member->rank, trie->members++);
    }
    trie->state = TRIE_INSERTING;
    paths_start(&in->paths, member->filter);
    return 0;
}

int dpf_trie_add_step(void *scratch, size_t *work)
{
    struct insertion *in = scratch;
    in->paths.work = *work;
    while (in->stage != DONE && stages[in->stage](in))
        ;
    *work = in->paths.work;
    if (in->stage != DONE)
        return 1;
    in->trie->state = in->full ? TRIE_EMPTY : TRIE_ADDING;
    return in->full ? DPF_E_SPACE : 0;
}

int dpf_trie_add(void *memory, const struct dpf_member *member, void *scratch)
{
    int error = dpf_trie_add_begin(memory, member, scratch);
    for (int more = 1; !error && more == 1; error = more < 0 ? more : 0) {
        size_t work = SIZE_MAX;
        more = dpf_trie_add_step(scratch, &work);
    }
    return error;
}
