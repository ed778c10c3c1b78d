/*
 * The usual case of what lwIP does with a segment, in a fraction of its instructions: one that
 * brings the next bytes of a connection on which nothing is out of the ordinary (header prediction:
 * Jacobson, 4BSD Header Prediction, 1990), and one that can be sent at once, alone. A connection is
 * left as lwIP would have left it (tests/unit/libos/quick_test.c); whatever isn't usual is lwIP's.
 */
#include <string.h>

#include "libos/net/headers.h"
#include "libos/net/lwip/internal.h"
#include "libos/net/lwip/lwip.h"
#include "lwip/priv/tcp_priv.h"

bool (*net_lwip_keeps)(void *argument, const uint8_t *bytes, size_t size);

/* Segments are sent again, the connection ends, or memory has run out. */
#define UNUSUAL (TF_INFR | TF_RTO | TF_RXCLOSED | TF_CLOSEPEND | TF_FIN | TF_NAGLEMEMERR)

static inline bool is_usual(const struct tcp_pcb *pcb)
{
    return pcb->state == ESTABLISHED && !(pcb->flags & UNUSUAL) && !tcp_input_pcb;
}

static inline u32_t number_of(const struct tcp_seg *s)
{
    return lwip_ntohl(s->tcphdr->seqno);
}

/* RFC 9293, 3.10.7.4: a newer segment's window counts, or a wider one. */
static inline void note_window(struct tcp_pcb *pcb, u32_t ack, u16_t announced)
{
    tcpwnd_size_t window = SND_WND_SCALE(pcb, announced);

    if (!TCP_SEQ_LT(pcb->snd_wl1, pcb->rcv_nxt) &&
        !(pcb->snd_wl1 == pcb->rcv_nxt && TCP_SEQ_LT(pcb->snd_wl2, ack)) &&
        !(pcb->snd_wl2 == ack && window > pcb->snd_wnd))
        return;
    pcb->snd_wnd = window;
    if (pcb->snd_wnd_max < window)
        pcb->snd_wnd_max = window;
    pcb->snd_wl1 = pcb->rcv_nxt;
    pcb->snd_wl2 = ack;
}

/* RFC 5681, 3.1, and RFC 3465: by what has been acknowledged. */
static inline void widen(struct tcp_pcb *pcb, u32_t acked)
{
    if (pcb->cwnd < pcb->ssthresh) {
        tcpwnd_size_t most = (tcpwnd_size_t)(2 * pcb->mss), more = acked < most ? acked : most;
        TCP_WND_INC(pcb->cwnd, more);
        return;
    }
    TCP_WND_INC(pcb->bytes_acked, acked);
    if (pcb->bytes_acked >= pcb->cwnd) {
        pcb->bytes_acked -= pcb->cwnd;
        TCP_WND_INC(pcb->cwnd, pcb->mss);
    }
}

/* RFC 6298, in lwIP's units: sa is eight times the mean, sv four times the variance. */
static inline void note_round_trip(struct tcp_pcb *pcb)
{
    s16_t error = (s16_t)((s16_t)(tcp_ticks - pcb->rttest) - (pcb->sa >> 3));

    pcb->sa = (s16_t)(pcb->sa + error);
    error = (s16_t)((error < 0 ? -error : error) - (pcb->sv >> 2));
    pcb->sv = (s16_t)(pcb->sv + error);
    pcb->rto = (s16_t)((pcb->sa >> 3) + pcb->sv);
    pcb->rttest = 0;
}

/* More of what was sent is acknowledged. */
static void take_acknowledgement(struct tcp_pcb *pcb, u32_t ack)
{
    struct tcp_seg *s;

    pcb->nrtx = 0;
    pcb->rto = (s16_t)((pcb->sa >> 3) + pcb->sv);
    widen(pcb, ack - pcb->lastack);
    pcb->lastack = ack;
    while ((s = pcb->unacked) && TCP_SEQ_LEQ(number_of(s) + TCP_TCPLEN(s), ack)) {
        pcb->unacked = s->next;
        pcb->snd_queuelen = (u16_t)(pcb->snd_queuelen - pbuf_clen(s->p));
        pcb->snd_buf += s->len;
        tcp_seg_free(s);
    }
    pcb->rtime = pcb->unacked ? 0 : -1;
    pcb->polltmr = 0;
}

