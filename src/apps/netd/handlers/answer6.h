/*
 * What nobody takes of IPv6, answered in the kernel: a part of the handler answer.c.
 *
 *   ICMPv6 echo request       echo reply (RFC 4443, 4.2)
 *   TCP                       reset (RFC 9293, 3.10.7.1)
 *   UDP                       port unreachable (RFC 4443, 3.1)
 *   any other protocol        parameter problem (RFC 4443, 3.4)
 *   ICMPv6 errors, and        kept for netd's process (queue.h)
 *   extension headers,
 *   fragments among them
 *
 * As in IPv4 only whole packets get one, from one neighbour to one of our addresses, with right
 * sums, and so many a second. None is given to any other ICMPv6. Our addresses are those that end
 * in our identifier: a neighbour that sends to our hardware address has asked for the whole of
 * them.
 */
#ifndef NETD_HANDLERS_ANSWER6_H
#define NETD_HANDLERS_ANSWER6_H

#include <linux/ipv6.h>

#include "apps/netd/handlers/answer.h"
#include "apps/netd/handlers/keep.h"
#include "apps/netd/handlers/linger_map.h"
#include "apps/netd/handlers/message.h"

#define ICMP6_UNREACHABLE  1 /* types */
#define ICMP6_PARAMETER    4
#define ICMP6_ECHO_REQUEST 128
#define ICMP6_ECHO_REPLY   129
#define ICMP6_NO_PORT      4 /* codes */
#define ICMP6_NO_PROTOCOL  1
#define ICMP6_NEXT_HEADER  6 /* where the header says which protocol */

#define ANSWER6_QUOTED (1280 - (int)sizeof(struct ipv6hdr) - 8) /* bytes, RFC 4443, 2.4 c */

/* answer.c's. */
extern volatile struct answer_own own;
static __always_inline bool may_answer(enum answer_kind kind, __u32 most);

struct answer6_icmp {
    __u8 type, code;
    __u16 sum;
    __u32 more; /* a pointer, or an echo's numbers */
};

/* On the loop interface ::1 as well. */
static __always_inline bool is_own6(const __u32 a[4])
{
    return (a[2] == own.identifier[0] && a[3] == own.identifier[1]) ||
           (own.is_loop && !(a[0] | a[1] | a[2]) && a[3] == bpf_htonl(1));
}

/* One machine's: not nobody's, a group's, the loop's or this one's; on the loop interface this
 * one's. */
static __always_inline bool is_somebody6(const __u32 a[4])
{
    if (own.is_loop)
        return is_own6(a);
    if (!(a[0] | a[1] | a[2]) && (!a[3] || a[3] == bpf_htonl(1)))
        return false;
    return *(const __u8 *)a != 0xff && !is_own6(a);
}

/*
 * Whether the packet is one that may be answered. Then the frame ends where the packet does, and
 * what fills up its last four bytes is zero: so that sums can be taken of whole words. *size is of
 * what is behind the IPv6 header.
 */
static __always_inline bool is_whole6(struct xdp_md *ctx, __u32 *size)
{
    struct ethhdr *eth = nd_begin(ctx);
    struct ipv6hdr *ip = (void *)(eth + 1);
    __u32 length = ctx->data_end - ctx->data;

    if ((void *)(ip + 1) > nd_end(ctx) || ip->version != 6 || eth->h_source[0] & 1)
        return false;
    for (int i = 0; i < ETH_ALEN; i++)
        if (eth->h_dest[i] != own.mac[i])
            return false;
    if (!(own.identifier[0] | own.identifier[1]) || !is_somebody6(ip->saddr.in6_u.u6_addr32) ||
        !is_own6(ip->daddr.in6_u.u6_addr32))
        return false;
    *size = bpf_ntohs(ip->payload_len);
    if (*size > length - ND_HEADERS)
        return false;
    return bpf_xdp_adjust_tail(ctx, (int)(ND_HEADERS + *size - length)) == 0 &&
           bpf_xdp_adjust_tail(ctx, -*size & 3) == 0;
}

