/* Streams as they are written down for another process, and made again there. */
#include "libos/net/stream_kept.h"

#include <errno.h>
#include <stdlib.h>

#include "libos/net/service.h"
#include "lwip/priv/tcp_priv.h"

void stream_put(const struct stream *t, struct share_bytes *b)
{
    const struct stream_kept kept = {.own = t->socket.own,
                                     .peer = t->socket.peer,
                                     .state = t->state,
                                     .error = t->socket.error,
                                     .linger_s = t->linger_s,
                                     .keep_idle_s = t->keep_idle_s,
                                     .keep_interval_s = t->keep_interval_s,
                                     .keep_count = t->keep_count,
                                     .send_limit = t->send_limit,
                                     .receive_limit = t->receive_limit,
                                     .waiting = (uint32_t)t->waiting,
                                     .backlog = t->backlog,
                                     .queued = t->queued,
                                     .has_ended = t->has_ended,
                                     .has_pcb = t->pcb != NULL,
                                     .no_delay = t->no_delay,
                                     .keep_alive = t->keep_alive,
                                     .reuses = t->reuses,
                                     .lingers = t->lingers,
                                     .shut_read = t->socket.shut[SHUT_RD],
                                     .shut_write = t->socket.shut[SHUT_WR]};
    share_put(b, &kept, sizeof kept);
    for (const struct stream_room *room = t->first; room; room = room->next)
        share_put(b, room->bytes + room->begin, room->end - room->begin);
    if (t->pcb && t->state == STREAM_CONNECTED)
        net_lwip_export(t->pcb, b);
}

void stream_let_go(struct stream *t)
{
    struct tcp_pcb *pcb = t->pcb;

    stream_drop_received(t);
    stream_detach(t);
    if (pcb && t->state == STREAM_LISTENS)
        tcp_close(pcb);
    else if (pcb)
        tcp_abandon(pcb, 0);
}

static bool get_received(struct stream *t, uint32_t size, struct share_bytes *b)
{
    const uint8_t *bytes = size <= TCP_WND ? share_get_in_place(b, size) : NULL;
    return bytes && stream_keep(t, bytes, size);
}

static bool is_one_machine(const struct socket_end *end)
{
    ip4_addr_t address = {end->address};

    if (end->address)
        return !ip4_addr_ismulticast(&address) && end->address != INADDR_BROADCAST;
    return !net_ipv6_is_any(&end->six) && !net_ipv6_is_group(&end->six) &&
           !net_ipv6_is_mapped(&end->six);
}

/* Of who wrote it, and who may have made it up: other connections of the port are none of its. */
static bool is_connection(const struct socket_end *own, const struct socket_end *peer)
{
    const struct net_ipv6 address = stream_peer(peer);

    return peer->port && is_one_machine(peer) &&
           !net_lwip_has(ntohs(own->port), &address, ntohs(peer->port));
}

/* Have its frames come here: 0, or -1 with errno. */
static int join(const struct net_offer *offer, const struct socket_end *peer)
{
    const struct net_ipv6 address = stream_peer(peer);
    bool is_local = stream_is_local(peer);

    return net_lwip_join(offer, &address, ntohs(peer->port), !is_local, is_local);
}

static void take_options(struct stream *t, const struct stream_kept *k)
{
    t->socket.own = k->own;
    t->socket.peer = k->peer;
    t->socket.error = share_error(k->error);
    t->socket.shut[SHUT_RD] = k->shut_read != 0;
    t->socket.shut[SHUT_WR] = k->shut_write != 0;
    t->linger_s = share_in_range(k->linger_s, 0, INT32_MAX);
    t->keep_idle_s = share_in_range(k->keep_idle_s, 1, 32767);
    t->keep_interval_s = share_in_range(k->keep_interval_s, 1, 32767);
    t->keep_count = share_in_range(k->keep_count, 1, 127);
    t->send_limit = share_in_range(k->send_limit, 1, STREAM_SEND_MOST);
    t->receive_limit = share_in_range(k->receive_limit, 1, TCP_WND);
    t->backlog = (unsigned)share_in_range((int)k->backlog, 1, SOMAXCONN);
    t->has_ended = k->has_ended != 0;
    t->no_delay = k->no_delay != 0;
    t->keep_alive = k->keep_alive != 0;
    t->reuses = k->reuses != 0;
    t->lingers = k->lingers != 0;
}

