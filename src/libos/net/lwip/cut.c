/* Segments that wait to be sent, cut into shorter ones. */
#include "libos/net/lwip/internal.h"
#include "lwip/priv/tcp_priv.h"

/* lwIP 2.1.3 gives the end of the stream to the second part, and leaves it at the first as well,
 * where it would cut off what follows. */
bool net_lwip_cut_first(struct tcp_pcb *pcb, u16_t most)
{
    struct tcp_seg *first = pcb->unsent;
    u16_t length = first->len;

    if (tcp_split_unsent_seg(pcb, most) != ERR_OK)
        return false;
    if (first->len < length)
        TCPH_UNSET_FLAG(first->tcphdr, TCP_FIN | TCP_PSH);
    return true;
}

bool net_lwip_cut(struct tcp_pcb *pcb, u16_t most)
{
    struct tcp_seg *first = pcb->unsent;
    bool is_done = true;

    for (struct tcp_seg *s = first; s && is_done; s = s->next) {
        pcb->unsent = s;
        is_done = net_lwip_cut_first(pcb, most);
    }
    pcb->unsent = first;
    pcb->unsent_oversize = 0; /* room that the last one has, for more than that */
    return is_done;
}
