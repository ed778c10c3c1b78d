/*
 * Sockets of AF_INET6: addresses of both families, the loop, who gets which datagram, options, what
 * is refused and how. QEMU's user network plays the router, fe80::2, with the prefix fec0::/64.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/net/datagram6.h"
#include "libos/net/ipv6.h"
#include "libos/net/note.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "netd.h"
#include "sockets6.h"
#include "test.h"

#define SECOND 1000000000UL

char link_local[INET6_ADDRSTRLEN], global[INET6_ADDRSTRLEN];

static struct sockaddr_in at4(const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    CHECK_EQ(inet_pton(AF_INET, address, &in.sin_addr), 1);
    return in;
}

static uint16_t port_of(int s)
{
    struct sockaddr_in6 own;
    socklen_t size = sizeof own;
    CHECK_OK(getsockname(s, (struct sockaddr *)&own, &size));
    CHECK(size == sizeof own && own.sin6_family == AF_INET6);
    return ntohs(own.sin6_port);
}

/* The machine's addresses, once the network has said which prefix it has. */
static void await_addresses(void)
{
    uint64_t limit = time_after(60 * SECOND);
    const volatile struct net_ipv6_page *page = net_ipv6_page();
    struct net_ipv6 own;

    CHECK(page);
    while (!page->global.words[0] || page->global_from_ns > time_to_ns(time_now())) {
        CHECK(time_now() < limit);
        aegis_wait(NULL, 0, time_after(SECOND / 100));
    }
    for (int i = 0; i < 4; i++)
        own.words[i] = page->global.words[i];
    CHECK(inet_ntop(AF_INET6, &own, global, sizeof global));
    CHECK(!strncmp(global, "fec0::", 6));
    for (int i = 0; i < 4; i++)
        own.words[i] = page->link.words[i];
    CHECK(inet_ntop(AF_INET6, &own, link_local, sizeof link_local));
    CHECK(!strncmp(link_local, "fe80::", 6) && !strcmp(link_local + 6, global + 6));
}

static void refusals(void)
{
    struct sockaddr_in6 in = at("2001:db8::1", 4300), any = at("::", 4300);
    struct sockaddr_in four = at4("127.0.0.1", 4300);
    int s = udp(false), t, off = 0, hops = 3;
    socklen_t size = sizeof hops;
    static char large[34561];

    CHECK_ERRNO(bind(s, AT(in)), EADDRNOTAVAIL);
    CHECK_ERRNO(bind(s, (struct sockaddr *)&any, sizeof any - 1), EINVAL);
    CHECK_ERRNO(bind(s, AT(four)), EAFNOSUPPORT);
    CHECK_ERRNO(sendto(s, "", 0, 0, AT(four)), EAFNOSUPPORT);
    CHECK_ERRNO(sendto(s, large, sizeof large, 0, AT(in)), EMSGSIZE);
    in = at("ff02::1", 9);
    CHECK_ERRNO(sendto(s, "", 0, 0, AT(in)), ENETUNREACH);
    in = at("fe80::2", 9);
    in.sin6_scope_id = 7;
    CHECK_ERRNO(sendto(s, "", 0, 0, AT(in)), ENODEV);
    in.sin6_scope_id = 1;
    CHECK_EQ(sendto(s, "abc", 3, 0, AT(in)), 3);
    CHECK_ERRNO(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), EINVAL); /* too late */
    CHECK_OK(setsockopt(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops));
    hops = 0;
    CHECK_OK(getsockopt(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, &size));
    CHECK_EQ(hops, 3);
    CHECK_OK(getsockopt(s, SOL_SOCKET, SO_DOMAIN, &hops, &size));
    CHECK_EQ(hops, AF_INET6);
    t = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERRNO(setsockopt(t, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), ENOPROTOOPT);
    CHECK_ERRNO(bind(t, AT(any)), EAFNOSUPPORT);
    CHECK_OK(close(t));
    CHECK_OK(close(s));
}

