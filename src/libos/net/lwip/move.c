/*
 * Connections that go on in another process: what of lwIP's is written down, and made again. The
 * new one begins as after a retransmission timeout, at what isn't acknowledged: all of that is in
 * its queue again, and what the peer has already it acknowledges once more.
 */
#include "libos/net/lwip/move.h"

#include <string.h>

#include "libos/net/headers.h"
#include "lwip/priv/tcp_priv.h"

struct kept {
    u32_t rcv_nxt, rcv_edge, lastack, snd_nxt, snd_wl1, snd_wl2, snd_wnd, snd_wnd_max;
    u32_t cwnd, ssthresh, queued;
    s16_t sa, sv, rto;
    u16_t mss;
    u8_t state, scales, sack, snd_scale;
};
_Static_assert(sizeof(struct kept) <= NET_LWIP_STATE, "as is said");

#define PIECE    0xf000U /* bytes that tcp_write takes at once */
#define RTO_MOST 300     /* ticks of TCP_SLOW_INTERVAL */
#define MSS_IPV6 (TCP_MSS - (IPV6_SIZE - IPV4_LEAST))

static bool may_be(unsigned state)
{
    return state == ESTABLISHED || state == CLOSE_WAIT || state == FIN_WAIT_1 ||
           state == FIN_WAIT_2 || state == LAST_ACK;
}

bool net_lwip_may_export(const struct tcp_pcb *pcb)
{
    return may_be(pcb->state);
}

/* Copies what of a queue's bytes isn't acknowledged. */
static void put_queue(const struct tcp_pcb *pcb, const struct tcp_seg *seg, u32_t *queued,
                      struct share_bytes *b)
{
    for (; seg; seg = seg->next) {
        u32_t skip = pcb->lastack - lwip_ntohl(seg->tcphdr->seqno);
        skip = (s32_t)skip > 0 ? skip : 0;
        if (skip >= seg->len)
            continue;
        size_t part = seg->len - skip;
        size_t at = (size_t)((const uint8_t *)seg->tcphdr - (const uint8_t *)seg->p->payload) +
                    TCPH_HDRLEN_BYTES(seg->tcphdr) + skip;
        uint8_t *to = b->at;
        if (!share_get_in_place(b, part))
            return;
        b->ok = pbuf_copy_partial(seg->p, to, (u16_t)part, (u16_t)at) == part;
        *queued += (u32_t)part;
    }
}

void net_lwip_export(const struct tcp_pcb *pcb, struct share_bytes *b)
{
    struct kept kept = {.rcv_nxt = pcb->rcv_nxt,
                        .rcv_edge = pcb->rcv_ann_right_edge,
                        .lastack = pcb->lastack,
                        .snd_nxt = pcb->snd_nxt,
                        .snd_wl1 = pcb->snd_wl1,
                        .snd_wl2 = pcb->snd_wl2,
                        .snd_wnd = pcb->snd_wnd,
                        .snd_wnd_max = pcb->snd_wnd_max,
                        .cwnd = pcb->cwnd,
                        .ssthresh = pcb->ssthresh,
                        .sa = pcb->sa,
                        .sv = pcb->sv,
                        .rto = pcb->rto,
                        .mss = pcb->mss,
                        .state = (u8_t)pcb->state,
                        .scales = (pcb->flags & TF_WND_SCALE) != 0,
                        .sack = (pcb->flags & TF_SACK) != 0,
                        .snd_scale = pcb->snd_scale};
    uint8_t *head = b->at;

    if (!share_get_in_place(b, sizeof kept))
        return;
    put_queue(pcb, pcb->unacked, &kept.queued, b);
    put_queue(pcb, pcb->unsent, &kept.queued, b);
    memcpy(head, &kept, sizeof kept);
}

/* Whether the end was said and isn't acknowledged yet. */
static bool says_end(const struct kept *k)
{
    return k->state == FIN_WAIT_1 || k->state == LAST_ACK;
}

static bool is_sound(const struct kept *k)
{
    return k->mss >= 1 && k->mss <= TCP_MSS && k->snd_scale <= 14 && k->queued <= TCP_SND_BUF &&
           k->snd_wnd <= 0x40000000 && k->snd_wnd_max <= 0x40000000 &&
           k->snd_nxt - k->lastack <= k->queued + says_end(k) && may_be(k->state);
}

