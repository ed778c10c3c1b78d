/*
 * Stream sockets of AF_INET6, over the loop interface: whom a listener hears, what ends are called,
 * what is refused; and bytes. QEMU's user network plays the router.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/net/ipv6.h"
#include "libos/net/segment.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "lwip/priv/tcp_priv.h"
#include "netd.h"
#include "test.h"

#define CHECK_ERRNO(call, wanted)                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK_EQ((call), -1);                                                                      \
        CHECK_EQ(errno, wanted);                                                                   \
    } while (0)
#define AT(variable) (struct sockaddr *)&(variable), sizeof(variable)
#define SECOND       1000000000UL
#define LARGE        100000

static char link_local[INET6_ADDRSTRLEN], global[INET6_ADDRSTRLEN];

static struct sockaddr_in6 at(const char *address, uint16_t port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    CHECK_EQ(inet_pton(AF_INET6, address, &in.sin6_addr), 1);
    return in;
}

static int stream(int family)
{
    int s = socket(family, SOCK_STREAM, 0);
    CHECK(s >= 0);
    return s;
}

static int listener(const char *address, uint16_t port, int only)
{
    struct sockaddr_in6 in = at(address, port);
    int s = stream(AF_INET6), one = 1;
    CHECK_OK(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only));
    CHECK_OK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
    CHECK_OK(bind(s, AT(in)));
    CHECK_OK(listen(s, 5));
    return s;
}

static bool is(const struct sockaddr_in6 *in, const char *text)
{
    char own[INET6_ADDRSTRLEN];
    return in->sin6_family == AF_INET6 && inet_ntop(AF_INET6, &in->sin6_addr, own, sizeof own) &&
           !strcmp(own, text);
}

/* The machine's addresses, once the network has said which prefix it has. */
static void await_addresses(void)
{
    uint64_t limit = time_after(60 * SECOND);
    const struct net_ipv6_page *page = net_ipv6_look();

    CHECK(page);
    while (!page->global.words[0] || page->global_from_ns > time_to_ns(time_now())) {
        CHECK(time_now() < limit);
        aegis_wait(NULL, 0, time_after(SECOND / 100));
        page = net_ipv6_look();
    }
    CHECK(inet_ntop(AF_INET6, &page->global, global, sizeof global));
    CHECK(inet_ntop(AF_INET6, &page->link, link_local, sizeof link_local));
}

/* A connection to a listener, told at both ends as it should be; bytes go both ways. */
static void talk(int l, const char *to, uint16_t port, const char *from)
{
    struct sockaddr_in6 in = at(to, port), seen;
    socklen_t size = sizeof seen;
    int c = stream(AF_INET6), s;
    char text[16] = "";

    CHECK_OK(connect(c, AT(in)));
    CHECK_OK(getpeername(c, (struct sockaddr *)&seen, &size));
    CHECK(is(&seen, to) && seen.sin6_port == in.sin6_port);
    CHECK_OK(getsockname(c, (struct sockaddr *)&seen, &size));
    CHECK(size == sizeof seen && is(&seen, from));
    in_port_t own = seen.sin6_port;
    s = accept(l, (struct sockaddr *)&seen, &size);
    CHECK(s >= 0 && size == sizeof seen);
    CHECK(is(&seen, from) && seen.sin6_port == own);
    CHECK_OK(getsockname(s, (struct sockaddr *)&seen, &size));
    CHECK(is(&seen, to) && ntohs(seen.sin6_port) == port);
    CHECK_EQ(send(c, "question", 8, 0), 8);
    CHECK_EQ(recv(s, text, 8, MSG_WAITALL), 8);
    CHECK(!memcmp(text, "question", 8));
    CHECK_EQ(send(s, "answer", 6, 0), 6);
    CHECK_OK(shutdown(s, SHUT_WR));
    CHECK_EQ(recv(c, text, sizeof text, MSG_WAITALL), 6);
    CHECK(!memcmp(text, "answer", 6));
    CHECK_OK(close(c));
    CHECK_EQ(recv(s, text, sizeof text, 0), 0);
    CHECK_OK(close(s));
}

/* Both ends at once, more than windows and buffers hold: poll says when. */
static void move_much(int l, const char *to, uint16_t port)
{
    static unsigned char out[LARGE], in[LARGE];
    struct sockaddr_in6 peer = at(to, port);
    int c = stream(AF_INET6), s;
    size_t sent = 0, got = 0;

    for (size_t i = 0; i < LARGE; i++)
        out[i] = (unsigned char)(i * 7 + i / 251);
    CHECK_OK(connect(c, AT(peer)));
    CHECK((s = accept(l, NULL, NULL)) >= 0);
    while (got < LARGE) {
        struct pollfd polled[] = {{.fd = sent < LARGE ? c : -1, .events = POLLOUT},
                                  {.fd = s, .events = POLLIN}};
        CHECK(poll(polled, 2, 60000) > 0);
        if (polled[0].revents) {
            ssize_t n = send(c, out + sent, LARGE - sent, MSG_DONTWAIT);
            CHECK(n > 0);
            sent += (size_t)n;
        }
        if (polled[1].revents) {
            ssize_t n = recv(s, in + got, LARGE - got, 0);
            CHECK(n > 0);
            got += (size_t)n;
        }
    }
    CHECK(!memcmp(in, out, LARGE));
    CHECK_OK(close(c));
    CHECK_OK(close(s));
}

