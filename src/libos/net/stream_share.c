/* TCP's sockets of several processes (share.h): connections and listeners that move between them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/service.h"
#include "libos/net/stream_kept.h"
#include "lwip/priv/tcp_priv.h"

struct net_lease *stream_lease(struct socket *s)
{
    const struct stream *t = (struct stream *)s;
    return t->pcb ? net_lwip_lease(t->pcb) : NULL;
}

static size_t unsent(const struct stream *t)
{
    return t->pcb && t->state == STREAM_CONNECTED ? TCP_SND_BUF - t->pcb->snd_buf : 0;
}

size_t stream_state_size(const struct socket *s)
{
    const struct stream *t = (const struct stream *)s;
    size_t size = unsent(t) < STREAM_SEND_MOST ? STREAM_SEND_MOST : unsent(t);

    return size + TCP_WND + 2 * sizeof(struct stream_kept) + NET_LWIP_STATE;
}

/* A listener's connections that nobody has accepted go along, as far as there is room. */
static void put_queue(struct stream *t, struct share_bytes *b)
{
    for (struct stream *c; (c = stream_dequeue(t));) {
        uint8_t *before = b->at;
        if (c->pcb)
            stream_put(c, b);
        else
            b->ok = false;
        if (!b->ok) {
            b->at = before;
            b->ok = true;
            if (c->pcb)
                tcp_abort(c->pcb); /* with `failed` told, whose stream goes now */
        }
        stream_let_go(c);
        free(c);
    }
}

/* Whether the port has to stay here: its other connections, half-open ones too, are this program's,
 * or others have some of it. */
static bool is_bound_here(const struct stream *t, const struct net_lease *lease)
{
    if (net_lease_has_others(lease) || net_lwip_has_gone(ntohs(t->socket.own.port)))
        return true;
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        const struct stream *other = pcb->callback_arg;
        bool is_queued = false;
        for (const struct stream *c = t->queue; c; c = c->next)
            is_queued |= c == other;
        if (pcb->local_port == ntohs(t->socket.own.port) && !is_queued)
            return true;
    }
    return false;
}

/* They would keep the port here for a minute; what comes for one of them will be answered by a
 * reset. */
static void forget_time_wait(uint16_t port)
{
    for (struct tcp_pcb *pcb = tcp_tw_pcbs, *next; pcb; pcb = next) {
        next = pcb->next;
        if (pcb->local_port == port)
            tcp_abandon(pcb, 0);
    }
}

bool stream_give(struct socket *s, struct share_bytes *b)
{
    struct stream *t = (struct stream *)s;

    stream_serve();
    struct net_lease *lease = stream_lease(s);
    if (t->state == STREAM_CONNECTING)
        return false;
    if (t->state == STREAM_CONNECTED && t->pcb && !net_lwip_may_export(t->pcb))
        return false;
    if (t->state == STREAM_LISTENS && lease && is_bound_here(t, lease))
        return false;
    uint8_t *begin = b->at;
    stream_put(t, b);
    if (!b->ok) {
        b->at = begin;
        return false;
    }
    put_queue(t, b);
    t->gone.local_port = ntohs(s->own.port);
    t->gone.remote_port = t->state == STREAM_CONNECTED ? ntohs(s->peer.port) : 0;
    t->gone.remote = stream_peer(&s->peer);
    bool had_pcb = t->pcb != NULL;
    stream_let_go(t);
    if (t->state == STREAM_LISTENS && lease && !net_lease_is_outermost(lease))
        forget_time_wait(t->gone.local_port);
    if (had_pcb)
        net_lwip_let_go(&t->gone);
    net_lwip_reap();
    return true;
}

int stream_take(struct socket *s, const struct net_offer *offer, struct share_bytes *b)
{
    struct stream *t = (struct stream *)s;

    if (offer->port.protocol != IPPROTO_TCP || net_lwip_begin())
        return -ENETDOWN;
    stream_drive();
    net_lwip_look_at_addresses(); /* there may be new ones since the connection was made */
    net_lwip_come_back(&t->gone);
    stream_drop_received(t);
    t->pcb = NULL;
    int error = stream_take_kept(t, offer, b);
    if (error)
        stream_drop_received(t);
    net_lwip_reap();
    net_lwip_flush();
    return error;
}

/* A connection of a port that this process has for others, too. */
int stream_narrow(struct socket *s, const struct net_lease *lease, struct net_offer *offer)
{
    struct stream *t = (struct stream *)s;
    const struct net_ipv6 peer = stream_peer(&s->peer);

    if (t->state != STREAM_CONNECTED || lease->peer_port)
        return 0;
    bool failed = net_lease_set_apart(lease, &t->apart, &peer, ntohs(s->peer.port),
                                      stream_is_local(&s->peer), offer);
    return failed ? -errno : 0;
}

void stream_forget(struct socket *s)
{
    struct stream *t = (struct stream *)s;

    net_lwip_come_back(&t->gone);
    net_apart_end(&t->apart);
    net_lwip_reap();
}
