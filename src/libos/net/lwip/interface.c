/*
 * lwIP's network interface: the ports that are open, and when what is done. Frames come in by
 * input.c and go out by output.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/lwip/internal.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"
#include "lwip/init.h"
#include "lwip/ip4.h"
#include "lwip/priv/tcp_priv.h"

#define RING_SLOTS   64               /* of one connection: a window fits */
#define MANY_SLOTS   AEGIS_RING_SLOTS /* of a port that has a name: it may be many connections' */
#define NOTE_SLOTS   4                /* of a loop's ring that nothing but notes comes by */
#define FIRST_RTO_MS 1000
#define SYN_DOUBLED  3 /* times */
#define TICK_NS      (TCP_TMR_INTERVAL * 1000000UL)
#define REAP_NS      1000000000UL

uint64_t net_lwip_seen, net_lwip_next;

static struct netif interface, loop_interface;
static struct opened *ports;
static uint64_t next_tick; /* of TCP, while it has a connection; 0: at once, to begin */
static uint64_t next_reap; /* a look for ports that nothing uses; AEGIS_FOREVER: none was lent */

struct opened *net_lwip_opened(uint16_t port)
{
    struct opened *o = ports;
    while (o && o->lease.port != port)
        o = o->next;
    return o;
}

static err_t set_up(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'x';
    netif->mtu = AEGIS_FRAME_MAX - ETH_SIZE;
    netif->output = net_lwip_output;
    netif->output_ip6 = net_lwip_output6;
    return ERR_OK;
}

int net_lwip_begin(void)
{
    const struct net_host *host = net_service();
    ip4_addr_t address, mask, gateway;

    if (!host)
        return -1;
    if (interface.output)
        return 0;
    ip4_addr_set_u32(&address, host->address);
    ip4_addr_set_u32(&mask, host->mask);
    ip4_addr_set_u32(&gateway, host->gateway);
    lwip_init();
    next_reap = AEGIS_FOREVER;
    netif_add(&interface, &address, &mask, &gateway, NULL, set_up, ip4_input);
    netif_set_default(&interface);
    netif_set_link_up(&interface);
    netif_set_up(&interface);
    ip4_addr_set_u32(&address, PP_HTONL(IPADDR_LOOPBACK));
    ip4_addr_set_u32(&mask, PP_HTONL(IP_CLASSA_NET));
    ip4_addr_set_any(&gateway);
    netif_add(&loop_interface, &address, &mask, &gateway, NULL, set_up, ip4_input);
    netif_set_link_up(&loop_interface);
    netif_set_up(&loop_interface);
    netif_ip6_addr_set_parts(&loop_interface, 0, 0, 0, 0, PP_HTONL(1));
    netif_ip6_addr_set_state(&loop_interface, 0, IP6_ADDR_PREFERRED);
    net_lwip_look_at_addresses();
    return 0;
}

struct netif *net_lwip_route6(const ip6_addr_t *destination)
{
    return ip6_addr_isloopback(destination) ? &loop_interface : &interface;
}

/* One of netd's addresses as one of lwIP's; a connection from one that has changed is ended. */
static void set_address(s8_t index, const struct net_ipv6 *address, bool is_good)
{
    const ip_addr_t own = net_lwip_address(address);
    u8_t state = is_good ? IP6_ADDR_PREFERRED : IP6_ADDR_INVALID;

    if (is_good && !ip6_addr_cmp(netif_ip6_addr(&interface, index), ip_2_ip6(&own)))
        netif_ip6_addr_set(&interface, index, ip_2_ip6(&own));
    if (netif_ip6_addr_state(&interface, index) != state)
        netif_ip6_addr_set_state(&interface, index, state);
}

