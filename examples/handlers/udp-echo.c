/*
 * Answers UDP datagrams to port 7 (RFC 862) in the kernel, on the frame in place.
 *
 *   aegisctl load 'udp dst port 7' --handler examples/handlers/udp-echo.c
 *
 * Swapping addresses and ports changes none of the checksums: they are sums, and sums don't mind
 * the order.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ECHO_PORT 7

static __always_inline void swap_macs(struct ethhdr *eth)
{
    __u16 *to = (__u16 *)eth->h_dest, *from = (__u16 *)eth->h_source;
    for (int i = 0; i < 3; i++) {
        __u16 half = to[i];
        to[i] = from[i];
        from[i] = half;
    }
}

SEC("xdp")
int udp_echo(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct iphdr *ip = data + sizeof *eth;
    struct udphdr *udp = (void *)(ip + 1);

    if ((void *)(udp + 1) > end)
        return XDP_PASS;
    if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP)
        return XDP_PASS;
    /* with IP options the ports lie elsewhere: left to the application, as fragments are */
    if (ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff) || udp->dest != bpf_htons(ECHO_PORT))
        return XDP_PASS;

    swap_macs(eth);
    __be32 address = ip->saddr;
    ip->saddr = ip->daddr;
    ip->daddr = address;
    __be16 port = udp->source;
    udp->source = udp->dest;
    udp->dest = port;
    return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
