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
};

static struct atom field(uint8_t width, uint16_t offset, uint64_t low, uint64_t high)
{
    uint64_t mask = width == 8 ? UINT64_MAX : (1UL << width * 8) - 1;
    return (struct atom){DPF_FIELD, width, 0, 0, offset, mask, 1, {{low, high}}};
}

/* A conjunction. */
static void make(struct net_filter *filter, const struct atom *atoms, uint16_t count)
{
    struct dpf_header header = {.magic = DPF_MAGIC, .version = DPF_VERSION, .nodes = count};
    uint8_t *nodes = (uint8_t *)filter->words + sizeof header;
    uint8_t *ranges = nodes + count * sizeof(struct dpf_node);

    for (uint16_t i = 0; i < count; i++) {
        const struct atom *a = &atoms[i];
        struct dpf_node node = {.kind = a->kind,
                                .width = a->width,
                                .relative = a->relative,
                                .shift = a->shift,
                                .offset = a->offset,
                                .yes = i + 1 < count ? (uint16_t)(i + 1) : DPF_ACCEPT,
                                .no = DPF_REJECT,
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
static const struct atom past_ipv4 = {DPF_SHIFT, 1, 0, 2, IPV4_FIRST, 0xf, 0, {{0, 0}}};

static struct atom no_fragment(void)
{
    struct atom atom = field(2, IPV4_FRAGMENT, 0, 0);
    atom.mask = IPV4_MORE_OR_OFFSET;
    return atom;
}

/* Ranges that touch have to be one (dpf.h). */
static struct atom address(uint16_t offset, const struct net_port_range *ports)
{
    struct atom atom = field(4, offset, ports->address, ports->address);
    struct dpf_range own = atom.ranges[0], local = {IPV4_LOOPBACK_LOW, IPV4_LOOPBACK_HIGH};

    if (!ports->is_loop)
        return atom;
    if (own.high + 1 < local.low || own.low > local.high + 1) {
        bool is_below = own.low < local.low;
        atom.ranges[!is_below] = own;
        atom.ranges[is_below] = local;
        atom.count = 2;
        return atom;
    }
    atom.ranges[0].low = own.low < local.low ? own.low : local.low;
    atom.ranges[0].high = own.high > local.high ? own.high : local.high;
    return atom;
}

#define ECHO_REPLY   0x0000 /* ICMP's type and code: RFC 792 */
#define ECHO_REQUEST 0x0800
#define ECHO_ID      4 /* behind the IPv4 header */

/* Adds the ports; returns how many atoms there are then. */
static uint16_t add_ports(struct atom *atoms, uint16_t count, bool is_sent,
                          const struct net_port_range *ports)
{
    uint16_t offset = is_sent ? UDP_SOURCE : UDP_DESTINATION;

    if (ports->protocol == IPV4_ICMP) {
        uint64_t type = is_sent ? ECHO_REQUEST : ECHO_REPLY;
        atoms[count] = field(2, ETH_SIZE, type, type);
        atoms[count++].relative = 1;
        offset = ECHO_ID;
    }
    atoms[count] = field(2, ETH_SIZE + offset, ports->low, ports->high);
    atoms[count++].relative = 1;
    return count;
}

/* The order of the tests is libpcap's, so that the kernel's classifier shares their beginning. */
void net_filter_received(struct net_filter *filter, const struct net_port_range *ports)
{
    struct atom atoms[NET_FILTER_FIELDS] = {
        field(2, ETH_TYPE, ETH_TYPE_IPV4, ETH_TYPE_IPV4),
        field(1, IPV4_PROTOCOL, ports->protocol, ports->protocol),
        no_fragment(),
        address(IPV4_DESTINATION, ports),
        past_ipv4,
    };
    make(filter, atoms, add_ports(atoms, 5, false, ports));
}

void net_filter_sent(struct net_filter *filter, const struct net_port_range *ports)
{
    uint64_t first = net_get16(ports->mac), rest = net_get32(ports->mac + 2);
    struct atom atoms[NET_FILTER_FIELDS] = {
        field(4, ETH_SOURCE + 2, rest, rest),
        field(2, ETH_SOURCE, first, first),
        field(2, ETH_TYPE, ETH_TYPE_IPV4, ETH_TYPE_IPV4),
        field(1, IPV4_PROTOCOL, ports->protocol, ports->protocol),
        no_fragment(),
        address(IPV4_SOURCE, ports),
        past_ipv4,
    };
    make(filter, atoms, add_ports(atoms, 7, true, ports));
}
