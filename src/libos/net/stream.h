/*
 * What the files of TCP's sockets share: socket_tcp.c, stream_event.c, stream_data.c,
 * stream_option.c; and lwIP's side of them.
 *
 * All of it runs with exos_hold held, lwIP included: whichever thread calls or waits serves lwIP
 * for all sockets of the process.
 */
#ifndef EXOS_NET_STREAM_H
#define EXOS_NET_STREAM_H

#include "libos/net/lwip/move.h"
#include "libos/net/service.h"
#include "libos/net/socket.h"
#include "lwip/tcp.h"

enum stream_state {
    STREAM_FRESH,      /* or a connect that failed */
    STREAM_BOUND,      /* has a port */
    STREAM_LISTENS,    /* pcb is a listener, NULL after a shutdown */
    STREAM_CONNECTING, /* under way */
    STREAM_CONNECTED,  /* pcb is NULL once the connection is over */
};

#define STREAM_ROOM 2048 /* bytes of memory */

struct stream_room {
    struct stream_room *next;
    uint32_t begin, end; /* of what isn't read yet */
    uint8_t bytes[STREAM_ROOM - 16];
};

struct stream {
    struct socket socket;
    struct tcp_pcb *pcb; /* its argument is this stream; NULL: none */
    enum stream_state state;
    bool has_ended; /* nothing more comes: FIN */

    /* Received and not read yet; an empty room is kept for what comes next. */
    struct stream_room *first, *last;
    size_t waiting; /* bytes in them */

    /* Of a listener: connections that nobody has accepted, the oldest first. */
    struct stream *queue, *queue_last;
    unsigned queued, backlog;
    struct stream *next; /* in a listener's queue */

    struct net_lwip_gone gone; /* while another process has it */
    struct net_apart apart;    /* of a connection that others have or had, too */

    /* Options; they count from the first pcb on, and for the connections of a listener. */
    bool no_delay, keep_alive, reuses;
    bool lingers;
    int linger_s;
    int keep_idle_s, keep_interval_s, keep_count;
    int send_limit, receive_limit; /* bytes: SO_SNDBUF, SO_RCVBUF */
};

/* An end as lwIP has it. */
static inline struct socket_end stream_end(const ip_addr_t *address, u16_t port)
{
    struct socket_end end = {.port = lwip_htons(port)};

    if (IP_IS_V4(address))
        end.address = ip4_addr_get_u32(ip_2_ip4(address));
    else
        net_lwip_read_address(address, &end.six);
    return end;
}

/* The address of a peer, one of IPv4 mapped. */
static inline struct net_ipv6 stream_peer(const struct socket_end *peer)
{
    return peer->address ? net_ipv6_mapped(peer->address) : peer->six;
}

/* Whether a peer is of this machine. */
static inline bool stream_is_local(const struct socket_end *peer)
{
    return peer->address ? net_is_local(net_service(), peer->address)
                         : net_ipv6_is_local(&peer->six);
}

/* The address of one; any of both families is lwIP's "any type". */
ip_addr_t stream_address(const struct socket *s, const struct socket_end *end);

/* stream_event.c: what lwIP tells. stream_attach makes a pcb the stream's, with its options. */
void stream_attach(struct stream *t, struct tcp_pcb *pcb);
void stream_detach(struct stream *t); /* lwIP goes on with it alone, or has freed it */
void stream_listen(struct stream *t, struct tcp_pcb *listener);
err_t stream_connected(void *argument, struct tcp_pcb *pcb, err_t error);
err_t stream_connects(void *argument, struct tcp_pcb *pcb); /* while it does, every tick */
void stream_drop_received(struct stream *t);
bool stream_keep(struct stream *t, const uint8_t *bytes, size_t size); /* what was received */
void stream_enqueue(struct stream *listener, struct stream *t, bool first);
struct stream *stream_dequeue(struct stream *listener);

/* Serves lwIP, unless nothing can have happened since the last time. */
static inline void stream_serve(void)
{
    if (net_lwip_is_due())
        net_lwip_serve();
    else
        net_lwip_flush();
}

/* stream_wait.c: waits until something may have happened, or the deadline. fd_wait's results. */
int stream_wait(struct stream *t, uint64_t deadline);

/* From now on lwIP is served while this process waits for anything, and when it exits. */
void stream_drive(void);

/* Whether a peer, or one that is t's, still has to acknowledge something; t may be detached. */
bool stream_owes(const struct stream *t);

/* SO_ERROR's value, negated, which it then isn't any more. */
int stream_take_error(struct stream *t);

/* socket_tcp.c: t's pcb, which is bound, becomes a listener's. 0 or a negated errno value. */
int stream_begin_to_listen(struct stream *t);

/* What a call of lwIP's says, as a negated errno value. */
int stream_error_of(err_t error);

/* stream_connect.c: for struct socket_protocol; and how a connect that is under way goes on. */
int stream_connect(struct socket *s, const struct socket_end *end);
void stream_look_for_peer(struct stream *t);

/* Waits until a connect is over. 0, or why there is no connection. */
int stream_finish_connect(struct stream *t, uint64_t deadline);

/*
 * stream_ipv6.c: 0 or negative errno values. Whether an address can be ours, or a peer's (:: is
 * made ::1); whether the next hop to it is still to be hoped for; and which of ours to connect
 * from, which may have to be waited for.
 */
int stream6_check_own(const struct socket_end *end);
int stream6_check_peer(struct socket_end *end);
int stream6_look_for_hop(const struct socket_end *end);
int stream6_take_source(struct stream *t, const struct socket_end *peer, uint64_t deadline);

/* stream_data.c */
ssize_t stream_send(struct socket *s, struct socket_transfer *t);
ssize_t stream_receive(struct socket *s, struct socket_transfer *t);
short stream_ready(struct socket *s, short events);
int stream_readable(struct socket *s);

/* stream_share.c: for struct socket_protocol. */
struct net_lease *stream_lease(struct socket *s);
size_t stream_state_size(const struct socket *s);
bool stream_give(struct socket *s, struct share_bytes *b);
int stream_take(struct socket *s, const struct net_offer *offer, struct share_bytes *b);
void stream_forget(struct socket *s);
int stream_narrow(struct socket *s, const struct net_lease *lease, struct net_offer *offer);

/* stream_option.c */
void stream_begin_options(struct stream *t); /* of a new socket */
void stream_apply_options(const struct stream *t);
void stream_inherit_options(struct stream *t, const struct stream *listener);
int stream_set(struct socket *s, int level, int option, const void *value, socklen_t size);
int stream_get(struct socket *s, int level, int option, void *value, socklen_t *size);

#endif
