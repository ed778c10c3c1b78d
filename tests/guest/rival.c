/* The kinds of rivals: each does for ever what could cost others more than its slices. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ash/ash.h"
#include "libos/net/filter.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/service.h"
#include "libos/start/calls.h"
#include "libos/start/error.h"
#include "rivals.h"

static _Noreturn void compute(void)
{
    for (;;)
        __asm__ volatile("");
}

static void compute_twice(void)
{
    fork();
    compute();
}

static int opened(int type, uint16_t port)
{
    struct sockaddr_in in = rivals_at("0.0.0.0", port);
    int s = socket(AF_INET, type, 0);

    if (s < 0 || bind(s, AT(in)))
        rivals_give_up("a rival's port");
    return s;
}

/* A datagram after the other, of some size. */
static _Noreturn void flood(const char *address, uint16_t port)
{
    struct sockaddr_in to = rivals_at(address, port);
    static char bytes[1000];
    int s = opened(SOCK_DGRAM, 0);

    fcntl(s, F_SETFL, O_NONBLOCK);
    for (size_t i = 0;; i++)
        sendto(s, bytes, i % sizeof bytes, 0, AT(to));
}

static void flood_echo(void)
{
    flood("127.0.0.1", ECHO_PORT);
}

static void flood_closed(void)
{
    flood("127.0.0.1", CLOSED);
}

static void flood_device(void)
{
    flood(GATEWAY, 9);
}

/* Connections that are begun, and given up by a reset. */
static void flood_listener(void)
{
    struct sockaddr_in to = rivals_at("127.0.0.1", ECHO_PORT);
    struct linger reset = {.l_onoff = 1};

    for (;;) {
        int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(s, AT(to));
        setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(s);
    }
}

static void take_ports(void)
{
    for (;;) {
        struct sockaddr_in in = rivals_at("0.0.0.0", 0);
        int s = socket(AF_INET, SOCK_DGRAM, 0);
        bind(s, AT(in)); /* or not: others may have all */
        close(s);
    }
}

/* netd is asked as fast as it answers, and never waited for. */
static void ask(void)
{
    if (!net_service())
        rivals_give_up("netd");
    for (;;) {
        uint64_t words[GATE_WORDS] = {NETD_TAKE, (uint64_t)IPV4_UDP << 16};
        if (net_ask(words) == 0) {
            words[0] = NETD_LEAVE;
            words[1] = AEGIS_CAP_INDEX(words[2]);
            net_ask(words);
        }
    }
}

/* Binds and unbinds inside its own port, and tries again when somebody else binds. */
static void bind_frames(void)
{
    struct net_lease lease;
    struct net_filter received, sent;
    struct net_port_range range = {.protocol = IPV4_UDP, .family = NET_IPV4};
    struct aegis_net_binding request = {0};
    const struct net_host *host = net_service();

    if (!host || net_lease(&lease, IPV4_UDP, 0, 8) ||
        aegis_cap_mint(AEGIS_KIND_BINDING, lease.net.binding, AEGIS_RIGHT_DELEGATE,
                       &request.parent))
        rivals_give_up("a port to bind in");
    memcpy(range.mac, host->mac, sizeof range.mac);
    range.address = __builtin_bswap32(host->address);
    range.low = range.high = lease.port;
    net_filter_received(&received, &range);
    net_filter_sent(&sent, &range);
    request.ingress = received.words;
    request.ingress_size = received.size;
    request.egress = sent.words;
    request.egress_size = sent.size;
    for (;;) {
        int64_t binding = aegis_net_bind(&request);
        if (binding >= 0)
            aegis_net_unbind((uint32_t)binding);
        else if (binding != -AEGIS_E_BUSY)
            rivals_give_up(aegis_strerror(binding));
    }
}

/* A handler of so many instructions, the last of which loads from nowhere if it `aborts`. */
#define HANDLER_INSNS 500

