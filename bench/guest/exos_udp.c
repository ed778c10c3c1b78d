/* Row ipc/udp_loopback on ExOS: two applications, each with a ring on the loop interface. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/guest/measure.h"
#include "libos/net/datagram.h"
#include "libos/net/filter.h"
#include "libos/net/service.h"
#include "libos/proc/session.h"
#include "libos/vm/vm.h"

#define LOCALHOST 0x7f000001
#define PORT      4000 /* the peer's; this side's is the next */
#define SLOTS     8
#define BYTES     60

static void fail(const char *what)
{
    printf("bench: udp_loopback: %s\n", what);
    exit(1);
}

/* The first program owns the loop interface, and its child has a capability for it. */
static struct aegis_cap root;

static void open_in_root(struct net *net, uint16_t port)
{
    const struct net_port_range ports = {
        .protocol = IPV4_UDP, .address = LOCALHOST, .low = port, .high = port, .is_loop = true};
    struct net_filter received, sent;
    struct aegis_net_binding request = {.parent = root};

    net_filter_received(&received, &ports);
    net_filter_sent(&sent, &ports);
    request.ingress = received.words;
    request.ingress_size = received.size;
    request.egress = sent.words;
    request.egress_size = sent.size;
    int64_t binding = net_bind(&request);
    if (binding < 0 || net_open(net, (uint32_t)binding, SLOTS))
        fail("no binding");
}

static void open_end(struct net *net, uint16_t port)
{
    static struct net_lease lease;

    if (root.name) {
        open_in_root(net, port);
        return;
    }
    if (net_lease(&lease, IPV4_UDP, port, SLOTS) || net_lease_loop(&lease, SLOTS))
        fail("no port");
    *net = lease.loop;
}

/* Sends a datagram of BYTES bytes, which lie in the frame already, from one port to another. */
static void send_datagram(const struct net *net, uint8_t *frame, uint16_t from, uint16_t to)
{
    static const uint8_t none[6] __attribute__((aligned(2)));
    const struct net_datagram d = {.source = __builtin_bswap32(LOCALHOST),
                                   .destination = __builtin_bswap32(LOCALHOST),
                                   .source_port = __builtin_bswap16(from),
                                   .destination_port = __builtin_bswap16(to),
                                   .size = BYTES};
    size_t length = net_datagram_write(frame, &d, none, none, 64);
    if (net_send(net, &(struct aegis_frame_out){frame, length}, 1) != 1)
        fail("not sent");
}

/* Waits for a datagram, giving the slices to whom it will come from, and checks it. */
static struct aegis_slot_header *receive(struct net *net, uint32_t peer, struct net_datagram *d)
{
    struct aegis_slot_header *slot;

    while (!(slot = net_next(net)))
        aegis_yield_bare(peer);
    if (!net_datagram_read(net_frame(slot), slot->length, d) || d->size != BYTES)
        fail("a wrong datagram");
    return slot;
}

static _Noreturn void echo(uint32_t parent, volatile uint64_t *ready)
{
    struct net net;
    struct net_datagram d;

    open_end(&net, PORT);
    *ready = 1;
    for (;;) { /* the answer leaves from the slot in which the question came */
        struct aegis_slot_header *slot = receive(&net, parent, &d);
        send_datagram(&net, net_frame(slot), PORT, PORT + 1);
        net_release(&net);
    }
}

static uint64_t run_loopback(uint64_t n)
{
    static uint8_t memory[NET_FRAME_LEAD + NET_DATAGRAM_HEADERS + BYTES]
        __attribute__((aligned(8)));
    static struct net net;
    static uint32_t peer;
    struct net_datagram d;

    if (!net.ring) {
        volatile uint64_t *ready = vm_shared_alloc(1);
        if (!ready)
            fail("no memory");
        if (exos.boot)
            aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netif_count, AEGIS_RIGHT_DELEGATE,
                           &root);
        pid_t pid = fork();
        if (pid < 0)
            fail("fork");
        if (pid == 0)
            echo(proc_env(getppid(), NULL), ready);
        open_end(&net, PORT + 1);
        peer = proc_env(pid, NULL);
        while (!*ready)
            aegis_yield(peer);
    }
    return COUNT_LOOP(n, {
        send_datagram(&net, memory + NET_FRAME_LEAD, PORT + 1, PORT);
        receive(&net, peer, &d);
        net_release(&net);
    });
}

const struct row exos_udp_rows[] = {
    {"ipc", "udp_loopback", 100, run_loopback},
    {NULL, NULL, 0, NULL},
};
