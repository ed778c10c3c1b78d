/* UDP's sockets: their options, and what goes along with a datagram. */
#include <errno.h>
#include <net/if.h>

#include "libos/net/udp.h"

static int set_any(struct udp *u, int option, const void *value, socklen_t size)
{
    int number;

    switch (option) {
    case SO_REUSEADDR: /* a port comes free with its socket: there is nothing to wait for */
        return socket_read_flag(value, size, &u->reuses);
    case SO_KEEPALIVE:
        return socket_read_flag(value, size, &u->keep_alive);
    case SO_LINGER:
        return socket_read_linger(value, size, &u->linger);
    case SO_SNDBUF: /* frames go straight to the device */
    case SO_RCVBUF: /* the ring has its size */
        return socket_read_int(value, size, 0, INT32_MAX, &number);
    default:
        return -ENOPROTOOPT;
    }
}

int udp_set(struct socket *s, int level, int option, const void *value, socklen_t size)
{
    struct udp *u = (struct udp *)s;

    if (level == SOL_SOCKET)
        return set_any(u, option, value, size);
    if ((level == IPPROTO_IP && option == IP_PKTINFO && !s->is_six) ||
        (level == IPPROTO_IPV6 && option == IPV6_RECVPKTINFO && s->is_six))
        return socket_read_flag(value, size, &u->tells_info);
    return -ENOPROTOOPT;
}

/* SO_ERROR tells what is known by now. */
int udp_get(struct socket *s, int level, int option, void *value, socklen_t *size)
{
    struct udp *u = (struct udp *)s;
    const int flags[] = {u->reuses, u->keep_alive, u->tells_info};
    const int *flag = NULL;

    if (level == SOL_SOCKET && option == SO_ERROR)
        udp_look_for_notes(u);
    if (level == SOL_SOCKET && option == SO_LINGER)
        return socket_write_value(value, size, &u->linger, sizeof u->linger);
    if (level == SOL_SOCKET)
        flag = option == SO_REUSEADDR ? &flags[0] : option == SO_KEEPALIVE ? &flags[1] : NULL;
    else if ((level == IPPROTO_IP && option == IP_PKTINFO && !s->is_six) ||
             (level == IPPROTO_IPV6 && option == IPV6_RECVPKTINFO))
        flag = &flags[2];
    else if (level == IPPROTO_IPV6)
        return udp6_get(u, option, value, size);
    return flag ? socket_write_value(value, size, flag, sizeof *flag) : -ENOPROTOOPT;
}

static unsigned loop_interface(void)
{
    return if_nametoindex("lo");
}

void udp_tell_info(const struct udp *u, const struct net_datagram *d, struct socket_transfer *t)
{
    struct socket_message *m = socket_message_of(t);
    bool is_loop = u->from && udp_is_from_loop(u);

    m->is_told = u->tells_info;
    m->interface = is_loop ? loop_interface() : net_service()->netif + 1U;
    m->own = socket_end_ipv4(u->is_from_six ? 0 : d->destination, 0);
    if (u->is_from_six)
        m->own.six = u->from ? u->receiver : u->whole->destination;
}

int udp_find_info(struct udp *u, struct socket_transfer *t, const struct socket_end **source)
{
    const struct socket_message *m = socket_message_of(t);
    bool is_six = socket_end_is_ipv6(t->has_end ? &t->end : &u->socket.peer);
    const struct socket_end *own = &m->own;

    if (!m->is_told)
        return 0;
    if (m->interface && m->interface != net_service()->netif + 1U &&
        m->interface != loop_interface())
        return -ENODEV;
    if (is_six ? net_ipv6_is_any(&own->six) : !own->address)
        return 0;
    if (is_six ? !net_ipv6_is_local(&own->six) : !net_is_local(net_service(), own->address))
        return -EINVAL;
    *source = own;
    return 0;
}
