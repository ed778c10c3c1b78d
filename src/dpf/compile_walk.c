/*
 * The walk over the trie, depth first: where a node leads on, its child's code follows at once;
 * where it fails, it branches to the next alternative, which always lies ahead. So the code has no
 * loop.
 *
 * Bases are never overwritten by an alternative that failed: each level has its own register, and
 * an outer alternative uses lower levels only, or sets them anew.
 */
#include "dpf/compile_state.h"

#define LOOK_AHEAD 16 /* alternatives looked through for one that matters */
#define RUN_NODES  16 /* of one run, at most */

static struct visit *push(struct compile *c, enum visit_kind kind, uint32_t node)
{
    if (c->depth == DEPTH_MAX) {
        c->error = DPF_E_SPACE; /* no conjunction is that long */
        return &c->visits[DEPTH_MAX - 1];
    }
    struct visit *visit = &c->visits[c->depth++];
    visit->kind = (uint8_t)kind;
    visit->node = node;
    visit->path = c->now;
    visit->cursor = 0;
    return visit;
}

/* Goes on with the alternatives that begin with first; the last fails to end. */
static void push_list(struct compile *c, uint32_t first, uint32_t end, uint64_t hi)
{
    struct visit *visit = push(c, VISIT_LIST, first);
    visit->end = end;
    visit->hi = hi;
}

void compile_walk_start(struct compile *c)
{
    c->depth = 0;
    c->now = (struct path){.top = 0};
    c->now.align[0] = c->options.align;
    if (c->trie->root)
        push_list(c, c->trie->root, 0, 0);
    else
        compile_go(c, NONE_LABEL);
}

uint32_t compile_interesting(const struct compile *c, const struct trie_node *node, uint64_t key)
{
    uint32_t n = node->fail;
    for (unsigned i = 0; n && i < LOOK_AHEAD; i++) {
        const struct trie_node *next = trie_node(c->trie, n);
        if (next->taps || key_of(c, next) > key)
            return n;
        n = next->fail;
    }
    return n;
}

/* A tap's bit is set, and the walk goes on. */
static void accept_tap(struct compile *c, const struct trie_node *node)
{
    vcode_constant(&c->v, CONST, node->taps);
    rv_or(&c->v, TAPS, TAPS, CONST);
    c->found.continues = true;
    compile_go(c, compile_fail_of(c, node));
}

static void emit_accept(struct compile *c, const struct trie_node *node, uint64_t hi)
{
    struct vcode *v = &c->v;
    uint64_t key = key_of(c, node);
    if (key == 0) {
        accept_tap(c, node);
        return;
    }
    uint32_t next = compile_interesting(c, node, key);
    uint32_t label = compile_label_of(c, next);
    if (c->learned.continues && (hi > key || (hi == key && !c->options.equals_disjoint))) {
        c->found.compares = true;
        vcode_constant(v, CONST, key);
        vcode_branch(v, RV_bgeu, BEST, CONST, label);
    }
    if (next) {
        c->found.continues = true;
        vcode_li(v, WINNER, (uint64_t)(int32_t)node->id);
        if (c->learned.compares)
            vcode_constant(v, BEST, key);
        compile_go(c, label);
        return;
    }
    vcode_li(v, RV_A0, (uint64_t)(int32_t)node->id);
    if (c->trie->taps)
        vcode_mv(v, RV_A1, TAPS);
    else
        vcode_li(v, RV_A1, 0);
    compile_return(c);
}

/* Whether the node is a test for equality that can join a run on base. */
static bool is_equality(const struct trie_node *node, uint64_t *mask, uint64_t *value)
{
    return node->kind == TRIE_ONE && node->width > 0 &&
           run_equality(node->mask, node->one.low, node->one.high, mask, value);
}

/* The straight run of equalities that begins with node, of at most so many nodes; returns the last.
 */
static const struct trie_node *run_of(struct compile *c, const struct trie_node *node,
                                      unsigned most)
{
    struct run run;
    uint32_t fail = compile_fail_of(c, node);
    const struct trie_node *last = node;
    uint64_t mask, value;
    run.count = 0;
    for (unsigned i = 0; i < most; i++) {
        struct field field = field_of_trie(node);
        if (!is_equality(node, &mask, &value) || field.base != last->level ||
            field.offset + field.width > c->now.known[field.base])
            break;
        field.mask = mask;
        if (!run_add(&run, field, value))
            break;
        last = node;
        node = trie_node(c->trie, node->child);
        if (node->fail != last->fail)
            break; /* it has alternatives */
    }
    run_emit(c, &run, fail);
    return last;
}

static void visit_shift(struct compile *c, const struct trie_node *node, uint32_t fail)
{
    struct need list = record_of(c, node->child)->list;
    compile_shift(c, field_of_trie(node), node->shift, node->to);
    c->now.top = c->now.top < node->to ? node->to : c->now.top;
    if (list.level == node->to)
        compile_check_need(c, list, fail);
}

