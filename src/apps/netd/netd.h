/*
 * netd: one network interface's addresses, neighbours and ports, in two processes.
 *
 * "netd ip=ADDRESS/PREFIX[,GATEWAY]" serves through a gate (libos/net/service.h) on its callers'
 * time, and never runs by itself: who accepts calls can't wait for anything else. ARP and neighbour
 * discovery are answered by a handler of its. The agent starts it with capabilities, DELEGATE, for
 * the interface's root binding and perhaps for the loop interface's, and a binding of all such
 * frames (net_filter_neighbours).
 *
 * "netd frames ip=..." has the root binding itself, and so the frames that nobody takes: a handler
 * answers them where that can be done on the spot, and keeps for the process what can't: ICMP
 * errors, fragments, extension headers. What those are about it tells programs over the loop
 * interface, whose root binding that of the first interface has as well.
 */
#ifndef NETD_NETD_H
#define NETD_NETD_H

#include <stdbool.h>
#include <stdint.h>

#include "libos/gate/gate.h"
#include "libos/net/handler.h"
#include "libos/net/ipv6_page.h"
#include "libos/net/neighbour.h"
#include "libos/net/net.h"

struct netd {
    struct net_address address; /* all zero: none yet */
    bool is_leased;             /* it comes by DHCP */
    uint8_t mac[6];
    uint16_t netif;
    struct aegis_cap root; /* DELEGATE */
    struct aegis_cap loop; /* the same of the loop interface, or none */
    struct net arp;        /* the ring of frames of ARP and neighbour discovery */
};
extern struct netd netd;

/* Say on the log what an enum aegis_error means for netd; returns it. */
int64_t netd_complain(const char *what, int64_t status);

/* ---- frames.c ---- */

/* Be the other process; returns only if it can't, the program's status. */
int frames_run(void);

/* The address in whose name the handlers answer, 0: in nobody's; and its network's prefix, bits. */
void frames_address(uint32_t address, uint8_t prefix);

/*
 * Ask the netd of this interface, which knows its root's owner from others; those of other
 * interfaces refuse. Returns whether one has done it.
 */
bool frames_ask(const uint64_t words[GATE_WORDS]);

/* ---- late.c: connections of programs that have ended (handlers/linger.h) ---- */

struct linger_set;

/* A table of them; what they send goes by a root binding. */
void late_open(bool is_loop, struct linger_set *sets, uint32_t root);

/* A frame that the handler has kept: false if it is no segment of TCP's. */
bool late_take(bool is_loop, const uint8_t *frame, size_t length);

void late_tick(void);
uint64_t late_due(void); /* when late_tick has something to do; AEGIS_FOREVER: never */

/* Holds once there are more; false: never. */
bool late_when(struct aegis_predicate *when);

/* ---- lease.c: the address, by DHCP, asked for by a root binding ---- */

void lease_begin(uint32_t root);
void lease_tick(void);
uint64_t lease_due(void); /* when lease_tick has something to do; AEGIS_FOREVER: never */

/* A frame that the handler has kept: whether it may be an answer to DHCP. */
bool lease_take(const uint8_t *frame, size_t length);

/* ---- tell.c: to the program that has the port, if one has; nobody is told whether ---- */

struct net_note;
struct fragments_datagram;

/* That what it has sent can't arrive. */
void tell_error(const struct net_note *note);

/* The frame that a datagram would have come in, to nobody's hardware address; its length, at most
 * AEGIS_FRAME_MAX, or 0: it is too long. */
size_t tell_frame(uint8_t *frame, const struct fragments_datagram *datagram);

/* A datagram that came in fragments, or behind extension headers. Longer than a frame: UDP's alone.
 */
void tell_datagram(const struct fragments_datagram *datagram);

/* ---- echo.c: answers a ping that came in fragments, or behind extension headers, by a root
 * binding; false if it is none ---- */

bool echo_answer(uint32_t root, const struct fragments_datagram *datagram);

/* ---- arp.c ---- */

#define ASK_PATIENCE                                                                               \
    2000000UL /* ns for room in the device's queue: netd's callers wait meanwhile */

/*
 * Have the handler answer for our address on this binding, and keep the neighbours. Returns 0, or a
 * negated enum aegis_error; the verifier's words are on the log then.
 */
int64_t arp_begin(uint32_t binding);

/* The address that netd.address now says; all neighbours are forgotten. */
void arp_readdress(void);

/* A capability, READ, for the page of neighbours. */
int64_t arp_page(struct aegis_cap *capability);

/* The hardware address of the next hop towards an address, if it is known; else all 0. */
void arp_known(uint32_t address, uint8_t mac[6]);

/* Ask the network for an address, unless its entry is good. 0 or a negated errno value. */
int64_t arp_resolve(uint32_t address);

/* ---- discovery.c ---- */

/* The page of IPv6, of the handler before it is loaded. */
void discovery_open(const struct net_handler *handler);

/* With the ring open: asks whether our address is another's, and for a router. */
void discovery_begin(void);

/* A capability, READ, for the page. */
int64_t discovery_page(struct aegis_cap *capability);

/* Our own address, by enum net_linger_own; false if there is none. Whether one is ours. */
bool discovery_own(uint8_t which, struct net_ipv6 *own);
bool discovery_is_own(const struct net_ipv6 *address);

/* What DHCP says of names, into the page. */
void discovery_tell(const struct net_told *told);

/* As arp_known. */
void discovery_known(const struct net_ipv6 *address, uint8_t mac[6]);

/* Ask the network for a neighbour, unless its entry is good. 0 or a negated errno value. */
int64_t discovery_resolve(const struct net_ipv6 *address);

#endif
