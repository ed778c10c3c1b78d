/*
 * What applications ask of netd through a gate (libos/gate): words in, words out; and how the
 * library does it. Nothing here is trusted by either side beyond what it says: netd knows its
 * caller's number from the kernel, an application binds what it gets inside a capability that the
 * kernel checks.
 */
#ifndef EXOS_NET_SERVICE_H
#define EXOS_NET_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "libos/gate/gate.h"
#include "libos/net/filter.h"
#include "libos/net/ipv6_page.h"
#include "libos/net/linger.h"
#include "libos/net/neighbour.h"
#include "libos/net/net.h"

/*
 * words[0] is the order, and afterwards 0 or a negated errno value. Addresses are in host byte
 * order.
 *
 * NETD_ABOUT    -> 1 address << 32 | gateway, 2 1 << NETD_LEASED_BIT if the address comes
 *               by DHCP | netif << 8 | prefix, 3 to 5 a capability: READ for the
 *               page of neighbours. ENETDOWN while there is no address
 *
 * NETD_TAKE     1 number of ports less 1 << NETD_MORE_BIT | (enum net_family | NET_REUSES or 0) <<
 *               24 | protocol << 16 | port (0: any that is free; several ports, a power of two up
 *               to NETD_BLOCK of UDP or TCP, are any) -> 1 port, the first one, 2 to 4 a
 *               capability: DELEGATE for a binding of their frames. EADDRINUSE, EACCES, EINVAL,
 *               ENOBUFS, EPROTONOSUPPORT
 *
 * NETD_LOOP     1 number of that binding -> 2 to 4 a capability: DELEGATE for a binding of the same
 *               port's frames on the loop interface. EADDRINUSE, EINVAL, ENOBUFS, ENETUNREACH
 *
 * NETD_FIND     1 protocol << 16 | port. ECONNREFUSED if nobody has that on the loop interface
 *
 * NETD_LEAVE    1 number of that binding: once for each TAKE and JOIN. EINVAL if it isn't the
 *               caller's
 *
 * NETD_RESOLVE  1 address of a neighbour: asks the network for it, if it has to. EHOSTUNREACH if
 *               the network has been asked a few times
 *
 * NETD_ABOUT6   -> 3 to 5 a capability: READ for the page of IPv6 (ipv6_page.h)
 *
 * NETD_RESOLVE6 1, 2 address of a neighbour in IPv6, as on the wire: likewise. ENETUNREACH if it is
 *               none, EADDRNOTAVAIL if there is no address of ours to ask from
 *
 * NETD_ADDRESS  1 address << 32 | gateway, 2 prefix: what the machine is from now on, all 0:
 *               nobody; another address takes back all ports. 3 to 5 a capability, READ, for a page
 *               that begins with what DHCP says of names (struct net_told), or 0. EPERM but for who
 *               has the interface's root binding, EINVAL, ENOBUFS
 *
 * NETD_LINGER   1 binding of a port of TCP's | enum net_linger_state << 32 | seconds for which it
 *               lasts, up to 60, << 40, 2 the sequence number behind our FIN << 32 | the next one
 *               of the peer, 3 our address in IPv4 << 32 | our port less the binding's first << 24
 *               | enum net_linger_own, in IPv6, << 16 | the peer's port, 4, 5 its address as on the
 *               wire, one of IPv4 mapped: netd goes on with this connection when the port is given
 *               back, or its program has ended, and keeps the port from others. EINVAL, also if the
 *               program couldn't send its segments itself; ENOBUFS, ENETUNREACH
 *
 * NETD_LINGERS  1 page | interface's or loop's (1) << 32, 2 to 4 a capability: READ and WRITE for
 *               a page of the tables of these connections. EPERM as NETD_ADDRESS, EINVAL, ENOBUFS
 *
 * NETD_JOIN     1 to 3 the capability that NETD_TAKE gave, 4 environment, the caller or one that it
 *               owns: has the port, too, until it ends or leaves; the port is given back with the
 *               last. EINVAL, ENOBUFS
 */