/* The sum of what is behind the header and of the pseudo header: of all ones, if it is right. */
static __always_inline __u16 sum_of6(const struct ipv6hdr *ip, __u32 size)
{
    __u32 sum = bpf_htons(ip->nexthdr) + bpf_htons(size), end = (size + 3) & ~3;

    sum = bpf_csum_diff(NULL, 0, (void *)&ip->saddr, 32, sum);
    for (__u32 at = 0; at < end; at += ND_SUM_MOST)
        sum = bpf_csum_diff(NULL, 0, (void *)(ip + 1) + at,
                            end - at < ND_SUM_MOST ? end - at : ND_SUM_MOST, sum);
    return nd_fold(sum);
}

/* Ethernet's and IPv6's headers of what answers; the addresses are read before they are written. */
static __always_inline void turn_round6(struct ethhdr *eth, const __u8 to[ETH_ALEN],
                                        struct in6_addr source, struct in6_addr destination,
                                        __u8 protocol, __u32 size)
{
    struct ipv6hdr *ip = (void *)(eth + 1);

    for (int i = 0; i < ETH_ALEN; i++) {
        eth->h_dest[i] = to[i];
        eth->h_source[i] = own.mac[i];
    }
    eth->h_proto = bpf_htons(ETH_P_IPV6);
    *(__u32 *)ip = bpf_htonl(0x60000000);
    ip->payload_len = bpf_htons(size);
    ip->nexthdr = protocol;
    ip->hop_limit = 64;
    ip->saddr = source;
    ip->daddr = destination;
}

/* The type goes from 128 to 129, so the sum shrinks by 0x0100: a wrong one stays wrong. */
static __always_inline int answer_icmp6(struct xdp_md *ctx, __u32 size)
{
    struct ethhdr *eth = nd_begin(ctx);
    struct ipv6hdr *ip = (void *)(eth + 1);
    struct answer6_icmp *icmp = (void *)(ip + 1);
    __u8 to[ETH_ALEN];

    if ((void *)(icmp + 1) > nd_end(ctx) || size < sizeof *icmp)
        return XDP_PASS;
    if (icmp->type >= ICMP6_UNREACHABLE && icmp->type <= ICMP6_PARAMETER)
        return keep(ctx);
    if (icmp->type != ICMP6_ECHO_REQUEST || icmp->code || !may_answer(ANSWER_ECHO, ANSWER_ECHOES))
        return XDP_PASS;
    icmp->type = ICMP6_ECHO_REPLY;
    icmp->sum = nd_fold(icmp->sum + bpf_htons(0xfeff));
    __builtin_memcpy(to, eth->h_source, sizeof to);
    turn_round6(eth, to, ip->daddr, ip->saddr, IPPROTO_ICMPV6, size);
    bpf_xdp_adjust_tail(ctx, -(-size & 3)); /* what filled up the last word */
    return XDP_TX;
}

static __always_inline int answer_tcp6(struct xdp_md *ctx, __u32 size)
{
    struct ethhdr *eth = nd_begin(ctx);
    struct ipv6hdr *ip = (void *)(eth + 1);
    struct tcphdr *tcp = (void *)(ip + 1);
    __u8 to[ETH_ALEN];

    if ((void *)(tcp + 1) > nd_end(ctx) || tcp->doff < 5 || tcp->doff * 4U > size)
        return XDP_PASS;
    if (lingers6(ip->saddr.in6_u.u6_addr32, ip->daddr.in6_u.u6_addr32, *(__u32 *)tcp))
        return keep(ctx);
    if (tcp->rst)
        return XDP_PASS;
    if (sum_of6(ip, size) != 0xffff || !may_answer(ANSWER_RESET, ANSWER_ERRORS))
        return XDP_PASS;
    struct tcphdr reset = {.source = tcp->dest, .dest = tcp->source, .doff = 5, .rst = 1};
    if (tcp->ack) {
        reset.seq = tcp->ack_seq;
    } else {
        reset.ack = 1;
        reset.ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + size - tcp->doff * 4 + tcp->syn + tcp->fin);
    }
    __builtin_memcpy(to, eth->h_source, sizeof to);
    turn_round6(eth, to, ip->daddr, ip->saddr, IPPROTO_TCP, sizeof *tcp);
    *tcp = reset;
    tcp->check = ~sum_of6(ip, sizeof *tcp);
    bpf_xdp_adjust_tail(ctx, (int)(sizeof *tcp + ND_HEADERS - (ctx->data_end - ctx->data)));
    return XDP_TX;
}

