/*
 * kv: a key-value store over UDP (kv.h says what its clients send). GETs are answered in the kernel
 * by a handler that reads this program's table; SETs and DELETEs come to its ring.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/program.h"
#include "kv/request.h"
#include "libos/net/datagram.h"
#include "libos/net/handler.h"
#include "libos/net/headers.h"
#include "libos/net/service.h"
#include "libos/start/error.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#define RING_SLOTS 64
#define TTL        64
#define PATIENCE   2000000UL /* ns for room in the device's queue: answers may be lost */

/* handlers/get.c, as ashc compiled it. */
extern const char kv_get_image[], kv_get_image_end[];

static struct net_lease lease;
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
    return status < 0 ? status : aegis_handler_bind((uint32_t)status, lease.net.binding);
}

/* To where it came from: no neighbour has to be known, so no sender can make this program wait. */
static void answer(const uint8_t *frame, const struct net_datagram *asked)
{
    static struct {
        uint8_t lead[NET_FRAME_LEAD];
        uint8_t frame[NET_DATAGRAM_HEADERS + KV_ANSWER_MAX];
    } out __attribute__((aligned(8)));
    struct net_datagram d = {.source = asked->destination,
                             .destination = asked->source,
                             .source_port = asked->destination_port,
                             .destination_port = asked->source_port};

    d.size = kv_serve(&store, asked->payload, asked->size, out.frame + NET_DATAGRAM_HEADERS);
    if (!d.size)
        return;
    size_t length = net_datagram_write(out.frame, &d, frame + ETH_SOURCE, net_service()->mac, TTL);
    net_send_copy(&lease.net, out.frame, length, time_after(PATIENCE));
}

static void serve(void)
{
    struct aegis_slot_header *slot;
    struct net_datagram d;

    while ((slot = net_next(&lease.net))) {
        if (net_datagram_read(net_frame(slot), slot->length, &d))
            answer(net_frame(slot), &d);
        net_release(&lease.net);
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
    if (net_lease(&lease, IPV4_UDP, (uint16_t)port, RING_SLOTS)) {
        perror("kv: port");
        return 1;
    }
    int64_t status = begin();
    if (status < 0) {
        fprintf(stderr, "kv: handler: %s\n", aegis_strerror(status));
        return 1;
    }
    printf("kv: port %ld\n", port);
    fflush(stdout);
    for (;;) {
        serve();
        struct aegis_predicate when = net_readable(&lease.net);
        exos_wait(&when, 1, AEGIS_FOREVER);
    }
}
