/* Programs' datagrams of UDP that don't fit into a frame, which they hand to netd in pieces over
 * the loop interface (libos/net/udp_long.c). */
#ifndef NETD_OUTGOING_H
#define NETD_OUTGOING_H

#include "fragments.h"

/* Under way at once, each of a port of its own; one more, and the oldest makes room. */
#define OUTGOING_DATAGRAMS 4

/*
 * Take a frame of the loop interface that the handler has kept: a piece, in the name of a port
 * that its sender has, as the kernel has seen to. Returns true if its datagram is whole now: *d has
 * it as if it were to be answered, from its receiver to the port, whose hardware address stands in
 * the place of the frame's destination. It stays until the next call.
 */
bool outgoing_take(const uint8_t *frame, size_t length, struct fragments_datagram *d);

void outgoing_forget(void);

#endif
