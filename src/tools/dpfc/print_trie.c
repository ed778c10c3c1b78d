/* The merged trie for people (dpf/trie.h). */
#include "tools/dpfc/merge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dpf/trie.h"
#include "tools/dpfc/print.h"

/* "base2": the running base of a level; the frame's start, level 0, is not named. */
static const char *base_name(unsigned level, char name[16])
{
    name[0] = 0;
    if (level)
        snprintf(name, 16, "base%u", level);
    return name;
}

static void print_node_field(FILE *out, const struct trie_node *node)
{
    char base[16];
    print_field(out, base_name(node->level, base), node->offset, node->width, node->mask);
}

static void print_one(FILE *out, const struct trie_node *node)
{
    print_node_field(out, node);
    if (node->mask == 0)
        return;
    if (node->one.low == node->one.high) {
        fprintf(out, " = 0x%" PRIx64, node->one.low);
    } else {
        fprintf(out, " in {");
        print_interval(out, node->one.low, node->one.high);
        fputc('}', out);
    }
}

static void print_shift(FILE *out, const struct trie_node *node)
{
    char base[16];
    fprintf(out, "%s = ", base_name(node->to, base));
    if (node->level)
        fprintf(out, "%s + ", base_name(node->level, base));
    fputc('(', out);
    print_node_field(out, node);
    fprintf(out, ") %s %d", node->shift >= 0 ? "<<" : ">>", abs(node->shift));
}

static int by_low(const void *a, const void *b)
{
    const struct trie_range *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

/* All that a table holds, as ranges in rising order; malloc'ed. */
static struct trie_range *table_of(const struct dpf_trie *trie, const struct trie_node *node,
                                   size_t *count)
{
    const struct trie_slot *slots =
        (const void *)((const uint64_t *)(const void *)trie + node->many.table);
    size_t slot_count = node->bits ? (size_t)1 << node->bits : 0;
    struct trie_range *all = calloc(slot_count + node->many.ranges + 1, sizeof *all);
    *count = 0;
    if (!all)
        return NULL;
    for (size_t i = 0; i < slot_count; i++)
        if (slots[i].child)
            all[(*count)++] =
                (struct trie_range){slots[i].value, slots[i].value, slots[i].child, 0};
    memcpy(all + *count, slots + slot_count, node->many.ranges * sizeof *all);
    *count += node->many.ranges;
    qsort(all, *count, sizeof *all, by_low);
    return all;
}

static void print_many(FILE *out, const struct dpf_trie *trie, const struct trie_node *node)
{
    size_t count;
    struct trie_range *all = table_of(trie, node, &count);
    print_node_field(out, node);
    if (node->bits)
        fprintf(out, " in a hash table of %u slots, %u %s", 1u << node->bits, node->probes + 1,
                node->probes ? "probes at most" : "probe");
    if (node->many.ranges)
        fprintf(out, " %s %u sorted %s", node->bits ? "and" : "in", node->many.ranges,
                node->many.ranges == 1 ? "range" : "ranges");
    fprintf(out, node->fail ? "  no %u\n" : "  no end\n", node->fail);
    for (size_t i = 0; all && i < count; i++) {
        fprintf(out, "         ");
        print_interval(out, all[i].low, all[i].high);
        fprintf(out, "  yes %u\n", all[i].child);
    }
    free(all);
}

static void print_rest(FILE *out, const struct trie_node *node)
{
    const struct dpf_node *nodes = (const void *)(node + 1);
    const struct dpf_filter copy = {.nodes = nodes,
                                    .ranges = (const void *)(nodes + node->rest.nodes),
                                    .entry = node->rest.from,
                                    .node_count = node->rest.nodes};
    char base[16];
    fprintf(out, "filter %u if its atoms from %u on accept", node->id, node->rest.from);
    if (node->level)
        fprintf(out, ", with base = %s", base_name(node->level, base));
    fprintf(out, node->fail ? "; then %u\n" : "; then end\n", node->fail);
    dpflift_print(out, &copy, "           ");
}

/* A node; returns how many of the trie's slots it takes. */
static uint32_t print_trie_node(FILE *out, const struct dpf_trie *trie, uint32_t number)
{
    const struct trie_node *node = trie_node(trie, number);
    fprintf(out, "  %3u  ", number);
    switch (node->kind) {
    case TRIE_MANY:
        print_many(out, trie, node);
        return 1;
    case TRIE_REST:
        print_rest(out, node);
        return 1 + node->rest.slots;
    case TRIE_ACCEPT:
        fprintf(out, node->fail ? "filter %u; then %u\n" : "filter %u; then end\n", node->id,
                node->fail);
        return 1;
    case TRIE_SHIFT:
        print_shift(out, node);
        break;
    default:
        print_one(out, node);
        break;
    }
    fprintf(out, node->fail ? "  yes %u  no %u\n" : "  yes %u  no end\n", node->child, node->fail);
    return 1;
}

void merge_print(FILE *out, const struct merge *merge)
{
    const struct dpf_trie *trie = merge->trie;
    fprintf(out, "trie: %zu %s, %zu bytes, entered at node %u\n", merge->count,
            merge->count == 1 ? "filter" : "filters", dpf_trie_used(trie), trie->root);
    for (size_t i = 0; i < merge->count && merge->count > 1; i++)
        fprintf(out, "  filter %zu, rank %u: %s\n", i, merge->members[i].rank, merge->texts[i]);
    for (uint32_t n = 1; n < trie->nodes;)
        n += print_trie_node(out, trie, n);
}
