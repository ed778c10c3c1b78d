/*
 * What packets in IPv6 may be on the way to a peer (RFC 8201): routers don't make fragments of what
 * is too big, they say so. A connection sends what isn't acknowledged again then, cut anew, and
 * those that are made to the same peer within ten minutes begin with as much. None grows again.
 */
#include "libos/net/headers.h"
#include "libos/net/lwip/internal.h"
#include "libos/net/segment.h"
#include "libos/time/time.h"
#include "lwip/priv/tcp_priv.h"

#define PATHS   8
#define KEPT_NS 600000000000UL /* RFC 8201, section 4 */
#define HEADERS (IPV6_SIZE + TCP_LEAST)

static struct path {
    ip6_addr_t to;
    u16_t mtu;
    uint64_t until;
} paths[PATHS];

/* Its place; or the one that is over first. */
static struct path *find(const ip6_addr_t *to)
{
    struct path *first = paths;

    for (struct path *p = paths; p < paths + PATHS; p++) {
        if (p->until && ip6_addr_cmp(&p->to, to))
            return p;
        if (p->until < first->until)
            first = p;
    }
    return first;
}

u16_t net_lwip_path(const ip6_addr_t *to)
{
    const struct path *p = find(to);
    return p->until > time_now() && ip6_addr_cmp(&p->to, to) ? p->mtu : 0;
}

/* Not taken for loss by overload: the congestion window stays (RFC 8201, section 5.4). What can't
 * be done for want of memory is done when the next of its packets has come back. */
void net_lwip_narrow_path(struct tcp_pcb *pcb, u16_t mtu)
{
    u16_t most = mtu - HEADERS;

    if (most >= pcb->mss || pcb->state < ESTABLISHED)
        return;
    tcp_rexmit_rto_prepare(pcb);
    if (net_lwip_cut(pcb, most)) {
        pcb->mss = most;
        *find(ip_2_ip6(&pcb->remote_ip)) = (struct path){
            .to = *ip_2_ip6(&pcb->remote_ip), .mtu = mtu, .until = time_after(KEPT_NS)};
    }
    tcp_output(pcb);
    net_lwip_soon();
}
