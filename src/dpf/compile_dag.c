/*
 * A filter's DAG compiled as it is: nodes in their order, which is one in which each comes before
 * its successors. So what is known about the frame where paths meet is what all of them know, and
 * is complete when a node's turn comes.
 */
#include "dpf/compile_state.h"

enum step { IDLE, NEED, EMIT };

static bool is_node(uint16_t successor)
{
    return successor < DPF_NODES_MAX;
}

static uint32_t label_to(struct compile *c, uint16_t successor)
{
    if (successor == DPF_ACCEPT)
        return c->dag.accept;
    if (successor == DPF_REJECT)
        return c->dag.reject;
    struct dag_node *state = &c->dag.state[successor];
    if (!state->label)
        state->label = vcode_label(&c->v);
    return state->label;
}

static struct need need_of(const struct compile *c, uint16_t successor)
{
    return is_node(successor) ? c->dag.state[successor].need : (struct need){0};
}

/* The pass from the last node to the first. */
static void need_node(struct compile *c, uint32_t i)
{
    const struct dpf_node *node = &c->dag.nodes[i];
    struct dag_node *state = &c->dag.state[i];
    struct field field = field_of_dag(c, node);
    *state = (struct dag_node){.need = need_of(c, node->yes)};
    if (node->yes == DPF_REJECT)
        state->need = need_of(c, node->no);
    else if (node->no != DPF_REJECT)
        state->need = need_less(state->need, need_of(c, node->no));
    if (node->kind == DPF_SHIFT)
        state->need.based = 0; /* the base isn't there yet */
    state->need = need_more(need_of_field(field.base, field.offset, field.width), state->need);
    for (unsigned answer = 0; answer < 2; answer++) {
        uint16_t to = answer ? node->yes : node->no;
        if (is_node(to) && c->dag.state[to].parents < 2)
            c->dag.state[to].parents++;
    }
}

/* What is known here is known at a successor, as far as its other parents know it. */
static void reach(struct compile *c, uint16_t successor)
{
    const struct path *now = &c->now;
    unsigned base = c->dag.base;
    if (!is_node(successor))
        return;
    struct dag_node *to = &c->dag.state[successor];
    if (!to->reached) {
        to->reached = true;
        to->known = now->known[0];
        to->known_based = now->known[base];
        to->align = now->align[base];
        return;
    }
    if (to->known > now->known[0])
        to->known = now->known[0];
    if (to->known_based > now->known[base])
        to->known_based = now->known[base];
    if (to->align > now->align[base])
        to->align = now->align[base];
}

static bool is_equality(const struct compile *c, const struct dpf_node *node, uint64_t *mask,
                        uint64_t *value)
{
    const struct dpf_range *range = &c->dag.ranges[node->set];
    return node->kind == DPF_FIELD && node->count == 1 &&
           run_equality(node->mask, range->low, range->high, mask, value);
}

/* The straight run of equalities that begins with node i; returns the successor behind it. */
static uint16_t emit_run(struct compile *c, uint32_t i)
{
    const struct dpf_node *node = &c->dag.nodes[i];
    struct run run;
    uint16_t no = node->no, to = (uint16_t)i;
    uint64_t mask, value;
    run.count = 0;
    do {
        struct field field = field_of_dag(c, node);
        if (!is_equality(c, node, &mask, &value) || node->no != no ||
            (run.count > 0 && field.base != run.base) ||
            field.offset + field.width > c->now.known[field.base])
            break;
        field.mask = mask;
        if (!run_add(&run, field, value))
            break;
        to = node->yes;
        node = &c->dag.nodes[to];
    } while (is_node(to) && c->dag.state[to].parents == 1);
    run_emit(c, &run, label_to(c, no));
    return to;
}

static void emit_test(struct compile *c, uint32_t i)
{
    const struct dpf_node *node = &c->dag.nodes[i];
    const struct dpf_range *set = &c->dag.ranges[node->set];
    uint16_t yes = node->yes;
    uint64_t mask, value;
    reach(c, node->no);
    if (is_equality(c, node, &mask, &value)) {
        yes = emit_run(c, i);
    } else {
        compile_value(c, field_of_dag(c, node));
        if (node->count == 1)
            compile_interval(c, set->low, set->high, node->mask, label_to(c, node->no));
        else
            compile_ranges_of_set(c, set, node->count, label_to(c, yes), label_to(c, node->no));
    }
    reach(c, yes);
    if (node->count == 1)
        compile_go(c, label_to(c, yes));
}

static void emit_node(struct compile *c, uint32_t i)
{
    const struct dpf_node *node = &c->dag.nodes[i];
    const struct dag_node *state = &c->dag.state[i];
    struct field field = field_of_dag(c, node);
    unsigned base = c->dag.base;
    if (!state->reached)
        return;
    compile_place(c, state->label);
    c->now.known[0] = state->known;
    c->now.known[base] = state->known_based;
    c->now.align[base] = state->align;
    compile_check_need(c, state->need, c->dag.reject);
    compile_check(c, field.base, field.width ? field.offset + field.width : 0, c->dag.reject);
    if (node->kind != DPF_SHIFT) {
        emit_test(c, i);
        return;
    }
    compile_shift(c, field, node->shift, base);
    reach(c, node->yes);
    compile_go(c, label_to(c, node->yes));
}

void compile_dag_start(struct compile *c, const struct dpf_node *nodes,
                       const struct dpf_range *ranges, uint32_t count, uint16_t from)
{
    c->dag.nodes = nodes;
    c->dag.ranges = ranges;
    c->dag.count = count;
    c->dag.from = from;
    c->dag.cursor = count;
    c->dag.step = NEED;
}

/* The first node is reached with what is known on the path; from there on END is set for all. */
static void start_emission(struct compile *c)
{
    bool based = c->now.end;
    for (uint32_t i = c->dag.from; i < c->dag.count && !based; i++)
        based = c->dag.nodes[i].relative || c->dag.nodes[i].kind == DPF_SHIFT;
    if (based && !c->now.end)
        rv_add(&c->v, END, FRAME, AVAILABLE);
    c->now.end |= based;
    reach(c, c->dag.from);
    c->dag.cursor = c->dag.from;
    c->dag.step = EMIT;
}

bool compile_dag(struct compile *c)
{
    if (c->dag.step == NEED && c->dag.cursor > c->dag.from) {
        need_node(c, --c->dag.cursor);
    } else if (c->dag.step == NEED) {
        start_emission(c);
    } else if (c->dag.cursor < c->dag.count) {
        emit_node(c, c->dag.cursor++);
    } else {
        c->dag.step = IDLE;
    }
    return c->dag.step == IDLE;
}