/* A port is taken for one family or for both. */
static void ports(void)
{
    struct sockaddr_in6 six = at("::", 4301), mapped = at("::ffff:127.0.0.1", 4302);
    struct sockaddr_in four = at4("0.0.0.0", 4301);
    int a = udp(true), b = socket(AF_INET, SOCK_DGRAM, 0), c = udp(false), d = udp(true);

    CHECK_OK(bind(a, AT(six)));
    CHECK_OK(bind(b, AT(four))); /* IPv4's is another one */
    CHECK_ERRNO(bind(c, AT(six)), EADDRINUSE);
    CHECK_OK(close(a));
    CHECK_ERRNO(bind(c, AT(six)), EADDRINUSE); /* for IPv4 */
    CHECK_OK(close(b));
    CHECK_OK(bind(c, AT(six)));
    CHECK_ERRNO(bind(d, AT(six)), EADDRINUSE);
    b = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERRNO(bind(b, AT(four)), EADDRINUSE);
    CHECK_OK(close(c));
    c = udp(false);
    CHECK_OK(bind(c, AT(mapped)));
    six.sin6_port = mapped.sin6_port;
    CHECK_OK(bind(d, AT(six)));
    close(b), close(c), close(d);
}

/* Sends `text` to an address, and finds it at `to` as from another, which it returns. */
static struct sockaddr_in6 carry(int from, const char *address, uint16_t port, int to)
{
    struct sockaddr_in6 in = at(address, port), source;
    socklen_t size = sizeof source;
    char text[8] = "";

    CHECK_EQ(sendto(from, "abc", 3, 0, AT(in)), 3);
    CHECK_EQ(recvfrom(to, text, sizeof text, MSG_DONTWAIT, (struct sockaddr *)&source, &size), 3);
    CHECK(!strcmp(text, "abc"));
    CHECK(size == sizeof source && source.sin6_family == AF_INET6);
    CHECK_EQ(ntohs(source.sin6_port), port_of(from));
    return source;
}

/* What is sent to the machine's own addresses comes over the loop interface, as in IPv4. */
static void own_addresses(void)
{
    int a = bound("::1", 4310), b = udp(false), c = bound("::", 4311);
    struct sockaddr_in6 source = carry(b, "::1", 4310, a), outside = at("fec0::2", 9);
    static char large[1452], got[1452];

    CHECK(is(&source.sin6_addr, "::1") && source.sin6_scope_id == 0);
    carry(a, "::1", port_of(b), b);
    CHECK_ERRNO(sendto(a, "abc", 3, 0, AT(outside)), EINVAL);
    source = carry(b, global, 4311, c);
    CHECK(is(&source.sin6_addr, global));
    source = carry(b, link_local, 4311, c);
    CHECK(is(&source.sin6_addr, link_local) && source.sin6_scope_id == 1);
    source = at(global, 4310); /* a has ::1 alone */
    CHECK_EQ(sendto(b, "abc", 3, 0, AT(source)), 3);
    CHECK_ERRNO(recv(a, got, sizeof got, MSG_DONTWAIT), EAGAIN);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 5);
    source = at("::1", 4311);
    CHECK_EQ(sendto(a, large, sizeof large, 0, AT(source)), sizeof large);
    CHECK_EQ(recv(c, got, sizeof got, 0), sizeof got);
    CHECK(!memcmp(large, got, sizeof got));
    close(a), close(b), close(c);
}

