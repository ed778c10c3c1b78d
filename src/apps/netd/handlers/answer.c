/*
 * What nobody takes, answered in the kernel: netd runs this on the root binding, behind everybody's
 * filters.
 *
 *   ICMP echo request               echo reply (RFC 792; RFC 1122, 3.2.2.6)
 *   TCP                             reset (RFC 9293, 3.10.7.1)
 *   UDP                             port unreachable (RFC 1122, 4.1.3.1)
 *   any other but ICMP and IGMP     protocol unreachable (3.2.2.1)
 *   IPv6                            likewise (answer6.h)
 *   ICMP errors, fragments, DHCP    kept for netd's process (queue.h),
 *   segments of connections         that programs have left to netd (linger.h),
 *   and pieces of datagrams         that netd is to send in fragments (note.h)
 *
 * Only whole, unfragmented datagrams without IPv4 options get one, from one neighbour to this
 * machine alone, with right sums; and only so many a second, so that nobody has others flooded in
 * our name. The rest is passed on, to nobody: it counts as unclaimed.
 */
#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include <stddef.h>

#include "apps/netd/handlers/answer.h"
#include "apps/netd/handlers/answer6.h"
#include "apps/netd/handlers/keep.h"
#include "apps/netd/handlers/linger_map.h"

#define FRAGMENT 0x3fff /* of frag_off: more of them, or not the first */
#define SUM_MOST 512    /* bytes that bpf_csum_diff takes */
#define HEADERS  (sizeof(struct ethhdr) + sizeof(struct iphdr))
#define QUOTED   (sizeof(struct iphdr) + 8) /* of the datagram that is answered, RFC 792 */

volatile struct answer_own own = {.mac = {2}};
volatile struct answer_rate rate = {.seconds = 0};

/* The frame's ends, read anew: helpers move them. */
static __always_inline void *begin_of(const struct xdp_md *ctx)
{
    return (void *)(long)ctx->data;
}

static __always_inline void *end_of(const struct xdp_md *ctx)
{
    return (void *)(long)ctx->data_end;
}

static __always_inline __u16 fold(__u32 sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)(sum + (sum >> 16));
}

/* Whether this second has room for one more answer of a kind. */
static __always_inline bool may_answer(enum answer_kind kind, __u32 most)
{
    __u64 now = bpf_ktime_get_ns() / 1000000000;

    if (rate.seconds != now) {
        rate.seconds = now;
        for (int i = 0; i < ANSWER_KINDS; i++)
            rate.answers[i] = 0;
    }
    if (rate.answers[kind] >= most)
        return false;
    rate.answers[kind]++;
    return true;
}

static __always_inline bool is_own(__u32 address)
{
    return (address == own.address && address) || (own.is_loop && bpf_ntohl(address) >> 24 == 127);
}

/* Everybody's on our network. */
static __always_inline bool is_broadcast(__u32 address)
{
    return own.hosts && (address | own.hosts) == address && !((address ^ own.address) & ~own.hosts);
}

/* One machine's: not nobody's, a group's, this one's, or of a network that never leaves a machine;
 * on the loop interface this one's. */
static __always_inline bool is_somebody(__u32 address)
{
    __u8 first = bpf_ntohl(address) >> 24;

    if (own.is_loop)
        return is_own(address);
    return first != 0 && first != 127 && first < 224 && address != own.address &&
           !is_broadcast(address);
}

static __always_inline bool is_to_us(const struct ethhdr *eth)
{
    for (int i = 0; i < ETH_ALEN; i++)
        if (eth->h_dest[i] != own.mac[i])
            return false;
    return !(eth->h_source[0] & 1);
}

/* Whether it is for this machine alone, from one neighbour. */
static __always_inline bool is_for_us(const struct ethhdr *eth, const struct iphdr *ip)
{
    return eth->h_proto == bpf_htons(ETH_P_IP) && is_to_us(eth) && ip->version == 4 &&
           ip->ihl == 5 && is_own(ip->daddr) && is_somebody(ip->saddr);
}

