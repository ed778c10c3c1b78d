/*
 * What a process that ends leaves to netd: connections that have said all (libos/net/linger.h).
 * Others netd can't go on with: their peers' segments it answers by resets.
 */
#include "libos/net/lwip/internal.h"
#include "lwip/priv/tcp_priv.h"

#define TICK_MS (2 * TCP_TMR_INTERVAL) /* of tcp_ticks */

static bool has_bytes(const struct tcp_seg *s)
{
    while (s && !s->len)
        s = s->next;
    return s;
}

bool net_lwip_owes(const struct tcp_pcb *pcb)
{
    return pcb->state != SYN_SENT && pcb->state != SYN_RCVD &&
           (has_bytes(pcb->unsent) || has_bytes(pcb->unacked));
}

static enum net_linger_state state_of(const struct tcp_pcb *pcb)
{
    static const uint8_t states[] = {[FIN_WAIT_1] = NET_LINGER_FIN_WAIT_1,
                                     [FIN_WAIT_2] = NET_LINGER_FIN_WAIT_2,
                                     [CLOSING] = NET_LINGER_CLOSING,
                                     [LAST_ACK] = NET_LINGER_LAST_ACK,
                                     [TIME_WAIT] = NET_LINGER_TIME_WAIT};
    return net_lwip_owes(pcb) ? NET_LINGER_NONE : (enum net_linger_state)states[pcb->state];
}

/* What is left of a minute, of TIME-WAIT; others begin theirs. */
static uint32_t seconds_of(const struct tcp_pcb *pcb)
{
    uint32_t gone = pcb->state == TIME_WAIT ? (tcp_ticks - pcb->tmr) * TICK_MS / 1000 : 0;
    return gone < 2 * TCP_MSL / 1000 ? (uint32_t)(2 * TCP_MSL / 1000) - gone : 0;
}

/* A FIN that goes with the last bytes is counted when it is sent, one by itself when it is made. */
static uint32_t behind_end(const struct tcp_pcb *pcb)
{
    return TCP_SEQ_GT(pcb->snd_nxt, pcb->snd_lbb) ? pcb->snd_nxt : pcb->snd_lbb;
}

static void leave(const struct tcp_pcb *pcb)
{
    const struct net_lease *lease = net_lwip_lease(pcb);
    struct net_linger l = {.state = state_of(pcb),
                           .seconds = seconds_of(pcb),
                           .own_next = behind_end(pcb),
                           .peer_next = pcb->rcv_nxt,
                           .own_port = pcb->local_port,
                           .peer_port = pcb->remote_port};

    if (!lease || l.state == NET_LINGER_NONE)
        return;
    net_lwip_read_address(&pcb->local_ip, &l.own);
    net_lwip_read_address(&pcb->remote_ip, &l.peer);
    net_lease_linger(lease, &l); /* else netd answers it by a reset */
}

void net_lwip_leave(void)
{
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        leave(pcb);
    for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next)
        leave(pcb);
}