static void connecting(void)
{
    struct sockaddr_in6 peer = at("::1", 4321), seen;
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    int a = udp(false), b = bound("::", 4321), c = bound("::", 4322);
    socklen_t size = sizeof seen;
    char got[8];

    CHECK_ERRNO(getpeername(a, (struct sockaddr *)&seen, &size), ENOTCONN);
    CHECK_OK(connect(a, AT(peer)));
    CHECK_OK(getsockname(a, (struct sockaddr *)&seen, &size));
    CHECK(is(&seen.sin6_addr, "::1"));
    CHECK_OK(getpeername(a, (struct sockaddr *)&seen, &size));
    CHECK(is(&seen.sin6_addr, "::1") && seen.sin6_port == htons(4321));
    seen = at("::1", port_of(a));
    CHECK_EQ(sendto(c, "abc", 3, 0, AT(seen)), 3); /* from another */
    CHECK_ERRNO(recv(a, got, sizeof got, MSG_DONTWAIT), EAGAIN);
    carry(b, "::1", port_of(a), a);
    CHECK_OK(connect(a, &none, sizeof none));
    carry(c, "::1", port_of(a), a);
    peer = at("fec0::2", 9);
    CHECK_OK(connect(a, AT(peer)));
    CHECK_OK(getsockname(a, (struct sockaddr *)&seen, &size));
    CHECK(is(&seen.sin6_addr, global));
    CHECK_EQ(send(a, "abc", 3, 0), 3);
    close(a), close(b), close(c);
}

/* One socket for both families, and one that wants IPv6 alone. */
static void mapped_addresses(void)
{
    int a = bound("::", 4330), b = bound("::ffff:127.0.0.1", 4331), c = udp(true);
    int four = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = at4("127.0.0.1", 4330), from;
    struct sockaddr_in6 in = at("::", 4332), peer = at("::ffff:127.0.0.1", 4330), seen;
    socklen_t size = sizeof seen;
    char got[8];

    CHECK_EQ(sendto(four, "abc", 3, 0, AT(to)), 3);
    CHECK_EQ(recvfrom(a, got, sizeof got, 0, (struct sockaddr *)&seen, &size), 3);
    CHECK(IN6_IS_ADDR_V4MAPPED(&seen.sin6_addr) && is(&seen.sin6_addr, "::ffff:127.0.0.1"));
    CHECK_EQ(sendto(a, "back", 4, 0, AT(seen)), 4);
    size = sizeof from;
    CHECK_EQ(recvfrom(four, got, sizeof got, 0, (struct sockaddr *)&from, &size), 4);
    CHECK(from.sin_family == AF_INET && from.sin_port == htons(4330));
    seen = carry(b, "::ffff:127.0.0.1", 4330, a);
    CHECK(is(&seen.sin6_addr, "::ffff:127.0.0.1"));
    CHECK_ERRNO(sendto(b, "abc", 3, 0, AT(in)), ENETUNREACH); /* it has IPv4's port alone */
    CHECK_OK(bind(c, AT(in)));
    to.sin_port = htons(4332);
    CHECK_EQ(sendto(four, "abc", 3, 0, AT(to)), 3);
    CHECK_ERRNO(recv(c, got, sizeof got, MSG_DONTWAIT), EAGAIN);
    CHECK_OK(connect(b, AT(peer)));
    size = sizeof seen;
    CHECK_OK(getpeername(b, (struct sockaddr *)&seen, &size));
    CHECK(is(&seen.sin6_addr, "::ffff:127.0.0.1"));
    close(a), close(b), close(c), close(four);
}

/* A port's filter on the loop interface tells ::1 by its lower half, which others' addresses may
 * have as well: what a program sends there in the name of such a machine is nobody's. */
static void the_name_of_another_machine(void)
{
    static uint8_t frame[NET_FRAME_LEAD + NET_DATAGRAM6_HEADERS] __attribute__((aligned(8)));
    const uint8_t none[6] = {0};
    struct net_datagram6 d = {.source = {{NET_WIRE32(0x20010db8), 0, 0, NET_WIRE32(1)}},
                              .destination = {{0, 0, 0, NET_WIRE32(1)}},
                              .source_port = htons(4340),
                              .destination_port = htons(4341)};
    struct net_lease lease;
    int a = bound("::", 4341);
    char got[8];

    CHECK_OK(net_lease_family(&lease, IPPROTO_UDP, NET_IPV6, 4340, 4));
    CHECK_OK(net_lease_loop(&lease, 4));
    for (int is_own = 0; is_own < 2; is_own++) {
        if (is_own)
            d.source = d.destination;
        size_t length = net_datagram6_write(frame + NET_FRAME_LEAD, &d, none, none, 64);
        CHECK_EQ(net_send_copy(&lease.loop, frame + NET_FRAME_LEAD, length, AEGIS_FOREVER), 1);
        CHECK_EQ(recv(a, got, sizeof got, MSG_DONTWAIT), is_own - 1);
    }
    net_lease_end(&lease);
    close(a);
}

