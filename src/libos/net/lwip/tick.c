/* TCP's tick, and what lwIP 2.1.3 has to be spared in it. */
#include "libos/net/lwip/lwip.h"
#include "lwip/priv/tcp_priv.h"

/*
 * The persist timer asks a peer with a shut window for room (RFC 9293, 3.8.6.1). lwIP forgets to
 * stop it where that peer takes all that there was after all, since it had been sent before, and
 * its tick asserts that there is something to send.
 */
static void stop_needless_timers(void)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (pcb->persist_backoff && (!pcb->unsent || pcb->unacked))
            pcb->persist_backoff = 0;
}

void net_lwip_tick(void)
{
    stop_needless_timers();
    tcp_tmr();
}
