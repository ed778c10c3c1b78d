/* What the files of lwip/ share. */
#ifndef EXOS_NET_LWIP_INTERNAL_H
#define EXOS_NET_LWIP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/net/lwip/hooks.h"
#include "libos/net/lwip/move.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"

/* Parts of frames, by their alignment. */
typedef uint32_t __attribute__((may_alias)) net_word4;
typedef uint16_t __attribute__((may_alias)) net_word2;

/* A port of a block: when it was given to a connection last (0: never), to which peer. */
struct dialled {
    uint64_t when;
    uint32_t mark;
};

/* A port that is open. */
struct opened {
    struct opened *next;
    struct net_lease lease;
    uint64_t retired; /* of a block, by bits: connections that went to other processes had these */
    uint64_t idle;    /* of a block: since when nothing uses it; 0: something does */
    unsigned turn;    /* of a block: the port that comes next */
    struct dialled dialled[NETD_BLOCK];
    bool is_block; /* of ports that connections are made from, */
    bool is_local; /* on the loop interface; else on the device's */
    bool is_lent;  /* given back when nothing of lwIP's uses it any more */
    bool is_used;  /* found so by reap */
};

/* ports.c: all of them; and when to look for those that nothing uses, AEGIS_FOREVER: none was lent.
 */
extern struct opened *net_lwip_ports;
extern uint64_t net_lwip_next_reap;
void net_lwip_forget_ports(void);
void net_lwip_reap_due(void); /* at that time: net_lwip_reap, but a block rests for a while */

/* The whole of that port, as far as it isn't others'; or NULL. */
struct opened *net_lwip_opened(uint16_t port);

/* How many are open for one peer alone (net_lwip_join). */
extern unsigned net_lwip_narrow;

/*
 * What a connection's frames go by; remote as on the wire, one of IPv4 mapped, ports in host byte
 * order. find_narrow is for where there are such.
 */
struct opened *net_lwip_find_narrow(uint16_t port, const struct net_ipv6 *remote,
                                    uint16_t remote_port);
struct opened *net_lwip_find_narrow4(uint16_t port, uint32_t remote, uint16_t remote_port);

static inline struct opened *net_lwip_opened_to6(uint16_t port, const struct net_ipv6 *remote,
                                                 uint16_t remote_port)
{
    struct opened *o = net_lwip_narrow ? net_lwip_find_narrow(port, remote, remote_port) : NULL;
    return o ? o : net_lwip_opened(port);
}

static inline struct opened *net_lwip_opened_to(uint16_t port, uint32_t remote,
                                                uint16_t remote_port)
{
    struct opened *o = net_lwip_narrow ? net_lwip_find_narrow4(port, remote, remote_port) : NULL;
    return o ? o : net_lwip_opened(port);
}

/* gone.c: whether a segment is for what this process has let go of (move.h). ip and tcp: the
 * headers. */
extern struct net_lwip_gone *net_lwip_gone;
bool net_lwip_is_gone(const uint8_t *ip, const uint8_t *tcp);

/* output.c: lwIP's output of packets; those whose next hop wasn't known are tried again. */
err_t net_lwip_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to);
err_t net_lwip_output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to);
void net_lwip_send_pending(void);
uint64_t net_lwip_pending_due(void); /* when; AEGIS_FOREVER: there are none */
void net_lwip_forget_output(void);

/*
 * output.c: room in the batch for a segment of a connection in IPv4, of `length` bytes with its
 * header, behind the headers before it; NULL if it isn't short, or its next hop isn't known. Once
 * it has been written, its sum left 0, net_lwip_end_segment puts it into the batch.
 */
uint8_t *net_lwip_begin_segment(const struct tcp_pcb *pcb, size_t length);
void net_lwip_end_segment(uint8_t *segment, size_t length);

/*
 * quick.c: what comes next on a connection (its tcp_recv function is net_lwip_copies, its family
 * and numbers have been looked at), `size` bytes, at least one, behind a header without options and
 * with ACK, but not SYN, FIN or RST. false: it is lwIP's, and nothing has been done.
 */
bool net_lwip_take_next(struct tcp_pcb *pcb, const uint8_t *tcp, size_t size);

/*
 * memory.c: whether a packet may be sent from where it lies, in a page from which the device can
 * read; there is room for an Ethernet header before it then. It isn't given to anybody else before
 * the batch was sent and the device has read it.
 */
bool net_lwip_send_in_place(const struct pbuf *p);

/* output.c: number of the batch that is being put together, from 1. */
extern uint32_t net_lwip_batch;

/* input.c: one frame of a device's, or the loop's, as long as it was received. It may be changed,
 * and isn't kept. */
void net_lwip_input(struct netif *netif, uint8_t *frame, size_t length);

/* told.c: the same for what may be a note (libos/net/note.h). */
void net_lwip_told(const uint8_t *frame, size_t length);

/*
 * cut.c: have none of a connection's segments that wait to be sent longer than `most`, at most its
 * mss; or the first, if there is one. False without memory: some are as they were.
 */
bool net_lwip_cut(struct tcp_pcb *pcb, u16_t most);
bool net_lwip_cut_first(struct tcp_pcb *pcb, u16_t most);

/* path.c: what packets to an address in IPv6 may be on the way there, bytes; 0: nothing is known.
 */
u16_t net_lwip_path(const ip6_addr_t *to);

/* A router says so of one of a connection's packets, which didn't get through. */
void net_lwip_narrow_path(struct tcp_pcb *pcb, u16_t mtu);

/*
 * syn.c: before an opening segment or a reset is looked at (its header as on the wire): a peer may
 * open anew what is in TIME-WAIT if its sequence numbers go on (RFC 1122, section 4.2.2.13; RFC
 * 6191), as clients do that use a port at once again; lwIP would reset it or say nothing. If they
 * don't, it is told what is expected, and its reset of that number ends what waits (RFC 9293,
 * 3.10.7.4), which lwIP wouldn't have. The old one is forgotten then.
 */
void net_lwip_end_waiting(const ip_addr_t *source, const ip_addr_t *destination,
                          const uint8_t *tcp);

#endif
