/*
 * arpd ip=ADDRESS/PREFIX[,GATEWAY]: answers ARP requests (RFC 826) for the address, on the
 * interface whose ARP frames a binding gives it. Everything else that arrives is dropped.
 */
#include <stdio.h>
#include <string.h>

#include "apps/program.h"
#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/start/error.h"
#include "libos/time/time.h"

#define RING_SLOTS   32
#define FRAME_LEAST  60      /* bytes of an Ethernet frame at least, without its check sum */
#define PATIENCE     1000000 /* ns to wait for room in the device's queue */
#define MAC          6
#define MAC_AND_IPV4 10

const char program_name[] = "arpd";
const char program_usage[] =
    "arpd ip=ADDRESS/PREFIX[,GATEWAY]  (answers ARP on the binding that loads it)";

static uint8_t self[MAC_AND_IPV4]; /* the hardware address, then the protocol address */

static bool asks_for_us(const uint8_t *frame, size_t length)
{
    static const uint8_t kind[] = {0,   1, 8, 0,
                                   MAC, 4, 0, ARP_REQUEST}; /* Ethernet, IPv4, sizes, request */
    return length >= ARP_END && net_get16(frame + ETH_TYPE) == ETH_TYPE_ARP &&
           !memcmp(frame + ARP_HARDWARE, kind, sizeof kind) &&
           !memcmp(frame + ARP_TARGET + MAC, self + MAC, sizeof self - MAC);
}

static void answer(struct net *net, const uint8_t *request)
{
    uint8_t reply[FRAME_LEAST] = {0};
    memcpy(reply, request, ARP_END);
    memcpy(reply + ETH_DESTINATION, request + ETH_SOURCE, MAC);
    memcpy(reply + ETH_SOURCE, self, MAC);
    net_put16(reply + ARP_OPERATION, ARP_REPLY);
    memcpy(reply + ARP_TARGET, request + ARP_SENDER, MAC_AND_IPV4);
    memcpy(reply + ARP_SENDER, self, sizeof self);
    net_send_copy(net, reply, sizeof reply, time_after(PATIENCE));
}

static void serve(struct net *net)
{
    struct aegis_slot_header *slot;
    while ((slot = net_next(net))) {
        if (asks_for_us(net_frame(slot), slot->length))
            answer(net, net_frame(slot));
        net_release(net);
    }
}

/* The first binding of this program; there will be one, whoever started it sees to that. */
static int open_first(struct net *net, uint64_t *seen)
{
    int64_t status;
    while ((status = net_open_next(net, RING_SLOTS)) == 0)
        net_wait_binding(seen, AEGIS_FOREVER);
    if (status < 0)
        fprintf(stderr, "arpd: no ring: %s: %s\n", aegis_error_name(status),
                aegis_strerror(status));
    return status < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct net_address address;
    struct net net;
    uint64_t seen = 0;

    take_help(argc, argv);
    if (argc != 2 || strncmp(argv[1], "ip=", 3) || !net_parse_address(argv[1] + 3, &address))
        return usage();
    for (;;) {
        if (open_first(&net, &seen))
            return 1;
        memcpy(self, (const void *)(uintptr_t)aegis_info()->netifs[net.netif].mac, MAC);
        net_put32(self + MAC, address.address);
        while (net_alive(&net)) {
            serve(&net);
            struct aegis_predicate when[] = {net_readable(&net), net_when_bindings(seen)};
            if (aegis_wait(when, 2, AEGIS_FOREVER) == 1)
                seen = aegis_env(exos.env)->bindings;
        }
        net_close(&net);
    }
}
