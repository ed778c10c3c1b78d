/*
 * ARP (RFC 826) in the kernel: answers who asks for our address, and puts what others answer into
 * the page of neighbours, if it was asked for (libos/net/neighbour.h). IPv6's way of doing it is in
 * discovery.h.
 */
#include <linux/bpf.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "apps/netd/handlers/discovery.h"
#include "libos/net/neighbour.h"

/* Ours; netd writes them before the handler runs. */
struct own {
    __u8 mac[ETH_ALEN];
    __u8 address[4];
};
volatile struct own own = {.mac = {2}};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, NEIGHBOURS);
    __type(key, __u32);
    __type(value, struct net_neighbour);
} neighbours SEC(".maps");

/* ARP for Ethernet and IPv4. */
struct arp {
    struct arphdr head;
    __u8 sender_mac[ETH_ALEN];
    __u8 sender[4];
    __u8 target_mac[ETH_ALEN];
    __u8 target[4];
} __attribute__((packed));

static __always_inline __u32 wire32(const __u8 *bytes)
{
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (__u32)bytes[3] << 24;
}

/* A request is as good as an answer to ours: its sender says where it is. */
static __always_inline void note_sender(const struct arp *arp)
{
    __u32 address = wire32(arp->sender), place = net_neighbour_place(bpf_ntohl(address));
    struct net_neighbour *n = bpf_map_lookup_elem(&neighbours, &place);
    unsigned long long word = NEIGHBOUR_KNOWN;

    if (!n || n->address != address || !(n->word & NEIGHBOUR_WANTED))
        return;
    for (int i = 0; i < ETH_ALEN; i++)
        word |= (unsigned long long)arp->sender_mac[i] << 8 * i;
    if (n->word & NEIGHBOUR_KNOWN && (n->word ^ word) & NEIGHBOUR_MAC_MASK)
        return; /* who is known and doubted says the same, or nothing (asking.h) */
    n->seconds = bpf_ktime_get_ns() / 1000000000;
    n->word = word;
}

static __always_inline int answer(struct ethhdr *eth, struct arp *arp)
{
    arp->head.ar_op = bpf_htons(ARPOP_REPLY);
    for (int i = 0; i < 4; i++) {
        arp->target[i] = arp->sender[i];
        arp->sender[i] = own.address[i];
    }
    for (int i = 0; i < ETH_ALEN; i++) {
        arp->target_mac[i] = eth->h_dest[i] = arp->sender_mac[i];
        arp->sender_mac[i] = eth->h_source[i] = own.mac[i];
    }
    return XDP_TX;
}

static __always_inline int resolve(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct arp *arp = data + sizeof *eth;

    if ((void *)(arp + 1) > end)
        return XDP_DROP;
    if (arp->head.ar_hrd != bpf_htons(ARPHRD_ETHER) || arp->head.ar_pro != bpf_htons(ETH_P_IP) ||
        arp->head.ar_hln != ETH_ALEN || arp->head.ar_pln != 4)
        return XDP_DROP;
    if (!own.address[0]) /* no address yet: who asks for 0.0.0.0 doesn't mean this machine */
        return XDP_DROP;
    for (int i = 0; i < 4; i++)
        if (arp->target[i] != own.address[i])
            return XDP_DROP;
    if (arp->sender_mac[0] & 1) /* a group's address is nobody's */
        return XDP_DROP;
    note_sender(arp);
    return arp->head.ar_op == bpf_htons(ARPOP_REQUEST) ? answer(eth, arp) : XDP_DROP;
}

SEC("xdp")
int arp(struct xdp_md *ctx)
{
    const struct ethhdr *eth = (void *)(long)ctx->data;
    __u8 mac[ETH_ALEN];

    if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
        return XDP_DROP;
    if (eth->h_proto == bpf_htons(ETH_P_ARP))
        return resolve(ctx);
    for (int i = 0; i < ETH_ALEN; i++)
        mac[i] = own.mac[i];
    return eth->h_proto == bpf_htons(ETH_P_IPV6) ? discover(ctx, mac) : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
