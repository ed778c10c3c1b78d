/*
 * lwIP's network interface, and when what is done. Its ports are ports.c's; frames come in by
 * input.c and go out by output.c.
 */
#include <string.h>

#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/lwip/internal.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"
#include "lwip/init.h"
#include "lwip/ip4.h"
#include "lwip/priv/tcp_priv.h"

#define FIRST_RTO_MS 1000
#define SYN_DOUBLED  3 /* times */
#define TICK_NS      (TCP_TMR_INTERVAL * 1000000UL)

uint64_t net_lwip_seen, net_lwip_next;

static struct netif interface, loop_interface;
static uint64_t next_tick; /* of TCP, while it has a connection; 0: at once, to begin */

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

void net_lwip_forget(void)
{
    for (size_t i = 0; i < NUM_TCP_PCB_LISTS; i++)
        *tcp_pcb_lists[i] = NULL;
    net_lwip_forget_output();
    net_lwip_forget_ports();
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
        net_lwip_tick();
    }
    if (now >= net_lwip_next_reap)
        net_lwip_reap_due();
}

static void set_next(void)
{
    uint64_t due = tcp_active_pcbs || tcp_tw_pcbs ? next_tick : AEGIS_FOREVER;

    if (net_lwip_next_reap < due)
        due = net_lwip_next_reap;
    uint64_t look = net_lwip_pending_due();
    if (look < due)
        due = look;
    net_lwip_next = due;
}

static inline bool is_open(const struct opened *o)
{
    const struct opened *at = net_lwip_ports;
    while (at && at != o)
        at = at->next;
    return at != NULL;
}

/* Takes what is in a ring of a port; a callback may close it. */
static bool drain(const struct opened *o, struct net *net, struct netif *netif)
{
    struct aegis_slot_header *slot;
    bool any = false;

    while (is_open(o) && net->ring && (slot = net_next(net))) {
        any = true;
        net_lwip_input(netif, net_frame(slot), slot->length);
        if (is_open(o))
            net_release(net);
    }
    return any;
}

bool net_lwip_serve(void)
{
    bool any = false;

    net_lwip_seen = aegis_env(exos.env)->frames;
    for (struct opened *o = net_lwip_ports, *next; o; o = next) {
        next = o->next;
        any |= drain(o, &o->lease.net, &interface);
        if (is_open(o))
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
