/* TCP's sockets: what lwIP tells of a connection. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/stream.h"

/*
 * Received bytes are copied here at once, behind one another: so a window's worth of segments of
 * one byte takes no more memory than one of large ones, and segments can be read in their slots.
 */
bool stream_keep(struct stream *t, const uint8_t *bytes, size_t size)
{
    while (size) {
        struct stream_room *room = t->last;
        if (!room || room->end == sizeof room->bytes) {
            room = malloc(sizeof *room);
            if (!room)
                return false;
            room->next = NULL;
            room->begin = room->end = 0;
            *(t->last ? &t->last->next : &t->first) = room;
            t->last = room;
        }
        size_t part = sizeof room->bytes - room->end;
        part = part < size ? part : size;
        memcpy(room->bytes + room->end, bytes, part);
        room->end += (uint32_t)part;
        t->waiting += part;
        bytes += part;
        size -= part;
    }
    return true;
}

/* The usual case, for net_lwip_keeps: there is room where the last bytes are. */
static bool keep_next(void *argument, const uint8_t *bytes, size_t size)
{
    struct stream *t = argument;
    struct stream_room *room = t->last;

    if (!room || size > sizeof room->bytes - room->end || t->socket.shut[SHUT_RD])
        return false;
    memcpy(room->bytes + room->end, bytes, size);
    room->end += (uint32_t)size;
    t->waiting += size;
    return true;
}

void stream_drop_received(struct stream *t)
{
    for (struct stream_room *room = t->first, *next; room; room = next) {
        next = room->next;
        free(room);
    }
    t->first = t->last = NULL;
    t->waiting = 0;
}

/* Of a connection whose bytes there is no memory for. */
static err_t give_up(struct stream *t, struct tcp_pcb *pcb, struct pbuf *p)
{
    pbuf_free(p);
    stream_detach(t);
    t->socket.error = ENOBUFS;
    t->has_ended = true;
    tcp_abort(pcb);
    return ERR_ABRT;
}

static err_t take(struct stream *t, struct tcp_pcb *pcb, struct pbuf *p)
{
    for (const struct pbuf *q = p; q; q = q->next)
        if (!stream_keep(t, q->payload, q->len))
            return give_up(t, pcb, p);
    pbuf_free(p);
    return ERR_OK;
}

/* Data, or, as NULL, the end of it. */
static err_t received(void *argument, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    struct stream *t = argument;

    (void)error;
    if (p && t->socket.shut[SHUT_RD]) { /* nobody will read it */
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
    } else if (p) {
        return take(t, pcb, p);
    } else {
        t->has_ended = true;
        /* Both ways are shut: lwIP finishes alone, and frees the pcb without telling. */
        if (pcb->state != CLOSE_WAIT && pcb->state != ESTABLISHED && pcb->state != SYN_RCVD)
            stream_detach(t);
    }
    return ERR_OK;
}

/* The connection is over, and its pcb is gone. */
static void failed(void *argument, err_t error)
{
    struct stream *t = argument;

    t->pcb = NULL;
    if (t->state == STREAM_CONNECTING) {
        t->state = STREAM_FRESH;
        t->socket.error = error == ERR_RST  ? ECONNREFUSED
                          : net_lwip_reason ? net_lwip_reason
                                            : ETIMEDOUT;
        return;
    }
    if (error != ERR_CLSD)
        t->socket.error = error != ERR_RST ? ETIMEDOUT : t->has_ended ? EPIPE : ECONNRESET;
    t->has_ended = true;
}

err_t stream_connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct stream *t = argument;

    (void)error; /* lwIP calls it for success alone */
    tcp_poll(pcb, NULL, 0);
    t->state = STREAM_CONNECTED;
    return ERR_OK;
}

err_t stream_connects(void *argument, struct tcp_pcb *pcb)
{
    (void)argument;
    net_lwip_slow_down(pcb);
    return ERR_OK;
}

void stream_attach(struct stream *t, struct tcp_pcb *pcb)
{
    t->pcb = pcb;
    if (pcb->state == CLOSED)
        net_lwip_quicken(pcb);
    tcp_arg(pcb, t);
    tcp_recv(pcb, received);
    net_lwip_copies = received;
    net_lwip_keeps = keep_next;
    tcp_err(pcb, failed);
    stream_apply_options(t);
}

void stream_detach(struct stream *t)
{
    struct tcp_pcb *pcb = t->pcb;

    t->pcb = NULL;
    if (!pcb)
        return;
    tcp_arg(pcb, NULL);
    if (pcb->state == LISTEN)
        return;
    tcp_recv(pcb, NULL);
    tcp_err(pcb, NULL);
}

void stream_enqueue(struct stream *listener, struct stream *t, bool first)
{
    t->next = first ? listener->queue : NULL;
    if (first || !listener->queue)
        listener->queue = t;
    else
        listener->queue_last->next = t;
    if (!t->next)
        listener->queue_last = t;
    listener->queued++;
}

struct stream *stream_dequeue(struct stream *listener)
{
    struct stream *t = listener->queue;

    if (!t)
        return NULL;
    listener->queue = t->next;
    t->next = NULL;
    listener->queued--;
    return t;
}

/* Somebody has connected to a listener. */
static err_t accepted(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct stream *listener = argument, *t;

    if (error != ERR_OK || !pcb || !listener)
        return ERR_VAL;
    t = (struct stream *)socket_make(&socket_tcp);
    if (!t)
        return ERR_MEM; /* lwIP resets it */
    t->state = STREAM_CONNECTED;
    stream_inherit_options(t, listener);
    stream_attach(t, pcb);
    t->socket.is_six = listener->socket.is_six;
    t->socket.six_only = listener->socket.six_only;
    t->socket.own = stream_end(&pcb->local_ip, pcb->local_port);
    t->socket.peer = stream_end(&pcb->remote_ip, pcb->remote_port);
    stream_enqueue(listener, t, false);
    return ERR_OK;
}

/* While nobody accepts, openings are not answered: who sends them tries again. */
static bool may_open(void *argument, void *accept)
{
    const struct stream *listener = argument;
    return accept != (void *)accepted || listener->queued < listener->backlog;
}

void stream_listen(struct stream *t, struct tcp_pcb *listener)
{
    net_lwip_may_open = may_open;
    t->pcb = listener;
    t->state = STREAM_LISTENS;
    tcp_arg(listener, t);
    tcp_accept(listener, accepted);
}
