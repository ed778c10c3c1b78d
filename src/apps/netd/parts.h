/* Sending datagrams that may take several frames. */
#ifndef NETD_PARTS_H
#define NETD_PARTS_H

#include "fragments.h"

/* Send one by a root binding, from its destination to its source, whose hardware address it has:
 * as it would be answered. */
void parts_send(uint32_t root, const struct fragments_datagram *datagram);

#endif
