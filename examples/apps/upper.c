/*
 * Answers UDP datagrams with their text in capitals: a first application.
 *
 *   exos-cc -o upper examples/apps/upper.c
 *   aegisctl load 'udp dst port 9' --app upper       (once it is in the machine's archive)
 *
 * Frames lie in a ring in the program's own memory, from which it takes them without a system call.
 * The answer is made where the frame stands: senders and receivers change places.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/start/error.h"
#include "libos/time/time.h"

#define RING_SLOTS 64
#define PATIENCE   1000000 /* ns to wait for room in the device's queue, then drop */

static void exchange(uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t saved[8];
    memcpy(saved, a, size);
    memcpy(a, b, size);
    memcpy(b, saved, size);
}

/* Makes a datagram its own answer; false if the frame is none. */
static bool answer(uint8_t *frame, size_t length)
{
    size_t at = net_udp_offset(frame, length);
    if (!at)
        return false;

    uint8_t *udp = frame + at, *end = udp + net_get16(udp + UDP_LENGTH);
    for (uint8_t *text = udp + UDP_SIZE; text < end; text++)
        *text = (uint8_t)toupper(*text);
    net_put16(udp + UDP_CHECKSUM, 0); /* none: IPv4 allows that */
    exchange(udp + UDP_SOURCE, udp + UDP_DESTINATION, 2);
    exchange(frame + IPV4_SOURCE, frame + IPV4_DESTINATION, 4);
    exchange(frame + ETH_SOURCE, frame + ETH_DESTINATION, 6);
    return true;
}

/* Answers what the ring holds. */
static void serve(struct net *net)
{
    struct aegis_slot_header *slot;
    while ((slot = net_next(net))) {
        if (answer(net_frame(slot), slot->length))
            net_send_copy(net, net_frame(slot), slot->length, time_after(PATIENCE));
        net_release(net);
    }
}

int main(void)
{
    uint64_t seen = 0; /* changes of this program's bindings, so far */
    struct net net;

    for (;;) {
        int64_t status = net_open_next(&net, RING_SLOTS);
        if (status < 0) {
            fprintf(stderr, "upper: no ring: %s\n", aegis_strerror(status));
            return 1;
        }
        if (!status) {
            net_wait_binding(&seen, AEGIS_FOREVER);
            continue;
        }
        while (net_alive(&net)) {
            serve(&net);
            struct aegis_predicate when[] = {net_readable(&net), net_when_bindings(seen)};
            if (aegis_wait(when, 2, AEGIS_FOREVER) == 1)
                seen = aegis_env(exos.env)->bindings;
        }
        net_close(&net);
    }
}
