/* The ports that lwIP has: which are open, for whom, and until when. */
#include <errno.h>
#include <stdlib.h>

#include "libos/net/headers.h"
#include "libos/net/lwip/internal.h"
#include "libos/time/time.h"
#include "lwip/priv/tcp_priv.h"

#define RING_SLOTS 64               /* of one connection: a window fits */
#define MANY_SLOTS AEGIS_RING_SLOTS /* of a port that has a name: it may be many connections' */
#define NOTE_SLOTS 4                /* of a loop's ring that nothing but notes comes by */
#define REAP_NS    1000000000UL

#define IDLE_NS 2000000000UL /* that a block is kept for the next connection */

/* blocks on one interface that are taken only for ports that a peer hasn't seen for a minute */
#define FRESH_BLOCKS 4

struct opened *net_lwip_ports;
uint64_t net_lwip_next_reap = AEGIS_FOREVER;
unsigned net_lwip_narrow;

struct opened *net_lwip_opened(uint16_t port)
{
    struct opened *o = net_lwip_ports;
    while (o && (!net_lease_has(&o->lease, port) || o->lease.peer_port))
        o = o->next;
    return o;
}

struct opened *net_lwip_find_narrow(uint16_t port, const struct net_ipv6 *remote,
                                    uint16_t remote_port)
{
    struct opened *o = net_lwip_ports;
    while (o && (o->lease.port != port || o->lease.peer_port != remote_port ||
                 !net_ipv6_equal(&o->lease.peer, remote)))
        o = o->next;
    return o;
}

struct opened *net_lwip_find_narrow4(uint16_t port, uint32_t remote, uint16_t remote_port)
{
    const struct net_ipv6 mapped = net_ipv6_mapped(remote);

    return net_lwip_find_narrow(port, &mapped, remote_port);
}

static struct opened *opened_for(const struct tcp_pcb *pcb)
{
    struct net_ipv6 remote;

    if (pcb->state == LISTEN)
        return net_lwip_opened(pcb->local_port);
    net_lwip_read_address(&pcb->remote_ip, &remote);
    return net_lwip_opened_to6(pcb->local_port, &remote, pcb->remote_port);
}

struct net_lease *net_lwip_lease(const struct tcp_pcb *pcb)
{
    struct opened *o = opened_for(pcb);
    return o ? &o->lease : NULL;
}

int net_lwip_open_loop(uint16_t port)
{
    struct opened *o = net_lwip_opened(port);

    return o->lease.loop.ring ? 0 : net_lease_loop(&o->lease, RING_SLOTS);
}

void net_lwip_open_notes(uint16_t port)
{
    struct opened *o = net_lwip_opened(port);

    if (!o->lease.loop.ring)
        net_lease_loop(&o->lease, NOTE_SLOTS);
}

static void look_later(void)
{
    net_lwip_soon();
    if (net_lwip_next_reap == AEGIS_FOREVER)
        net_lwip_next_reap = time_after(REAP_NS);
}

static int open_port(uint16_t port, bool reuses)
{
    struct opened *o = calloc(1, sizeof *o);

    if (!o)
        return -1;
    if (net_lease_family(&o->lease, IPV4_TCP, NET_BOTH | (reuses ? NET_REUSES : 0), port,
                         port ? MANY_SLOTS : RING_SLOTS)) {
        int error = errno;
        free(o);
        errno = error;
        return -1;
    }
    o->next = net_lwip_ports;
    net_lwip_ports = o;
    if (port)
        net_lwip_open_loop(port); /* a server's; without the loop, for others alone */
    return o->lease.port;
}

int net_lwip_open(uint16_t port)
{
    return open_port(port, false);
}

int net_lwip_lend(uint16_t port, bool reuses)
{
    struct opened *o = port ? net_lwip_opened(port) : NULL;

    if (!o) {
        int result = open_port(port, reuses);
        if (result < 0)
            return -1;
        o = net_lwip_opened((uint16_t)result);
        o->is_lent = true;
    }
    look_later();
    return o->lease.port;
}