/* The connection of a fresh stream, which goes on here. */
static int take_connection(struct stream *t, const struct net_offer *offer,
                           const struct stream_kept *k, struct share_bytes *b)
{
    take_options(t, k);
    t->state = STREAM_CONNECTED;
    t->has_ended |= !k->has_pcb;
    if (ntohs(k->own.port) != offer->port.number || !get_received(t, k->waiting, b))
        return -ENETDOWN;
    if (!k->has_pcb)
        return 0;
    if (!is_connection(&k->own, &k->peer))
        return -ENETDOWN;
    if (join(offer, &k->peer))
        return -errno;
    struct tcp_pcb *pcb = net_lwip_import(&k->own, &k->peer, t->waiting, b);
    if (!pcb)
        return -ENETDOWN;
    stream_attach(t, pcb);
    net_lwip_go_on(pcb);
    return 0;
}

static void take_queue(struct stream *t, uint32_t count, const struct net_offer *offer,
                       struct share_bytes *b)
{
    struct stream_kept kept;

    for (; count > 0 && count <= SOMAXCONN && share_get(b, &kept, sizeof kept); count--) {
        struct stream *c = (struct stream *)socket_make(&socket_tcp);
        if (!c)
            return;
        c->socket.is_six = t->socket.is_six;
        if (kept.state == STREAM_CONNECTED && take_connection(c, offer, &kept, b) == 0) {
            stream_enqueue(t, c, false);
            continue;
        }
        stream_let_go(c);
        free(c);
        return;
    }
}

/* A port's own pcb, bound, and listening if the socket does. */
static int take_listener(struct stream *t, const struct net_offer *offer)
{
    const struct net_ipv6 all = {{0}};

    t->socket.own.port = htons(offer->port.number);
    if (net_lwip_join(offer, &all, 0, true, offer->has_loop != 0))
        return -errno;
    ip_addr_t address = stream_address(&t->socket, &t->socket.own);
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&address));
    if (!pcb)
        return -ENOBUFS;
    ip_set_option(pcb, SOF_REUSEADDR); /* whatever the socket says: the port is its own */
    if (tcp_bind(pcb, &address, offer->port.number) != ERR_OK) {
        tcp_abort(pcb);
        return -EADDRINUSE;
    }
    stream_attach(t, pcb);
    return t->state == STREAM_BOUND ? 0 : stream_begin_to_listen(t);
}

/* The holder has ended with all that it knew. */
static int take_what_is_left(struct stream *t, const struct net_offer *offer)
{
    if (t->state == STREAM_BOUND || t->state == STREAM_LISTENS)
        return take_listener(t, offer);
    t->socket.error = ECONNRESET;
    t->has_ended = true;
    return t->state == STREAM_CONNECTED ? 0 : -ENETDOWN;
}

int stream_take_kept(struct stream *t, const struct net_offer *offer, struct share_bytes *b)
{
    struct stream_kept kept;

    if (!b)
        return take_what_is_left(t, offer);
    if (!share_get(b, &kept, sizeof kept))
        return -ENETDOWN;
    if (kept.state == STREAM_CONNECTED)
        return take_connection(t, offer, &kept, b);
    if (kept.state != STREAM_LISTENS && (kept.state != STREAM_BOUND || !kept.has_pcb))
        return -ENETDOWN;
    take_options(t, &kept);
    t->state = (enum stream_state)kept.state;
    int error = kept.has_pcb ? take_listener(t, offer) : 0;
    if (!error && t->state == STREAM_LISTENS)
        take_queue(t, kept.queued, offer, b);
    return error;
}