/* Notes are netd's: what another program says in the peer's name, even who has the peer's port, and
 * over the loop interface, ends no conversation; pieces are who has the port's to send. */
static void notes_of_other_programs(void)
{
    static uint8_t frame[AEGIS_FRAME_MAX];
    struct net_lease lease;
    char got[8];

    CHECK_OK(net_lease_family(&lease, IPPROTO_UDP, NET_BOTH, 4350, 4));
    CHECK_OK(net_lease_loop(&lease, 4));
    for (int i = 0; i < 4; i++) {
        bool is_six = i % 2, is_error = i / 2;
        int error = -1;
        struct sockaddr_in6 peer = at(is_six ? "::1" : "::ffff:127.0.0.1", 4350);
        int a = udp(false);
        socklen_t size = sizeof error;
        CHECK_OK(connect(a, AT(peer)));
        struct net_note note = {.kind = is_error ? NOTE_ERROR : NOTE_PIECE,
                                .protocol = IPPROTO_UDP,
                                .type = is_six ? NOTE6_UNREACHABLE : 3,
                                .code = is_six ? 4 : 3,
                                .total = 3,
                                .source_port = htons(4350),
                                .destination_port = htons(port_of(a)),
                                .payload = (const uint8_t *)"abc",
                                .size = 3};
        memcpy(&note.source, &peer.sin6_addr, sizeof note.source);
        note.destination = note.source;
        size_t length = net_note_write(frame, &note);
        CHECK_EQ(net_send_copy(&lease.loop, frame, length, AEGIS_FOREVER), 1);
        if (!is_six || !is_error) /* in IPv4 an error is a datagram of the peer's, with an option */
            CHECK_EQ(recv(a, got, sizeof got, MSG_DONTWAIT), is_error ? 0 : 3);
        CHECK_ERRNO(recv(a, got, sizeof got, MSG_DONTWAIT), EAGAIN);
        CHECK_OK(getsockopt(a, SOL_SOCKET, SO_ERROR, &error, &size));
        CHECK_EQ(error, 0);
        close(a);
    }
    struct net_note note = {.kind = NOTE_PIECE, /* to be sent in the name of another port */
                            .protocol = IPPROTO_UDP,
                            .source = net_ipv6_mapped(net_service()->address),
                            .destination = net_ipv6_mapped(htonl(0x0a000202)),
                            .source_port = htons(4351),
                            .total = 3,
                            .payload = (const uint8_t *)"abc",
                            .size = 3};
    CHECK(net_send_copy(&lease.loop, frame, net_note_write(frame, &note), AEGIS_FOREVER) < 1);
    note.source_port = htons(4350);
    CHECK_EQ(net_send_copy(&lease.loop, frame, net_note_write(frame, &note), AEGIS_FOREVER), 1);
    net_lease_end(&lease);
}

static char long_one[35000], long_got[36000];

