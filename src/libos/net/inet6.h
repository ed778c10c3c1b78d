/* IPv6 addresses as text: RFC 4291, section 2.2, and RFC 5952. Pure: also on the host. */
#ifndef EXOS_NET_INET6_H
#define EXOS_NET_INET6_H

#include <stdbool.h>
#include <stdint.h>

#define INET6_TEXT 46

/* Whether all of text is an address; without a zone, and with IPv4's four numbers at its end or
 * not. */
bool inet6_read(const char *text, uint8_t address[16]);

/* The one text that RFC 5952 has for it: lower case, the longest run of zeros left out. */
void inet6_write(const uint8_t address[16], char text[INET6_TEXT]);

/* The same of IPv4: four decimal numbers to 255, of at most three digits. */
bool inet4_read(const char *text, uint8_t address[4]);

/* The forms of inet_aton (arpa/inet.h); behind the address, or NULL if there is none. */
const char *inet4_read_parts(const char *text, uint8_t address[4]);

#endif
