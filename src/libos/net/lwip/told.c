/*
 * What netd tells of a port of TCP's: ICMP errors. They end a connection that is being opened, and
 * no other: who can guess the ports of one could end it with them (RFC 5927, section 6.1). One that
 * is open goes on until its time is over, as RFC 1122, 4.2.3.9, has it for most; but if a packet of
 * its was too big for the way, its packets become smaller (path.c).
 */
#include <errno.h>

#include "libos/net/lwip/internal.h"
#include "libos/net/note.h"
#include "lwip/priv/tcp_priv.h"

int net_lwip_reason;

/* Whether an error is about a segment of a connection of this program's. */
static bool is_about(const struct net_note *n, const struct tcp_pcb *pcb)
{
    const ip_addr_t peer = net_lwip_address(&n->source), own = net_lwip_address(&n->destination);

    return pcb->local_port == lwip_ntohs(n->destination_port) &&
           pcb->remote_port == lwip_ntohs(n->source_port) && ip_addr_cmp(&pcb->remote_ip, &peer) &&
           ip_addr_cmp(&pcb->local_ip, &own);
}

/* Whether its bytes are under way: who can't see them has to guess them (RFC 5927, section 4.1). */
static bool is_in_flight(const struct tcp_pcb *pcb, u32_t sequence)
{
    return TCP_SEQ_GEQ(sequence, pcb->lastack) && TCP_SEQ_LT(sequence, pcb->snd_nxt);
}

static void give_up(struct tcp_pcb *pcb, int reason)
{
    net_lwip_reason = reason;
    tcp_abandon(pcb, 0);
    net_lwip_reason = 0;
}

void net_lwip_told(const uint8_t *frame, size_t length)
{
    struct net_note n;

    if (!net_note_read(frame, length, &n) || n.protocol != IPV4_TCP)
        return;
    int reason = net_note_errno(&n);
    struct tcp_pcb *pcb = reason ? tcp_active_pcbs : NULL;
    while (pcb && !is_about(&n, pcb))
        pcb = pcb->next;
    if (!pcb)
        return;
    if (reason != EMSGSIZE) {
        if (pcb->state == SYN_SENT && n.sequence == pcb->lastack)
            give_up(pcb, reason);
    } else if (net_note_is_ipv6(&n) && is_in_flight(pcb, n.sequence)) {
        net_lwip_narrow_path(pcb, n.mtu); /* in IPv4 routers make fragments */
    }
}