/* A fragment is nobody's before its datagram is whole. */
static __always_inline bool is_fragment(const struct xdp_md *ctx)
{
    const struct ethhdr *eth = begin_of(ctx);
    const struct iphdr *ip = (const void *)(eth + 1);

    return (const void *)(ip + 1) <= end_of(ctx) && ip->frag_off & bpf_htons(FRAGMENT) &&
           is_for_us(eth, ip);
}

/* A piece of a datagram that is for another machine (libos/net/note.h): netd sends it in fragments.
 * Whose port it is from, the filter of who has sent it has seen to. */
static __always_inline bool is_piece(const struct xdp_md *ctx)
{
    const struct ethhdr *eth = begin_of(ctx);
    const struct iphdr *ip = (const void *)(eth + 1);

    return own.is_loop && (const void *)(ip + 1) <= end_of(ctx) &&
           eth->h_proto == bpf_htons(ETH_P_IP) && *(const __u8 *)ip == 0x48 &&
           ip->protocol == IPPROTO_UDP && own.address && ip->saddr == own.address &&
           !is_own(ip->daddr);
}

/* For DHCP's client: to us or to everybody, who have no address yet. */
static __always_inline bool is_lease(const struct xdp_md *ctx)
{
    const struct ethhdr *eth = begin_of(ctx);
    const struct iphdr *ip = (const void *)(eth + 1);
    const struct udphdr *udp = (const void *)(ip + 1);

    if (!own.takes_leases || (const void *)(udp + 1) > end_of(ctx) ||
        eth->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4 || ip->ihl != 5 ||
        ip->protocol != IPPROTO_UDP || ip->frag_off & bpf_htons(FRAGMENT) ||
        udp->dest != bpf_htons(68))
        return false;
    return eth->h_dest[0] == 0xff || is_to_us(eth);
}

/*
 * Whether the datagram is one that may be answered. Then the frame ends where the datagram does,
 * and what fills up its last four bytes is zero: so that sums can be taken of whole words.
 */
static __always_inline bool is_whole(struct xdp_md *ctx, __u32 *size)
{
    struct ethhdr *eth = begin_of(ctx);
    struct iphdr *ip = (void *)(eth + 1);
    __u32 length = ctx->data_end - ctx->data;

    if ((void *)(ip + 1) > end_of(ctx) || !is_for_us(eth, ip) || ip->frag_off & bpf_htons(FRAGMENT))
        return false;
    *size = bpf_ntohs(ip->tot_len);
    if (*size < sizeof *ip || *size > length - sizeof *eth)
        return false;
    if (fold(bpf_csum_diff(NULL, 0, (void *)ip, sizeof *ip, 0)) != 0xffff)
        return false;
    return bpf_xdp_adjust_tail(ctx, sizeof *eth + *size - length) == 0 &&
           bpf_xdp_adjust_tail(ctx, -*size & 3) == 0;
}

/* The sum of what is behind the IPv4 header and of the pseudo header (RFC 9293, 3.1): of all ones,
 * if it is right. */
static __always_inline bool is_right(struct xdp_md *ctx, __u32 size)
{
    struct iphdr *ip = begin_of(ctx) + sizeof(struct ethhdr);

    if ((void *)(ip + 1) > end_of(ctx))
        return false;
    __u32 sum = bpf_htons(ip->protocol) + bpf_htons(size - sizeof *ip), end = (size + 3) & ~3;
    sum = bpf_csum_diff(NULL, 0, &ip->saddr, 8, sum);
    for (__u32 at = sizeof *ip; at < end; at += SUM_MOST)
        sum =
            bpf_csum_diff(NULL, 0, (void *)ip + at, end - at < SUM_MOST ? end - at : SUM_MOST, sum);
    return fold(sum) == 0xffff;
}

/* Between whom a question came. */
struct way {
    __u8 mac[ETH_ALEN]; /* the asker's */
    __u32 asker, asked; /* IPv4 */
};

