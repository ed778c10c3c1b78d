/*
 * From the DAG of a filter to its conjunctions (paths.h).
 *
 * "udp port 7" asks: is the source port 7? If so accept; else, is the destination port 7? Taken
 * literally, its second path says that the source port is not 7, and the complements of a thousand
 * such ports would share no table. But the "no" needs no test where every way to accept behind it
 * leads through the node behind "yes": a frame that answers yes is then accepted either way. Such
 * nodes are called covered.
 */
#include "dpf/paths.h"

#define COVER_MAX 64 /* nodes between a test and the meeting point of its answers */
#define SEARCH    6  /* operations that an edge's part in an interval takes */

static unsigned count_from(const struct paths *paths, uint16_t to)
{
    return to == DPF_ACCEPT ? 1 : to == DPF_REJECT ? 0 : paths->count[to];
}

/* Counts the paths from a node, and what their conjunctions may need. Those behind it are counted.
 */
static void count_paths(struct paths *paths, unsigned i)
{
    const struct dpf_node *node = &paths->filter->nodes[i];
    unsigned yes = count_from(paths, node->yes), no = count_from(paths, node->no);
    paths->count[i] = (uint16_t)(yes + no > UINT16_MAX ? UINT16_MAX : yes + no);
    struct dpf_need *need = &paths->need[i];
    need->atoms = yes + no;
    if (node->kind == DPF_SHIFT)
        need->atoms *= 2; /* itself, and one for bytes that only have to be readable */
    need->intervals = yes * (node->count + 1u) + no * (node->count + 1u);
    for (unsigned answer = 0; answer < 2; answer++) {
        uint16_t to = answer ? node->yes : node->no;
        if (to >= DPF_NODES_MAX)
            continue;
        need->atoms += paths->need[to].atoms;
        need->intervals += paths->need[to].intervals;
    }
}

/* Whether every path from the node's "no" to accept leads through its "yes", with the same base. */
static bool is_covered(const struct dpf_filter *filter, unsigned i)
{
    const struct dpf_node *node = &filter->nodes[i];
    if (node->kind == DPF_SHIFT || node->yes == DPF_ACCEPT)
        return node->yes == DPF_ACCEPT;
    if (node->yes == DPF_REJECT || node->yes - i > COVER_MAX)
        return false;
    /* Bit k: the node i + k is reached from "no". */
    uint64_t reached = 0;
    for (unsigned k = 0; i + k < node->yes; k++) {
        const struct dpf_node *n = node + k;
        if (k > 0 && !(reached >> k & 1))
            continue;
        if (k > 0 && n->kind == DPF_SHIFT)
            return false;
        for (unsigned answer = k == 0; answer < 2; answer++) {
            uint16_t to = answer ? n->no : n->yes;
            if (to == DPF_REJECT || to == node->yes)
                continue;
            if (to > node->yes)
                return false;
            reached |= UINT64_C(1) << (to - i);
        }
    }
    return true;
}

/* From the last node to the first; then each is looked at again, from the first one on. */
static bool count_all(struct paths *paths)
{
    for (; paths->cursor > 0; paths->cursor--) {
        if (!paths_pay(paths, 2))
            return false;
        count_paths(paths, paths->cursor - 1u);
    }
    for (unsigned i = 0; i < DPF_NODES_MAX / 64; i++)
        paths->covered[i] = 0;
    paths->phase = PATHS_COVER;
    return true;
}

static bool cover_all(struct paths *paths)
{
    const struct dpf_filter *filter = paths->filter;
    for (; paths->cursor < filter->node_count; paths->cursor++) {
        unsigned i = paths->cursor, ahead = filter->nodes[i].yes - i;
        if (!paths_pay(paths, 1 + (ahead <= COVER_MAX ? ahead / 2 : 0)))
            return false;
        if (is_covered(filter, i))
            paths->covered[i / 64] |= UINT64_C(1) << i % 64;
    }
    paths->whole = count_from(paths, filter->entry) <= PATHS_MAX;
    paths->rest = filter->entry;
    paths->phase = PATHS_DESCEND;
    return true;
}

/* Extends the present path from where it has come to: to accept, or to where the filter isn't taken
 * apart. */
static bool descend(struct paths *paths)
{
    while (paths->rest != DPF_ACCEPT) {
        const struct dpf_node *node = &paths->filter->nodes[paths->rest];
        bool yes = count_from(paths, node->yes) > 0;
        if (!paths_pay(paths, 1))
            return false;
        if (!paths->whole && yes && count_from(paths, node->no) > 0)
            break;
        paths->edge[paths->depth++] = (struct edge){paths->rest, NO_EDGE, yes};
        paths->rest = yes ? node->yes : node->no;
    }
    paths->phase = PATHS_BACK;
    return true;
}

