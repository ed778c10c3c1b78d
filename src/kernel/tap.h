/* Taps and sharers: copies of frames for whoever holds a TAP or a SHARE capability; they change
 * nothing for the frames' owners. Classifiers know both as taps. */
#ifndef AEGIS_KERNEL_TAP_H
#define AEGIS_KERNEL_TAP_H

#include <stdint.h>

struct netif;
struct ring_frame;

/* Puts copies of a frame into the rings of the taps and sharers that bits name (struct dpf_result).
 */
void tap_put(struct netif *netif, uint64_t taps, const struct ring_frame *frame);

/* The same for a frame on its way out: the first piece is the sender's checked copy, and all that
 * filters see. Who shares gets none. */
void tap_sent(struct netif *netif, struct ring_frame *frame);

#endif
