/*
 * The DAG of atoms while it is made (graph.h).
 *
 * Nodes are made from the ends up. When a test of a field is put above a graph that tests the same
 * field further down, the field's values are parted into the classes between which all these tests
 * distinguish; for each class the graph is restricted to what it means for those values, and
 * classes that mean the same are one. That is right for truncated frames too: the field is loaded
 * here in any case, and a load that only the restricted graph leaves out stays behind as a question
 * whether its bytes are readable.
 */
#include "tools/dpfc/graph.h"
#include "tools/dpfc/classes.h"

#include <stdlib.h>

#define NODES_MAX        40000
#define RESTRICTIONS_MAX 1000000

/* What is known at a node: a key's value is in a set; or, with KEY_NONE, bytes are readable up to
 * end. */
struct restriction {
    uint32_t node;
    uint32_t key;
    uint32_t set; /* with KEY_NONE: the base */
    uint32_t end;
};

void graph_start(struct graph *graph, struct trouble *trouble, enum graph_effort effort)
{
    *graph = (struct graph){.trouble = trouble, .effort = effort};
    pool_start(&graph->bases, trouble, sizeof(struct graph_base), 256);
    pool_start(&graph->keys, trouble, sizeof(struct graph_key), 4096);
    pool_start(&graph->nodes, trouble, sizeof(struct graph_node), NODES_MAX);
    pool_start(&graph->restrictions, trouble, sizeof(struct restriction), RESTRICTIONS_MAX);
    graph->about = must_grow(trouble, 0, NODES_MAX * sizeof *graph->about);
    graph->classes = must_grow(trouble, 0, sizeof *graph->classes);
    classes_start(graph->classes, trouble);
    sets_start(&graph->sets, trouble);
    pool_put(&graph->bases, &(struct graph_base){0}, 0);
    for (uint32_t end = NODE_REJECT; end <= NODE_ACCEPT; end++) {
        pool_put(&graph->nodes, &(struct graph_node){KEY_NONE, UINT32_MAX, end, 0}, 0);
        graph->about[end] = (struct graph_about){0};
    }
}

void graph_end(struct graph *graph)
{
    if (graph->classes)
        classes_end(graph->classes);
    free(graph->classes);
    sets_end(&graph->sets);
    pool_end(&graph->bases);
    pool_end(&graph->keys);
    pool_end(&graph->nodes);
    pool_end(&graph->restrictions);
    free(graph->about);
    free(graph->restricted);
}

uint32_t graph_put_base(struct graph *graph, const struct graph_base *base)
{
    return pool_put(&graph->bases, base, 0);
}

uint32_t graph_put_key(struct graph *graph, const struct graph_key *key)
{
    return pool_put(&graph->keys, key, 0);
}

static uint64_t key_bit(uint32_t key)
{
    return UINT64_C(1) << key % 40;
}

static uint64_t read_bit(uint32_t base)
{
    return UINT64_C(1) << (40 + base % 24);
}

static uint32_t end_of(const struct graph_key *key)
{
    return key->offset + key->width;
}

static uint32_t put_node(struct graph *graph, struct graph_node node, uint64_t support)
{
    bool fresh;
    uint32_t number = pool_put(&graph->nodes, &node, &fresh);
    if (fresh) {
        struct graph_about about = {support, 0, 0};
        about.support |= graph->about[node.yes].support;
        about.height = graph->about[node.yes].height + 1;
        if (node.key != KEY_NONE) {
            const struct graph_about *no = &graph->about[node.no];
            about.support |= no->support;
            about.height = no->height >= about.height ? no->height + 1 : about.height;
        }
        graph->about[number] = about;
    }
    return number;
}

/* What a node itself makes sure to be readable from base: the end, or 0. */
static uint32_t reads(const struct graph *graph, uint32_t number, uint32_t base)
{
    const struct graph_node *node = graph_node(graph, number);
    if (number < NODE_FIRST)
        return 0;
    if (node->key == KEY_NONE)
        return node->set == base ? node->no : 0;
    const struct graph_key *key = graph_key(graph, node->key);
    return key->width && key->base == base ? end_of(key) : 0;
}

static uint32_t restrict_to(struct graph *graph, struct restriction known);

