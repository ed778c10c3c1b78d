/*
 * Neighbour discovery of IPv6 (RFC 4861) in the kernel, a part of the handler arp.c: answers who
 * asks for one of our addresses, files what others answer to netd's questions, and makes an address
 * of what the router says (RFC 4862).
 *
 * Nothing is taken that doesn't come with a hop limit of 255, so from a neighbour, and with a right
 * sum. Time passes for what is in the page by itself; an address that somebody objects to in its
 * first second is never used.
 */
#ifndef NETD_HANDLERS_DISCOVERY_H
#define NETD_HANDLERS_DISCOVERY_H

#include "apps/netd/handlers/message.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct net_ipv6_page);
} ipv6 SEC(".maps");

/* Files where a neighbour is, if that was asked for; `link` is where its option stands. */
static __always_inline void note_neighbour(const struct xdp_md *ctx, struct net_ipv6_page *page,
                                           const __u32 address[4], __u32 link)
{
    struct nd_link_option *option = nd_begin(ctx) + link;
    struct net_ipv6 key;

    if (!link || (void *)(option + 1) > nd_end(ctx) || option->mac[0] & 1)
        return;
    set(&key, address);
    struct net_neighbour6 *n = &page->neighbours[net_ipv6_place(&key)];
    if (!is_same(&n->address, address) || !(n->word & NEIGHBOUR_WANTED))
        return;
    if (n->word & NEIGHBOUR_KNOWN && (n->word ^ mac_word(option->mac)) & NEIGHBOUR_MAC_MASK)
        return; /* who is known and doubted says the same, or nothing (asking.h) */
    n->seconds = bpf_ktime_get_ns() / 1000000000;
    n->word = NEIGHBOUR_KNOWN | mac_word(option->mac);
}

enum nd_own { ND_NONE, ND_LINK, ND_GLOBAL };

/* Which of ours an address is. */
static __always_inline enum nd_own find_own(const struct net_ipv6_page *page,
                                            const __u32 address[4])
{
    if (is_same(&page->link, address))
        return ND_LINK;
    return is_same(&page->global, address) && !is_zero(address) ? ND_GLOBAL : ND_NONE;
}

/* Whether it may not be used yet, or never. */
static __always_inline bool is_tentative(const struct net_ipv6_page *page, enum nd_own own)
{
    __u64 now = bpf_ktime_get_ns();

    return own == ND_LINK ? page->link_from_ns > now : page->global_from_ns > now;
}

/* Somebody else means it, too: where that isn't sure yet, it is his. */
static __always_inline void object_to(struct net_ipv6_page *page, enum nd_own own)
{
    if (!is_tentative(page, own))
        return;
    page->version++;
    if (own == ND_LINK)
        page->link_from_ns = NET_IPV6_NEVER;
    else
        page->global_from_ns = NET_IPV6_NEVER;
    page->version++;
}

/* The advertisement that answers the solicitation in the frame; to all nodes if it came from an
 * address that isn't one yet. */
static __always_inline int advertise(struct xdp_md *ctx, const __u8 mac[ETH_ALEN])
{
    const __u32 size = sizeof(struct nd_message) + sizeof(struct nd_link_option);
    __u8 to[ETH_ALEN] = {0x33, 0x33, 0, 0, 0, 1};

    if (bpf_xdp_adjust_tail(ctx, (int)(ND_HEADERS + size - (ctx->data_end - ctx->data))))
        return XDP_DROP;
    struct ethhdr *eth = nd_begin(ctx);
    struct ipv6hdr *ip = (void *)(eth + 1);
    struct nd_message *nd = (void *)(ip + 1);
    struct nd_link_option *option = (void *)(nd + 1);
    if ((void *)(option + 1) > nd_end(ctx))
        return XDP_DROP;
    __u32 *source = ip->saddr.in6_u.u6_addr32, *destination = ip->daddr.in6_u.u6_addr32;
    bool is_asked = !is_zero(source);
    for (int i = 0; i < 4; i++) {
        destination[i] = source[i];
        source[i] = nd->target[i];
    }
    if (is_asked) {
        __builtin_memcpy(to, eth->h_source, sizeof to);
    } else {
        destination[0] = bpf_htonl(0xff020000);
        destination[3] = bpf_htonl(1);
    }
    nd->type = ND_ADVERTISEMENT;
    nd->code = 0;
    nd->flags = ND_OVERRIDE | (is_asked ? ND_SOLICITED : 0);
    option->type = ND_TARGET_LINK;
    option->size = 1;
    for (int i = 0; i < ETH_ALEN; i++)
        option->mac[i] = mac[i];
    return send_message(ctx, to, mac, size);
}

