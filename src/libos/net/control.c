/* What goes along with a message: struct cmsghdr of sendmsg and recvmsg (RFC 3542, 20). */
#include <errno.h>
#include <string.h>

#include "libos/net/socket.h"

static int read_info(const struct cmsghdr *control, struct socket_message *m)
{
    struct in_pktinfo info;

    if (control->cmsg_len < CMSG_LEN(sizeof info))
        return -EINVAL;
    memcpy(&info, CMSG_DATA(control), sizeof info);
    m->is_told = true;
    m->interface = (unsigned)info.ipi_ifindex;
    m->own = socket_end_ipv4(info.ipi_spec_dst.s_addr, 0);
    return 0;
}

static int read_info6(const struct cmsghdr *control, struct socket_message *m)
{
    struct in6_pktinfo info;

    if (control->cmsg_len < CMSG_LEN(sizeof info))
        return -EINVAL;
    memcpy(&info, CMSG_DATA(control), sizeof info);
    m->is_told = true;
    m->interface = info.ipi6_ifindex;
    m->own = (struct socket_end){.is_six = true};
    memcpy(&m->own.six, &info.ipi6_addr, sizeof m->own.six);
    if (net_ipv6_is_mapped(&m->own.six))
        m->own.address = m->own.six.words[3];
    return 0;
}

int socket_read_control(const struct msghdr *message, struct socket_message *m)
{
    const uint8_t *end = (const uint8_t *)message->msg_control + message->msg_controllen;
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    int error = 0;

    for (; control && !error; control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_len < sizeof *control ||
            control->cmsg_len > (size_t)(end - (const uint8_t *)control))
            return -EINVAL;
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO)
            error = read_info(control, m);
        else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO)
            error = read_info6(control, m);
        else
            error = -EINVAL;
    }
    return error;
}

/* What there is no room for is cut, as elsewhere, and said to be. */
static void put(struct msghdr *message, int level, int type, const void *data, size_t size)
{
    struct cmsghdr *control = message->msg_control;
    size_t room = message->msg_controllen, most = CMSG_LEN(size);

    message->msg_controllen = 0;
    if (room < most)
        message->msg_flags |= MSG_CTRUNC;
    if (!control || room < sizeof *control)
        return;
    most = most < room ? most : room;
    *control =
        (struct cmsghdr){.cmsg_len = (socklen_t)most, .cmsg_level = level, .cmsg_type = type};
    if (most > CMSG_LEN(0))
        memcpy(CMSG_DATA(control), data, most - CMSG_LEN(0));
    message->msg_controllen = (socklen_t)(CMSG_SPACE(size) < room ? CMSG_SPACE(size) : room);
}

void socket_write_control(bool is_six, const struct socket_message *m, struct msghdr *message)
{
    struct in_pktinfo info = {.ipi_ifindex = (int)m->interface,
                              .ipi_spec_dst.s_addr = m->own.address,
                              .ipi_addr.s_addr = m->own.address};
    struct in6_pktinfo info6 = {.ipi6_ifindex = m->interface};
    struct net_ipv6 six = m->own.address ? net_ipv6_mapped(m->own.address) : m->own.six;

    if (!m->is_told) {
        message->msg_controllen = 0;
        return;
    }
    memcpy(&info6.ipi6_addr, &six, sizeof six);
    if (is_six)
        put(message, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof info6);
    else
        put(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
}
