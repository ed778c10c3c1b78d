/*
 * tcpecho: sends back what comes over TCP connections to a port, by lwIP's own interface on this
 * program's rings. What the peer doesn't take yet isn't acknowledged to it either, so that it
 * stops.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/lwip/lwip.h"
#include "libos/start/start.h"
#include "lwip/tcp.h"

struct connection {
    struct tcp_pcb *pcb;
    struct pbuf *waiting; /* received, and not sent back yet */
    bool is_over;         /* the peer sends nothing more */
};

static void forget(struct connection *c)
{
    if (c->waiting)
        pbuf_free(c->waiting);
    free(c);
}

/* Both ways are done: a close that has no memory is tried again by poll. */
static err_t finish(struct connection *c)
{
    struct tcp_pcb *pcb = c->pcb;

    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    forget(c);
    if (tcp_close(pcb) == ERR_OK)
        return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* Sends back as much as there is room for. */
static err_t pump(struct connection *c)
{
    while (c->waiting) {
        struct pbuf *p = c->waiting;
        u16_t size = p->len < tcp_sndbuf(c->pcb) ? p->len : (u16_t)tcp_sndbuf(c->pcb);
        if (!size || tcp_write(c->pcb, p->payload, size, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        tcp_recved(c->pcb, size);
        c->waiting = pbuf_free_header(p, size);
    }
    if (c->is_over && !c->waiting)
        return finish(c);
    tcp_output(c->pcb);
    return ERR_OK;
}

static err_t receive(void *argument, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    struct connection *c = argument;

    (void)pcb, (void)error;
    if (!p)
        c->is_over = true;
    else if (c->waiting)
        pbuf_cat(c->waiting, p);
    else
        c->waiting = p;
    return pump(c);
}

static err_t sent(void *argument, struct tcp_pcb *pcb, u16_t size)
{
    (void)pcb, (void)size;
    return pump(argument);
}

static err_t poll_connection(void *argument, struct tcp_pcb *pcb)
{
    (void)pcb;
    return pump(argument);
}

static void failed(void *argument, err_t error)
{
    (void)error; /* a reset, or no memory: the connection is gone already */
    forget(argument);
}

static err_t accept_connection(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct connection *c = error == ERR_OK && pcb ? calloc(1, sizeof *c) : NULL;

    (void)argument;
    if (!c)
        return ERR_MEM; /* lwIP resets it */
    c->pcb = pcb;
    tcp_arg(pcb, c);
    tcp_recv(pcb, receive);
    tcp_sent(pcb, sent);
    tcp_err(pcb, failed);
    tcp_poll(pcb, poll_connection, 2);
    tcp_nagle_disable(pcb);
    return ERR_OK;
}

static int listen_on(uint16_t port)
{
    struct tcp_pcb *pcb;

    if (net_lwip_begin() || net_lwip_open(port) < 0)
        return -1;
    pcb = tcp_new();
    errno = ENOMEM;
    if (!pcb || tcp_bind(pcb, IP_ADDR_ANY, port) != ERR_OK)
        return -1;
    pcb = tcp_listen(pcb);
    if (!pcb)
        return -1;
    tcp_accept(pcb, accept_connection);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned long port = argc == 2 ? strtoul(argv[1], NULL, 10) : 7;

    if (argc > 2 || port < 1 || port > 65535) {
        fprintf(stderr, "usage: tcpecho [PORT]\n");
        return 2;
    }
    if (listen_on((uint16_t)port)) {
        perror("tcpecho: port");
        return 1;
    }
    printf("tcpecho: port %lu\n", port);
    for (;;)
        if (!net_lwip_serve())
            net_lwip_wait(AEGIS_FOREVER);
}
