/* What goes along with datagrams in IPv6, and which addresses there are. */
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include "sockets6.h"

/* By recvmsg: where a datagram came to. */
static struct in6_pktinfo receive_info(int s)
{
    unsigned char room[CMSG_SPACE(sizeof(struct in6_pktinfo))] __attribute__((aligned(8)));
    char bytes[8];
    struct iovec vector = {bytes, sizeof bytes};
    struct msghdr m = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct in6_pktinfo info = {.ipi6_ifindex = 0};

    CHECK_EQ(recvmsg(s, &m, 0), 1);
    const struct cmsghdr *control = CMSG_FIRSTHDR(&m);
    CHECK(control && control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO);
    CHECK_EQ(control->cmsg_len, CMSG_LEN(sizeof info));
    memcpy(&info, CMSG_DATA(control), sizeof info);
    return info;
}

static ssize_t send_from(int s, const struct sockaddr_in6 *to, const char *from, unsigned interface)
{
    unsigned char room[CMSG_SPACE(sizeof(struct in6_pktinfo))] __attribute__((aligned(8))) = {0};
    struct in6_pktinfo info = {.ipi6_ifindex = interface};
    struct iovec vector = {(void *)(uintptr_t) "x", 1};
    struct msghdr m = {.msg_name = (void *)(uintptr_t)to,
                       .msg_namelen = sizeof *to,
                       .msg_iov = &vector,
                       .msg_iovlen = 1,
                       .msg_control = room,
                       .msg_controllen = sizeof room};

    CHECK_EQ(inet_pton(AF_INET6, from, &info.ipi6_addr), 1);
    *(struct cmsghdr *)room = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
    memcpy(CMSG_DATA(room), &info, sizeof info);
    return sendmsg(s, &m, 0);
}

/* RFC 3542, 6: an answer can come from where the question went to. */
void addresses_go_along(void)
{
    int a = bound("::", 4340), b = bound("::", 4341), one = 1;
    unsigned lo = if_nametoindex("lo");
    struct sockaddr_in6 to = at(global, 4340), seen;
    socklen_t size = sizeof seen;
    char byte;

    CHECK_OK(setsockopt(a, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one));
    CHECK_EQ(sendto(b, "x", 1, 0, AT(to)), 1);
    struct in6_pktinfo info = receive_info(a);
    CHECK(is(&info.ipi6_addr, global) && info.ipi6_ifindex == lo);
    to = at("::1", 4340);
    CHECK_EQ(send_from(b, &to, global, 0), 1);
    CHECK_EQ(recvfrom(a, &byte, 1, MSG_PEEK, (struct sockaddr *)&seen, &size), 1);
    CHECK(is(&seen.sin6_addr, global));
    info = receive_info(a);
    CHECK(is(&info.ipi6_addr, "::1"));
    to = at("::ffff:127.0.0.1", 4340);
    CHECK_EQ(send_from(b, &to, "::ffff:127.0.0.5", lo), 1);
    info = receive_info(a);
    CHECK(is(&info.ipi6_addr, "::ffff:127.0.0.1"));
    CHECK_ERRNO(send_from(b, &to, "::ffff:127.0.0.5", 99), ENODEV);
    CHECK_ERRNO(send_from(b, &to, "::ffff:192.0.2.1", 0), EINVAL);
    to = at("fec0::2", 9);
    CHECK_ERRNO(send_from(b, &to, "2001:db8::1", 0), EINVAL);
    CHECK_ERRNO(send_from(b, &to, "::1", 0), EINVAL);
    CHECK_OK(setsockopt(b, IPPROTO_IPV6, IPV6_TCLASS, &(int){0xb8}, sizeof one));
    size = sizeof one;
    CHECK_OK(getsockopt(b, IPPROTO_IPV6, IPV6_TCLASS, &one, &size));
    CHECK_EQ(one, 0xb8);
    CHECK_ERRNO(setsockopt(b, IPPROTO_IPV6, IPV6_TCLASS, &(int){256}, sizeof one), EINVAL);
    close(a), close(b);
}

static bool has_address(const struct ifaddrs *list, const char *name, const char *address)
{
    for (; list; list = list->ifa_next) {
        char text[INET6_ADDRSTRLEN] = "";
        if (list->ifa_addr->sa_family == AF_INET)
            inet_ntop(AF_INET, &((struct sockaddr_in *)list->ifa_addr)->sin_addr, text,
                      sizeof text);
        else
            inet_ntop(AF_INET6, &((struct sockaddr_in6 *)list->ifa_addr)->sin6_addr, text,
                      sizeof text);
        if (!strcmp(text, address))
            return !strcmp(list->ifa_name, name) && list->ifa_flags & IFF_UP && list->ifa_netmask;
    }
    return false;
}

void interfaces_have_addresses(void)
{
    struct ifaddrs *list;

    CHECK_OK(getifaddrs(&list));
    CHECK(has_address(list, "lo", "127.0.0.1") && has_address(list, "lo", "::1"));
    CHECK(has_address(list, "net0", "10.0.2.15") && has_address(list, "net0", link_local));
    CHECK(has_address(list, "net0", global) && !has_address(list, "net0", "127.0.0.1"));
    for (const struct ifaddrs *i = list; i; i = i->ifa_next)
        if (i->ifa_flags & IFF_BROADCAST && i->ifa_addr->sa_family == AF_INET)
            CHECK_EQ(((struct sockaddr_in *)i->ifa_broadaddr)->sin_addr.s_addr, htonl(0x0a0002ff));
    freeifaddrs(list);
}