/* Goes back to the last test that has another answer on a path; depth 0: there is none. */
static bool go_back(struct paths *paths)
{
    for (; paths->whole && paths->depth > 0; paths->depth--) {
        struct edge *edge = &paths->edge[paths->depth - 1];
        const struct dpf_node *node = &paths->filter->nodes[edge->node];
        if (!paths_pay(paths, 1))
            return false;
        if (edge->yes && count_from(paths, node->no) > 0) {
            edge->yes = false;
            paths->rest = node->no;
            paths->phase = PATHS_DESCEND;
            return true;
        }
    }
    paths->depth = 0;
    return true;
}

void paths_start(struct paths *paths, const struct dpf_filter *filter)
{
    paths->filter = filter;
    paths->depth = 0;
    paths->cursor = filter->node_count;
    paths->phase = PATHS_COUNT;
}

/* Makes ready for the conjunction of the path that was found. */
static enum paths_answer found(struct paths *paths)
{
    paths->cursor = 0;
    paths->running = paths->readable = 0;
    paths->atom_count = 0;
    paths->stages = 1;
    paths->needed[0] = 0;
    return PATHS_YES;
}

enum paths_answer paths_next(struct paths *paths)
{
    bool begins = paths->phase != PATHS_BACK;
    if (paths->phase == PATHS_COUNT && !count_all(paths))
        return PATHS_MORE;
    if (paths->phase == PATHS_COVER && !cover_all(paths))
        return PATHS_MORE;
    if (begins && count_from(paths, paths->filter->entry) == 0)
        return PATHS_NO;
    if (paths->phase == PATHS_BACK && !go_back(paths))
        return PATHS_MORE;
    if (paths->phase == PATHS_BACK)
        return PATHS_NO;
    return descend(paths) ? found(paths) : PATHS_MORE;
}

/* The bits below a mask of leading bits, so that (v & mask) in [low, high] means v in [low, high |
   bits]; 0 if the mask is of another kind. */
static uint64_t trailing_bits(const struct dpf_node *node)
{
    uint64_t below = dpf_full(node->width) & ~node->mask;
    return node->mask && (below & (below + 1)) == 0 ? below : 0;
}

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_atoms(const struct atom *a, const struct atom *b)
{
    int order = compare(a->stage, b->stage);
    order = order ? order : compare(a->kind, b->kind);
    order = order ? order : compare(a->offset, b->offset);
    order = order ? order : compare(a->width, b->width);
    return order ? order : compare(a->mask, b->mask);
}

/* The conjunction's atom of this place and mask, put in if it isn't there; null if there is no
 * room. */
static struct atom *atom_for(struct paths *paths, const struct atom *wanted)
{
    unsigned i = paths->atom_count;
    while (i > 0 && compare_atoms(&paths->atom[i - 1], wanted) > 0)
        i--;
    if (i > 0 && compare_atoms(&paths->atom[i - 1], wanted) == 0)
        return &paths->atom[i - 1];
    if (paths->atom_count == ATOMS_MAX)
        return 0;
    for (unsigned k = paths->atom_count++; k > i; k--)
        paths->atom[k] = paths->atom[k - 1];
    paths->atom[i] = *wanted;
    return &paths->atom[i];
}

static void need(struct paths *paths, unsigned stage, uint32_t end)
{
    if (paths->needed[stage] < end)
        paths->needed[stage] = end;
}

/* The stage that a shift begins, old if the same base was made before on the path; 0 if there is no
 * room. */
static uint8_t stage_for(struct paths *paths, const struct dpf_node *node, uint8_t parent)
{
    struct atom shift = {
        .mask = node->mask,
        .offset = node->offset,
        .edges = NO_EDGE,
        .kind = ATOM_SHIFT,
        .width = node->width,
        .stage = paths->stages,
        .parent = parent,
        .shift = node->shift,
    };
    for (unsigned i = 0; i < paths->atom_count; i++) {
        const struct atom *a = &paths->atom[i];
        if (a->kind == ATOM_SHIFT && a->parent == parent && a->offset == shift.offset &&
            a->width == shift.width && a->mask == shift.mask && a->shift == shift.shift)
            return a->stage;
    }
    if (paths->stages == STAGES_MAX || !atom_for(paths, &shift))
        return 0;
    paths->needed[paths->stages] = 0;
    return paths->stages++;
}

