/* Atoms for people (dpflift.h). */
#include "tools/dpfc/dpflift.h"
#include "dpf/atom.h"

#include <inttypes.h>

/* "[12:2]": two bytes at offset 12; "base[16:2]": from the running base. */
static void print_field(FILE *out, const struct dpf_node *node)
{
    if (node->kind == DPF_LENGTH)
        fprintf(out, "len");
    else
        fprintf(out, "%s[%u:%u]", node->relative ? "base" : "", node->offset, node->width);
    uint64_t full = node->kind == DPF_LENGTH ? UINT32_MAX : dpf_full(node->width);
    if (node->mask != full)
        fprintf(out, " & 0x%" PRIx64, node->mask);
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
        fprintf(out, "%s0x%" PRIx64, i ? ", " : " in {", set[i].low);
        if (set[i].low != set[i].high)
            fprintf(out, "-0x%" PRIx64, set[i].high);
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
        print_field(out, node);
        fprintf(out, ") %s %d", node->shift >= 0 ? "<<" : ">>",
                node->shift >= 0 ? node->shift : -node->shift);
    } else if (node->mask == 0) {
        fprintf(out, "%s[%u:%u] readable", node->relative ? "base" : "", node->offset, node->width);
    } else {
        print_field(out, node);
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