static __always_inline int take_solicitation(struct xdp_md *ctx, struct net_ipv6_page *page,
                                             const __u8 mac[ETH_ALEN])
{
    struct ethhdr *eth = nd_begin(ctx);
    struct ipv6hdr *ip = (void *)(eth + 1);
    struct nd_message *nd = (void *)(ip + 1);
    nd_options options = read_options(ctx, ND_HEADERS + sizeof *nd, ND_SOURCE_LINK);

    if ((void *)(nd + 1) > nd_end(ctx) || options == ND_MALFORMED)
        return XDP_DROP;
    const __u32 *source = ip->saddr.in6_u.u6_addr32;
    enum nd_own own = find_own(page, nd->target);
    if (own == ND_NONE || *(const __u8 *)source == 0xff)
        return XDP_DROP;
    if (is_zero(source)) { /* somebody who wants this address for himself (RFC 4862, 5.4.3) */
        if (ND_LINK_AT(options) || ip->daddr.in6_u.u6_addr32[0] != bpf_htonl(0xff020000))
            return XDP_DROP;
        object_to(page, own);
    } else {
        note_neighbour(ctx, page, source, ND_LINK_AT(options));
    }
    return is_tentative(page, own) ? XDP_DROP : advertise(ctx, mac);
}

/* To us alone, as an answer: what is said to all nodes changes nothing. */
static __always_inline int take_advertisement(const struct xdp_md *ctx, struct net_ipv6_page *page)
{
    struct ethhdr *eth = nd_begin(ctx);
    struct ipv6hdr *ip = (void *)(eth + 1);
    struct nd_message *nd = (void *)(ip + 1);
    nd_options options = read_options(ctx, ND_HEADERS + sizeof *nd, ND_TARGET_LINK);

    if ((void *)(nd + 1) > nd_end(ctx) || options == ND_MALFORMED)
        return XDP_DROP;
    enum nd_own own = find_own(page, nd->target);
    if (own != ND_NONE)
        object_to(page, own);
    else if (nd->flags & ND_SOLICITED && find_own(page, ip->daddr.in6_u.u6_addr32) != ND_NONE)
        note_neighbour(ctx, page, nd->target, ND_LINK_AT(options));
    return XDP_DROP;
}

/*
 * Asks whether anybody has our new address already: in the frame that brought it, as a handler
 * sends no other. From nobody, to those whose addresses end as this one does.
 */
static __always_inline int ask_for_own(struct xdp_md *ctx, const struct net_ipv6_page *page,
                                       const __u8 mac[ETH_ALEN])
{
    const __u32 size = sizeof(struct nd_message);

    if (bpf_xdp_adjust_tail(ctx, (int)(ND_HEADERS + size - (ctx->data_end - ctx->data))))
        return XDP_DROP;
    struct ipv6hdr *ip = nd_begin(ctx) + sizeof(struct ethhdr);
    struct nd_message *nd = (void *)(ip + 1);
    if ((void *)(nd + 1) > nd_end(ctx))
        return XDP_DROP;
    __u32 last = bpf_ntohl(page->global.words[3]);
    const __u8 to[ETH_ALEN] = {0x33, 0x33, 0xff, last >> 16, last >> 8, last};
    __u32 *destination = ip->daddr.in6_u.u6_addr32;
    for (int i = 0; i < 4; i++) {
        ip->saddr.in6_u.u6_addr32[i] = 0;
        nd->target[i] = page->global.words[i];
    }
    destination[0] = bpf_htonl(0xff020000);
    destination[1] = 0;
    destination[2] = bpf_htonl(1);
    destination[3] = bpf_htonl(0xff000000 | last);
    nd->type = ND_SOLICITATION;
    nd->code = 0;
    nd->flags = 0;
    return send_message(ctx, to, mac, size);
}

/* Prefix information (RFC 4861, 4.6.2). */
struct nd_prefix {
    __u8 type, size, bits, flags; /* 0x80 on link, 0x40 for addresses */
    __u32 valid, preferred;       /* s */
    __u32 reserved;
    __u32 prefix[4];
};

/* Its time for an address that we have (RFC 4862, 5.5.3 e): forged ones can't end it soon. */
static __always_inline void prolong(struct net_ipv6_page *page, __u32 now, __u32 valid,
                                    __u32 preferred)
{
    __u32 left = page->valid_until > now ? page->valid_until - now : 0;

    if (valid > TWO_HOURS || valid > left)
        page->valid_until = later(now, valid);
    else if (left > TWO_HOURS)
        page->valid_until = later(now, TWO_HOURS);
    page->preferred_until = later(now, preferred);
}

