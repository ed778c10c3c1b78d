/* UDP's sockets: the addresses of their two ends. */
#include <errno.h>

#include "libos/net/udp.h"

int udp_bind(struct socket *s, const struct socket_end *end)
{
    struct udp *u = (struct udp *)s;

    if (socket_end_is_ipv6(end))
        return udp6_bind(u, end);
    int error = u->has_lease ? -EINVAL : socket_check_own(end->address);
    u->wanted = 1 + NET_IPV4;
    if (!error)
        error = udp_take_port(u, end->port);
    if (!error && (error = udp_open_loop(u, UDP_SLOTS)) == -ENETUNREACH)
        error = udp_is_loopback(end->address) ? -EADDRNOTAVAIL : 0;
    if (error)
        return error;
    s->own.address = end->address;
    u->has_address = end->address != INADDR_ANY;
    return 0;
}

int udp_connect(struct socket *s, const struct socket_end *end)
{
    struct udp *u = (struct udp *)s;

    u->path = 0;
    if (!end->port) {
        s->peer = *end;
        s->own = u->has_address ? s->own : (struct socket_end){.port = s->own.port};
        return 0;
    }
    if (socket_end_is_ipv6(end))
        return udp6_connect(u, end);
    int error = udp_take_port(u, 0);
    bool is_local = !error && net_is_local(net_service(), end->address);
    if (!error)
        error = udp_open_loop(u, is_local ? UDP_SLOTS : UDP_NOTE_SLOTS);
    if (error && (is_local || !u->has_lease))
        return error;
    s->peer = *end;
    if (!u->has_address)
        s->own.address = udp_source_towards(end->address);
    return 0;
}