static u32_t in_range(u32_t value, u32_t least, u32_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* The window is what the socket has room for. */
static void set_receiver(struct tcp_pcb *pcb, const struct kept *k, size_t waiting)
{
    tcpwnd_size_t most = TCP_WND_MAX(pcb);

    pcb->rcv_nxt = k->rcv_nxt;
    pcb->rcv_wnd = waiting < most ? (tcpwnd_size_t)(most - waiting) : 0;
    pcb->rcv_ann_wnd = (tcpwnd_size_t)in_range(k->rcv_edge - k->rcv_nxt, 0, pcb->rcv_wnd);
    pcb->rcv_ann_right_edge = pcb->rcv_nxt + pcb->rcv_ann_wnd;
}

static void set_sender(struct tcp_pcb *pcb, const struct kept *k)
{
    pcb->mss = IP_IS_V6(&pcb->remote_ip) ? (u16_t)in_range(k->mss, 1, MSS_IPV6) : k->mss;
    pcb->lastack = pcb->snd_lbb = k->lastack;
    pcb->snd_wl1 = k->snd_wl1;
    pcb->snd_wl2 = k->snd_wl2;
    pcb->snd_wnd = k->snd_wnd;
    pcb->snd_wnd_max = k->snd_wnd_max;
    pcb->cwnd = (tcpwnd_size_t)in_range(k->cwnd, k->mss, TCP_SND_BUF);
    pcb->ssthresh = (tcpwnd_size_t)in_range(k->ssthresh, k->mss, TCP_SND_BUF);
    pcb->sa = (s16_t)in_range((u32_t)k->sa, 0, RTO_MOST << 3); /* both scaled as RFC 6298 has it */
    pcb->sv = (s16_t)in_range((u32_t)k->sv, 0, RTO_MOST << 2);
    pcb->rto = (s16_t)in_range((u32_t)k->rto, 1, RTO_MOST); /* 0 where answers come at once */
}

/* What waits to be acknowledged, and the end of it, if that was said. */
static bool fill_queue(struct tcp_pcb *pcb, const struct kept *k, struct share_bytes *b)
{
    for (u32_t left = k->queued; left;) {
        u32_t part = left < PIECE ? left : PIECE;
        const uint8_t *bytes = share_get_in_place(b, part);
        if (!bytes || tcp_write(pcb, bytes, (u16_t)part, TCP_WRITE_FLAG_COPY) != ERR_OK)
            return false;
        left -= part;
    }
    if (says_end(k) && tcp_send_fin(pcb) != ERR_OK)
        return false;
    pcb->snd_nxt = k->snd_nxt;
    pcb->state = (enum tcp_state)k->state;
    return true;
}

/* Of the peer's family, both: what is written of our address is the egress filter's to check. */
static void set_ends(struct tcp_pcb *pcb, const struct socket_end *own,
                     const struct socket_end *peer)
{
    if (peer->address) {
        ip_addr_set_ip4_u32(&pcb->local_ip, own->address);
        ip_addr_set_ip4_u32(&pcb->remote_ip, peer->address);
        return;
    }
    IP_SET_TYPE_VAL(pcb->local_ip, IPADDR_TYPE_V6);
    memcpy(ip_2_ip6(&pcb->local_ip)->addr, &own->six, sizeof own->six);
    pcb->remote_ip = net_lwip_address(&peer->six);
}

struct tcp_pcb *net_lwip_import(const struct socket_end *own, const struct socket_end *peer,
                                size_t waiting, struct share_bytes *b)
{
    struct kept k;
    struct tcp_pcb *pcb = share_get(b, &k, sizeof k) && is_sound(&k) ? tcp_new() : NULL;

    if (!pcb)
        return NULL;
    set_ends(pcb, own, peer);
    pcb->local_port = lwip_ntohs(own->port);
    pcb->remote_port = lwip_ntohs(peer->port);
    pcb->state = k.state == CLOSE_WAIT || k.state == LAST_ACK ? CLOSE_WAIT : ESTABLISHED;
    if (k.scales) {
        tcp_set_flags(pcb, TF_WND_SCALE);
        pcb->snd_scale = k.snd_scale;
        pcb->rcv_scale = TCP_RCV_SCALE;
    }
    if (k.sack)
        tcp_set_flags(pcb, TF_SACK);
    set_receiver(pcb, &k, waiting);
    set_sender(pcb, &k);
    TCP_REG_ACTIVE(pcb);
    if (fill_queue(pcb, &k, b))
        return pcb;
    tcp_abandon(pcb, 0);
    return NULL;
}

void net_lwip_go_on(struct tcp_pcb *pcb)
{
    tcp_ack_now(pcb);
    tcp_output(pcb);
    net_lwip_soon();
}

bool net_lwip_has(uint16_t port, const struct net_ipv6 *remote, uint16_t remote_port)
{
    const ip_addr_t peer = net_lwip_address(remote);

    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (pcb->local_port == port && pcb->remote_port == remote_port &&
            ip_addr_cmp(&pcb->remote_ip, &peer))
            return true;
    return false;
}
