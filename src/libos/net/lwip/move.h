/* Connections of lwIP's that go on in another process (libos/net/share.h). */
#ifndef EXOS_NET_LWIP_MOVE_H
#define EXOS_NET_LWIP_MOVE_H

#include <stdbool.h>
#include <stddef.h>

#include "libos/net/lwip/lwip.h"
#include "libos/net/service.h"
#include "libos/net/share_bytes.h"
#include "libos/net/socket.h"

#define NET_LWIP_STATE                                                                             \
    128 /* bytes that net_lwip_export writes beside what waits to be acknowledged */

/* move.c: whether a connection is in a state in which it can be written down; do it. */
bool net_lwip_may_export(const struct tcp_pcb *pcb);
void net_lwip_export(const struct tcp_pcb *pcb, struct share_bytes *b);

/*
 * Make it again, between these ends, for a socket in which so many bytes wait to be read. NULL if
 * what was written makes no sense, or without memory. net_lwip_go_on then sends what is due.
 */
struct tcp_pcb *net_lwip_import(const struct socket_end *own, const struct socket_end *peer,
                                size_t waiting, struct share_bytes *b);
void net_lwip_go_on(struct tcp_pcb *pcb);

/* ports.c: the lease that a connection, or a listener, has its frames by; NULL: none. */
struct net_lease *net_lwip_lease(const struct tcp_pcb *pcb);

/* Have the frames of an offer's port, from one peer or, with port 0, all; a port that is open is
 * enough. 0, or -1 with errno. */
int net_lwip_join(const struct net_offer *offer, const struct net_ipv6 *peer, uint16_t peer_port,
                  bool device, bool loop);

/* move.c: whether there is a connection; ports in host byte order, remote as on the wire, one of
 * IPv4 mapped. */
bool net_lwip_has(uint16_t port, const struct net_ipv6 *remote, uint16_t remote_port);

/*
 * What this process has let go of, while its port is open here: what comes for it is dropped, where
 * it would be answered by a reset. remote_port 0: a listener and what it had not accepted, so all
 * but the port's connections that are here.
 */
struct net_lwip_gone {
    struct net_lwip_gone *next;
    bool is_listed;
    uint16_t local_port, remote_port;
    struct net_ipv6 remote; /* as on the wire, one of IPv4 mapped */
};
void net_lwip_let_go(struct net_lwip_gone *gone);
bool net_lwip_has_gone(uint16_t port);               /* connections of that port */
void net_lwip_come_back(struct net_lwip_gone *gone); /* if it is listed */

#endif