uint32_t graph_read(struct graph *graph, uint32_t base, uint32_t end, uint32_t next)
{
    next = restrict_to(graph, (struct restriction){next, KEY_NONE, base, end});
    if (next == NODE_REJECT || reads(graph, next, base) >= end)
        return next;
    return put_node(graph, (struct graph_node){KEY_NONE, base, next, end}, read_bit(base));
}

/* Whether outcome a comes before b in a chain of tests: what is decided soonest comes first, the
   rest, which needs no test of its own, last. */
static int by_height(const struct graph *graph, const struct outcome *a, const struct outcome *b)
{
    uint32_t x = graph->about[a->node].height, y = graph->about[b->node].height;
    if (x != y)
        return x < y ? -1 : 1;
    if ((a->node == NODE_REJECT) != (b->node == NODE_REJECT))
        return a->node == NODE_REJECT ? 1 : -1;
    uint64_t u = set_ranges(&graph->sets, a->set)->low, v = set_ranges(&graph->sets, b->set)->low;
    return u < v ? -1 : 1;
}

/* Puts the outcome with the largest set last, and the others in order before it. */
static void order(const struct graph *graph, struct outcome *o, uint32_t count)
{
    uint32_t rest = 0;
    for (uint32_t i = 1; i < count; i++) {
        uint32_t a = set_count(&graph->sets, o[i].set), b = set_count(&graph->sets, o[rest].set);
        if (a > b || (a == b && o[i].node == NODE_REJECT))
            rest = i;
    }
    struct outcome last = o[rest];
    o[rest] = o[count - 1];
    o[count - 1] = last;
    for (uint32_t i = 1; i + 1 < count; i++)
        for (uint32_t k = i; k > 0 && by_height(graph, &o[k], &o[k - 1]) < 0; k--) {
            struct outcome swapped = o[k];
            o[k] = o[k - 1];
            o[k - 1] = swapped;
        }
}

/* The tests, one after the other, that lead each outcome's values to its node. */
static uint32_t chain(struct graph *graph, uint32_t key, struct outcome *outcomes, uint32_t count)
{
    order(graph, outcomes, count);
    uint32_t node = outcomes[count - 1].node;
    for (uint32_t i = count - 1; i-- > 0;) {
        struct graph_node test = {key, outcomes[i].set, outcomes[i].node, node};
        node = put_node(graph, test, key_bit(key));
    }
    return node;
}

#define CHAIN_MAX 64

/* Adds to the outcomes where the values of a set are led from a node; false if they are too many.
 */
static bool follow(struct graph *graph, uint32_t key, uint32_t set, uint32_t number,
                   struct outcome *outcomes, uint32_t *count)
{
    struct graph_node node = *graph_node(graph, number);
    uint64_t mask = graph_key(graph, key)->mask;
    if (set_count(&graph->sets, set) == 0)
        return true;
    if (node.key == key) {
        uint32_t not = set_not(&graph->sets, node.set, mask);
        return follow(graph, key, set_and(&graph->sets, set, node.set, mask), node.yes, outcomes,
                      count) &&
               follow(graph, key, set_and(&graph->sets, set, not, mask), node.no, outcomes, count);
    }
    uint32_t i = 0;
    while (i < *count && outcomes[i].node != number)
        i++;
    if (i == CHAIN_MAX)
        return false;
    if (i == *count)
        outcomes[(*count)++] = (struct outcome){set, number};
    else
        outcomes[i].set = set_or(&graph->sets, outcomes[i].set, set, mask);
    return true;
}

/* A test above nodes that are restricted already. Tests of the same key directly below become one
   chain with it; one whose answers lead to the same asks only whether the field is there. */
static uint32_t plain_test(struct graph *graph, uint32_t key, uint32_t set, uint32_t yes,
                           uint32_t no)
{
    struct graph_key k = *graph_key(graph, key);
    struct outcome outcomes[CHAIN_MAX];
    uint32_t count = 0, not = set_not(&graph->sets, set, k.mask);
    if (!follow(graph, key, set, yes, outcomes, &count) ||
        !follow(graph, key, not, no, outcomes, &count))
        return put_node(graph, (struct graph_node){key, set, yes, no}, key_bit(key));
    if (count > 1)
        return chain(graph, key, outcomes, count);
    return k.width ? graph_read(graph, k.base, end_of(&k), outcomes[0].node) : outcomes[0].node;
}

