/* Atoms for people (dpflift.h). */
#include "tools/dpfc/print.h"

#include <inttypes.h>

#include "dpf/atom.h"

void print_field(FILE *out, const char *base, unsigned offset, unsigned width, uint64_t mask)
{
    if (width == 0)
        fprintf(out, "len");
    else
        fprintf(out, "%s[%u:%u]", base, offset, width);
    if (width && mask == 0)
        fprintf(out, " readable");
    else if (mask != dpf_full(width ? width : 4))
        fprintf(out, " & 0x%" PRIx64, mask);
}

void print_interval(FILE *out, uint64_t low, uint64_t high)
{
    fprintf(out, "0x%" PRIx64, low);
    if (low != high)
        fprintf(out, "-0x%" PRIx64, high);
}

static void print_node_field(FILE *out, const struct dpf_node *node)
{
    print_field(out, node->relative ? "base" : "", node->offset,
                node->kind == DPF_LENGTH ? 0 : node->width, node->mask);
}

static void print_set(FILE *out, const struct dpf_node *node, const struct dpf_range *set)
{
    if (node->count == 1 && set->low == set->high) {
        fprintf(out, " = 0x%" PRIx64, set->low);
        return;
    }
    if (node->count == 1 && set->low == dpf_next_under(0, node->mask) && set->high == node->mask) {
        fprintf(out, " != 0");
        return;
    }
    for (unsigned i = 0; i < node->count; i++) {
        fputs(i ? ", " : " in {", out);
        print_interval(out, set[i].low, set[i].high);
    }
    fprintf(out, "}");
}

static void print_successor(FILE *out, const char *name, unsigned to)
{
    if (to == DPF_ACCEPT || to == DPF_REJECT)
        fprintf(out, "  %s %s", name, to == DPF_ACCEPT ? "accept" : "reject");
    else
        fprintf(out, "  %s %u", name, to);
}

static void print_node(FILE *out, const struct dpf_node *node, const struct dpf_range *set)
{
    if (node->kind == DPF_SHIFT) {
        fprintf(out, "base %s (", node->relative ? "+=" : "=");
        print_node_field(out, node);
        fprintf(out, ") %s %d", node->shift >= 0 ? "<<" : ">>",
                node->shift >= 0 ? node->shift : -node->shift);
    } else {
        print_node_field(out, node);
    }
    if (node->kind != DPF_SHIFT && node->mask)
        print_set(out, node, set);
    print_successor(out, "yes", node->yes);
    if (node->kind != DPF_SHIFT)
        print_successor(out, "no", node->no);
    fputc('\n', out);
}

void dpflift_print(FILE *out, const struct dpf_filter *filter, const char *indent)
{
    if (filter->node_count == 0)
        fprintf(out, "%s%s\n", indent,
                filter->entry == DPF_ACCEPT ? "accept every frame" : "reject every frame");
    for (unsigned i = 0; i < filter->node_count; i++) {
        fprintf(out, "%s%3u  ", indent, i);
        print_node(out, &filter->nodes[i], filter->ranges + filter->nodes[i].set);
    }
}
