/*
 * Drops UDP datagrams to the ports that are marked in a map, before they cost the application
 * anything.
 *
 *   aegisctl load 'udp' --handler examples/handlers/drop-by-port.c --name shield
 *
 * The application marks port p by writing 1 to entry p of map closed; map dropped counts per port
 * what was dropped.
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
    __type(value, __u32);
    __uint(max_entries, 65536);
} closed SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __type(key, __u32);
    __type(value, __u64);
    __uint(max_entries, 65536);
} dropped SEC(".maps");

SEC("xdp")
int drop_by_port(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct iphdr *ip = data + sizeof *eth;

    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
        ip->protocol != IPPROTO_UDP)
        return XDP_PASS;
    struct udphdr *udp = (void *)ip + ip->ihl * 4;
    if ((void *)(udp + 1) > end || ip->frag_off & bpf_htons(0x1fff))
        return XDP_PASS;

    __u32 port = bpf_ntohs(udp->dest);
    __u32 *is_closed = bpf_map_lookup_elem(&closed, &port);
    if (!is_closed || !*is_closed)
        return XDP_PASS;
    __u64 *count = bpf_map_lookup_elem(&dropped, &port);
    if (count)
        __sync_fetch_and_add(count, 1);
    return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
