/* A frame event: a handler's run on a received frame, and what its verdict does. */
#ifndef AEGIS_KERNEL_EVENT_H
#define AEGIS_KERNEL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct binding;
struct netif;

/* A received frame in its buffer: bytes [start, end), which a handler may change and move. */
struct event_frame {
    uint8_t *buffer;
    size_t start;
    size_t end;
    uint16_t head;  /* of the buffer at the device */
    uint16_t flags; /* AEGIS_FRAME_* */
};

/*
 * Runs the handler of binding number index on the frame. True if its verdict has taken care of the
 * frame (DROP, TX); false if it goes on to the ring as it now is (PASS, or the run was aborted:
 * flagged MODIFIED if it changed the frame).
 */
bool event_run(struct netif *netif, struct binding *binding, uint32_t index,
               struct event_frame *frame);

#endif
