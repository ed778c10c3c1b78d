/*
 * Half-open connections. lwIP keeps each for 20 seconds and lets a listener have as many as its
 * backlog says; then it drops what comes. So who sends openings and nothing else would shut out all
 * others: instead the oldest half-open one makes room, without a word, for the newest. A peer whose
 * answer takes less time than a listener's worth of openings gets through.
 */
#include "libos/net/headers.h"
#include "libos/net/lwip/hooks.h"
#include "libos/net/lwip/internal.h"
#include "libos/net/lwip/lwip.h"
#include "libos/net/segment.h"
#include "lwip/priv/tcp_priv.h"

bool (*net_lwip_may_open)(void *argument, void *accept);

/* New ones are put in front of the list: the last one is the oldest, or nearly. */
static struct tcp_pcb *oldest(const struct tcp_pcb_listen *listener)
{
    struct tcp_pcb *found = NULL;

    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (pcb->state == SYN_RCVD && pcb->listener == listener)
            found = pcb;
    return found;
}

err_t net_lwip_opening(struct tcp_pcb_listen *listener)
{
    if (net_lwip_may_open && !net_lwip_may_open(listener->callback_arg, (void *)listener->accept))
        return ERR_MEM;
    struct tcp_pcb *pcb = listener->accepts_pending < listener->backlog ? NULL : oldest(listener);
    if (pcb)
        tcp_abandon(pcb, 0);
    return ERR_OK;
}

static bool is_listened_to(uint16_t port)
{
    for (const struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l; l = l->next)
        if (l->local_port == port)
            return true;
    return false;
}

/* Whether what is in TIME-WAIT gives way to a segment. */
static bool gives_way(const struct tcp_pcb *pcb, uint8_t flags, uint32_t sequence)
{
    if (flags & TCP_RST)
        return sequence == pcb->rcv_nxt;
    return TCP_SEQ_GEQ(sequence, pcb->rcv_nxt) && is_listened_to(pcb->local_port);
}

void net_lwip_end_waiting(const ip_addr_t *source, const ip_addr_t *destination, const uint8_t *tcp)
{
    uint16_t from = net_get16(tcp + UDP_SOURCE), to = net_get16(tcp + UDP_DESTINATION);

    for (struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next) {
        if (pcb->remote_port != from || pcb->local_port != to ||
            !ip_addr_cmp(&pcb->remote_ip, source) || !ip_addr_cmp(&pcb->local_ip, destination))
            continue;
        if (gives_way(pcb, tcp[TCP_OFFSET + 1], net_get32(tcp + 4)))
            tcp_abandon(pcb, 0);
        return;
    }
}