static int64_t download(bool aborts)
{
    static struct {
        struct ash_header header;
        struct ash_insn insns[HANDLER_INSNS];
    } image __attribute__((aligned(8)));
    const struct aegis_handler_request request = {.image = &image, .image_size = sizeof image};

    image.header = (struct ash_header){.magic = ASH_MAGIC,
                                       .version = ASH_VERSION,
                                       .event = ASH_EVENT_FRAME,
                                       .insns = HANDLER_INSNS,
                                       .name = "rival"};
    for (int i = 0; i < HANDLER_INSNS - 2; i++)
        image.insns[i] = (struct ash_insn){0xb7, 1, 0, i}; /* r1 = i */
    if (aborts)
        image.insns[HANDLER_INSNS - 3] = (struct ash_insn){0x79, 0x12, 0, 0}; /* r2 = *r1 */
    image.insns[HANDLER_INSNS - 2] = (struct ash_insn){0xb7, 0, 0, ASH_DROP};
    image.insns[HANDLER_INSNS - 1] = (struct ash_insn){0x95, 0, 0, 0};
    return aegis_handler_load(&request);
}

static void download_handlers(void)
{
    for (;;) {
        int64_t handler = download(false);
        if (handler >= 0)
            aegis_handler_unload((uint32_t)handler);
        else if (handler != -AEGIS_E_BUSY)
            rivals_give_up(aegis_strerror(handler));
    }
}

/* Its own frames abort its handler, which it binds again after the last strike. */
static void abort_handlers(void)
{
    int s = opened(SOCK_DGRAM, RIVAL_PORT);
    struct sockaddr_in to = rivals_at("127.0.0.1", RIVAL_PORT);
    int64_t handler;
    uint32_t binding = 0;

    while ((handler = download(true)) == -AEGIS_E_BUSY)
        aegis_yield(0);
    for (uint32_t b = 0; b < aegis_info()->binding_count; b++)
        if (aegis_binding(b)->owner == exos.env &&
            aegis_binding(b)->netif == aegis_info()->netif_count)
            binding = b;
    if (handler < 0 || !binding)
        rivals_give_up("a handler that aborts");
    for (;;) {
        aegis_handler_bind((uint32_t)handler, binding);
        for (int i = 0; i < AEGIS_STRIKES; i++)
            sendto(s, "", 1, 0, AT(to));
    }
}

static _Noreturn void be_born_and_die(void (*live)(void))
{
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) {
            live();
            raise(SIGKILL);
        }
        if (pid > 0)
            waitpid(pid, NULL, 0);
    }
}

static void nothing(void)
{
}

static void die(void)
{
    be_born_and_die(nothing);
}

/* A port, and a connection that is being opened. */
static void begin_something(void)
{
    struct sockaddr_in to = rivals_at("127.0.0.1", ECHO_PORT);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    opened(SOCK_DGRAM, 0);
    connect(s, AT(to));
}

static void die_with_ports(void)
{
    be_born_and_die(begin_something);
}

/* Takes what comes to its ports, and computes. */
static void be_flooded(void)
{
    static char bytes[2048];
    int s = opened(SOCK_DGRAM, RIVAL_PORT), listener = opened(SOCK_STREAM, RIVAL_PORT);

    listen(listener, 16);
    for (;;) {
        int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (accepted >= 0)
            close(accepted);
        recv(s, bytes, sizeof bytes, MSG_DONTWAIT);
    }
}

const struct rival rivals[] = {
    {"compute", compute, 1},
    {"compute-twice", compute_twice, 2},
    {"flood-echo", flood_echo, 1},
    {"flood-closed", flood_closed, 1},
    {"flood-device", flood_device, 1},
    {"flood-listener", flood_listener, 1},
    {"take-ports", take_ports, 1},
    {"ask", ask, 1},
    {"bind", bind_frames, 1},
    {"download", download_handlers, 1},
    {"abort", abort_handlers, 1},
    {"die", die, 2},
    {"die-with-ports", die_with_ports, 2},
    {"be-flooded", be_flooded, 1},
};
const int rival_count = sizeof rivals / sizeof *rivals;
