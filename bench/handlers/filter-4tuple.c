/*
 * One TCP connection over IPv4 by its addresses and ports: its frames are dropped, all others pass.
 * One object, compiled by Aegis-V and by the peer's JIT.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#define SECTION(name) __attribute__((section(name), used))
#define NETWORK16(x)  __builtin_bswap16(x)
#define NETWORK32(x)  __builtin_bswap32(x)
#define IP_OFFSET     0x1fff
#define SOURCE        0x0a000001 /* 10.0.0.1 */
#define DESTINATION   0x0a000002
#define SOURCE_PORT   1025
#define PORT          80

SECTION("xdp") int filter(struct xdp_md *context)
{
    struct ethhdr *ethernet = (void *)(long)context->data;
    struct iphdr *ip = (void *)(ethernet + 1);
    struct tcphdr *tcp = (void *)(ip + 1);
    if ((void *)(tcp + 1) > (void *)(long)context->data_end)
        return XDP_PASS;
    if (ethernet->h_proto != NETWORK16(ETH_P_IP) || ip->version != 4 || ip->ihl != 5 ||
        ip->protocol != IPPROTO_TCP || (ip->frag_off & NETWORK16(IP_OFFSET)) != 0)
        return XDP_PASS;
    if (ip->saddr != NETWORK32(SOURCE) || ip->daddr != NETWORK32(DESTINATION) ||
        tcp->source != NETWORK16(SOURCE_PORT) || tcp->dest != NETWORK16(PORT))
        return XDP_PASS;
    return XDP_DROP;
}

SECTION("license") const char license_text[] = "GPL";
