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

/*
 * Whether an environment's next frame over the loop interface may be put, by the share that the
 * ring's owner lets one have (struct aegis_ring): a full ring is ring_put's business. What it takes
 * to count comes off *left.
 */
bool ring_may_put(const struct binding *binding, uint32_t sender, int64_t *left);

/* Says in the slot of the frame put last who has sent it. */
void ring_say_sender(const struct binding *binding, uint32_t sender);

/* Gives the ring's pages back to their owner as DATA. */
void ring_release(struct binding *binding);

#endif
