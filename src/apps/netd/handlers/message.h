/* Messages of ICMPv6 (RFC 4443) as the handlers see and make them: are they whole, which options
 * are there, what goes in front and into the sum. */
#ifndef NETD_HANDLERS_MESSAGE_H
#define NETD_HANDLERS_MESSAGE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "libos/net/ipv6_page.h"

#define ND_ADVERTISED_ROUTER 134
#define ND_SOLICITATION      135
#define ND_ADVERTISEMENT     136
#define ND_SOLICITED         bpf_htonl(0x40000000)
#define ND_OVERRIDE          bpf_htonl(0x20000000)

#define ND_SOURCE_LINK 1 /* options */
#define ND_TARGET_LINK 2
#define ND_PREFIX      3
#define ND_SERVER      25 /* RFC 8106 */
#define ND_OPTIONS     16 /* in one message, at most */

#define ND_SUM_MOST 512   /* bytes that bpf_csum_diff takes */
#define ND_FRAME    0x7ff /* no frame is longer: a mask for offsets */
#define TWO_HOURS   7200  /* RFC 4862, 5.5.3 e */
#define LINK_LOCAL  bpf_htonl(0xfe800000)
#define LINK_MASK   bpf_htonl(0xffc00000)
#define ND_HEADERS  (sizeof(struct ethhdr) + sizeof(struct ipv6hdr))

/* Of a solicitation and an advertisement of a neighbour. */
struct nd_message {
    __u8 type, code;
    __u16 sum;
    __u32 flags;
    __u32 target[4];
};

struct nd_router {
    __u8 type, code;
    __u16 sum;
    __u8 hop_limit, flags;
    __u16 lifetime;
    __u32 reachable, retransmit;
};

struct nd_link_option {
    __u8 type, size;
    __u8 mac[ETH_ALEN];
};

/* Where in the frame options stand, in one word so that it stays in a register: the offset of the
 * first one of each kind; 0: nowhere. */
typedef __u64 nd_options;
#define ND_LINK_AT(options)   ((options)&ND_FRAME)
#define ND_PREFIX_AT(options) ((options) >> 16 & ND_FRAME)
#define ND_SERVER_AT(options) ((options) >> 32 & ND_FRAME)
#define ND_MALFORMED          (~0ULL)

/* The frame's ends, read anew: helpers move them. */
static __always_inline void *nd_begin(const struct xdp_md *ctx)
{
    return (void *)(long)ctx->data;
}

static __always_inline void *nd_end(const struct xdp_md *ctx)
{
    return (void *)(long)ctx->data_end;
}

static __always_inline __u16 nd_fold(__u32 sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)(sum + (sum >> 16));
}

static __always_inline bool is_same(const struct net_ipv6 *a, const __u32 b[4])
{
    return a->words[0] == b[0] && a->words[1] == b[1] && a->words[2] == b[2] && a->words[3] == b[3];
}

static __always_inline void set(struct net_ipv6 *to, const __u32 from[4])
{
    for (int i = 0; i < 4; i++)
        to->words[i] = from[i];
}

static __always_inline bool is_zero(const __u32 a[4])
{
    return !(a[0] | a[1] | a[2] | a[3]);
}

static __always_inline __u64 mac_word(const __u8 *mac)
{
    __u64 word = 0;

    for (int i = 0; i < ETH_ALEN; i++)
        word |= (__u64)mac[i] << 8 * i;
    return word;
}

/* Seconds later, where all ones are for ever. */
static __always_inline __u32 later(__u32 now, __u32 seconds)
{
    return seconds > NET_IPV6_FOREVER - 1 - now ? NET_IPV6_FOREVER : now + seconds;
}

/* A whole message of ICMPv6 with a right sum; then the frame ends where it does. */
static __always_inline bool is_discovery(struct xdp_md *ctx)
{
    struct ethhdr *eth = nd_begin(ctx);
    struct ipv6hdr *ip = (void *)(eth + 1);
    __u32 length = ctx->data_end - ctx->data;

    if ((void *)(ip + 1) > nd_end(ctx) || ip->version != 6 || ip->nexthdr != IPPROTO_ICMPV6 ||
        ip->hop_limit != 255 || eth->h_source[0] & 1)
        return false;
    __u32 size = bpf_ntohs(ip->payload_len);
    if (size < sizeof(struct nd_router) || size % 8 || size > length - ND_HEADERS)
        return false;
    if (bpf_xdp_adjust_tail(ctx, (int)(ND_HEADERS + size - length)))
        return false;
    ip = nd_begin(ctx) + sizeof *eth;
    if ((void *)(ip + 1) > nd_end(ctx))
        return false;
    __u32 sum = bpf_htons(IPPROTO_ICMPV6) + bpf_htons(size);
    sum = bpf_csum_diff(NULL, 0, (void *)&ip->saddr, 32, sum);
    for (__u32 at = 0; at < size; at += ND_SUM_MOST)
        sum = bpf_csum_diff(NULL, 0, (void *)(ip + 1) + at,
                            size - at < ND_SUM_MOST ? size - at : ND_SUM_MOST, sum);
    return nd_fold(sum) == 0xffff;
}

/* The options from `at` to the frame's end; ND_MALFORMED: they don't end there. */
static __always_inline nd_options read_options(const struct xdp_md *ctx, __u32 at, __u8 link_type)
{
    void *data = nd_begin(ctx), *end = nd_end(ctx);
    nd_options found = 0;

    for (int i = 0; i <= ND_OPTIONS && at <= ND_FRAME; i++) {
        __u8 *option = data + at;
        if ((void *)option == end)
            return found;
        if ((void *)(option + 8) > end || !option[1])
            return ND_MALFORMED;
        __u32 size = option[1] * 8;
        if (option[0] == link_type && size == 8 && !ND_LINK_AT(found))
            found |= at;
        if (option[0] == ND_PREFIX && size == 32 && !ND_PREFIX_AT(found))
            found |= (__u64)at << 16;
        if (option[0] == ND_SERVER && size >= 24 && !ND_SERVER_AT(found))
            found |= (__u64)at << 32;
        at += size;
    }
    return ND_MALFORMED;
}

/* Headers of what is sent, `size` bytes of ICMPv6 behind them; fills in the sum of those. */
static __always_inline int send_message(struct xdp_md *ctx, const __u8 to[ETH_ALEN],
                                        const __u8 mac[ETH_ALEN], __u32 size)
{
    struct ethhdr *eth = nd_begin(ctx);
    struct ipv6hdr *ip = (void *)(eth + 1);
    struct nd_message *nd = (void *)(ip + 1);

    if ((void *)nd + size > nd_end(ctx))
        return XDP_DROP;
    for (int i = 0; i < ETH_ALEN; i++) {
        eth->h_dest[i] = to[i];
        eth->h_source[i] = mac[i];
    }
    *(__u32 *)ip = bpf_htonl(0x60000000);
    ip->payload_len = bpf_htons(size);
    ip->nexthdr = IPPROTO_ICMPV6;
    ip->hop_limit = 255;
    nd->sum = 0;
    __u32 sum = bpf_htons(IPPROTO_ICMPV6) + bpf_htons(size);
    sum = bpf_csum_diff(NULL, 0, (void *)&ip->saddr, 32, sum);
    nd->sum = ~nd_fold(bpf_csum_diff(NULL, 0, (void *)nd, size, sum));
    return XDP_TX;
}

#endif