static __always_inline struct way way_of(const struct ethhdr *eth)
{
    const struct iphdr *ip = (const void *)(eth + 1);
    struct way way = {.asker = ip->saddr, .asked = ip->daddr};

    __builtin_memcpy(way.mac, eth->h_source, sizeof way.mac);
    return way;
}

/* An IPv4 header and Ethernet's, for what answers; the frame is long enough for both. */
static __always_inline void turn_round(struct ethhdr *eth, const struct way *way, __u8 protocol,
                                       __u16 size)
{
    struct iphdr *ip = (void *)(eth + 1);

    for (int i = 0; i < ETH_ALEN; i++) {
        eth->h_dest[i] = way->mac[i];
        eth->h_source[i] = own.mac[i];
    }
    eth->h_proto = bpf_htons(ETH_P_IP);
    *(__u8 *)ip = 0x45;
    ip->tos = 0;
    ip->tot_len = bpf_htons(size);
    ip->id = 0; /* never fragmented: it means nothing (RFC 6864, 4.1) */
    ip->frag_off = bpf_htons(0x4000);
    ip->ttl = 64;
    ip->protocol = protocol;
    ip->check = 0;
    ip->saddr = way->asked;
    ip->daddr = way->asker;
    ip->check = ~fold(bpf_csum_diff(NULL, 0, (void *)ip, sizeof *ip, 0));
}

/* The type goes from 8 to 0, so the sum grows by 0x0800 (RFC 1624): a wrong one stays wrong. */
static __always_inline int answer_icmp(struct xdp_md *ctx, __u32 size)
{
    struct ethhdr *eth = begin_of(ctx);
    struct iphdr *ip = (void *)(eth + 1);
    struct icmphdr *icmp = (void *)(ip + 1);

    if ((void *)(icmp + 1) > end_of(ctx) || size < sizeof *ip + sizeof *icmp)
        return XDP_PASS;
    if (icmp->type == ICMP_DEST_UNREACH || icmp->type == ICMP_TIME_EXCEEDED ||
        icmp->type == ICMP_PARAMETERPROB)
        return keep(ctx);
    if (icmp->type != ICMP_ECHO || icmp->code != 0 || !may_answer(ANSWER_ECHO, ANSWER_ECHOES))
        return XDP_PASS;
    icmp->type = ICMP_ECHOREPLY;
    icmp->checksum = fold(icmp->checksum + bpf_htons(ICMP_ECHO << 8));
    struct way way = way_of(eth);
    turn_round(eth, &way, IPPROTO_ICMP, size);
    bpf_xdp_adjust_tail(ctx, -(-size & 3)); /* what filled up the last word */
    return XDP_TX;
}

/* SEG.SEQ + SEG.LEN, where SYN and FIN count. */
static __always_inline __u32 behind(const struct tcphdr *tcp, __u32 size)
{
    return bpf_ntohl(tcp->seq) + size - sizeof(struct iphdr) - tcp->doff * 4 + tcp->syn + tcp->fin;
}

static __always_inline int answer_tcp(struct xdp_md *ctx, __u32 size)
{
    struct ethhdr *eth = begin_of(ctx);
    struct iphdr *ip = (void *)(eth + 1);
    struct tcphdr *tcp = (void *)(ip + 1);

    if ((void *)(tcp + 1) > end_of(ctx) || tcp->doff < 5 || sizeof *ip + tcp->doff * 4 > size)
        return XDP_PASS;
    if (lingers(ip->saddr, ip->daddr, *(__u32 *)tcp))
        return keep(ctx);
    if (tcp->rst)
        return XDP_PASS;
    if (!is_right(ctx, size) || !may_answer(ANSWER_RESET, ANSWER_ERRORS))
        return XDP_PASS;
    struct tcphdr reset = {.source = tcp->dest, .dest = tcp->source, .doff = 5, .rst = 1};
    if (tcp->ack) {
        reset.seq = tcp->ack_seq;
    } else {
        reset.ack = 1;
        reset.ack_seq = bpf_htonl(behind(tcp, size));
    }
    struct way way = way_of(eth);
    turn_round(eth, &way, IPPROTO_TCP, sizeof *ip + sizeof *tcp);
    __u32 sum =
        bpf_csum_diff(NULL, 0, &ip->saddr, 8, bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof *tcp));
    reset.check = ~fold(bpf_csum_diff(NULL, 0, (void *)&reset, sizeof reset, sum));
    *tcp = reset;
    bpf_xdp_adjust_tail(ctx, sizeof *tcp + HEADERS - (ctx->data_end - ctx->data));
    return XDP_TX;
}

