/*
 * The peer's UDP echo as an XDP program: datagrams to port 7 are turned round in the driver, and
 * all else goes to Linux's stack. Exchanging addresses and ports leaves both checksums valid.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#define SECTION(name) __attribute__((section(name), used))
#define NETWORK16(x)  __builtin_bswap16(x)
#define IP_FRAGMENT   0x3fff /* MORE, and the offset */
#define ECHO_PORT     7

#define EXCHANGE(a, b)                                                                             \
    do {                                                                                           \
        __typeof__(a) old = (a);                                                                   \
        (a) = (b);                                                                                 \
        (b) = old;                                                                                 \
    } while (0)

SECTION("xdp") int echo(struct xdp_md *context)
{
    struct ethhdr *ethernet = (void *)(long)context->data;
    struct iphdr *ip = (void *)(ethernet + 1);
    struct udphdr *udp = (void *)(ip + 1);
    if ((void *)(udp + 1) > (void *)(long)context->data_end)
        return XDP_PASS;
    if (ethernet->h_proto != NETWORK16(ETH_P_IP) || ip->version != 4 || ip->ihl != 5 ||
        ip->protocol != IPPROTO_UDP || (ip->frag_off & NETWORK16(IP_FRAGMENT)) != 0 ||
        udp->dest != NETWORK16(ECHO_PORT))
        return XDP_PASS;
    for (int i = 0; i < ETH_ALEN; i++)
        EXCHANGE(ethernet->h_dest[i], ethernet->h_source[i]);
    EXCHANGE(ip->saddr, ip->daddr);
    EXCHANGE(udp->source, udp->dest);
    return XDP_TX;
}

SECTION("license") const char license_text[] = "GPL";
