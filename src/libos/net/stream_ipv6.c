/* TCP's sockets: what of connecting is IPv6's own. */
#include <errno.h>

#include "libos/net/service.h"
#include "libos/net/stream.h"
#include "libos/time/time.h"

#define SOURCE_RETRY 20000000UL /* ns: until our address is looked at again, at most */

int stream6_check_own(const struct socket_end *end)
{
    if (!net_ipv6_page())
        return -ENETDOWN;
    return net_ipv6_is_any(&end->six) || net_ipv6_is_local(&end->six) ? 0 : -EADDRNOTAVAIL;
}

int stream6_look_for_hop(const struct socket_end *end)
{
    uint8_t mac[6];

    if (net_ipv6_is_local(&end->six))
        return 0;
    return net_ipv6_next_hop(&end->six, mac, 0) == 0 || errno == EAGAIN ? 0 : -errno;
}

int stream6_check_peer(struct socket_end *end)
{
    if (!net_ipv6_page())
        return -ENETDOWN;
    if (!end->port)
        return -EADDRNOTAVAIL;
    if (end->scope && end->scope != net_service()->netif + 1)
        return -ENODEV;
    if (net_ipv6_is_group(&end->six))
        return -ENETUNREACH;
    if (net_ipv6_is_any(&end->six)) /* to nobody is to oneself, as elsewhere */
        end->six.words[3] = NET_WIRE32(1);
    if (net_ipv6_is_local(&end->six))
        return net_find_local(IPPROTO_TCP, ntohs(end->port)) ? -errno : 0;
    return stream6_look_for_hop(end);
}

int stream6_take_source(struct stream *t, const struct socket_end *peer, uint64_t deadline)
{
    struct net_ipv6 source;

    while (net_ipv6_source(&peer->six, &source, 0)) {
        uint64_t later = time_after(SOURCE_RETRY);
        if (errno != EAGAIN)
            return -errno;
        if (time_now() >= deadline)
            return -EAGAIN;
        int error = fd_wait(&t->socket.object, NULL, 0, later < deadline ? later : deadline);
        if (error)
            return error;
    }
    if (!t->pcb || t->state != STREAM_BOUND)
        return -EALREADY; /* another thread's connect, meanwhile */
    bool was_any = ip_addr_isany(&t->pcb->local_ip);
    net_lwip_look_at_addresses();
    if (was_any)
        t->pcb->local_ip = net_lwip_address(&source);
    bool is_far = !net_ipv6_is_local(&peer->six);
    return is_far && net_ipv6_is_loopback(&t->socket.own.six) ? -EINVAL : 0;
}
