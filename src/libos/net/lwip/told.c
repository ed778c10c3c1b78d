/*
 * What netd tells of a port of TCP's: ICMP errors. They end a connection that is being opened, and
 * no other: who can guess the ports of one could end it with them (RFC 5927, section 6.1). One that
 * is open goes on until its time is over, as RFC 1122, 4.2.3.9, has it for most.
 */
#include <errno.h>

#include "libos/net/lwip/internal.h"
#include "libos/net/note.h"
#include "lwip/priv/tcp_priv.h"

int net_lwip_reason;

/* Whether an error is about the opening segment of a connection of this program's. */
static bool is_about(const struct net_note *n, const struct tcp_pcb *pcb)
{
    return pcb->state == SYN_SENT && pcb->local_port == lwip_ntohs(n->destination_port) &&
           pcb->remote_port == lwip_ntohs(n->source_port) && IP_IS_V4_VAL(pcb->remote_ip) &&
           ip4_addr_get_u32(ip_2_ip4(&pcb->remote_ip)) == n->source && n->sequence == pcb->lastack;
}

void net_lwip_told(const uint8_t *frame, size_t length)
{
    struct net_note n;

    if (!net_note_read(frame, length, &n) || n.protocol != IPV4_TCP)
        return;
    int reason = net_note_errno(&n);
    if (!reason || reason == EMSGSIZE)
        return;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        if (!is_about(&n, pcb))
            continue;
        net_lwip_reason = reason;
        tcp_abandon(pcb, 0);
        net_lwip_reason = 0;
        return;
    }
}
