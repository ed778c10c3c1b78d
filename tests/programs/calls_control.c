/* What goes along with a datagram: struct cmsghdr, IP_PKTINFO. */
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"

union room {
    struct cmsghdr aligned;
    unsigned char bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + 16];
};

static struct msghdr message_of(struct iovec *vector, union room *room, size_t size)
{
    return (struct msghdr){
        .msg_iov = vector, .msg_iovlen = 1, .msg_control = room, .msg_controllen = size};
}

/* Receives one, with `size` bytes of room. */
static void receive(int fd, size_t size)
{
    char bytes[8];
    struct iovec vector = {bytes, sizeof bytes};
    struct in_pktinfo info;
    union room room;
    struct msghdr message = message_of(&vector, &room, size);

    memset(&room, 0xee, sizeof room);
    calls_await(fd, POLLIN);
    TRY(recvmsg(fd, &message, 0));
    TELL(message.msg_flags == 0);
    TELL(message.msg_flags == MSG_CTRUNC);
    struct cmsghdr *control = CMSG_FIRSTHDR(&message);
    TELL(message.msg_controllen != 0);
    TELL(control != NULL);
    if (!control || message.msg_controllen < CMSG_LEN(sizeof info))
        return;
    TELL(message.msg_controllen == CMSG_SPACE(sizeof info));
    TELL(control->cmsg_level == IPPROTO_IP);
    TELL(control->cmsg_type == IP_PKTINFO);
    TELL(control->cmsg_len == CMSG_LEN(sizeof info));
    memcpy(&info, CMSG_DATA(control), sizeof info);
    TELL(info.ipi_ifindex == (int)if_nametoindex("lo"));
    TELL(ntohl(info.ipi_addr.s_addr));
    TELL(ntohl(info.ipi_spec_dst.s_addr));
    TELL(CMSG_NXTHDR(&message, control) == NULL);
}

static void receives(void)
{
    int ends[2], one = 1;
    socklen_t size = sizeof one;

    calls_begin("IP_PKTINFO");
    calls_pair_of_datagrams(ends);
    TRY(send(ends[0], "x", 1, 0));
    receive(ends[1], sizeof(union room));
    TRY(setsockopt(ends[1], IPPROTO_IP, IP_PKTINFO, &one, sizeof one));
    one = 0;
    TRY(getsockopt(ends[1], IPPROTO_IP, IP_PKTINFO, &one, &size));
    TELL(one);
    for (int i = 0; i < 5; i++)
        TRY(send(ends[0], "x", 1, 0));
    receive(ends[1], sizeof(union room));
    receive(ends[1], CMSG_SPACE(sizeof(struct in_pktinfo)));
    receive(ends[1], CMSG_LEN(sizeof(struct in_pktinfo)) - 4);
    receive(ends[1], 4);
    receive(ends[1], 0);
    close(ends[0]), close(ends[1]);
}

/* Sends one that says where it comes from; what the receiver sees. */
static long send_from(int fd, struct in_pktinfo info, size_t length)
{
    struct iovec vector = {(void *)"x", 1};
    union room room;
    struct msghdr message = message_of(&vector, &room, CMSG_SPACE(sizeof info));
    struct cmsghdr *control = CMSG_FIRSTHDR(&message);

    memset(&room, 0, sizeof room);
    control->cmsg_level = IPPROTO_IP;
    control->cmsg_type = IP_PKTINFO;
    control->cmsg_len = length;
    memcpy(CMSG_DATA(control), &info, sizeof info);
    return sendmsg(fd, &message, 0);
}

static void sends(void)
{
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = inet_addr("127.0.0.9")};
    const size_t whole = CMSG_LEN(sizeof info);
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    int ends[2];
    char byte;

    calls_begin("sendmsg with IP_PKTINFO");
    calls_pair_of_datagrams(ends);
    TRY(send_from(ends[0], info, whole));
    calls_await(ends[1], POLLIN);
    TRY(recvfrom(ends[1], &byte, 1, 0, P(from), &size));
    TELL(ntohl(from.sin_addr.s_addr));
    info.ipi_ifindex = (int)if_nametoindex("lo");
    info.ipi_spec_dst.s_addr = 0;
    TRY(send_from(ends[0], info, whole));
    calls_await(ends[1], POLLIN);
    TRY(recvfrom(ends[1], &byte, 1, 0, P(from), &size));
    TELL(ntohl(from.sin_addr.s_addr));
    info.ipi_ifindex = 0;
    TRY(send_from(ends[0], info, whole - 1));
    TRY(send_from(ends[0], info, 3));
    TRY(send_from(ends[0], info, 1000));
    info.ipi_spec_dst.s_addr = 0;
    info.ipi_ifindex = 7777;
    TRY(send_from(ends[0], info, whole));
    close(ends[0]), close(ends[1]);
}

void calls_control(void)
{
    receives();
    sends();
}
