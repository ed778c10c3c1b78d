/* TCP's sockets: what lwIP tells of a connection. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/stream.h"

#define GATHER_MOST 256  /* bytes: what isn't longer is gathered behind what waits already, */
#define GATHER_ROOM 2048 /* in buffers of so many */

/*
 * Small pieces that nobody reads are put together: a segment's own buffer takes a hundred bytes
 * beside its data, and a window has room for 128 Ki segments of one byte.
 */
static bool gather(struct stream *t, const struct pbuf *p)
{
    if (!t->last || p->tot_len > GATHER_MOST)
        return false;
    if (p->tot_len > t->spare) {
        struct pbuf *room = pbuf_alloc(PBUF_RAW, GATHER_ROOM, PBUF_RAM);
        if (!room)
            return false;
        room->len = 0;
        t->last->next = room;
        t->last = room;
        t->spare = GATHER_ROOM;
    }
    pbuf_copy_partial(p, (uint8_t *)t->last->payload + t->last->len, p->tot_len, 0);
    t->last->len = (u16_t)(t->last->len + p->tot_len);
    t->spare -= p->tot_len;
    return true;
}

static void keep(struct stream *t, struct pbuf *p)
{
    t->waiting += p->tot_len;
    if (gather(t, p)) {
        pbuf_free(p);
        return;
    }
    if (t->last)
        t->last->next = p;
    else
        t->first = p;
    while (p->next)
        p = p->next;
    t->last = p;
    t->spare = 0;
}

void stream_drop_received(struct stream *t)
{
    for (struct pbuf *p = t->first, *next; p; p = next) {
        next = p->next;
        p->next = NULL;
        pbuf_free(p);
    }
    t->first = t->last = NULL;
    t->waiting = t->spare = 0;
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
        keep(t, p);
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
        t->socket.error = error == ERR_RST ? ECONNREFUSED : ETIMEDOUT;
        return;
    }
    if (error != ERR_CLSD)
        t->socket.error = error != ERR_RST ? ETIMEDOUT : t->has_ended ? EPIPE : ECONNRESET;
    t->has_ended = true;
}

err_t stream_connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct stream *t = argument;

    (void)pcb, (void)error; /* lwIP calls it for success alone */
    t->state = STREAM_CONNECTED;
    return ERR_OK;
}

void stream_attach(struct stream *t, struct tcp_pcb *pcb)
{
    t->pcb = pcb;
    tcp_arg(pcb, t);
    tcp_recv(pcb, received);
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
    t->socket.own = (struct socket_end){ip4_addr_get_u32(&pcb->local_ip), htons(pcb->local_port)};
    t->socket.peer =
        (struct socket_end){ip4_addr_get_u32(&pcb->remote_ip), htons(pcb->remote_port)};
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
