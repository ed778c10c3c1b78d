/* What can be read and computed without the kernel: addresses as text, checksums. */
#ifndef EXOS_NET_PARSE_H
#define EXOS_NET_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The Internet checksum (RFC 1071) of bytes, continued from sum (0 at first); fold it for the
 * header. */
uint32_t net_sum(uint32_t sum, const void *bytes, size_t size);
static inline uint16_t net_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* An IPv4 configuration as bootargs give it: ip=ADDRESS/PREFIX,GATEWAY. Host byte order. */
struct net_address {
    uint32_t address;
    uint32_t gateway; /* 0 if none is given */
    uint8_t prefix;
};

#define NET_DHCP "dhcp" /* the value of ip= that says that a server gives the address */

/*
 * Parse the value of ip=; text ends at a zero or a blank. Returns whether it is well-formed: four
 * decimal numbers to 255, a prefix to 32, and optionally a gateway.
 */
bool net_parse_address(const char *text, struct net_address *address);

#endif