/* Whether there is a new address. */
static __always_inline bool take_prefix(struct net_ipv6_page *page, const struct nd_prefix *p,
                                        __u32 now)
{
    __u32 valid = bpf_ntohl(p->valid), preferred = bpf_ntohl(p->preferred);

    if (p->bits != 64 || preferred > valid || (p->prefix[0] & LINK_MASK) == LINK_LOCAL ||
        *(const __u8 *)p->prefix == 0xff || !(p->prefix[0] | p->prefix[1]))
        return false;
    if (p->flags & 0x80) {
        page->on_link.words[0] = p->prefix[0];
        page->on_link.words[1] = p->prefix[1];
        page->on_link_until = later(now, valid);
    }
    if (!(p->flags & 0x40))
        return false;
    if (page->global.words[0] == p->prefix[0] && page->global.words[1] == p->prefix[1]) {
        prolong(page, now, valid, preferred);
        return false;
    }
    if (!valid || (page->preferred_until > now && page->global_from_ns != NET_IPV6_NEVER))
        return false; /* there is a better one */
    page->global.words[0] = p->prefix[0];
    page->global.words[1] = p->prefix[1];
    page->global.words[2] = page->link.words[2];
    page->global.words[3] = page->link.words[3];
    page->global_from_ns = bpf_ktime_get_ns() + NET_IPV6_DAD_NS;
    page->valid_until = later(now, valid);
    page->preferred_until = later(now, preferred);
    return true;
}

/* One that is known lasts until then; another has a place that is over, if there is one. */
static __always_inline void take_one_server(struct net_ipv6_page *page, const __u32 address[4],
                                            __u32 now, __u32 until)
{
    __u32 place = NET_SERVERS;

#pragma unroll
    for (__u32 i = 0; i < NET_SERVERS; i++) {
        if (is_same(&page->servers[i].address, address)) {
            page->servers[i].until = until;
            return;
        }
        if (page->servers[i].until <= now && place == NET_SERVERS)
            place = i;
    }
    if (place >= NET_SERVERS || until <= now || is_zero(address) || *(const __u8 *)address == 0xff)
        return;
    set(&page->servers[place].address, address);
    page->servers[place].until = until;
}

static __always_inline void take_servers(const struct xdp_md *ctx, struct net_ipv6_page *page,
                                         __u32 at, __u32 now)
{
    __u32 *option = nd_begin(ctx) + at;

    if (!at || (void *)(option + 2) > nd_end(ctx))
        return;
    __u32 until = later(now, bpf_ntohl(option[1])), count = (((__u8 *)option)[1] - 1U) / 2;
#pragma unroll
    for (__u32 i = 0; i < NET_SERVERS; i++) {
        const __u32 *address = option + 2 + 4 * i;
        if (i >= count || (void *)(address + 4) > nd_end(ctx))
            return;
        take_one_server(page, address, now, until);
    }
}

static __always_inline int take_router(struct xdp_md *ctx, struct net_ipv6_page *page,
                                       const __u8 mac[ETH_ALEN])
{
    struct ethhdr *eth = nd_begin(ctx);
    struct ipv6hdr *ip = (void *)(eth + 1);
    struct nd_router *router = (void *)(ip + 1);
    __u32 now = bpf_ktime_get_ns() / 1000000000;
    nd_options options = read_options(ctx, ND_HEADERS + sizeof *router, ND_SOURCE_LINK);
    bool is_new = false;

    if ((void *)(router + 1) > nd_end(ctx) || options == ND_MALFORMED)
        return XDP_DROP;
    const __u32 *source = ip->saddr.in6_u.u6_addr32;
    if ((source[0] & LINK_MASK) != LINK_LOCAL || find_own(page, source))
        return XDP_DROP;
    bool is_known = is_same(&page->router, source) && page->router_mac == mac_word(eth->h_source);
    if (!is_known && !page->is_wanted)
        return XDP_DROP;
    page->version++;
    set(&page->router, source);
    page->router_mac = mac_word(eth->h_source);
    page->router_until = later(now, bpf_ntohs(router->lifetime));
    page->is_wanted = 0;
    if (router->hop_limit)
        page->hop_limit = router->hop_limit;
    struct nd_prefix *prefix = nd_begin(ctx) + ND_PREFIX_AT(options);
    if (ND_PREFIX_AT(options) && (void *)(prefix + 1) <= nd_end(ctx))
        is_new = take_prefix(page, prefix, now);
    take_servers(ctx, page, ND_SERVER_AT(options), now);
    page->version++;
    return is_new ? ask_for_own(ctx, page, mac) : XDP_DROP;
}

/* A frame of IPv6; mac is ours. */
static __always_inline int discover(struct xdp_md *ctx, const __u8 mac[ETH_ALEN])
{
    __u32 only = 0;
    struct net_ipv6_page *page = bpf_map_lookup_elem(&ipv6, &only);

    if (!page || !is_discovery(ctx))
        return XDP_DROP;
    const __u8 *message = nd_begin(ctx) + ND_HEADERS;
    if ((void *)(message + 2) > nd_end(ctx) || message[1] != 0)
        return XDP_DROP;
    switch (message[0]) {
    case ND_ADVERTISED_ROUTER:
        return take_router(ctx, page, mac);
    case ND_SOLICITATION:
        return take_solicitation(ctx, page, mac);
    case ND_ADVERTISEMENT:
        return take_advertisement(ctx, page);
    default:
        return XDP_DROP;
    }
}

#endif
