/* TCP's tick, and what lwIP 2.1.3 has to be spared in it. */
#include "libos/net/lwip/internal.h"
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

/*
 * The same timer sends a part of the first segment where a window has no room for all of it. If
 * that segment says the end of the stream, it is cut here (cut.c).
 */
static void cut_ends(void)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (pcb->persist_backoff && pcb->snd_wnd && pcb->unsent->len > pcb->snd_wnd &&
            TCPH_FLAGS(pcb->unsent->tcphdr) & TCP_FIN)
            net_lwip_cut_first(pcb, (u16_t)pcb->snd_wnd);
}

void net_lwip_tick(void)
{
    stop_needless_timers();
    cut_ends();
    tcp_tmr();
}
