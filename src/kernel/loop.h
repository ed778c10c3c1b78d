/*
 * The loop interface: frames between applications of one machine. What is sent on it is classified,
 * shown to taps, handled and put into rings as what a device receives, at once, in the sender's
 * call and on its time.
 *
 * A frame that a handler sends back (TX) waits in a queue for its own turn: at the end of that call
 * if the call has instructions left, else at a slice boundary, where its sender is charged. So
 * handlers that answer each other never nest; they end after LOOP_HOPS turns, and no environment
 * has more than its share of the queue.
 *
 * Invariant: each of the buffers is in one place, spare or queue; what waits was sent by an
 * environment that is there, and has turned LOOP_HOPS times at most.
 */
#ifndef AEGIS_KERNEL_LOOP_H
#define AEGIS_KERNEL_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/check/hard.h"
#include "kernel/netif.h"
#include "kernel/user.h"

#define LOOP_QUEUE   HARD(16, 4)
#define LOOP_SHARE   HARD(4, 2) /* places of one environment's */
#define LOOP_HOPS    8          /* handlers that may send a frame on */
#define LOOP_BUFFERS (LOOP_QUEUE + 1)

/* A frame, at NIC_BUFFER_FRAME of a buffer. */
struct loop_frame {
    uint8_t *buffer;
    uint32_t env; /* who has sent it */
    uint16_t length;
    uint16_t hops; /* handlers that have sent it on */
};

struct loop {
    struct netif *netif;
    uint8_t *memory; /* the buffers */
    uint8_t *spare;  /* the frame under way lies in it */
    uint64_t head, tail;
    struct loop_frame queue[LOOP_QUEUE]; /* head to tail wait; all places have a buffer */
};

extern struct loop loop;

/* Makes the interface's buffers; once, at boot. */
void loop_init(struct netif *netif);

/*
 * net_send of a binding on the loop interface: the arguments are right. Takes fewer than count
 * frames if more would keep interrupts off for too long. Returns how many, or why not the first:
 * -AEGIS_E_ADDRESS, RANGE, EGRESS.
 */
long loop_send(struct binding *binding, uaddr_t frames, uint64_t count);

/* Goes on with what waits, if anything does; called at slice boundaries. */
void loop_continue(void);

/* Drops what env has sent and what still waits. */
void loop_forget(uint32_t env);

#endif
