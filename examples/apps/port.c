/*
 * Takes a UDP port by itself and sends back what comes there: the packet interface below sockets.
 *
 *   exos-cc -o port examples/apps/port.c
 *   aegisctl start port 9       (once it is in the machine's archive)
 *
 * netd leases the port, whose frames come into a ring in this program's memory. They are taken
 * without a system call, turned round where they lie, and up to AEGIS_SEND_MAX leave by one call.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/headers.h"
#include "libos/net/service.h"
#include "libos/time/time.h"

#define RING_SLOTS 64
#define PATIENCE   1000000 /* ns to wait for room in the device's queue, then drop */

static void exchange(uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t saved[6];

    memcpy(saved, a, size);
    memcpy(a, b, size);
    memcpy(b, saved, size);
}

/* Makes a datagram its own answer; false if the frame is none. The sums stay right. */
static bool turn_round(uint8_t *frame, size_t length)
{
    size_t udp = net_udp_offset(frame, length);

    if (!udp)
        return false;
    exchange(frame + udp + UDP_SOURCE, frame + udp + UDP_DESTINATION, 2);
    exchange(frame + IPV4_SOURCE, frame + IPV4_DESTINATION, 4);
    exchange(frame + ETH_SOURCE, frame + ETH_DESTINATION, 6);
    return true;
}

/* Answers what waits in the ring, as far as one call takes it. */
static void serve(struct net *net)
{
    struct aegis_frame_out batch[AEGIS_SEND_MAX];
    uint64_t head = net_head(net), tail = net->tail, count = 0;

    for (; tail != head && count < AEGIS_SEND_MAX; tail++) {
        struct aegis_slot_header *slot = net_slot(net, tail);
        uint8_t *frame = net_frame(slot);
        if (!turn_round(frame, slot->length))
            continue;
        if (slot->length <= AEGIS_HEADER_COPY) /* which the kernel copies: the slot is free again */
            batch[count++] = (struct aegis_frame_out){frame, slot->length};
        else /* which the device reads later, from a page of the library's */
            net_send_copy(net, frame, slot->length, time_after(PATIENCE));
    }
    if (count)
        net_send(net, batch, count); /* what finds no room is dropped, as UDP may */
    net_release_to(net, tail);
}

int main(int argc, char **argv)
{
    unsigned long port = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    struct net_lease lease;

    if (port < 1 || port > UINT16_MAX) {
        fprintf(stderr, "usage: port PORT  (1 to 65535)\n");
        return 2;
    }
    if (net_lease(&lease, IPV4_UDP, (uint16_t)port, RING_SLOTS)) {
        fprintf(stderr, "port: %lu: %s\n", port, strerror(errno));
        return 1;
    }
    printf("port: %lu\n", port);
    while (net_alive(&lease.net)) {
        struct aegis_predicate frames = net_readable(&lease.net);
        aegis_wait(&frames, 1, AEGIS_FOREVER);
        serve(&lease.net);
    }
    return 0; /* netd has taken the port back: the machine has another address */
}
