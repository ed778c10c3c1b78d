/*
 * kv: a key-value store over UDP (kv.h says what its clients send). GETs are answered in the kernel
 * by a handler that reads this program's table; SETs and DELETEs come to its ring, and so does what
 * comes in IPv6, or over the loop interface.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/program.h"
#include "kv/wire.h"
#include "libos/net/handler.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/service.h"
#include "libos/start/error.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#define RING_SLOTS 64
#define FEW_SLOTS  16        /* of rings to which no GETs come from outside */
#define PATIENCE   2000000UL /* ns for room in the device's queue: answers may be lost */

/* handlers/get.c, as ashc compiled it. */
extern const char kv_get_image[], kv_get_image_end[];

/* The port of each family: IPv4's frames find their handler as fast as if it were the only one. */
static struct net_lease leases[2];
static bool has_loop;
static struct store store;

/* GETs come to the ring until it is bound, and are answered there. A negated enum aegis_error. */
static int64_t begin(void)
{
    struct net_handler get;
    int64_t status = net_handler_open(&get, kv_get_image, kv_get_image_end);

    if (status < 0)
        return status;
    store.table = net_handler_map(&get, "table");
    uint64_t *seed = net_handler_map(&get, ".data");
    aegis_entropy(seed, sizeof *seed);
    store.seed = *seed;
    status = net_handler_load(&get);
    return status < 0 ? status : aegis_handler_bind((uint32_t)status, leases[0].net.binding);
}

static bool is_local4(uint32_t address)
{
    return net_is_local(net_service(), address);
}

static void serve(struct net *net, bool is_loop)
{
    static const uint8_t none[6] __attribute__((aligned(2)));
    static struct {
        uint8_t lead[NET_FRAME_LEAD];
        uint8_t frame[WIRE_MAX];
    } out __attribute__((aligned(8)));
    const struct wire wire = {.mac = is_loop ? none : net_service()->mac,
                              .is_loop = is_loop,
                              .is_local4 = is_local4,
                              .is_local6 = net_ipv6_is_local};
    struct aegis_slot_header *slot;

    while ((slot = net_next(net))) {
        size_t length = wire_answer(&store, &wire, net_frame(slot), slot->length, out.frame);
        if (length)
            net_send_copy(net, out.frame, length, time_after(PATIENCE));
        net_release(net);
    }
}

const char program_name[] = "kv";
const char program_usage[] = "kv [PORT]  (a table of keys and values over UDP)";

int main(int argc, char **argv)
{
    long port = argc == 2 ? number(argv[1], 1, UINT16_MAX) : KV_PORT;

    take_help(argc, argv);
    if (argc > 2 || port < 0)
        return usage();
    if (net_lease_family(&leases[0], IPV4_UDP, NET_IPV4, (uint16_t)port, RING_SLOTS) ||
        net_lease_family(&leases[1], IPV4_UDP, NET_IPV6, (uint16_t)port, FEW_SLOTS)) {
        perror("kv: port");
        return 1;
    }
    has_loop = net_lease_loop(&leases[0], FEW_SLOTS) == 0 && /* of the first interface alone */
               net_lease_loop(&leases[1], FEW_SLOTS) == 0;
    int64_t status = begin();
    if (status < 0) {
        fprintf(stderr, "kv: handler: %s\n", aegis_strerror(status));
        return 1;
    }
    printf("kv: port %ld\n", port);
    fflush(stdout);
    for (;;) {
        uint64_t seen = aegis_env(exos.env)->frames; /* of all rings */
        for (int i = 0; i < 2; i++) {
            serve(&leases[i].net, false);
            if (has_loop)
                serve(&leases[i].loop, true);
        }
        struct aegis_predicate when = AEGIS_WHEN(aegis_env(exos.env)->frames, NE, seen);
        exos_wait(&when, 1, AEGIS_FOREVER);
    }
}
