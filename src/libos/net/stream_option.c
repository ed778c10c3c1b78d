/* TCP's sockets: their options. */
#include <errno.h>
#include <netinet/tcp.h>

#include "libos/net/stream.h"

#define IDLE_S     7200 /* RFC 9293, 3.8.4: at least two hours unless somebody says otherwise */
#define INTERVAL_S 75
#define COUNT      9
#define CONGESTION 3 /* of the type of service: ECN's bits, which are TCP's own (RFC 3168, 5) */

void stream_begin_options(struct stream *t)
{
    if (t->keep_count)
        return;
    t->keep_idle_s = IDLE_S;
    t->keep_interval_s = INTERVAL_S;
    t->keep_count = COUNT;
    t->send_limit = TCP_SND_BUF;
    t->receive_limit = TCP_WND;
}

void stream_apply_options(const struct stream *t)
{
    struct tcp_pcb *pcb = t->pcb;

    if (!pcb)
        return;
    pcb->ttl = t->socket.ttl;
    pcb->tos = t->socket.tos;
    if (t->reuses)
        ip_set_option(pcb, SOF_REUSEADDR);
    else
        ip_reset_option(pcb, SOF_REUSEADDR);
    if (t->keep_alive)
        ip_set_option(pcb, SOF_KEEPALIVE);
    else
        ip_reset_option(pcb, SOF_KEEPALIVE);
    if (pcb->state == LISTEN)
        return;
    pcb->keep_idle = (u32_t)t->keep_idle_s * 1000;
    pcb->keep_intvl = (u32_t)t->keep_interval_s * 1000;
    pcb->keep_cnt = (u32_t)t->keep_count;
    if (t->no_delay)
        tcp_nagle_disable(pcb);
    else
        tcp_nagle_enable(pcb);
}

void stream_inherit_options(struct stream *t, const struct stream *listener)
{
    t->socket.ttl = listener->socket.ttl;
    t->socket.tos = listener->socket.tos;
    t->socket.receive_ns = listener->socket.receive_ns;
    t->socket.send_ns = listener->socket.send_ns;
    t->no_delay = listener->no_delay;
    t->keep_alive = listener->keep_alive;
    t->reuses = listener->reuses;
    t->lingers = listener->lingers;
    t->linger_s = listener->linger_s;
    t->keep_idle_s = listener->keep_idle_s;
    t->keep_interval_s = listener->keep_interval_s;
    t->keep_count = listener->keep_count;
    t->send_limit = listener->send_limit;
    t->receive_limit = listener->receive_limit;
}

static int set_linger(struct stream *t, const void *value, socklen_t size)
{
    struct linger linger;
    int error = socket_read_linger(value, size, &linger);

    if (error)
        return error;
    t->lingers = linger.l_onoff != 0;
    t->linger_s = linger.l_linger;
    return 0;
}

static int set_number(int *number, const void *value, socklen_t size, int least, int most)
{
    int wanted, error = socket_read_int(value, size, least, INT32_MAX, &wanted);
    if (!error)
        *number = wanted < most ? wanted : most;
    return error;
}

static int set_tcp(struct stream *t, int option, const void *value, socklen_t size)
{
    switch (option) {
    case TCP_NODELAY:
        return socket_read_flag(value, size, &t->no_delay);
    case TCP_KEEPIDLE:
        return socket_read_int(value, size, 1, 32767, &t->keep_idle_s);
    case TCP_KEEPINTVL:
        return socket_read_int(value, size, 1, 32767, &t->keep_interval_s);
    case TCP_KEEPCNT:
        return socket_read_int(value, size, 1, 127, &t->keep_count);
    default:
        return -ENOPROTOOPT;
    }
}

static int set_socket(struct stream *t, int option, const void *value, socklen_t size)
{
    switch (option) {
    case SO_REUSEADDR:
        return socket_read_flag(value, size, &t->reuses);
    case SO_KEEPALIVE:
        return socket_read_flag(value, size, &t->keep_alive);
    case SO_LINGER:
        return set_linger(t, value, size);
    case SO_SNDBUF:
        return set_number(&t->send_limit, value, size, 1, TCP_SND_BUF);
    case SO_RCVBUF:
        return set_number(&t->receive_limit, value, size, 1, TCP_WND);
    default:
        return -ENOPROTOOPT;
    }
}

int stream_set(struct socket *s, int level, int option, const void *value, socklen_t size)
{
    struct stream *t = (struct stream *)s;
    int error = -ENOPROTOOPT;

    stream_begin_options(t);
    if (level == IPPROTO_TCP)
        error = set_tcp(t, option, value, size);
    else if (level == SOL_SOCKET)
        error = set_socket(t, option, value, size);
    else
        error = socket_set_ip(s, level, option, value, size, CONGESTION);
    if (!error)
        stream_apply_options(t);
    return error;
}

int stream_get(struct socket *s, int level, int option, void *value, socklen_t *size)
{
    struct stream *t = (struct stream *)s;

    stream_begin_options(t);
    const struct linger linger = {t->lingers, t->linger_s};
    const struct {
        int level, option, number;
    } numbers[] = {
        {SOL_SOCKET, SO_REUSEADDR, t->reuses},
        {SOL_SOCKET, SO_KEEPALIVE, t->keep_alive},
        {SOL_SOCKET, SO_SNDBUF, t->send_limit},
        {SOL_SOCKET, SO_RCVBUF, t->receive_limit},
        {SOL_SOCKET, SO_ACCEPTCONN, t->state == STREAM_LISTENS},
        {IPPROTO_TCP, TCP_NODELAY, t->no_delay},
        {IPPROTO_TCP, TCP_MAXSEG,
         t->pcb && t->state == STREAM_CONNECTED ? tcp_mss(t->pcb) : TCP_MSS},
        {IPPROTO_TCP, TCP_KEEPIDLE, t->keep_idle_s},
        {IPPROTO_TCP, TCP_KEEPINTVL, t->keep_interval_s},
        {IPPROTO_TCP, TCP_KEEPCNT, t->keep_count},
    };

    if (level == SOL_SOCKET && option == SO_LINGER)
        return socket_write_value(value, size, &linger, sizeof linger);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].level == level && numbers[i].option == option)
            return socket_write_value(value, size, &numbers[i].number, sizeof numbers[i].number);
    return -ENOPROTOOPT;
}