/* Adds what a test on the path says. */
static bool add_test(struct paths *paths, unsigned e, uint8_t stage)
{
    struct edge *edge = &paths->edge[e];
    const struct dpf_node *node = &paths->filter->nodes[edge->node];
    if (node->kind == DPF_FIELD)
        need(paths, stage, (uint32_t)node->offset + node->width);
    if (!edge->yes && (paths->covered[edge->node / 64] >> edge->node % 64 & 1))
        return true;
    struct atom wanted = {
        .mask = node->mask | trailing_bits(node),
        .offset = node->offset,
        .edges = NO_EDGE,
        .kind = node->kind == DPF_LENGTH ? ATOM_LENGTH : ATOM_FIELD,
        .width = node->width,
        .stage = stage,
    };
    struct atom *atom = atom_for(paths, &wanted);
    if (!atom)
        return false;
    edge->next = atom->edges;
    atom->edges = (uint16_t)e;
    return true;
}

/* What the atoms of a stage load anyway, measured from its base. */
static uint32_t loaded(const struct paths *paths, unsigned stage)
{
    uint32_t end = 0;
    for (unsigned i = 0; i < paths->atom_count; i++) {
        const struct atom *a = &paths->atom[i];
        unsigned from = a->kind == ATOM_SHIFT ? a->parent : a->stage;
        if (a->kind != ATOM_LENGTH && from == stage && a->offset + a->width > end)
            end = a->offset + a->width;
    }
    return end;
}

/* Adds what an edge says, or takes the shift. */
static bool add_edge(struct paths *paths, unsigned e)
{
    const struct dpf_node *node = &paths->filter->nodes[paths->edge[e].node];
    uint8_t stage = node->relative ? paths->running : 0;
    if (node->kind != DPF_SHIFT)
        return add_test(paths, e, stage);
    paths->running = stage_for(paths, node, stage);
    return paths->running != 0;
}

/* What was loaded only for tests that fell away has to be readable still. */
static bool add_readable(struct paths *paths, unsigned stage)
{
    struct atom readable = {.offset = paths->needed[stage] - 1,
                            .edges = NO_EDGE,
                            .kind = ATOM_FIELD,
                            .width = 1,
                            .stage = (uint8_t)stage};
    return paths->needed[stage] <= loaded(paths, stage) || atom_for(paths, &readable);
}

enum paths_answer paths_conjunction(struct paths *paths)
{
    for (; paths->cursor < paths->depth; paths->cursor++) {
        if (!paths_pay(paths, 3 + paths->atom_count))
            return PATHS_MORE;
        if (!add_edge(paths, paths->cursor))
            return PATHS_NO;
    }
    paths->rest_stage = paths->running;
    for (; paths->readable < paths->stages; paths->readable++) {
        if (!paths_pay(paths, 3 + paths->atom_count))
            return PATHS_MORE;
        if (!add_readable(paths, paths->readable))
            return PATHS_NO;
    }
    return PATHS_YES;
}

/* The part of [from, mask] up to which one edge's answer doesn't change, starting where it is the
   wanted one; false if it is nowhere. */
static bool edge_interval(const struct paths *paths, const struct edge *edge, uint64_t mask,
                          uint64_t from, struct dpf_range *interval)
{
    const struct dpf_node *node = &paths->filter->nodes[edge->node];
    const struct dpf_range *set = paths->filter->ranges + node->set;
    uint64_t below = trailing_bits(node);
    unsigned i = dpf_range_from(set, node->count, from & ~below);
    bool inside = i < node->count && set[i].low <= from;
    interval->low = from;
    if (edge->yes) {
        if (i == node->count)
            return false;
        interval->low = inside ? from : set[i].low;
        interval->high = set[i].high | below;
        return true;
    }
    if (inside) {
        if ((set[i].high | below) == mask)
            return false;
        interval->low = dpf_next_under(set[i++].high | below, mask);
    }
    interval->high = i < node->count ? (set[i].low - 1) & mask : mask;
    return true;
}

void paths_search(struct paths *paths, const struct atom *atom, uint64_t from)
{
    paths->search = (struct search){.atom = atom, .found = {from, atom->mask}, .edge = atom->edges};
}

enum paths_answer paths_interval(struct paths *paths)
{
    struct search *s = &paths->search;
    for (;;) {
        for (; s->edge != NO_EDGE; s->edge = paths->edge[s->edge].next) {
            struct dpf_range one;
            if (!paths_pay(paths, SEARCH))
                return PATHS_MORE;
            if (!edge_interval(paths, &paths->edge[s->edge], s->atom->mask, s->found.low, &one))
                return PATHS_NO;
            s->moved |= one.low != s->found.low;
            s->found.low = one.low;
            s->found.high = one.high < s->found.high ? one.high : s->found.high;
        }
        if (!s->moved)
            return PATHS_YES;
        s->moved = false;
        s->found.high = s->atom->mask;
        s->edge = s->atom->edges;
    }
}
