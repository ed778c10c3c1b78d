/*
 * Counts UDP and TCP frames by destination port, and passes all of them on.
 *
 *   aegisctl load 'udp or tcp' --handler examples/handlers/count-by-port.c --name ports
 *   aegisctl maps ports
 *
 * The map's memory belongs to the application that owns the handler: it reads the counters there,
 * with no system call.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __type(key, __u32);
    __type(value, __u64);
    __uint(max_entries, 65536);
} frames SEC(".maps");

SEC("xdp")
int count_by_port(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct iphdr *ip = data + sizeof *eth;

    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    if ((ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP) ||
        ip->frag_off & bpf_htons(0x1fff))
        return XDP_PASS;
    /* TCP and UDP begin alike: two ports */
    struct udphdr *ports = (void *)ip + ip->ihl * 4;
    if ((void *)(ports + 1) > end)
        return XDP_PASS;

    __u32 port = bpf_ntohs(ports->dest);
    __u64 *count = bpf_map_lookup_elem(&frames, &port);
    if (count)
        __sync_fetch_and_add(count, 1);
    return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
