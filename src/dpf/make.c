/*
 * Makers of filters: the few that a kernel and a library need without a compiler, and conjunction.
 */
#include "dpf/atom.h"

#include <string.h>

/* An image under construction in the caller's memory. */
struct image {
    struct dpf_header *header;
    struct dpf_node *nodes;
    struct dpf_range *ranges;
    size_t size;
};

static int start(struct image *image, void *memory, size_t size, size_t nodes, size_t ranges)
{
    if ((uintptr_t)memory % 8)
        return DPF_E_ALIGNMENT;
    if (nodes > DPF_NODES_MAX)
        return DPF_E_NODES;
    if (ranges > DPF_RANGES_MAX)
        return DPF_E_RANGES;
    image->size = sizeof(struct dpf_header) + nodes * sizeof(struct dpf_node) +
                  ranges * sizeof(struct dpf_range);
    if (size < image->size)
        return DPF_E_SPACE;
    image->header = memory;
    image->nodes = (void *)(image->header + 1);
    image->ranges = (void *)(image->nodes + nodes);
    *image->header = (struct dpf_header){
        .magic = DPF_MAGIC,
        .version = DPF_VERSION,
        .nodes = (uint16_t)nodes,
        .ranges = (uint16_t)ranges,
    };
    return 0;
}

static int make_end(void *memory, size_t size, uint16_t entry)
{
    struct image image;
    int error = start(&image, memory, size, 0, 0);
    if (error)
        return error;
    image.header->entry = entry;
    return (int)image.size;
}

int dpf_make_all(void *memory, size_t size)
{
    return make_end(memory, size, DPF_ACCEPT);
}

int dpf_make_none(void *memory, size_t size)
{
    return make_end(memory, size, DPF_REJECT);
}

/* As libpcap tests an Ethernet address, so that lifted filters have the same atoms. */
int dpf_make_source_mac(void *memory, size_t size, const uint8_t mac[6])
{
    struct image image;
    int error = start(&image, memory, size, 2, 2);
    if (error)
        return error;
    image.nodes[0] = (struct dpf_node){
        .kind = DPF_FIELD,
        .width = 4,
        .offset = 8,
        .yes = 1,
        .no = DPF_REJECT,
        .set = 0,
        .count = 1,
        .mask = dpf_full(4),
    };
    image.nodes[1] = (struct dpf_node){
        .kind = DPF_FIELD,
        .width = 2,
        .offset = 6,
        .yes = DPF_ACCEPT,
        .no = DPF_REJECT,
        .set = 1,
        .count = 1,
        .mask = dpf_full(2),
    };
    image.ranges[0].low = image.ranges[0].high = dpf_load(mac + 2, 4);
    image.ranges[1].low = image.ranges[1].high = dpf_load(mac, 2);
    return (int)image.size;
}

static int copy(const struct dpf_filter *filter, void *memory, size_t size)
{
    struct image image;
    int error = start(&image, memory, size, filter->node_count, filter->range_count);
    if (error)
        return error;
    image.header->entry = filter->entry;
    memcpy(image.nodes, filter->nodes, filter->node_count * sizeof *image.nodes);
    memcpy(image.ranges, filter->ranges, filter->range_count * sizeof *image.ranges);
    return (int)image.size;
}

static bool accepts_some(const struct dpf_filter *filter)
{
    if (filter->entry == DPF_ACCEPT)
        return true;
    for (unsigned i = 0; i < filter->node_count; i++)
        if (filter->nodes[i].yes == DPF_ACCEPT || filter->nodes[i].no == DPF_ACCEPT)
            return true;
    return false;
}

static uint16_t moved(uint16_t to, uint16_t by, uint16_t accept)
{
    if (to == DPF_ACCEPT)
        return accept;
    return to == DPF_REJECT ? to : (uint16_t)(to + by);
}

/*
 * b's nodes follow a's, and a's accept leads to them. b never sees a's running base: the verifier
 * has seen to it that each path of b sets its own before it uses one.
 */
int dpf_conjoin(const struct dpf_filter *a, const struct dpf_filter *b, void *memory, size_t size)
{
    if (a->entry == DPF_ACCEPT)
        return copy(b, memory, size);
    if (b->entry == DPF_ACCEPT || !accepts_some(a))
        return copy(a, memory, size);
    if (b->entry == DPF_REJECT)
        return make_end(memory, size, DPF_REJECT);

    struct image image;
    uint16_t by = a->node_count;
    int error = start(&image, memory, size, (size_t)a->node_count + b->node_count,
                      (size_t)a->range_count + b->range_count);
    if (error)
        return error;
    for (unsigned i = 0; i < a->node_count; i++) {
        image.nodes[i] = a->nodes[i];
        image.nodes[i].yes = moved(a->nodes[i].yes, 0, by);
        image.nodes[i].no = moved(a->nodes[i].no, 0, by);
    }
    for (unsigned i = 0; i < b->node_count; i++) {
        struct dpf_node *node = &image.nodes[by + i];
        *node = b->nodes[i];
        node->yes = moved(node->yes, by, DPF_ACCEPT);
        node->no = moved(node->no, by, DPF_ACCEPT);
        node->set = (uint16_t)(node->set + a->range_count);
    }
    memcpy(image.ranges, a->ranges, a->range_count * sizeof *image.ranges);
    memcpy(image.ranges + a->range_count, b->ranges, b->range_count * sizeof *image.ranges);
    return (int)image.size;
}
