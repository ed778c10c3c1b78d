/*
 * The filter for the frames that go the other way (lift.h): source and destination of each header
 * are exchanged in the atoms.
 *
 * What a field means depends on what the path has found out: the EtherType, behind VLAN tags too,
 * and the protocol. A field of which the path knows nothing stays as it is; so does all that has no
 * counterpart, such as the type of an ICMP message.
 */
#include "tools/dpfc/lift.h"

#include <stdlib.h>

enum network { NETWORK_UNKNOWN, NETWORK_IPV4, NETWORK_IPV6, NETWORK_ARP };

/* Where the walk stands, and what the path knows. */
struct visit {
    uint32_t node;
    uint32_t start; /* offset of the network header */
    uint32_t network;
    uint32_t ports; /* the transport header begins with two ports */
};

/* Two fields that are each other's counterparts. */
struct pair {
    uint32_t a, b, length;
};

#define PAIRS_MAX 4

void exchange_start(struct exchange *exchange, struct graph *graph)
{
    *exchange = (struct exchange){.graph = graph};
    pool_start(&exchange->visits, graph->trouble, sizeof(struct visit), 200000);
}

void exchange_end(struct exchange *exchange)
{
    pool_end(&exchange->visits);
    free(exchange->nodes);
}

/* Whether base is where the transport header of IPv4 lies, less the network header's offset: 4 *
 * IHL. */
static bool is_ipv4_payload(const struct graph *graph, uint32_t base, uint32_t start)
{
    const struct graph_base *b = graph_base(graph, base);
    return base != BASE_FRAME && b->parent == BASE_FRAME && b->offset == start && b->width == 1 &&
           b->mask == 15 && b->shift == 2;
}

/* The pairs of fields at a base that a path knows of. */
static unsigned pairs_at(const struct graph *graph, const struct visit *visit, uint32_t base,
                         struct pair pairs[PAIRS_MAX])
{
    uint32_t start = visit->start;
    unsigned n = 0;
    if (base != BASE_FRAME) {
        if (visit->network == NETWORK_IPV4 && visit->ports && is_ipv4_payload(graph, base, start))
            pairs[n++] = (struct pair){start, start + 2, 2};
        return n;
    }
    pairs[n++] = (struct pair){0, 6, 6}; /* Ethernet addresses */
    if (visit->network == NETWORK_IPV4)
        pairs[n++] = (struct pair){start + 12, start + 16, 4};
    if (visit->network == NETWORK_IPV6)
        pairs[n++] = (struct pair){start + 8, start + 24, 16};
    if (visit->network == NETWORK_IPV6 && visit->ports)
        pairs[n++] = (struct pair){start + 40, start + 42, 2};
    if (visit->network == NETWORK_ARP) {
        pairs[n++] = (struct pair){start + 8, start + 18, 6};
        pairs[n++] = (struct pair){start + 14, start + 24, 4};
    }
    return n;
}

static bool overlaps(uint32_t offset, uint32_t width, uint32_t field, uint32_t length)
{
    return offset < field + length && field < offset + width;
}

static bool inside(uint32_t offset, uint32_t width, uint32_t field, uint32_t length)
{
    return offset >= field && offset + width <= field + length;
}

/* The offset of a field's counterpart. */
static uint32_t counterpart(const struct graph *graph, const struct visit *visit, uint32_t base,
                            uint32_t offset, uint32_t width)
{
    struct pair pairs[PAIRS_MAX];
    unsigned n = pairs_at(graph, visit, base, pairs);
    for (unsigned i = 0; i < n; i++) {
        struct pair p = pairs[i];
        if (inside(offset, width, p.a, p.length))
            return offset - p.a + p.b;
        if (inside(offset, width, p.b, p.length))
            return offset - p.b + p.a;
        if (overlaps(offset, width, p.a, p.length) || overlaps(offset, width, p.b, p.length))
            fail(graph->trouble, DPFLIFT_REFUSED,
                 "no egress filter can be derived: the field of %u bytes at offset %u covers "
                 "parts of source and destination",
                 width, offset);
    }
    return offset;
}

