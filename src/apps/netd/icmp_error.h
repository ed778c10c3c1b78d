/* ICMP's errors, and ICMPv6's: about what they are. Pure; also on the host. */
#ifndef NETD_ICMP_ERROR_H
#define NETD_ICMP_ERROR_H

#include "libos/net/note.h"

/*
 * Read an ICMP error in IPv4 without options, or an ICMPv6 one without extension headers: fills a
 * note for the port, of UDP or TCP, that has sent what it quotes. false if it is none, is cut off,
 * has a wrong sum, or quotes something else (a fragment that isn't the first among it).
 */
bool icmp_error_read(const uint8_t *frame, size_t length, struct net_note *note);

/*
 * Whether what a note is about was for this machine itself: nobody out there can have seen it, so
 * whatever an interface's network says of it is made up.
 */
bool icmp_error_is_inside(const struct net_note *note);

#endif
