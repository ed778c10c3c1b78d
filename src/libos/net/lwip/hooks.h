/* What lwIP asks of the port beside its own list (lwipopts.h). */
#ifndef EXOS_NET_LWIP_HOOKS_H
#define EXOS_NET_LWIP_HOOKS_H

#include "lwip/err.h"
#include "lwip/ip_addr.h"

/* The first sequence number of a connection: RFC 6528, section 3. */
u32_t net_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                   u16_t remote_port);

/* The interface by which a destination of IPv6 is reached. */
struct netif *net_lwip_route6(const ip6_addr_t *destination);

struct tcp_pcb_listen;

/* Before a segment for a listener is looked at: ERR_OK if lwIP is to look at it. */
err_t net_lwip_opening(struct tcp_pcb_listen *listener);

#endif