enum netd_order {
    NETD_ABOUT,
    NETD_TAKE,
    NETD_LOOP,
    NETD_FIND,
    NETD_LEAVE,
    NETD_RESOLVE,
    NETD_ABOUT6,
    NETD_RESOLVE6,
    NETD_ADDRESS,
    NETD_LINGER,
    NETD_LINGERS,
    NETD_JOIN,
    NETD_ORDERS
};
#define NETD_LEASED_BIT 24 /* of NETD_ABOUT's second word */

#define NETD_MORE_BIT 32 /* of NETD_TAKE's first */
#define NETD_BLOCK    64

#define NETD_EPHEMERAL_LOW  49152 /* RFC 6335, section 6 */
#define NETD_EPHEMERAL_HIGH 65535

/* How this machine is on the network; filled by net_service. */
struct net_host {
    uint32_t address, gateway, mask; /* as on the wire; gateway 0: there is none */
    uint16_t netif;
    uint8_t mac[6] __attribute__((aligned(2)));
    const volatile struct net_neighbour *neighbours; /* NEIGHBOURS of them */
    bool is_leased; /* the address comes by DHCP, and may change when a port is taken */
};

/*
 * The host, after the first call has opened the gate to netd with the capability that the start
 * block has. Returns NULL with errno ENETDOWN if there is none, or netd doesn't answer.
 */
const struct net_host *net_service_begin(void);
extern const struct net_host *net_service_known; /* NULL before that call */
static inline const struct net_host *net_service(void)
{
    return net_service_known ? net_service_known : net_service_begin();
}

/* A port that netd has given. */
struct net_lease {
    uint16_t port, count;        /* the first one; how many, if this is a block */
    uint16_t peer_port;          /* with an address: only what is from and to that one; 0: any */
    struct net_ipv6 peer;        /* as on the wire, one of IPv4 mapped */
    struct aegis_cap parents[2]; /* netd's bindings, DELEGATE: the device's, the loop's or none */
    uint32_t binding;            /* netd's */
    uint8_t protocol, family;
    struct net net;  /* the program's own inside of it, with a ring */
    struct net loop; /* the same on the loop interface; without a ring until net_lease_loop */
};

/* With a family: a port of TCP's is wanted even though connections of a program that has ended, of
 * the same account, linger there. */
#define NET_REUSES 4

/*
 * Take a port of a protocol (0: any free one) and receive its frames, of IPv4, IPv6 or both (enum
 * net_family, and perhaps NET_REUSES), in a ring of `slots` slots. Returns 0, or -1 with errno:
 * NETD_TAKE's, ENETDOWN, ENOMEM.
 */
int net_lease_family(struct net_lease *lease, uint8_t protocol, uint8_t family, uint16_t port,
                     uint64_t slots);

/* The same with `count` ports, which nobody has, beside each other: a power of two up to
 * NETD_BLOCK. */
int net_lease_block(struct net_lease *lease, uint8_t protocol, uint8_t family, uint16_t count,
                    uint64_t slots);

static inline bool net_lease_has(const struct net_lease *lease, uint16_t port)
{
    return (uint16_t)(port - lease->port) < lease->count;
}

/* As net_lease_family, of IPv4. */
static inline int net_lease(struct net_lease *lease, uint8_t protocol, uint16_t port,
                            uint64_t slots)
{
    return net_lease_family(lease, protocol, NET_IPV4, port, slots);
}

/*
 * Take the port's frames on the loop interface as well, in a ring of `slots` slots; once for a
 * lease. Returns 0, or -1 with errno as net_lease, or ENETUNREACH: netd has no loop interface.
 */
int net_lease_loop(struct net_lease *lease, uint64_t slots);

/* Which port it is. */
struct net_port {
    struct aegis_cap parent; /* netd's binding on the device's interface, DELEGATE */
    uint16_t number;
    uint8_t protocol, family;
};

/*
 * What lets another program of this machine have frames of a port, too. Plain bytes. Whose
 * capabilities they are is the kernel's to check; whoever believes the port has to know it.
 */
struct net_offer {
    struct net_port port;
    struct aegis_cap loop; /* netd's binding on the loop's, or none */
    struct aegis_cap
        inside[2];     /* where others bind while its holder has the whole port, DELEGATE */
    uint64_t has_loop; /* not 0: it is open there */
};