static void close_opened(struct opened *o)
{
    struct opened **at = &net_lwip_ports;

    while (*at != o)
        at = &(*at)->next;
    net_lwip_flush();
    *at = o->next;
    net_lwip_narrow -= o->lease.peer_port != 0;
    net_lease_end(&o->lease);
    free(o);
}

/* Of a block on one interface, the other one's ring is for notes, or for nothing. */
static struct opened *open_block(bool is_local, uint16_t count)
{
    uint64_t slots[2] = {is_local ? NOTE_SLOTS : MANY_SLOTS, is_local ? MANY_SLOTS : NOTE_SLOTS};
    struct opened *o = calloc(1, sizeof *o);

    if (!o)
        return NULL;
    if (net_lease_block(&o->lease, IPV4_TCP, NET_BOTH, count, slots[0])) {
        int error = errno;
        free(o);
        errno = error;
        return NULL;
    }
    o->is_lent = o->is_block = true;
    o->is_local = is_local;
    o->next = net_lwip_ports;
    net_lwip_ports = o;
    if (net_lease_loop(&o->lease, slots[1]) && is_local) {
        int error = errno;
        close_opened(o);
        errno = error;
        return NULL;
    }
    return o;
}

/* A bit for each port of a block that can't be used towards a peer: a connection has it, or whoever
 * has bound it, or listens. */
static uint64_t used_of(const struct opened *o, const ip_addr_t *peer, uint16_t peer_port)
{
    uint64_t used = o->retired;

    for (size_t i = 0; i < NUM_TCP_PCB_LISTS; i++) {
        bool whole = tcp_pcb_lists[i] != &tcp_active_pcbs && tcp_pcb_lists[i] != &tcp_tw_pcbs;
        for (const struct tcp_pcb *pcb = *tcp_pcb_lists[i]; pcb; pcb = pcb->next)
            if (net_lease_has(&o->lease, pcb->local_port) &&
                (whole || (pcb->remote_port == peer_port && ip_addr_cmp(&pcb->remote_ip, peer))))
                used |= 1UL << (pcb->local_port - o->lease.port);
    }
    return used;
}

/* Which peer that is, for who doesn't mind taking one for another now and then. */
static uint32_t mark_of(const ip_addr_t *peer, uint16_t peer_port)
{
    struct net_ipv6 a;

    net_lwip_read_address(peer, &a);
    return (a.words[0] ^ a.words[1] ^ a.words[2] ^ a.words[3]) + peer_port * 0x9e3779b1U;
}

/*
 * The one that was given out longest ago, if it can be (RFC 6056, 3.3.5: a block's place is
 * random). Where the peer has closed a connection, it may still be in TIME-WAIT there, and not all
 * let the next one in: unless `repeats`, none that went to this peer within that time. 0: there is
 * none.
 */
static uint16_t free_port(struct opened *o, const ip_addr_t *peer, uint16_t peer_port, bool repeats)
{
    uint64_t used = used_of(o, peer, peer_port), now = time_now();
    uint32_t mark = mark_of(peer, peer_port);

    for (unsigned i = 0; i < o->lease.count; i++) {
        unsigned at = (o->turn + i) % o->lease.count;
        const struct dialled *last = &o->dialled[at];
        bool is_again = last->when && last->mark == mark &&
                        now - last->when < time_from_ns(2 * TCP_MSL * 1000000);
        if (used >> at & 1 || (is_again && !repeats))
            continue;
        o->turn = at + 1;
        o->dialled[at] = (struct dialled){now, mark};
        return (uint16_t)(o->lease.port + at);
    }
    return 0;
}

static uint16_t find_port(const ip_addr_t *peer, uint16_t peer_port, bool is_local, bool repeats)
{
    unsigned blocks = 0;
    uint16_t port = 0;

    for (struct opened *o = net_lwip_ports; o && !port; o = o->next)
        if (o->is_block && o->is_local == is_local) {
            port = free_port(o, peer, peer_port, repeats);
            blocks++;
        }
    if (!port && !repeats && blocks >= FRESH_BLOCKS)
        return find_port(peer, peer_port, is_local, true);
    return port;
}

