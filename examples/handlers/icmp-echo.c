/*
 * Answers pings in the kernel (RFC 792, echo).
 *
 *   aegisctl load 'icmp[icmptype] == icmp-echo' --handler examples/handlers/icmp-echo.c
 *
 * The type goes from 8 to 0, so the checksum grows by 0x0800, with the carry added in at the end
 * (RFC 1624).
 */
#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int icmp_echo(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct iphdr *ip = data + sizeof *eth;

    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    if (ip->protocol != IPPROTO_ICMP || ip->frag_off & bpf_htons(0x3fff) || ip->ihl < 5)
        return XDP_PASS;
    struct icmphdr *icmp = (void *)ip + ip->ihl * 4;
    if ((void *)(icmp + 1) > end || icmp->type != ICMP_ECHO || icmp->code != 0)
        return XDP_PASS;

    icmp->type = ICMP_ECHOREPLY;
    __u32 sum = icmp->checksum + bpf_htons(ICMP_ECHO << 8);
    icmp->checksum = sum + (sum >> 16);

    __be32 address = ip->saddr;
    ip->saddr = ip->daddr;
    ip->daddr = address;
    __u8 mac[ETH_ALEN];
    __builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
    __builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
    __builtin_memcpy(eth->h_source, mac, ETH_ALEN);
    return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