/* The headers go in front of the datagram, over Ethernet's of before. */
static __always_inline int answer_unreachable(struct xdp_md *ctx, __u32 size, __u8 code)
{
    struct ethhdr *eth = begin_of(ctx);
    struct iphdr *ip = (void *)(eth + 1);

    if ((void *)(ip + 1) + 8 > end_of(ctx) || size < QUOTED ||
        !may_answer(ANSWER_UNREACHABLE, ANSWER_ERRORS))
        return XDP_PASS;
    struct way way = way_of(eth);
    if (bpf_xdp_adjust_tail(ctx, sizeof *eth + QUOTED - (ctx->data_end - ctx->data)) ||
        bpf_xdp_adjust_head(ctx, -(int)(sizeof *ip + sizeof(struct icmphdr))))
        return XDP_DROP;
    eth = begin_of(ctx);
    ip = (void *)(eth + 1);
    struct icmphdr *icmp = (void *)(ip + 1);
    if ((void *)(icmp + 1) + QUOTED > end_of(ctx))
        return XDP_DROP;
    turn_round(eth, &way, IPPROTO_ICMP, sizeof *ip + sizeof *icmp + QUOTED);
    *icmp = (struct icmphdr){.type = ICMP_DEST_UNREACH, .code = code};
    icmp->checksum = ~fold(bpf_csum_diff(NULL, 0, (void *)icmp, sizeof *icmp + QUOTED, 0));
    return XDP_TX;
}

static __always_inline int answer_udp(struct xdp_md *ctx, __u32 size)
{
    struct iphdr *ip = begin_of(ctx) + sizeof(struct ethhdr);
    struct udphdr *udp = (void *)(ip + 1);

    if ((void *)(udp + 1) > end_of(ctx) || size < sizeof *ip + sizeof *udp ||
        bpf_ntohs(udp->len) != size - sizeof *ip)
        return XDP_PASS;
    if (udp->check && !is_right(ctx, size))
        return XDP_PASS;
    return answer_unreachable(ctx, size, ICMP_PORT_UNREACH);
}

SEC("xdp")
int answer(struct xdp_md *ctx)
{
    const struct ethhdr *eth = begin_of(ctx);
    __u32 size;

    if ((const void *)(eth + 1) <= end_of(ctx) && eth->h_proto == bpf_htons(ETH_P_IPV6))
        return answer6(ctx);
    if (is_fragment(ctx) || is_lease(ctx) || is_piece(ctx))
        return keep(ctx);
    if (!is_whole(ctx, &size))
        return XDP_PASS;
    struct iphdr *ip = begin_of(ctx) + sizeof(struct ethhdr);
    if ((void *)(ip + 1) > end_of(ctx))
        return XDP_PASS;
    if (ip->protocol == IPPROTO_ICMP)
        return answer_icmp(ctx, size);
    if (ip->protocol == IPPROTO_TCP)
        return answer_tcp(ctx, size);
    if (ip->protocol == IPPROTO_UDP)
        return answer_udp(ctx, size);
    return ip->protocol == IPPROTO_IGMP ? XDP_PASS
                                        : answer_unreachable(ctx, size, ICMP_PROT_UNREACH);
}

char _license[] SEC("license") = "Dual MIT/GPL";