bool net_lwip_take_next(struct tcp_pcb *pcb, const uint8_t *tcp, size_t size)
{
    const struct tcp_hdr *header = (const struct tcp_hdr *)tcp;
    u32_t ack = lwip_ntohl(header->ackno);

    if (!is_usual(pcb) || !net_lwip_keeps || pcb->sent || pcb->ooseq || pcb->refused_data ||
        LWIP_TCP_SACK_VALID(pcb, 0) || size > pcb->rcv_wnd ||
        ack - pcb->lastack > pcb->snd_nxt - pcb->lastack ||
        (pcb->unsent && TCP_SEQ_LT(number_of(pcb->unsent), ack)) ||
        !net_lwip_keeps(pcb->callback_arg, tcp + TCP_HLEN, size))
        return false;
    pcb->tmr = tcp_ticks;
    pcb->keep_cnt_sent = 0;
    pcb->persist_probe = 0;
    note_window(pcb, ack, lwip_ntohs(header->wnd));
    pcb->dupacks = 0;
    if (ack != pcb->lastack)
        take_acknowledgement(pcb, ack);
    if (pcb->rttest && TCP_SEQ_LT(pcb->rtseq, ack))
        note_round_trip(pcb);
    pcb->rcv_nxt += (u32_t)size;
    pcb->rcv_wnd -= (tcpwnd_size_t)size;
    tcp_update_rcv_ann_wnd(pcb);
    tcp_ack(pcb);
    if (pcb->unsent || pcb->flags & TF_ACK_NOW)
        tcp_output(pcb);
    return true;
}

/* A segment with its header, of the numbers that are next. */
static struct tcp_seg *make_segment(const struct tcp_pcb *pcb, const void *bytes, size_t size)
{
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)size, PBUF_RAM);
    struct tcp_seg *s = p ? memp_malloc(MEMP_TCP_SEG) : NULL;

    if (!s) {
        if (p)
            pbuf_free(p);
        return NULL;
    }
    memcpy(p->payload, bytes, size);
    pbuf_add_header(p, TCP_HLEN);
    struct tcp_hdr *header = p->payload;
    *s = (struct tcp_seg){.p = p, .len = (u16_t)size, .tcphdr = header};
    *header =
        (struct tcp_hdr){.src = lwip_htons(pcb->local_port),
                         .dest = lwip_htons(pcb->remote_port),
                         .seqno = lwip_htonl(pcb->snd_nxt),
                         .ackno = lwip_htonl(pcb->rcv_nxt),
                         .wnd = lwip_htons(TCPWND_MIN16(RCV_WND_SCALE(pcb, pcb->rcv_ann_wnd)))};
    TCPH_HDRLEN_FLAGS_SET(header, TCP_HLEN / 4, TCP_ACK | TCP_PSH);
    return s;
}

/* Whether bytes can go out now, in one segment: windows, and Nagle's algorithm (RFC 896). */
static inline bool may_go(const struct tcp_pcb *pcb, size_t size)
{
    tcpwnd_size_t window = LWIP_MIN(pcb->snd_wnd, pcb->cwnd);

    return is_usual(pcb) && !pcb->unsent && pcb->snd_nxt == pcb->snd_lbb &&
           (!pcb->unacked || pcb->flags & TF_NODELAY) && size <= pcb->snd_buf && size <= pcb->mss &&
           size <= pcb->snd_wnd_max / 2 && pcb->snd_nxt - pcb->lastack + size <= window &&
           IP_IS_V4(&pcb->remote_ip);
}

bool net_lwip_send_next(struct tcp_pcb *pcb, const void *bytes, size_t size)
{
    struct tcp_seg **end = &pcb->unacked;
    uint8_t *segment = may_go(pcb, size) ? net_lwip_begin_segment(pcb, TCP_HLEN + size) : NULL;
    struct tcp_seg *s = segment ? make_segment(pcb, bytes, size) : NULL;

    if (!s)
        return false;
    net_word4 *to = __builtin_assume_aligned(segment, 4);
    const net_word4 *from = __builtin_assume_aligned(s->tcphdr, 4);
    for (size_t i = 0; i < TCP_HLEN / sizeof *to; i++)
        to[i] = from[i];
    memcpy(segment + TCP_HLEN, bytes, size);
    net_lwip_end_segment(segment, TCP_HLEN + size);
    pcb->rcv_ann_right_edge = pcb->rcv_nxt + pcb->rcv_ann_wnd;
    if (pcb->rtime < 0)
        pcb->rtime = 0;
    if (!pcb->rttest) {
        pcb->rttest = tcp_ticks;
        pcb->rtseq = pcb->snd_nxt;
    }
    pcb->persist_backoff = 0;
    tcp_clear_flags(pcb, TF_ACK_DELAY | TF_ACK_NOW);
    pcb->snd_nxt += (u32_t)size;
    pcb->snd_lbb = pcb->snd_nxt;
    pcb->snd_buf -= (tcpwnd_size_t)size;
    pcb->snd_queuelen++;
    while (*end)
        end = &(*end)->next;
    *end = s;
    return true;
}
