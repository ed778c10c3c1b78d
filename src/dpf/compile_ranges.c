/*
 * Which of many ranges VALUE lies in: a balanced tree of compares, whose leaves are a few ranges
 * each. The tree is emitted from left to right; the right sides still to come are a stack no deeper
 * than the tree.
 */
#include "dpf/compile_state.h"

#define LEAF 3 /* ranges that are compared one after the other */

struct range {
    uint64_t low, high;
    uint32_t label;
};

static struct range range_at(struct compile *c, uint32_t index)
{
    const uint8_t *at = c->ranges.low + c->ranges.stride * index;
    if (!c->ranges.node) {
        const struct dpf_range *r = (const void *)at;
        return (struct range){r->low, r->high, c->ranges.hit};
    }
    const struct trie_range *r = (const void *)at;
    uint32_t to = landing(c, c->ranges.node, r->child);
    return (struct range){r->low, r->high, compile_label_of(c, to)};
}

static void start(struct compile *c, const void *first, size_t stride, uint32_t count,
                  uint32_t miss)
{
    c->ranges.low = first;
    c->ranges.stride = stride;
    c->ranges.miss = miss;
    c->ranges.from = 0;
    c->ranges.to = count;
    c->ranges.depth = 0;
}

void compile_ranges_of_table(struct compile *c, uint32_t node, uint32_t miss)
{
    const struct trie_node *many = trie_node(c->trie, node);
    start(c, ranges_of(c->trie, many), sizeof(struct trie_range), many->many.ranges, miss);
    c->ranges.node = node;
}

void compile_ranges_of_set(struct compile *c, const struct dpf_range *set, uint32_t count,
                           uint32_t hit, uint32_t miss)
{
    start(c, set, sizeof *set, count, miss);
    c->ranges.node = 0;
    c->ranges.hit = hit;
}

/* Ranges from .. to - 1, one after the other. above: VALUE is known not to lie below the range
   whose turn it is, as at the left end of any leaf but the first. */
static void leaf(struct compile *c, uint32_t from, uint32_t to)
{
    struct vcode *v = &c->v;
    bool above = from > 0;
    for (uint32_t i = from; i < to; i++) {
        struct range r = range_at(c, i);
        above |= r.low == 0;
        if (r.low == r.high || !above)
            vcode_constant(v, CONST, r.low);
        if (r.low == r.high) {
            vcode_branch(v, RV_beq, VALUE, CONST, r.label);
        } else {
            if (!above)
                vcode_branch(v, RV_bltu, VALUE, CONST, c->ranges.miss);
            vcode_constant(v, CONST, r.high);
            vcode_branch(v, RV_bgeu, CONST, VALUE, r.label);
            above = true;
        }
        above = above && i + 1 < to && range_at(c, i + 1).low == r.high + 1;
    }
    compile_go(c, c->ranges.miss);
}

bool compile_ranges(struct compile *c)
{
    struct ranges *r = &c->ranges;
    if (r->to - r->from > LEAF) {
        uint32_t middle = r->from + (r->to - r->from) / 2, right = vcode_label(&c->v);
        vcode_constant(&c->v, CONST, range_at(c, middle).low);
        vcode_branch(&c->v, RV_bgeu, VALUE, CONST, right);
        r->right[r->depth].label = right;
        r->right[r->depth].from = middle;
        r->right[r->depth++].to = r->to;
        r->to = middle;
        return false;
    }
    leaf(c, r->from, r->to);
    if (r->depth == 0) {
        r->to = r->from = 0;
        return true;
    }
    r->depth--;
    r->from = r->right[r->depth].from;
    r->to = r->right[r->depth].to;
    compile_place(c, r->right[r->depth].label);
    return false;
}
