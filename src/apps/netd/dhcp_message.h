/* DHCP's messages (RFC 2131, section 2; RFC 2132). Pure; also on the host. */
#ifndef NETD_DHCP_MESSAGE_H
#define NETD_DHCP_MESSAGE_H

#include "dhcp.h"

enum dhcp_kind { /* option 53's values */
                 DHCP_NONE = 0,
                 DHCP_DISCOVER = 1,
                 DHCP_OFFER = 2,
                 DHCP_REQUEST = 3,
                 DHCP_ACK = 5,
                 DHCP_NAK = 6,
};

/* Make the frame of a question in d's state. Returns its length, at most DHCP_FRAME. */
size_t dhcp_write(uint8_t *frame, const struct dhcp *d, enum dhcp_kind kind, uint16_t seconds);

/*
 * Read an answer to d's question: an OFFER or ACK with a lease that can be used, or a NAK (then
 * lease->server alone is filled). DHCP_NONE for anything else.
 */
enum dhcp_kind dhcp_read(const uint8_t *frame, size_t length, const struct dhcp *d,
                         struct dhcp_lease *lease);

#endif
