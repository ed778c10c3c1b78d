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

/* Copies a frame into the binding's next slot; false if there is no ring or it is full. */
bool ring_put(struct binding *binding, uint32_t index, const uint8_t *frame, size_t length,
              uint64_t time);

/* Gives the ring's pages back to their owner as DATA. */
void ring_release(struct binding *binding);

#endif
