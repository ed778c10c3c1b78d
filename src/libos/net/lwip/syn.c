/*
 * Half-open connections. lwIP keeps each for 20 seconds and lets a listener have as many as its
 * backlog says; then it drops what comes. So who sends openings and nothing else would shut out all
 * others: instead the oldest half-open one makes room, without a word, for the newest. A peer whose
 * answer takes less time than a listener's worth of openings gets through.
 */
#include "libos/net/lwip/hooks.h"
#include "libos/net/lwip/lwip.h"
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
