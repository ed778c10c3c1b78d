#include "libos/net/filter.h"

#include <string.h>

#include "libos/net/headers.h"

/* One node and its ranges, in ascending order; a shift has none. */
struct atom {
    uint8_t kind, width, relative;
    int8_t shift;
    uint16_t offset;
    uint64_t mask;
    uint16_t count;
    struct dpf_range ranges[2];
    uint8_t
        otherwise; /* the atom that is asked if this one says no; 0: none, the frame is refused */
    bool is_last;  /* yes accepts it; else the next one is asked */
};

/* A filter that is being put together. */
struct draft {
    struct atom atoms[NET_FILTER_FIELDS];
    uint16_t count;
};

static struct atom field(uint8_t width, uint16_t offset, uint64_t low, uint64_t high)
{
    uint64_t mask = width == 8 ? UINT64_MAX : (1UL << width * 8) - 1;
    return (struct atom){.kind = DPF_FIELD,
                         .width = width,
                         .offset = offset,
                         .mask = mask,
                         .count = 1,
                         .ranges = {{low, high}}};
}

static struct atom *add(struct draft *draft, struct atom atom)
{
    draft->atoms[draft->count] = atom;
    return &draft->atoms[draft->count++];
}

static void make(struct net_filter *filter, const struct draft *draft)
{
    uint16_t count = draft->count;
    struct dpf_header header = {.magic = DPF_MAGIC, .version = DPF_VERSION, .nodes = count};
    uint8_t *nodes = (uint8_t *)filter->words + sizeof header;
    uint8_t *ranges = nodes + count * sizeof(struct dpf_node);

    for (uint16_t i = 0; i < count; i++) {
        const struct atom *a = &draft->atoms[i];
        struct dpf_node node = {.kind = a->kind,
                                .width = a->width,
                                .relative = a->relative,
                                .shift = a->shift,
                                .offset = a->offset,
                                .yes = a->is_last ? DPF_ACCEPT : (uint16_t)(i + 1),
                                .no = a->otherwise ? a->otherwise : DPF_REJECT,
                                .set = header.ranges,
                                .count = a->count,
                                .mask = a->mask};
        memcpy(nodes + i * sizeof node, &node, sizeof node);
        memcpy(ranges + header.ranges * sizeof *a->ranges, a->ranges, a->count * sizeof *a->ranges);
        header.ranges += a->count;
    }
    memcpy(filter->words, &header, sizeof header);
    filter->size =
        sizeof header + count * sizeof(struct dpf_node) + header.ranges * sizeof(struct dpf_range);
}

/* The base moves past the IPv4 header, whose length stands in words in its first byte. */
static const struct atom past_ipv4 = {
    .kind = DPF_SHIFT, .width = 1, .shift = 2, .offset = IPV4_FIRST, .mask = 0xf};

static struct atom no_fragment(void)
{
    struct atom atom = field(2, IPV4_FRAGMENT, 0, 0);
    atom.mask = IPV4_MORE_OR_OFFSET;
    return atom;
}

/* The values of two ranges; those that touch have to be one (dpf.h). */
static void join(struct atom *atom, struct dpf_range a, struct dpf_range b)
{
    struct dpf_range low = a.low < b.low ? a : b, high = a.low < b.low ? b : a;

    atom->ranges[0] = low;
    atom->ranges[1] = high;
    atom->count = 2;
    if (low.high >= high.low || low.high + 1 == high.low) {
        atom->ranges[0].high = low.high > high.high ? low.high : high.high;
        atom->count = 1;
    }
}

static struct atom address(uint16_t offset, const struct net_port_range *ports)
{
    struct atom atom = field(4, offset, ports->address, ports->address);

    if (ports->is_loop)
        join(&atom, atom.ranges[0], (struct dpf_range){IPV4_LOOPBACK_LOW, IPV4_LOOPBACK_HIGH});
    return atom;
}

/* ::1 is told by its lower half, too: nothing else comes over the loop interface. */
static struct atom identifier(uint16_t offset, const struct net_port_range *ports)
{
    struct atom atom = field(8, offset, ports->identifier, ports->identifier);

    if (ports->is_loop)
        join(&atom, atom.ranges[0], (struct dpf_range){1, 1});
    return atom;
}

#define ECHO_REPLY        0x0000 /* ICMP's type and code: RFC 792 */
#define ECHO_REQUEST      0x0800
#define ECHO_REPLY_IPV6   0x8100 /* RFC 4443 */
#define ECHO_REQUEST_IPV6 0x8000
#define ECHO_ID           4 /* behind the IP header */