static void one_listener_for_both_families(void)
{
    int l = listener("::", 4400, 0), c = stream(AF_INET), s;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(4400)};
    struct sockaddr_in6 seen;
    socklen_t size = sizeof seen;

    talk(l, "::1", 4400, "::1");
    talk(l, global, 4400, global);
    talk(l, link_local, 4400, link_local);
    talk(l, "::ffff:127.0.0.1", 4400, "::ffff:127.0.0.1");
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_OK(connect(c, AT(four)));
    CHECK((s = accept(l, (struct sockaddr *)&seen, &size)) >= 0);
    CHECK(is(&seen, "::ffff:127.0.0.1"));
    close(c), close(s);
    move_much(l, "::1", 4400);
    move_much(l, global, 4400);
    CHECK_OK(close(l));
}

static void who_is_not_heard_is_refused(void)
{
    int a = listener("::1", 4401, 0), b = listener("::", 4402, 1);
    int l = listener("::ffff:127.0.0.1", 4403, 0), c;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(4402)};
    struct sockaddr_in6 in = at(global, 4401), nobody = at("::1", 4404), six = at("::1", 4403);

    talk(a, "::1", 4401, "::1");
    CHECK_ERRNO(connect(c = stream(AF_INET6), AT(in)), ECONNREFUSED); /* it has ::1 alone */
    close(c);
    CHECK_ERRNO(connect(c = stream(AF_INET6), AT(nobody)), ECONNREFUSED);
    close(c);
    talk(b, "::1", 4402, "::1");
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_ERRNO(connect(c = stream(AF_INET), AT(four)), ECONNREFUSED); /* it wants IPv6 alone */
    close(c);
    talk(l, "::ffff:127.0.0.1", 4403, "::ffff:127.0.0.1");
    CHECK_ERRNO(connect(c = stream(AF_INET6), AT(six)), ECONNREFUSED); /* and this one IPv4 */
    close(c);
    close(a), close(b), close(l);
}

static void refusals(void)
{
    struct sockaddr_in6 in = at("2001:db8::1", 4410), group = at("ff02::1", 7);
    struct sockaddr_in6 zone = at("fe80::2", 7), any = at("::", 4411);
    struct sockaddr_in four = {.sin_family = AF_INET};
    int s = stream(AF_INET6), l = listener("::", 4411, 0), c = stream(AF_INET6), hops = 9;
    socklen_t size = sizeof hops;

    CHECK_ERRNO(bind(s, AT(in)), EADDRNOTAVAIL);
    CHECK_ERRNO(bind(s, AT(four)), EAFNOSUPPORT);
    CHECK_ERRNO(connect(s, AT(four)), EAFNOSUPPORT);
    CHECK_ERRNO(connect(s, AT(group)), ENETUNREACH);
    zone.sin6_scope_id = 9;
    CHECK_ERRNO(connect(s, AT(zone)), ENODEV);
    CHECK_OK(connect(c, AT(any))); /* to nobody is to oneself */
    CHECK_OK(setsockopt(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops));
    hops = 0;
    CHECK_OK(getsockopt(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, &size));
    CHECK_EQ(hops, 9);
    close(s), close(l), close(c);
}

/* Over the loop interface, as netd sends what it has put together: is a connection opened? A
 * program's filter lets it have any prefix, so the library sees to it; what comes from here opens a
 * connection. */
static void openings_in_the_name_of_another_machine(void)
{
    static const struct net_ipv6 loopback = {{0, 0, 0, NET_WIRE32(1)}};
    static uint8_t space[NET_FRAME_LEAD + AEGIS_HEADER_COPY] __attribute__((aligned(8)));
    uint8_t *frame = space + NET_FRAME_LEAD, *tcp = frame + ETH_SIZE + IPV6_SIZE;
    struct net_ipv6 source = {{NET_WIRE32(0x20010db8)}};
    struct pollfd listens = {.fd = listener("::1", 4421, 1), .events = POLLIN};
    struct net_lease lease;

    net_ipv6_link_local(net_service()->mac, &source);
    source.words[0] = NET_WIRE32(0x20010db8);
    CHECK_OK(net_lease_family(&lease, IPPROTO_TCP, NET_IPV6, 4420, 4));
    CHECK_OK(net_lease_loop(&lease, 4));
    for (int is_own = 0; is_own < 2; is_own++) {
        memset(space, 0, sizeof space);
        net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
        net_put32(frame + IPV6_FIRST, 0x60000000);
        net_put16(frame + IPV6_LENGTH, TCP_LEAST);
        frame[IPV6_NEXT] = IPPROTO_TCP;
        memcpy(frame + IPV6_SOURCE, is_own ? &loopback : &source, sizeof source);
        memcpy(frame + IPV6_DESTINATION, &loopback, sizeof loopback);
        net_put16(tcp, 4420);
        net_put16(tcp + 2, 4421);
        net_put16(tcp + TCP_OFFSET, 0x5002); /* SYN */
        net_segment6_sum(frame, IPV6_SIZE + TCP_LEAST);
        CHECK_EQ(net_send_copy(&lease.loop, frame, ETH_SIZE + IPV6_SIZE + TCP_LEAST, AEGIS_FOREVER),
                 1);
        CHECK_EQ(poll(&listens, 1, 0), 0);
        CHECK_EQ(tcp_active_pcbs != NULL, is_own);
    }
    net_lease_end(&lease);
    close(listens.fd);
}

int main(void)
{
    if (aegis_info()->netif_count == 0)
        return 0;
    netd_start();
    netd_introduce();
    await_addresses();
    openings_in_the_name_of_another_machine();
    refusals();
    one_listener_for_both_families();
    who_is_not_heard_is_refused();
    netd_end();
    return 0;
}
