/*
 * The limit: what one UDP echo costs on this machine when nothing protects anything.
 *
 * A program for S-mode under OpenSBI on QEMU virt that answers ARP for its address and UDP
 * datagrams to port 7, and nothing else. It has no kernel, no address translation, no copies and no
 * checks beyond what makes an answer right: the buffer in which the device put a frame is turned
 * round in place and given back to the device. Between frames it sleeps in wfi. So no system that
 * protects its applications can be faster with the same device, and ci/bench holds all of them
 * against it.
 *
 * The virtio specification is version 1.2; section numbers in the comments are its.
 */
#include <stdbool.h>
#include <stddef.h>
#include "bench/bare/bare.h"
#include "bench/limit/frame.h"
#include "bench/limit/virtio.h"

#define GUEST_ADDRESS 0x0f02000aU /* 10.0.2.15, as it lies in memory */

static uint8_t buffers[QUEUE_SIZE][BUFFER_SIZE] __attribute__((aligned(64)));
static struct queue rx, tx;

/*
 * Both queues describe the same buffers under the same indices: frame i came in as receive
 * descriptor i and leaves as send descriptor i, of which only the length is ever written again.
 */
static void describe_buffers(void)
{
    for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
        rx.descriptors[i] = (struct descriptor){(uint64_t)buffers[i], BUFFER_SIZE, DESC_WRITE, 0};
        tx.descriptors[i] = (struct descriptor){(uint64_t)buffers[i], 0, 0, 0};
        queue_offer(&rx, i);
    }
}

/* Gives the buffers of frames that have left back to the receive queue. */
static void reclaim(void)
{
    while (queue_has_used(&tx))
        queue_offer(&rx, (uint16_t)queue_take(&tx)->id);
    tx.available.used_event =
        (uint16_t)(tx.taken - 1); /* passed already: no interrupts for sending */
}

/* Answers the frame in buffer i, or lets the device have the buffer for another. */
static void serve(const struct used_element *used)
{
    uint16_t i = (uint16_t)used->id;
    struct frame *frame = (struct frame *)(buffers[i] + NET_HEADER);
    uint32_t length = used->length - NET_HEADER;
    if (frame_answer(frame, length, GUEST_ADDRESS, net_mac)) {
        __builtin_memset(buffers[i], 0, NET_HEADER);
        tx.descriptors[i].length = used->length;
        queue_offer(&tx, i);
    } else {
        queue_offer(&rx, i);
    }
}

int main(void)
{
    if (!net_start(&rx, &tx)) {
        sbi_puts("limit: no virtio-net device of version 2; start QEMU with -global "
                 "virtio-mmio.force-legacy=false -device virtio-net-device\n");
        return 1;
    }
    describe_buffers();
    net_publish(&rx, QUEUE_RX);
    sbi_puts("limit: 10.0.2.15 answers UDP port 7\n");
    for (;;) {
        reclaim();
        while (queue_has_used(&rx))
            serve(queue_take(&rx));
        net_publish(&tx, QUEUE_TX);
        net_publish(&rx, QUEUE_RX);
        /* Ask for an interrupt at the next frame, then look again: it may have come before we
         * asked. */
        rx.available.used_event = rx.taken;
        barrier();
        if (!queue_has_used(&rx))
            net_sleep();
    }
}
