/*
 * An owner's ring of received frames, in its own pages: written here, read there without a call.
 *
 * Invariant: a binding's ring pages have state RING and a pin each while ring != NULL.
 */
#ifndef AEGIS_KERNEL_RING_H
#define AEGIS_KERNEL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct binding;

/* A frame in up to three pieces: a buffer's, or a sender's copy and what lies in its pages. */
struct ring_frame {
    struct {
        const uint8_t *bytes;
        size_t length;
    } pieces[3];
    uint32_t count;
    uint16_t flags; /* AEGIS_FRAME_* */
    uint64_t time;
};

/* Copies a frame into the next slot of binding number index; false if there is no ring or it is
 * full. */
bool ring_put(struct binding *binding, uint32_t index, const struct ring_frame *frame);

/* The same of a frame in one piece, received now. */
bool ring_put_received(struct binding *binding, uint32_t index, const uint8_t *bytes, size_t length,
                       uint16_t flags);

/* Gives the ring's pages back to their owner as DATA. */
void ring_release(struct binding *binding);

#endif