/* A test of the very key that is known to be in known.set. */
static uint32_t restrict_same(struct graph *graph, struct restriction known, struct graph_node node)
{
    uint64_t mask = graph_key(graph, known.key)->mask;
    uint32_t both = set_and(&graph->sets, node.set, known.set, mask);
    uint32_t yes = node.yes, no = node.no;
    known.node = yes;
    if (set_count(&graph->sets, both) > 0)
        yes = restrict_to(graph, known);
    known.node = no;
    if (both != known.set)
        no = restrict_to(graph, known);
    if (set_count(&graph->sets, both) == 0)
        return no;
    return both == known.set ? yes : plain_test(graph, known.key, node.set, yes, no);
}

static uint32_t restrict_node(struct graph *graph, struct restriction known)
{
    struct graph_node node = *graph_node(graph, known.node);
    if (node.key == known.key && known.key != KEY_NONE)
        return restrict_same(graph, known, node);
    if (node.key == KEY_NONE) {
        uint32_t base = known.set, end = known.end;
        if (known.key != KEY_NONE) {
            const struct graph_key *key = graph_key(graph, known.key);
            base = key->base;
            end = key->width ? end_of(key) : 0;
        }
        known.node = node.yes;
        uint32_t next = restrict_to(graph, known);
        return base == node.set && node.no <= end ? next
                                                  : graph_read(graph, node.set, node.no, next);
    }
    known.node = node.yes;
    uint32_t yes = restrict_to(graph, known);
    known.node = node.no;
    uint32_t no = restrict_to(graph, known);
    return plain_test(graph, node.key, node.set, yes, no);
}

/* The graph below a node as it is where something is known. */
static uint32_t restrict_to(struct graph *graph, struct restriction known)
{
    uint64_t relevant = known.key == KEY_NONE
                            ? read_bit(known.set)
                            : key_bit(known.key) | read_bit(graph_key(graph, known.key)->base);
    if (!(graph->about[known.node].support & relevant))
        return known.node;
    bool fresh;
    uint32_t number = pool_put(&graph->restrictions, &known, &fresh);
    if (!fresh)
        return graph->restricted[number];
    uint32_t result = restrict_node(graph, known);
    if (number >= graph->restricted_room) {
        graph->restricted_room = 2 * number + 64;
        graph->restricted = must_grow(graph->trouble, graph->restricted,
                                      graph->restricted_room * sizeof *graph->restricted);
    }
    return graph->restricted[number] = result;
}

/* Adds the sets that a key is tested for below a node to the classes; when only pruning, those that
   come directly below. */
static void gather(struct graph *graph, uint32_t number, uint32_t key)
{
    struct graph_about *about = &graph->about[number];
    if (about->seen == graph->walks || !(about->support & key_bit(key)))
        return;
    about->seen = graph->walks;
    const struct graph_node *node = graph_node(graph, number);
    if (node->key == key)
        classes_add(graph->classes, node->set);
    else if (graph->effort == GRAPH_PRUNED)
        return;
    gather(graph, node->yes, key);
    if (node->key != KEY_NONE)
        gather(graph, node->no, key);
}

uint32_t graph_test(struct graph *graph, uint32_t key, uint32_t set, uint32_t yes, uint32_t no)
{
    struct graph_key k = *graph_key(graph, key);
    struct classes *classes = graph->classes;
    graph->walks++;
    classes_clear(classes);
    classes_add(classes, set);
    gather(graph, yes, key);
    gather(graph, no, key);
    classes_make(classes, &graph->sets, k.mask);
    for (uint32_t i = 0; i < classes->count; i++) {
        uint32_t class = classes->outcomes[i].set;
        bool inside = set_has(&graph->sets, set, set_ranges(&graph->sets, class)->low);
        struct restriction known = {inside ? yes : no, key, class, 0};
        classes->outcomes[i].node = restrict_to(graph, known);
    }
    classes_unite(classes, &graph->sets, k.mask);
    if (classes->count == 1)
        return plain_test(graph, key, set, classes->outcomes[0].node, classes->outcomes[0].node);
    return chain(graph, key, classes->outcomes, classes->count);
}