/* Whether all values of a set are among a few. */
static bool among(const struct graph *graph, uint32_t set, const uint16_t *values, unsigned count)
{
    for (uint32_t i = 0; i < set_count(&graph->sets, set); i++) {
        struct dpf_range range = set_ranges(&graph->sets, set)[i];
        for (uint64_t v = range.low; v <= range.high; v++) {
            unsigned k = 0;
            while (k < count && values[k] != v)
                k++;
            if (k == count)
                return false;
        }
    }
    return true;
}

#define AMONG(graph, set, ...)                                                                     \
    among(graph, set, (const uint16_t[]){__VA_ARGS__},                                             \
          sizeof((uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

/* Adds to what a path knows that a key's value is in a set. */
static void learn(const struct graph *graph, struct visit *visit, const struct graph_key *key,
                  uint32_t set)
{
    if (key->base != BASE_FRAME || set_count(&graph->sets, set) == 0)
        return;
    if (key->width == 2 && key->offset == visit->start - 2) {
        if (AMONG(graph, set, 0x0800))
            visit->network = NETWORK_IPV4;
        else if (AMONG(graph, set, 0x86dd))
            visit->network = NETWORK_IPV6;
        else if (AMONG(graph, set, 0x0806, 0x8035))
            visit->network = NETWORK_ARP;
        else if (AMONG(graph, set, 0x8100, 0x88a8, 0x9100))
            visit->start += 4;
    }
    uint32_t protocol = visit->network == NETWORK_IPV4   ? visit->start + 9
                        : visit->network == NETWORK_IPV6 ? visit->start + 6
                                                         : UINT32_MAX;
    /* TCP, UDP, DCCP, SCTP, UDP-Lite */
    if (key->width == 1 && key->offset == protocol && AMONG(graph, set, 6, 17, 33, 132, 136))
        visit->ports = 1;
}

/* The base of a field must not be computed from what is exchanged. */
static void check_base(const struct graph *graph, const struct visit *visit, uint32_t base)
{
    for (uint32_t b = base; b != BASE_FRAME; b = graph_base(graph, b)->parent) {
        const struct graph_base *made = graph_base(graph, b);
        if (counterpart(graph, visit, made->parent, made->offset, made->width) != made->offset)
            fail(graph->trouble, DPFLIFT_REFUSED,
                 "no egress filter can be derived: an offset is computed from an address or port");
    }
}

static uint32_t walk(struct exchange *exchange, struct visit visit);

static uint32_t exchange_node(struct exchange *exchange, struct visit visit)
{
    struct graph *graph = exchange->graph;
    struct graph_node node = *graph_node(graph, visit.node);
    struct visit yes = visit, no = visit;
    yes.node = node.yes;
    no.node = node.no;
    if (node.key == KEY_NONE)
        return graph_read(graph, node.set, node.no, walk(exchange, yes));
    struct graph_key key = *graph_key(graph, node.key);
    learn(graph, &yes, &key, node.set);
    learn(graph, &no, &key, set_not(&graph->sets, node.set, key.mask));
    if (key.width) {
        check_base(graph, &visit, key.base);
        key.offset = counterpart(graph, &visit, key.base, key.offset, key.width);
    }
    uint32_t to_yes = walk(exchange, yes), to_no = walk(exchange, no);
    return graph_test(graph, graph_put_key(graph, &key), node.set, to_yes, to_no);
}

static uint32_t walk(struct exchange *exchange, struct visit visit)
{
    bool fresh;
    if (visit.node < NODE_FIRST)
        return visit.node;
    uint32_t number = pool_put(&exchange->visits, &visit, &fresh);
    if (!fresh)
        return exchange->nodes[number];
    uint32_t node = exchange_node(exchange, visit);
    if (number >= exchange->node_room) {
        exchange->node_room = 2 * number + 64;
        exchange->nodes = must_grow(exchange->graph->trouble, exchange->nodes,
                                    exchange->node_room * sizeof *exchange->nodes);
    }
    return exchange->nodes[number] = node;
}

uint32_t exchange_run(struct exchange *exchange, uint32_t node)
{
    return walk(exchange, (struct visit){.node = node, .start = 14});
}