/* The headers go in front of the packet, over Ethernet's of before; as much of it is quoted as the
 * least packet that every link takes has room for. */
static __always_inline int answer_error6(struct xdp_md *ctx, __u32 size, __u8 type, __u8 code)
{
    struct ethhdr *eth = nd_begin(ctx);
    struct ipv6hdr *ip = (void *)(eth + 1);
    __u8 to[ETH_ALEN];

    if ((void *)(ip + 1) > nd_end(ctx) || !may_answer(ANSWER_UNREACHABLE, ANSWER_ERRORS))
        return XDP_PASS;
    __builtin_memcpy(to, eth->h_source, sizeof to);
    struct in6_addr source = ip->daddr, destination = ip->saddr;
    __u32 quoted = sizeof *ip + size, room = (quoted + 3) & ~3;
    if (quoted > ANSWER6_QUOTED)
        quoted = room = ANSWER6_QUOTED;
    if (bpf_xdp_adjust_tail(ctx, (int)(sizeof *eth + room - (ctx->data_end - ctx->data))) ||
        bpf_xdp_adjust_head(ctx, -(int)(sizeof *ip + sizeof(struct answer6_icmp))))
        return XDP_DROP;
    eth = nd_begin(ctx);
    ip = (void *)(eth + 1);
    struct answer6_icmp *icmp = (void *)(ip + 1);
    if ((void *)(icmp + 1) > nd_end(ctx))
        return XDP_DROP;
    turn_round6(eth, to, source, destination, IPPROTO_ICMPV6, sizeof *icmp + quoted);
    *icmp = (struct answer6_icmp){.type = type, .code = code};
    if (type == ICMP6_PARAMETER)
        icmp->more = bpf_htonl(ICMP6_NEXT_HEADER);
    icmp->sum = ~sum_of6(ip, sizeof *icmp + quoted);
    bpf_xdp_adjust_tail(ctx, (int)(quoted - room));
    return XDP_TX;
}

static __always_inline int answer_udp6(struct xdp_md *ctx, __u32 size)
{
    struct ipv6hdr *ip = nd_begin(ctx) + sizeof(struct ethhdr);
    struct udphdr *udp = (void *)(ip + 1);

    if ((void *)(udp + 1) > nd_end(ctx) || bpf_ntohs(udp->len) != size || !udp->check ||
        sum_of6(ip, size) != 0xffff)
        return XDP_PASS;
    return answer_error6(ctx, size, ICMP6_UNREACHABLE, ICMP6_NO_PORT);
}

/* As is_piece of IPv4. */
static __always_inline bool is_piece6(const struct xdp_md *ctx)
{
    const struct ethhdr *eth = nd_begin(ctx);
    const struct ipv6hdr *ip = (const void *)(eth + 1);

    return own.is_loop && (const void *)(ip + 1) <= nd_end(ctx) &&
           *(const __u32 *)ip == bpf_htonl(0x6fffffff) && ip->nexthdr == IPPROTO_UDP &&
           ip->saddr.in6_u.u6_addr32[2] == own.identifier[0] &&
           ip->saddr.in6_u.u6_addr32[3] == own.identifier[1] && !is_own6(ip->daddr.in6_u.u6_addr32);
}

/* A frame of IPv6. */
static __always_inline int answer6(struct xdp_md *ctx)
{
    __u32 size;

    if (is_piece6(ctx))
        return keep(ctx);
    if (!is_whole6(ctx, &size))
        return XDP_PASS;
    struct ipv6hdr *ip = nd_begin(ctx) + sizeof(struct ethhdr);
    if ((void *)(ip + 1) > nd_end(ctx))
        return XDP_PASS;
    switch (ip->nexthdr) {
    case IPPROTO_ICMPV6:
        return answer_icmp6(ctx, size);
    case IPPROTO_TCP:
        return answer_tcp6(ctx, size);
    case IPPROTO_UDP:
        return answer_udp6(ctx, size);
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_FRAGMENT:
    case IPPROTO_DSTOPTS:
        return own.is_loop ? XDP_PASS : keep(ctx);
    case IPPROTO_NONE:
        return XDP_PASS;
    default:
        return answer_error6(ctx, size, ICMP6_PARAMETER, ICMP6_NO_PROTOCOL);
    }
}

#endif