/* Offer a port of a lease's. What is offered already stays, unless this program's bindings are
 * the outermost, in which others have to bind now. */
void net_lease_offer(const struct net_lease *lease, uint16_t port, struct net_offer *offer);

/* Have netd count that a program, this one or one that it owns, has the port, until that ends or
 * gives it up, beside who took it. 0, or -1 with errno as NETD_JOIN has it. */
int net_lease_hold(const struct net_port *port, uint32_t env);
void net_lease_drop(const struct net_port *port); /* this program's */

/*
 * Receive what comes to an offer's port, if peer_port isn't 0 from that one of one peer (as on the
 * wire, one of IPv4 mapped) alone: on the device's interface, the loop's, or both. Returns 0, or -1
 * with errno as net_lease has it.
 */
int net_lease_join(struct net_lease *lease, const struct net_offer *offer,
                   const struct net_ipv6 *peer, uint16_t peer_port, uint64_t slots, bool device,
                   bool loop);

/*
 * One connection of a port that a program has: a binding of the program's inside of its port's,
 * without a ring. Its frames come to the port's ring as before; but whoever is let into it has them
 * alone, and not those of the port's other connections.
 */
struct net_apart {
    struct net net;
    bool is_loop, is_there;
};

/*
 * Make one of a lease's connections (peer as net_lease_join has it), and offer it in place of the
 * lease's own bindings; one that is there is offered again. Returns 0, or -1 with errno ENETDOWN,
 * ENOBUFS.
 */
int net_lease_set_apart(const struct net_lease *lease, struct net_apart *apart,
                        const struct net_ipv6 *peer, uint16_t peer_port, bool is_loop,
                        struct net_offer *offer);
void net_apart_end(struct net_apart *apart); /* if it is there */

/* Whether others' bindings lie inside of the lease's own, or may. */
bool net_lease_is_outermost(const struct net_lease *lease);
bool net_lease_has_others(const struct net_lease *lease);

/* Whether what is sent to an address (as on the wire) goes over the loop interface: 127.0.0.0/8 and
 * the machine's own. Nothing comes from there over a device. */
static inline bool net_is_local(const struct net_host *host, uint32_t address)
{
    return address == host->address || (address & 0xff) == 127; /* its first byte */
}

/* Whether some program of this machine has a port on the loop interface: 0, or -1 with errno
 * ECONNREFUSED. */
int net_find_local(uint8_t protocol, uint16_t port);

/*
 * How often this program has found a netd that was started anew. What came from the one before, but
 * for rings, is no longer so: its pages are zeros, its bindings aren't this one's.
 */
extern uint32_t net_renewals;

/* Ask netd, for the library's other files: 0, or -1 with errno. words as above. If netd has ended
 * and another has been started, that is asked, but not about bindings. */
int net_ask(uint64_t words[GATE_WORDS]);

/* Map a page of netd's to read, which is zeros when netd has ended; vm_free undoes it. NULL with
 * errno. */
const volatile void *net_attach(const struct aegis_cap *page);

/* Give it back. */
void net_lease_end(struct net_lease *lease);

/* A connection of a port of TCP's that has said its FIN, for netd to go on with. */
struct net_linger {
    enum net_linger_state state;
    uint32_t seconds;             /* for which it lasts, up to 60 */
    uint32_t own_next, peer_next; /* sequence numbers: behind our FIN; expected of the peer */
    struct net_ipv6 own, peer;    /* those of IPv4 are mapped */
    uint16_t own_port, peer_port;
};

/* Leave one to netd. Returns 0, or -1 with errno as NETD_LINGER has it. */
int net_lease_linger(const struct net_lease *lease, const struct net_linger *connection);

/*
 * The hardware address of the next hop towards an IPv4 address (as on the wire): its own if it is
 * on the link, else the gateway's. Asks netd where needed, and waits until deadline for the answer.
 * Returns 0, or -1 with errno ENETUNREACH, EHOSTUNREACH, or EAGAIN at the deadline.
 */
int net_next_hop(uint32_t address, uint8_t mac[6], uint64_t deadline);

/* The same of a neighbour that is known; false: nobody has been asked. */
bool net_try_hop(uint32_t address, uint8_t mac[6]);

#endif
