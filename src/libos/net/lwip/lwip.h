/*
 * lwIP on this program's rings: its TCP, called directly (lwip/tcp.h), on ports that netd has
 * given. For who wants callbacks. One caller at a time; none of it from handlers of upcalls or
 * signals. A program that has sockets as well holds (libos/upcall/hold.h) while it calls: whatever
 * waits serves them, and a signal that ends it closes them.
 *
 *     net_lwip_begin(); net_lwip_open(80);
 *     ... tcp_new, tcp_bind, tcp_listen, tcp_accept ...
 *     for (;;) { net_lwip_serve(); net_lwip_wait(AEGIS_FOREVER); }
 */
#ifndef EXOS_NET_LWIP_LWIP_H
#define EXOS_NET_LWIP_LWIP_H

#include <stdbool.h>
#include <stdint.h>

#include "libos/net/ipv6.h"
#include "libos/start/start.h"
#include "libos/time/time.h"
#include "lwip/tcp.h"

/*
 * Start lwIP on the machine's address (net_service). Returns 0, or -1 with errno ENETDOWN. Again:
 * 0.
 */
int net_lwip_begin(void);

/* Between lwIP's addresses and ours, in which IPv4's are mapped (RFC 4291, 2.5.5.2). */
static inline void net_lwip_read_address(const ip_addr_t *from, struct net_ipv6 *to)
{
    if (IP_IS_V6(from))
        memcpy(to, ip_2_ip6(from)->addr, sizeof *to);
    else
        *to = (struct net_ipv6){{0, 0, NET_WIRE32(0xffff), ip4_addr_get_u32(ip_2_ip4(from))}};
}

static inline ip_addr_t net_lwip_address(const struct net_ipv6 *from)
{
    ip_addr_t to = IPADDR4_INIT(from->words[3]);

    if (!net_ipv6_is_mapped(from)) {
        IP_SET_TYPE_VAL(to, IPADDR_TYPE_V6);
        memcpy(ip_2_ip6(&to)->addr, from, sizeof *from);
    }
    return to;
}

/*
 * Tell lwIP of the machine's addresses in IPv6 as they are now. It is told before a connection is
 * made, and when one is opened from outside.
 */
void net_lwip_look_at_addresses(void);

/*
 * Receive what comes to a port of TCP, and be allowed to send from it; 0 takes any that is free.
 * Comes before tcp_bind or tcp_connect, which must name it. Returns the port, or -1 with errno as
 * net_lease has it, ENOMEM.
 */
int net_lwip_open(uint16_t port);

/*
 * Let what an open port's connections send to this machine's own addresses, and what comes from
 * there, go over the loop interface. A port that was asked for by its number has it already.
 * Returns 0, or -1 with errno as net_lease_loop.
 */
int net_lwip_open_loop(uint16_t port);

/*
 * Let an open port hear what netd tells of it: why a connection can't be made (ICMP). One with the
 * loop interface does already. Without, connections that can't be made time out.
 */
void net_lwip_open_notes(uint16_t port);

/*
 * As net_lwip_open, for a port that comes back by itself when no connection and no listener of
 * lwIP's has it any more; one that this program has been lent already is lent again.
 * reuses: even if connections of a program that has ended linger there.
 */
int net_lwip_lend(uint16_t port, bool reuses);

/*
 * Give a new pcb a port of its own towards a peer, so that it can be connected: of a block that the
 * program has for all its connections. A block comes back some seconds after the last of them.
 * Returns the port, or -1 with errno as net_lwip_open.
 */
int net_lwip_dial(struct tcp_pcb *pcb, const ip_addr_t *peer, uint16_t peer_port, bool is_local);

/* TCP's clock goes on by one tick, for net_lwip_serve and for tests. */
void net_lwip_tick(void);

/* Look for such ports now, and not only every second. */
void net_lwip_reap(void);

/* Give a port back; what still is under way there will be answered by nobody. */
void net_lwip_close(uint16_t port);

/*
 * A connection that has sent nothing yet: its first retransmission comes after a second (RFC 6298,
 * 2.1) and not after lwIP's three.
 */
void net_lwip_quicken(struct tcp_pcb *pcb);

/* For tcp_poll, while a connect is under way: lwIP would repeat it every second. */
void net_lwip_slow_down(struct tcp_pcb *pcb);

/*
 * Take what the rings hold, do what is due by time, send what came of it. Returns whether there was
 * a frame. Callbacks run in it.
 */
bool net_lwip_serve(void);

/* Send what calls of lwIP's made outside of net_lwip_serve; serve and wait do it, too. */
extern uint64_t net_lwip_batched; /* the library's: frames that wait for it */
void net_lwip_send_batch(void);
static inline void net_lwip_flush(void)
{
    if (net_lwip_batched)
        net_lwip_send_batch();
}

/* Before this process ends: leave the connections that have said all to netd. */
void net_lwip_leave(void);

/* Whether a connection still has bytes to say, or to have acknowledged; its end doesn't count. */
bool net_lwip_owes(const struct tcp_pcb *pcb);

/* In a fork's child: the ports and connections are the parent's, and this process has none. */
void net_lwip_forget(void);

/*
 * The library's: frames of this program's that net_lwip_serve has looked for, and when it has
 * something to do even without new ones (rdtime ticks; AEGIS_FOREVER: never).
 */
extern uint64_t net_lwip_seen, net_lwip_next;

/* Holds once there are frames that net_lwip_serve hasn't seen. */
static inline struct aegis_predicate net_lwip_when(void)
{
    return (struct aegis_predicate)AEGIS_WHEN(aegis_env(exos.env)->frames, NE, net_lwip_seen);
}

/* Whether net_lwip_serve has something to do. */
static inline bool net_lwip_is_due(void)
{
    return aegis_env(exos.env)->frames != net_lwip_seen || time_now() >= net_lwip_next;
}

/* A call of lwIP's, outside of net_lwip_serve, has begun something that needs time. */
static inline void net_lwip_soon(void)
{
    net_lwip_next = 0;
}

/*
 * A function given to tcp_recv that frees what it gets before it returns: its connections' segments
 * needn't be copied for it. NULL: there is none.
 */
extern tcp_recv_fn net_lwip_copies;

/*
 * The same in short, where there is net_lwip_copies: keeps bytes that come next on the connection
 * with that argument (tcp_arg). false: it has done nothing, and that function is called.
 */
extern bool (*net_lwip_keeps)(void *argument, const uint8_t *bytes, size_t size);

/*
 * tcp_write and tcp_output of a few bytes that can be sent at once, in a segment of their own, on a
 * connection on which nothing is out of the ordinary. false: nothing has been done.
 */
bool net_lwip_send_next(struct tcp_pcb *pcb, const void *bytes, size_t size);

/*
 * While the function given to tcp_err runs for a connection that ICMP says can't be made: why, an
 * errno value. Else 0.
 */
extern int net_lwip_reason;

/*
 * Whether a listener, known by its argument and the function that tcp_accept was given, is to see a
 * segment that may open a connection. NULL: always.
 */
extern bool (*net_lwip_may_open)(void *argument, void *accept);

/*
 * Wait until there is a frame, a timer of lwIP's is due, or the deadline has come. Between the look
 * of net_lwip_serve and this nothing is slept through.
 */
void net_lwip_wait(uint64_t deadline);

#endif