void net_lwip_look_at_addresses(void)
{
    const struct net_ipv6_page *p = net_ipv6_look();
    uint64_t now = time_now(), now_ns = time_to_ns(now);

    if (!p)
        return;
    set_address(0, &p->link, p->link_from_ns <= now_ns);
    set_address(1, &p->global,
                !net_ipv6_is_any(&p->global) && p->global_from_ns <= now_ns &&
                    p->valid_until > now / aegis_info()->timebase);
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

static int open_port(uint16_t port, bool reuses)
{
    struct opened *o = malloc(sizeof *o);

    if (!o)
        return -1;
    if (net_lease_family(&o->lease, IPV4_TCP, NET_BOTH | (reuses ? NET_REUSES : 0), port,
                         port ? MANY_SLOTS : RING_SLOTS)) {
        int error = errno;
        free(o);
        errno = error;
        return -1;
    }
    o->next = ports;
    ports = o;
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
    net_lwip_soon();
    if (next_reap == AEGIS_FOREVER)
        next_reap = time_after(REAP_NS);
    return o->lease.port;
}

void net_lwip_close(uint16_t port)
{
    struct opened **at = &ports;

    while (*at && (*at)->lease.port != port)
        at = &(*at)->next;
    struct opened *o = *at;
    if (!o)
        return;
    net_lwip_flush();
    *at = o->next;
    net_lease_end(&o->lease);
    free(o);
}

/* Gives back the ports that were lent and that no connection or listener has. */
static void reap(void)
{
    bool any = false;

    for (struct opened *o = ports; o; o = o->next)
        o->is_used = !o->is_lent;
    for (size_t i = 0; i < NUM_TCP_PCB_LISTS; i++)
        for (const struct tcp_pcb *pcb = *tcp_pcb_lists[i]; pcb; pcb = pcb->next) {
            struct opened *o = net_lwip_opened(pcb->local_port);
            if (o)
                o->is_used = true;
        }
    for (struct opened *o = ports, *next; o; o = next) {
        next = o->next;
        any |= o->is_lent && o->is_used;
        if (!o->is_used)
            net_lwip_close(o->lease.port);
    }
    next_reap = any ? time_after(REAP_NS) : AEGIS_FOREVER;
}

void net_lwip_reap(void)
{
    if (next_reap != AEGIS_FOREVER)
        reap();
}

void net_lwip_forget(void)
{
    for (size_t i = 0; i < NUM_TCP_PCB_LISTS; i++)
        *tcp_pcb_lists[i] = NULL;
    net_lwip_forget_output();
    ports = NULL;
    netif_list = netif_default = NULL;
    memset(&interface, 0, sizeof interface);
    memset(&loop_interface, 0, sizeof loop_interface);
}

void net_lwip_quicken(struct tcp_pcb *pcb)
{
    pcb->rto = pcb->sv = FIRST_RTO_MS / TCP_SLOW_INTERVAL;
}

void net_lwip_slow_down(struct tcp_pcb *pcb)
{
    int doubled = pcb->nrtx < SYN_DOUBLED ? pcb->nrtx : SYN_DOUBLED;

    if (pcb->state == SYN_SENT)
        pcb->rto = (s16_t)(FIRST_RTO_MS / TCP_SLOW_INTERVAL << doubled);
}

/* What is due by time. Ticks that nobody had time for are left out: TCP's clock stood still. */
static void keep_time(void)
{
    uint64_t now = time_now();

    if (!tcp_active_pcbs && !tcp_tw_pcbs) {
        next_tick = 0;
    } else if (!next_tick) {
        next_tick = time_after(TICK_NS);
    } else if (now >= next_tick) {
        uint64_t tick = time_from_ns(TICK_NS);
        next_tick = now - next_tick < tick ? next_tick + tick : now + tick;
        tcp_tmr();
    }
    if (now >= next_reap)
        reap();
}

static void set_next(void)
{
    uint64_t due = tcp_active_pcbs || tcp_tw_pcbs ? next_tick : AEGIS_FOREVER;

    if (next_reap < due)
        due = next_reap;
    uint64_t look = net_lwip_pending_due();
    if (look < due)
        due = look;
    net_lwip_next = due;
}

/* Takes what is in a ring of a port; a callback may close it. */
static bool drain(const struct opened *o, struct net *net, struct netif *netif)
{
    uint16_t port = o->lease.port;
    struct aegis_slot_header *slot;
    bool any = false;

    while (net_lwip_opened(port) == o && net->ring && (slot = net_next(net))) {
        any = true;
        net_lwip_input(netif, net_frame(slot), slot->length);
        if (net_lwip_opened(port) == o)
            net_release(net);
    }
    return any;
}

bool net_lwip_serve(void)
{
    bool any = false;

    net_lwip_seen = aegis_env(exos.env)->frames;
    for (struct opened *o = ports, *next; o; o = next) {
        next = o->next;
        uint16_t port = o->lease.port;
        any |= drain(o, &o->lease.net, &interface);
        if (net_lwip_opened(port) == o)
            any |= drain(o, &o->lease.loop, &loop_interface);
    }
    keep_time();
    net_lwip_send_pending();
    net_lwip_flush();
    set_next();
    return any;
}

void net_lwip_wait(uint64_t deadline)
{
    struct aegis_predicate frames = net_lwip_when();

    net_lwip_flush();
    exos_wait(&frames, 1, net_lwip_next < deadline ? net_lwip_next : deadline);
}