/* The ports, where the base or the IPv6 header says that they are. */
static void add_ports(struct draft *draft, bool is_sent, bool is_ipv6,
                      const struct net_port_range *ports)
{
    uint16_t offset = is_sent ? UDP_SOURCE : UDP_DESTINATION;
    uint16_t behind = is_ipv6 ? ETH_SIZE + IPV6_SIZE : ETH_SIZE;

    if (ports->protocol == IPV4_ICMP) {
        uint64_t type = is_ipv6   ? is_sent ? ECHO_REQUEST_IPV6 : ECHO_REPLY_IPV6
                        : is_sent ? ECHO_REQUEST
                                  : ECHO_REPLY;
        add(draft, field(2, behind, type, type))->relative = !is_ipv6;
        offset = ECHO_ID;
    }
    struct atom *last = add(draft, field(2, behind + offset, ports->low, ports->high));
    last->relative = !is_ipv6;
    if (ports->peer_port) {
        offset = is_sent ? UDP_DESTINATION : UDP_SOURCE;
        last = add(draft, field(2, behind + offset, ports->peer_port, ports->peer_port));
        last->relative = !is_ipv6;
    }
    last->is_last = true;
}

/* The order of the tests is libpcap's, so that the kernel's classifier shares their beginning. */
static void add_ipv4(struct draft *draft, bool is_sent, const struct net_port_range *ports)
{
    add(draft, field(1, IPV4_PROTOCOL, ports->protocol, ports->protocol));
    add(draft, no_fragment());
    add(draft, address(is_sent ? IPV4_SOURCE : IPV4_DESTINATION, ports));
    uint32_t peer = NET_WIRE32(ports->peer.words[3]);
    if (ports->peer_port)
        add(draft, field(4, is_sent ? IPV4_DESTINATION : IPV4_SOURCE, peer, peer));
    add(draft, past_ipv4);
    add_ports(draft, is_sent, false, ports);
}

static void add_peer6(struct draft *draft, uint16_t offset, const struct net_ipv6 *peer)
{
    for (int half = 0; half < 2; half++) {
        const uint32_t *words = peer->words + 2 * half;
        uint64_t value = (uint64_t)NET_WIRE32(words[0]) << 32 | NET_WIRE32(words[1]);
        add(draft, field(8, offset + 8 * half, value, value));
    }
}

/* An extension header would be the next one: with it a frame is refused. */
static void add_ipv6(struct draft *draft, bool is_sent, const struct net_port_range *ports)
{
    uint64_t next = ports->protocol == IPV4_ICMP ? IPV6_ICMP : ports->protocol;

    add(draft, field(1, IPV6_NEXT, next, next));
    add(draft, identifier((is_sent ? IPV6_SOURCE : IPV6_DESTINATION) + 8, ports));
    if (ports->peer_port)
        add_peer6(draft, is_sent ? IPV6_DESTINATION : IPV6_SOURCE, &ports->peer);
    add_ports(draft, is_sent, true, ports);
}

static void finish(struct net_filter *filter, struct draft *draft, bool is_sent,
                   const struct net_port_range *ports)
{
    uint16_t type = draft->count;

    if (ports->family != NET_IPV6) {
        add(draft, field(2, ETH_TYPE, ETH_TYPE_IPV4, ETH_TYPE_IPV4));
        add_ipv4(draft, is_sent, ports);
    }
    if (ports->family == NET_BOTH)
        draft->atoms[type].otherwise = (uint8_t)draft->count;
    if (ports->family != NET_IPV4) {
        add(draft, field(2, ETH_TYPE, ETH_TYPE_IPV6, ETH_TYPE_IPV6));
        add_ipv6(draft, is_sent, ports);
    }
    make(filter, draft);
}

void net_filter_received(struct net_filter *filter, const struct net_port_range *ports)
{
    struct draft draft = {.count = 0};

    finish(filter, &draft, false, ports);
}

static void add_source(struct draft *draft, const uint8_t mac[6])
{
    uint64_t first = net_get16(mac), rest = net_get32(mac + 2);

    add(draft, field(4, ETH_SOURCE + 2, rest, rest));
    add(draft, field(2, ETH_SOURCE, first, first));
}

void net_filter_sent(struct net_filter *filter, const struct net_port_range *ports)
{
    struct draft draft = {.count = 0};

    add_source(&draft, ports->mac);
    finish(filter, &draft, true, ports);
}

#define ROUTER_SOLICITATION     133 /* the first type of neighbour discovery, RFC 4861, */
#define NEIGHBOUR_ADVERTISEMENT 136 /* and the last one that is asked or answered */

void net_filter_neighbours(struct net_filter *filter, const uint8_t *mac)
{
    struct draft draft = {.count = 0};

    if (mac)
        add_source(&draft, mac);
    struct atom *arp = add(&draft, field(2, ETH_TYPE, ETH_TYPE_ARP, ETH_TYPE_ARP));
    arp->is_last = true;
    arp->otherwise = (uint8_t)draft.count;
    add(&draft, field(2, ETH_TYPE, ETH_TYPE_IPV6, ETH_TYPE_IPV6));
    add(&draft, field(1, IPV6_NEXT, IPV6_ICMP, IPV6_ICMP));
    add(&draft, field(1, ETH_SIZE + IPV6_SIZE, ROUTER_SOLICITATION, NEIGHBOUR_ADVERTISEMENT))
        ->is_last = true;
    make(filter, &draft);
}
