/*
 * late: what a program leaves of a connection over the loop interface. The peer is this program, by
 * hand, on a port's ring; the server a child of it, which lingers, closes, and ends.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/net/ipv6.h"
#include "libos/net/segment.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#include <netinet/in.h>
#include <poll.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("late: line %d: %s (errno %d)\n", __LINE__, #condition, errno);                 \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define PATIENCE 30000000000UL /* ns */
#define AGAIN    100000000UL   /* ns */
#define SERVER   4500
#define PEER     4600
#define FIRST    1001U /* our first byte's number */
#define SLOTS    32
#define FIN      1
#define SYN      2
#define RST      4
#define PSH      8
#define ACK      16

/* The peer's end. */
static struct {
    struct net_lease lease;
    struct net_ipv6 address; /* of both ends, one of IPv4 mapped */
    uint16_t port, to;
    uint32_t sent, expected;
} peer;

struct said {
    uint8_t flags;
    uint32_t number, acknowledges;
    size_t data;
};

/* Serves one: 100 bytes, a close that lingers, the end; and says by a pipe what it has done. */
static _Noreturn void serve(uint16_t port, int told)
{
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const struct linger lingers = {1, 60};
    int s = socket(AF_INET6, SOCK_STREAM, 0);
    char bytes[100] = {0};

    CHECK(s >= 0 && bind(s, (struct sockaddr *)&own, sizeof own) == 0 && listen(s, 1) == 0);
    CHECK(write(told, "1", 1) == 1);
    int c = accept(s, NULL, NULL);
    CHECK(c >= 0 && setsockopt(c, SOL_SOCKET, SO_LINGER, &lingers, sizeof lingers) == 0);
    CHECK(recv(c, bytes, 1, 0) == 1 && write(c, bytes, sizeof bytes) == sizeof bytes);
    CHECK(write(told, "2", 1) == 1);
    CHECK(close(c) == 0);
    CHECK(write(told, "3", 1) == 1);
    _exit(0);
}

/* The headers of IP and Ethernet; returns where TCP's begins. */
static uint8_t *put_ip(uint8_t *frame, size_t length)
{
    if (net_ipv6_is_mapped(&peer.address)) {
        net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
        frame[IPV4_FIRST] = NET_IPV4_PLAIN;
        net_put16(frame + IPV4_LENGTH, (uint16_t)(IPV4_LEAST + length));
        frame[IPV4_PROTOCOL - 1] = 64;
        frame[IPV4_PROTOCOL] = IPV4_TCP;
        memcpy(frame + IPV4_SOURCE, &peer.address.words[3], 4);
        memcpy(frame + IPV4_DESTINATION, &peer.address.words[3], 4);
        return frame + ETH_SIZE + IPV4_LEAST;
    }
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    net_put16(frame + IPV6_LENGTH, (uint16_t)length);
    frame[IPV6_NEXT] = IPV4_TCP;
    frame[IPV6_HOP_LIMIT] = 64;
    memcpy(frame + IPV6_SOURCE, &peer.address, sizeof peer.address);
    memcpy(frame + IPV6_DESTINATION, &peer.address, sizeof peer.address);
    return frame + ETH_SIZE + IPV6_SIZE;
}

/* A segment with `size` zeros, from number `at` on. */
static void say(uint8_t flags, uint32_t at, size_t size)
{
    static uint8_t memory[NET_FRAME_LEAD + 256] __attribute__((aligned(8)));
    uint8_t *frame = memory + NET_FRAME_LEAD, *tcp;

    memset(memory, 0, sizeof memory);
    tcp = put_ip(frame, TCP_LEAST + size);
    net_put16(tcp + UDP_SOURCE, peer.port);
    net_put16(tcp + UDP_DESTINATION, peer.to);
    net_put32(tcp + 4, at);
    net_put32(tcp + 8, flags & ACK ? peer.expected : 0);
    tcp[TCP_OFFSET] = TCP_LEAST / 4 << 4;
    tcp[TCP_OFFSET + 1] = flags;
    net_put16(tcp + 14, 8000);
    if (net_ipv6_is_mapped(&peer.address))
        net_segment_sum(frame, IPV4_LEAST + TCP_LEAST + size);
    else
        net_segment6_sum(frame, IPV6_SIZE + TCP_LEAST + size);
    size_t length = (size_t)(tcp - frame) + TCP_LEAST + size;
    CHECK(net_send_copy(&peer.lease.loop, frame, length, time_after(PATIENCE)) == 1);
}

/* The next segment that comes within so many ns; all zeros: none. */
static struct said hear_within(uint64_t ns)
{
    struct net *net = &peer.lease.loop;
    struct net_segment s;

