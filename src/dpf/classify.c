/*
 * The trie's interpreter (trie.h), and the oracle of what is compiled from it.
 */
#include "dpf/trie.h"

/* The child that a table names for a value, or 0. */
static uint32_t look_up(const struct dpf_trie *trie, const struct trie_node *node, uint64_t value,
                        uint32_t *steps)
{
    const struct trie_slot *slots =
        (const void *)((const uint64_t *)(const void *)trie + node->many.table);
    const struct trie_range *ranges = (const void *)slots;
    unsigned bits = node->bits;
    if (bits) {
        ranges = (const void *)(slots + (UINT64_C(1) << bits));
        unsigned own = (unsigned)(value * node->many.multiplier >> (64 - bits));
        for (unsigned probe = 0; probe <= node->probes; probe++) {
            const struct trie_slot *slot = &slots[(own + probe) & ((1u << bits) - 1)];
            ++*steps;
            if (!slot->child)
                break;
            if (slot->value == value)
                return slot->child;
        }
    }
    for (unsigned first = 0, count = node->many.ranges; count > 0;) {
        unsigned half = count / 2;
        const struct trie_range *range = &ranges[first + half];
        ++*steps;
        if (value < range->low) {
            count = half;
        } else if (value > range->high) {
            first += half + 1;
            count -= half + 1;
        } else {
            return range->child;
        }
    }
    return 0;
}

static bool match_rest(const struct trie_node *node, uint32_t base, const uint8_t *frame,
                       size_t available, size_t length)
{
    const struct dpf_node *nodes = (const void *)(node + 1);
    const struct dpf_range *ranges = (const void *)(nodes + node->rest.nodes);
    return dpf_match_from(nodes, ranges, node->rest.from, base, frame, available, length);
}

struct dpf_result dpf_classify(const struct dpf_trie *trie, const uint8_t *frame, size_t available,
                               size_t length)
{
    struct dpf_result result = {DPF_NONE, 0, 0};
    uint32_t base[TRIE_LEVELS] = {0};
    uint64_t best = 0;
    for (uint32_t n = trie->root; n;) {
        const struct trie_node *node = trie_node(trie, n);
        result.steps++;
        n = node->fail;
        if (node->order <= best && !(node->taps & ~result.taps))
            continue; /* nothing new can be found here */
        uint64_t value = length, at = (uint64_t)base[node->level] + node->offset;
        if (node->width) {
            if (at + node->width > available)
                continue;
            value = dpf_load(frame + at, node->width);
        }
        value &= node->mask;
        uint32_t child = 0;
        bool matches = false;
        switch (node->kind) {
        case TRIE_ONE:
            child = value >= node->one.low && value <= node->one.high ? node->child : 0;
            break;
        case TRIE_MANY:
            child = look_up(trie, node, value, &result.steps);
            break;
        case TRIE_SHIFT:
            base[node->to] = base[node->level] + (uint32_t)dpf_shifted(value, node->shift);
            child = node->child;
            break;
        case TRIE_ACCEPT:
            matches = true;
            break;
        case TRIE_REST:
            matches = match_rest(node, base[node->level], frame, available, length);
            break;
        }
        if (matches) {
            result.taps |= node->taps;
            result.id = node->order > best ? node->id : result.id;
            best = node->order > best ? node->order : best;
        }
        n = child ? child : n;
    }
    return result;
}