/* Sends so many bytes and finds them at the other end, as from the port that sent them. */
static void carry_long(int from, const struct sockaddr_in6 *in, size_t size, int to)
{
    struct sockaddr_in6 source;
    socklen_t length = sizeof source;

    for (size_t i = 0; i < size; i++)
        long_one[i] = (char)rand();
    CHECK_EQ(sendto(from, long_one, size, 0, AT(*in)), (ssize_t)size);
    CHECK_EQ(sendto(from, "abc", 3, 0, AT(*in)), 3);
    CHECK_EQ(recv(to, long_got, 9, MSG_DONTWAIT | MSG_PEEK), 9);
    CHECK_EQ(recvfrom(to, long_got, sizeof long_got, MSG_DONTWAIT, (void *)&source, &length),
             (ssize_t)size);
    CHECK_EQ(memcmp(long_one, long_got, size), 0);
    CHECK_EQ(ntohs(source.sin6_port), port_of(from));
    CHECK_EQ(memcmp(&source.sin6_addr, &in->sin6_addr, sizeof in->sin6_addr), 0);
    CHECK_EQ(recv(to, long_got, sizeof long_got, MSG_DONTWAIT), 3); /* in their order */
    CHECK_ERRNO(recv(to, long_got, sizeof long_got, MSG_DONTWAIT), EAGAIN);
}

/* Over the loop interface. */
static void datagrams_larger_than_a_frame(void)
{
    static const size_t sizes[] = {1453, 1473, 2000, 8192, 34560};
    int a = bound("::", 4360), b = udp(false);

    for (int is_six = 0; is_six < 2; is_six++) {
        struct sockaddr_in6 in = at(is_six ? "::1" : "::ffff:127.0.0.1", 4360);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            carry_long(b, &in, sizes[i], a);
        CHECK_ERRNO(sendto(b, long_one, 34561, 0, AT(in)), EMSGSIZE);
        for (int i = 0; i < 12; i++) /* so that the ring has room for a part of it alone */
            CHECK_EQ(sendto(b, "abc", 3, 0, AT(in)), 3);
        CHECK_EQ(sendto(b, long_one, 34560, 0, AT(in)), 34560);
        for (int i = 0; i < 12; i++)
            CHECK_EQ(recv(a, long_got, sizeof long_got, MSG_DONTWAIT), 3);
        CHECK_ERRNO(recv(a, long_got, sizeof long_got, MSG_DONTWAIT), EAGAIN);
        carry_long(b, &in, 5000, a);
    }
    close(a), close(b);
}

/* The first or second half of a datagram, "abcdef", from a port to 4370. */
static void send_half(uint16_t port, bool is_second)
{
    static uint8_t frame[AEGIS_FRAME_MAX];
    struct net_note note = {.kind = NOTE_PIECE,
                            .protocol = IPPROTO_UDP,
                            .at = is_second ? 3 : 0,
                            .total = 6,
                            .source_port = htons(port),
                            .destination_port = htons(4370),
                            .source = net_ipv6_mapped(htonl(INADDR_LOOPBACK)),
                            .destination = net_ipv6_mapped(htonl(INADDR_LOOPBACK)),
                            .payload = (const uint8_t *)(is_second ? "def" : "abc"),
                            .size = 3};
    struct net_lease lease;

    CHECK_OK(net_lease_family(&lease, IPPROTO_UDP, NET_IPV4, port, 4));
    CHECK_OK(net_lease_loop(&lease, 4));
    CHECK_EQ(net_send_copy(&lease.loop, frame, net_note_write(frame, &note), AEGIS_FOREVER), 1);
    net_lease_end(&lease);
}

static void pieces_of_another_program_between(void)
{
    int a = bound("::", 4370), status = -1;
    char got[8] = "";

    send_half(4371, false);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        send_half(4372, false);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    send_half(4371, true);
    CHECK_EQ(recv(a, got, sizeof got, MSG_DONTWAIT), 6);
    CHECK(!strcmp(got, "abcdef"));
    close(a);
}

int main(void)
{
    if (aegis_info()->netif_count == 0)
        return 0;
    netd_start();
    netd_introduce();
    await_addresses();
    refusals();
    ports();
    own_addresses();
    connecting();
    addresses_go_along();
    interfaces_have_addresses();
    mapped_addresses();
    the_name_of_another_machine();
    notes_of_other_programs();
    datagrams_larger_than_a_frame();
    pieces_of_another_program_between();
    netd_end();
    return 0;
}