    for (uint64_t end = time_after(ns); time_now() < end;) {
        struct aegis_slot_header *slot = net_next(net);
        if (!slot) {
            struct aegis_predicate came = net_readable(net);
            exos_wait(&came, 1, end);
            continue;
        }
        const uint8_t *frame = net_frame(slot);
        bool is_whole = net_ipv6_is_mapped(&peer.address)
                            ? net_segment_read(frame, slot->length, &s)
                            : net_segment6_read(frame, slot->length, &s);
        struct said said = {0};
        if (is_whole)
            said = (struct said){s.tcp[TCP_OFFSET + 1] & (FIN | SYN | RST | ACK),
                                 net_get32(s.tcp + 4), net_get32(s.tcp + 8), s.data};
        net_release(net);
        if (is_whole)
            return said;
    }
    return (struct said){0};
}

static struct said hear(void)
{
    struct said said = hear_within(PATIENCE);
    CHECK(said.flags);
    return said;
}

/* The answer to a segment: what comes before it is the end, said once more. */
static struct said answer(uint8_t flags, uint32_t at)
{
    struct said said;

    say(flags, at, 0);
    do
        said = hear();
    while (said.flags & FIN);
    return said;
}

static void expect(struct said said, uint8_t flags, uint32_t number, uint32_t acknowledges)
{
    CHECK(said.flags == flags && said.number == number && said.acknowledges == acknowledges);
}

static char told(int pipe)
{
    char what = 0;
    CHECK(read(pipe, &what, 1) == 1);
    return what;
}

static void open_peer(void)
{
    CHECK(net_lease_family(&peer.lease, IPV4_TCP, NET_BOTH, peer.port, SLOTS) == 0);
    CHECK(net_lease_loop(&peer.lease, SLOTS) == 0);
    say(SYN, FIRST - 1, 0);
    struct said said = hear();
    peer.expected = said.number + 1;
    expect(said, SYN | ACK, said.number, FIRST);
    say(ACK | PSH, FIRST, 1);
}

/* SO_LINGER: what was written is there, and close waits until it, and the end, is acknowledged. */
static void close_waits_for_the_last_acknowledgement(int pipe)
{
    struct pollfd more = {.fd = pipe, .events = POLLIN};
    uint32_t end = peer.expected + 100;
    struct said said;

    CHECK(told(pipe) == '2');
    do {
        said = hear();
        CHECK(!(said.flags & RST));
    } while (!(said.flags & FIN) || said.number + said.data != end);
    CHECK(poll(&more, 1, 50) == 0);
    peer.expected = end + 1;
    say(ACK, FIRST + 1, 0);
    CHECK(told(pipe) == '3');
}

static void expect_in_use(uint16_t port)
{
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int s = socket(AF_INET6, SOCK_STREAM, 0);

    CHECK(bind(s, (struct sockaddr *)&own, sizeof own) == -1 && errno == EADDRINUSE);
    CHECK(close(s) == 0);
}

/* netd acknowledges late ends until it is reset; then nobody has ever heard of it. */
static void late_ends_are_acknowledged(void)
{
    for (int i = 0; i < 2; i++)
        expect(answer(FIN | ACK, FIRST + 1), ACK, peer.expected, FIRST + 2);
    expect_in_use(peer.to);
    say(RST, FIRST + 2, 0);
    struct said said;
    int tries = 0;
    do { /* what comes before netd has looked at the reset is the old one's */
        say(FIN | ACK, FIRST + 1, 0);
        said = hear_within(AGAIN);
    } while (!said.flags && tries++ < 100);
    expect(said, RST, peer.expected, 0);
}

static void run(const char *name, const struct net_ipv6 *address)
{
    static uint16_t turn;
    int pipes[2], status;

    printf("late: %s\n", name);
    peer.address = *address;
    peer.port = (uint16_t)(PEER + turn);
    peer.to = (uint16_t)(SERVER + turn++);
    CHECK(pipe(pipes) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        serve(peer.to, pipes[1]);
    CHECK(told(pipes[0]) == '1');
    open_peer();
    close_waits_for_the_last_acknowledgement(pipes[0]);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    late_ends_are_acknowledged();
    net_lease_end(&peer.lease);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct net_ipv6 loopback = net_ipv6_mapped(htonl(INADDR_LOOPBACK)),
                          loopback6 = {{0, 0, 0, NET_WIRE32(1)}};

    CHECK(net_service());
    const struct net_ipv6 own = net_ipv6_mapped(net_service()->address);
    const struct net_ipv6_page *page = net_ipv6_look();
    CHECK(page);
    const struct net_ipv6 link = page->link;
    run("127.0.0.1", &loopback);
    run("the machine's own address", &own);
    run("::1", &loopback6);
    run("its link-local address", &link);
    printf("late: all is well\n");
    return 0;
}