int net_lwip_dial(struct tcp_pcb *pcb, const ip_addr_t *peer, uint16_t peer_port, bool is_local)
{
    uint16_t port = find_port(peer, peer_port, is_local, false);

    if (!port) {
        struct opened *o = open_block(is_local, NETD_BLOCK);
        if (!o) /* there may be no block left, but ports */
            o = open_block(is_local, 1);
        if (!o)
            return -1;
        o->turn = net_lwip_random() % o->lease.count;
        port = free_port(o, peer, peer_port, true);
    }
    pcb->local_port = port;
    TCP_REG(&tcp_bound_pcbs, pcb);
    look_later();
    return port;
}

void net_lwip_close(uint16_t port)
{
    struct opened *o = net_lwip_opened(port);

    if (o)
        close_opened(o);
}

int net_lwip_join(const struct net_offer *offer, const struct net_ipv6 *peer, uint16_t peer_port,
                  bool device, bool loop)
{
    uint64_t slots = peer_port ? RING_SLOTS : MANY_SLOTS;
    struct opened *o = net_lwip_opened_to6(offer->port.number, peer, peer_port);

    look_later();
    if (o && (!device || o->lease.net.ring) && (!loop || o->lease.loop.ring))
        return 0;
    o = malloc(sizeof *o);
    if (!o)
        return -1;
    *o = (struct opened){.next = net_lwip_ports, .is_lent = true};
    if (net_lease_join(&o->lease, offer, peer, peer_port, slots, device, loop)) {
        int error = errno;
        free(o);
        errno = error;
        return -1;
    }
    net_lwip_ports = o;
    net_lwip_narrow += peer_port != 0;
    return 0;
}

/* Whether a connection that others have is bound inside of a port that this process has. */
static bool is_around(const struct opened *o, const struct net_lwip_gone *g)
{
    return g->remote_port && !o->lease.peer_port;
}

/* A port that this process has first, and lent to others, stays for as long as they may hand it
 * back: it swallows what comes while nobody has it. */
static void mark_gone(void)
{
    for (struct opened *o = net_lwip_ports; o; o = o->next) {
        o->is_used = !o->is_lent;
        for (const struct net_lwip_gone *g = net_lwip_gone; g; g = g->next)
            o->is_used |= net_lease_has(&o->lease, g->local_port) &&
                          (net_lease_is_outermost(&o->lease) || is_around(o, g));
    }
}

/* Whether it stays for the next connection; then it is looked at again. */
static bool rests(struct opened *o, bool may_rest)
{
    uint64_t now = time_now();

    if (!o->is_block || !may_rest)
        return false;
    if (!o->idle)
        o->idle = now;
    return now - o->idle < time_from_ns(IDLE_NS);
}

/* Gives back the ports that were lent and that no connection or listener has. */
static void reap(bool may_rest)
{
    bool any = false;

    mark_gone();
    for (size_t i = 0; i < NUM_TCP_PCB_LISTS; i++)
        for (const struct tcp_pcb *pcb = *tcp_pcb_lists[i]; pcb; pcb = pcb->next) {
            struct opened *o = opened_for(pcb);
            if (o)
                o->is_used = true;
        }
    for (struct opened *o = net_lwip_ports, *next; o; o = next) {
        next = o->next;
        if (o->is_used)
            o->idle = 0;
        if (o->is_used || rests(o, may_rest))
            any |= o->is_lent;
        else
            close_opened(o);
    }
    net_lwip_next_reap = any ? time_after(REAP_NS) : AEGIS_FOREVER;
}

void net_lwip_reap(void)
{
    if (net_lwip_next_reap != AEGIS_FOREVER)
        reap(false);
}

void net_lwip_reap_due(void)
{
    reap(true);
}

void net_lwip_forget_ports(void)
{
    net_lwip_ports = NULL;
    net_lwip_gone = NULL;
    net_lwip_narrow = 0;
    net_lwip_next_reap = AEGIS_FOREVER;
}