/* One test, or a run of at most so many; returns the last. */
static const struct trie_node *visit_one(struct compile *c, const struct trie_node *node,
                                         unsigned most)
{
    uint64_t mask, value;
    uint32_t fail = compile_fail_of(c, node);
    if (node->width)
        compile_check(c, node->level, node->offset + node->width, fail);
    if (is_equality(node, &mask, &value))
        return run_of(c, node, most);
    compile_value(c, field_of_trie(node));
    compile_interval(c, node->one.low, node->one.high, node->mask, fail);
    return node;
}

/* The tests that all children of a table have in common: what they fail to is where the table does.
 */
static void visit_common(struct compile *c, uint32_t number)
{
    uint32_t at = record_of(c, number)->lead;
    for (unsigned left = record_of(c, number)->common; left > 0;) {
        const struct trie_node *node = trie_node(c->trie, at);
        const struct trie_node *last = visit_one(c, node, left);
        for (bool more = true; more; left--) {
            more = trie_node(c->trie, at) != last;
            at = trie_node(c->trie, at)->child;
        }
    }
}

static void visit_rest(struct compile *c, const struct trie_node *node, uint32_t number)
{
    const struct dpf_node *nodes = (const void *)(node + 1);
    c->dag.trie_node = number;
    c->dag.accept = vcode_label(&c->v);
    c->dag.reject = compile_fail_of(c, node);
    c->dag.base = c->now.top + 1;
    if (node->level) {
        vcode_mv(&c->v, base_register(c->dag.base), base_register(node->level));
        compile_uses_base(c, c->dag.base);
    }
    c->now.align[c->dag.base] = c->now.align[node->level];
    c->now.known[c->dag.base] = c->now.known[node->level];
    compile_dag_start(c, nodes, (const void *)(nodes + node->rest.nodes), node->rest.nodes,
                      node->rest.from);
}

/* The code of one node; what lies below it is pushed. */
static void visit_node(struct compile *c, uint32_t number, uint64_t hi)
{
    const struct trie_node *node = trie_node(c->trie, number);
    uint32_t fail = compile_fail_of(c, node);
    compile_place(c, record_of(c, number)->label);
    compile_check_need(c, record_of(c, number)->need, fail);
    if (node->width && (node->kind == TRIE_SHIFT || node->kind == TRIE_MANY))
        compile_check(c, node->level, node->offset + node->width, fail);
    switch (node->kind) {
    case TRIE_ONE:
        node = visit_one(c, node, RUN_NODES);
        push_list(c, node->child, node->fail, hi);
        break;
    case TRIE_SHIFT:
        visit_shift(c, node, fail);
        push_list(c, node->child, node->fail, hi);
        break;
    case TRIE_MANY:
        visit_common(c, number);
        compile_many(c, number, hi);
        push(c, VISIT_TABLE, number)->hi = hi;
        break;
    case TRIE_ACCEPT:
        emit_accept(c, node, hi);
        break;
    case TRIE_REST:
        visit_rest(c, node, number);
        break;
    }
}

/* Goes to the next alternative of the topmost list, or leaves it. The first time cursor is 0. */
static void visit_list(struct compile *c, struct visit *visit)
{
    const struct trie_node *node = trie_node(c->trie, visit->node);
    if (visit->cursor) {
        uint64_t key = key_of(c, node);
        visit->hi = visit->hi > key ? visit->hi : key;
        visit->node = node->fail;
    }
    if (visit->cursor && visit->node == visit->end) {
        c->depth--;
        return;
    }
    visit->cursor = 1;
    c->now = visit->path;
    visit_node(c, visit->node, visit->hi);
}

/* Goes to the next child of a table that hasn't been visited, a few entries at a time. */
static void visit_table(struct compile *c, struct visit *visit)
{
    const struct trie_node *node = trie_node(c->trie, visit->node);
    uint32_t entries = entry_count(node);
    if (record_of(c, visit->node)->direct)
        visit->cursor = entries; /* what they accept stands in the table */
    for (unsigned i = 0; i < 32 && visit->cursor < entries; i++) {
        uint32_t child = entry_child(c->trie, node, visit->cursor++);
        if (!child)
            continue;
        child = landing(c, visit->node, child);
        c->effort++;
        if (vcode_bound(&c->v, compile_label_of(c, child)))
            continue;
        c->now = visit->path;
        push_list(c, child, node->fail, visit->hi);
        return;
    }
    if (visit->cursor == entries)
        c->depth--;
}

bool compile_walk(struct compile *c)
{
    if (c->ranges.to > c->ranges.from) {
        compile_ranges(c);
    } else if (c->dag.step) {
        if (compile_dag(c) && c->trie) {
            uint64_t hi = c->visits[c->depth - 1].hi;
            compile_place(c, c->dag.accept);
            emit_accept(c, trie_node(c->trie, c->dag.trie_node), hi);
        }
    } else if (c->depth > 0) {
        struct visit *visit = &c->visits[c->depth - 1];
        if (visit->kind == VISIT_LIST)
            visit_list(c, visit);
        else
            visit_table(c, visit);
    }
    return c->depth == 0 && !c->dag.step && c->ranges.to == c->ranges.from;
}
